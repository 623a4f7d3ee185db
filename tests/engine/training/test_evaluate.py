"""The evaluation as a command, and its table."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from magi_engine.config import places
from magi_engine.sampling.schedule import SamplerSettings
from magi_engine.training import evaluate, trials, workers
from magi_engine.training.report import (
    Result,
    Setting,
    mean_interval,
    merge_results,
    save_results,
    table,
    wilson,
    wrong_cases,
)
from magi_engine.training.scenes import (
    CHUNK_FRAMES,
)
from magi_engine.training.tracking import Frames
from magi_engine.training.trials import (
    Row,
    Task,
)
from magi_engine.weights.layout import find_model

SETTING = Setting("pocket", 16, 1)


def test_words_at_once_reach_a_chunk_that_has_begun(square_model: Path) -> None:
    found = find_model(str(square_model))
    settings = dataclasses.replace(SamplerSettings.from_config(found.config), window_size=2)
    camera = workers.Camera(found, settings, torch.device("cpu"), torch.float32)
    task = Task("a red ball", 3, 5, next_prompt="a blue cube", change_chunk=1)
    next_ = camera.film(task)
    at_once = camera.film(dataclasses.replace(task, at_once=True))
    never = camera.film(dataclasses.replace(task, next_prompt=None))
    assert at_once.shape == never.shape == next_.shape
    assert not np.array_equal(at_once[CHUNK_FRAMES:], never[CHUNK_FRAMES:])


def test_intervals() -> None:
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == pytest.approx(1)
    # Newcombe (1998), table I: 81 of 263.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert mean_interval([2.0]) == (2.0, 2.0)
    low, high = mean_interval([1.0, 3.0])
    assert (low, high) == pytest.approx((2 - 1.96, 2 + 1.96), abs=1e-3)


def result(row: str, index: int, **values: float) -> Result:
    return Result(row, index, 1, f"prompt {index}", None, values, "seen")


def test_the_table_says_what_was_missed() -> None:
    results = [
        result("v2v", 0, error=0.02),
        result("v2v", 1, error=0.12),
        *[result("long", i, present=float(i > 0)) for i in range(50)],
    ]
    text = table(results, SETTING)
    assert "| <= 6 % | 7.0 % (missed) |" in text
    assert "| >= 95 % | 98.0 % | 89.5 to 99.6 | 50 |" in text
    assert len(text.splitlines()) == 4
    assert [line.split(":")[0] for line in wrong_cases(results)] == [
        "long 0 (present)",
        "v2v 1 (error)",
    ]


def test_files_are_merged_and_never_mixed(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.json", "b.json", "c.json")]
    save_results(files[0], SETTING, [result("t2v", 0, colour=0.0), result("t2v", 1, colour=1.0)])
    save_results(files[1], SETTING, [result("t2v", 0, colour=1.0), result("long", 0, present=1)])
    setting, merged = merge_results(files[:2])
    assert setting == SETTING
    assert len(merged) == 3
    assert {r.key: r.values for r in merged}["t2v", 0, 1] == {"colour": 1.0}
    save_results(files[2], Setting("pocket", 8, 1), [])
    assert evaluate.main(["--merge", str(files[0]), str(files[2])]) == 1
    files[2].write_text("{}")
    assert evaluate.main(["--merge", str(files[2])]) == 1


def test_all_rows_run_with_a_tiny_model(
    square_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(trials, "MINUTE_CHUNKS", 5)
    kept, sheets = tmp_path / "out.json", tmp_path / "sheets"
    options = ["--model", str(square_model), "--prompts", "2", "--device", "cpu", "--jobs", "1"]
    options += ["--json", str(kept), "--sheets", str(sheets), "--sheet-trials", "1", "--verbose"]
    assert evaluate.main([*options, "--steps", "2"]) == 0
    printed = capsys.readouterr()
    assert f"{2 * len(Row)} of {2 * len(Row)} trials" in printed.err
    assert "square, 2 steps, window 2" in printed.out
    content = json.loads(kept.read_text(encoding="utf-8"))
    assert {(r["row"], r["index"]) for r in content["results"]} == {
        (row.value, i) for row in Row for i in range(2)
    }
    assert {p.stem for p in sheets.glob("*.png")} == {row.value for row in Row}
    # What was kept gives the same table.
    assert evaluate.main(["--merge", str(kept)]) == 0
    assert capsys.readouterr().out.strip() in printed.out


def test_processes_give_what_one_gives(square_model: Path, tmp_path: Path) -> None:
    results = []
    for jobs in ("1", "2"):
        path = tmp_path / f"{jobs}.json"
        options = ["--model", str(square_model), "--prompts", "2", "--rows", "v2v", "--steps", "2"]
        assert evaluate.main([*options, "--jobs", jobs, "--json", str(path), "--device=cpu"]) == 0
        content = json.loads(path.read_text(encoding="utf-8"))["results"]
        results.append(sorted(content, key=lambda r: r["index"]))
    assert results[0] == results[1]


def test_processes_end_with_the_one_that_started_them(square_model: Path) -> None:
    options = ["--model", str(square_model), "--prompts", "100000", "--rows", "v2v", "--steps", "2"]
    command = [sys.executable, "-m", evaluate.__name__, *options, "--jobs", "2", "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as evaluation:
        assert evaluation.stderr is not None
        line = next((line for line in evaluation.stderr if "trials" in line), "nothing")
        workers_started = psutil.Process(evaluation.pid).children(recursive=True)
        evaluation.kill()
        _, alive = psutil.wait_procs(workers_started, timeout=300)
        for process in alive:
            process.kill()
    assert line.startswith("1 of 100000 trials")
    assert len(workers_started) >= 2
    assert not alive


def test_neither_media_nor_a_display_is_needed() -> None:
    program = (
        "import sys\n"
        "sys.modules |= dict.fromkeys(('av', 'PIL', 'rich', 'PySide6'))\n"
        "from magi_engine.training.evaluate import main\n"
        "sys.exit(main(['--model', 'unheard-of']))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.startswith("There is no model called 'unheard-of'.")


def test_models_are_looked_for_where_the_program_makes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(places, "_folder", lambda kind: tmp_path)
    assert evaluate.main(["--model", "pocket-fp8"]) == 1
    assert capsys.readouterr().err.endswith("Make it with: magi models quantize pocket-fp8\n")


def test_an_interruption_prints_the_rows_so_far(
    square_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, takes = workers.Camera.film, iter((1,))

    def interrupted(camera: workers.Camera, task: Task) -> Frames:
        if next(takes, None) is None:
            raise KeyboardInterrupt
        return run(camera, task)

    monkeypatch.setattr(workers.Camera, "film", interrupted)
    path = tmp_path / "part.json"
    options = ["--model", str(square_model), "--rows", "change", "--jobs", "1", "--device", "cpu"]
    assert evaluate.main([*options, "--json", str(path)]) == 130
    assert "window 2" in capsys.readouterr().out
    assert len(json.loads(path.read_text(encoding="utf-8"))["results"]) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
def test_the_end_of_a_job_keeps_the_rows_so_far(square_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "part.json"
    options = ["--model", str(square_model), "--prompts", "100000", "--rows", "v2v", "--steps", "2"]
    options += ["--jobs", "1", "--device", "cpu", "--json", str(path)]
    command = [sys.executable, "-m", evaluate.__name__, *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as evaluation:
        assert evaluation.stderr is not None
        line = next((line for line in evaluation.stderr if "trials" in line), "nothing")
        evaluation.terminate()
        evaluation.communicate()
    assert line.startswith("1 of 100000 trials")
    assert evaluation.returncode == 130
    assert json.loads(path.read_text(encoding="utf-8"))["results"]


def test_time_ends_it_early(square_model: Path, tmp_path: Path) -> None:
    path = tmp_path / "part.json"
    options = ["--model", str(square_model), "--rows", "change", "--jobs", "1", "--device", "cpu"]
    assert evaluate.main([*options, "--minutes", "0", "--json", str(path)]) == 0
    assert len(json.loads(path.read_text(encoding="utf-8"))["results"]) == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--rows", "t2v,nothing"],
        ["--prompts", "0"],
        ["--jobs", "-1"],
        ["--model", "unheard-of"],
        ["--steps", "7"],
        ["--device", "abacus"],
    ],
)
def test_bad_options_are_one_line(
    square_model: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    model = [] if "--model" in options else ["--model", str(square_model)]
    assert evaluate.main([*model, *options]) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.fixture(scope="module")
def square_model(tiny_model_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny random model with square pictures of 32 pixels."""
    content = json.loads(tiny_model_config.read_text(encoding="utf-8"))
    runtime = content["runtime_config"]
    for field in ("load", "t5_pretrained", "vae_pretrained"):
        runtime[field] = str(tiny_model_config.parent / runtime[field])
    runtime |= {"video_size_w": 32, "video_size_h": 32, "num_steps": 2}
    root = tmp_path_factory.mktemp("square")
    (root / "special_tokens.npz").write_bytes(
        (tiny_model_config.parent / "special_tokens.npz").read_bytes()
    )
    path = root / "square.json"
    path.write_text(json.dumps(content))
    return path
