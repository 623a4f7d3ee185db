"""``magi replay``: a recorded case comes out the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from magi_engine.cli.main import main
from tests.engine.cli.outcomes import one_error_line


def test_replay_reproduces_a_recorded_case(
    goldens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    case = goldens / "t2v_one_chunk"
    options = [
        *("--weights", str(goldens / "weights_gelu.safetensors")),
        *("--tensors", f"{case}.safetensors"),
        *("--special-tokens", str(goldens / "special_tokens.npz")),
        *("--out", str(out)),
    ]
    trace = tmp_path / "trace.json"
    assert main(["replay", f"{case}.json", *options, "--trace", str(trace)]) == 0
    recorded = load_file(f"{case}.safetensors")["chunk.0"]
    replayed = load_file(out)["chunk.0"]
    assert ((replayed - recorded).norm() / recorded.norm()).item() < 6e-5
    said = capsys.readouterr().out
    assert float(said.split("relative L2 ")[1]) < 6e-5
    forwards = json.loads(trace.read_text(encoding="utf-8"))
    wanted = json.loads(case.with_suffix(".json").read_text(encoding="utf-8"))["trace"]
    assert len(forwards) == len(wanted)
    for forward, expected in zip(forwards, wanted, strict=True):
        same = {"kv_range", "slice_point", "range_num", "denoising_range_num"}
        same |= {"fwd_extra_1st_chunk", "distill_nearly_clean_chunk", "distill_interval"}
        assert {name: forward[name] for name in same} == {name: expected[name] for name in same}
        assert forward["t"] == pytest.approx(expected["t"], abs=1e-6)
        assert forward["passes"] == ["TEXT"]
    assert main(["replay", str(tmp_path / "absent.json"), *options]) == 2


def test_replay_names_what_is_wrong(
    goldens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = goldens / "t2v_one_chunk"
    files = {
        "case": case.with_suffix(".json"),
        "--weights": goldens / "weights_gelu.safetensors",
        "--tensors": case.with_suffix(".safetensors"),
        "--special-tokens": goldens / "special_tokens.npz",
        "--out": tmp_path / "out.safetensors",
    }
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "other.json").write_text("[]")
    wrong_tokens = json.loads(files["case"].read_text(encoding="utf-8")) | {
        "special_tokens": ["NONE"]
    }
    (tmp_path / "tokens.json").write_text(json.dumps(wrong_tokens))
    save_file({"noise": torch.zeros(1)}, tmp_path / "other.safetensors")
    for option, wrong, said, code in (
        ("case", "broken.json", "broken.json", 2),
        ("case", "other.json", "no config", 2),
        ("--tensors", "other.safetensors", "lacks the tensor caption", 1),
        ("--weights", "other.safetensors", "other.safetensors", 1),
        ("--special-tokens", "other.json", "special tokens", 1),
        ("--out", "no/folder.safetensors", "no folder", 2),
        ("--trace", "no/folder.json", "no folder", 2),
        ("case", "tokens.json", "special_tokens is ['NONE']", 2),
    ):
        given = files | {option: tmp_path / wrong}
        options = [str(word) for key, value in given.items() for word in (key, value)]
        assert main(["replay", *options[1:]]) == code
        assert said in one_error_line(capsys)
    options = [str(word) for option in files.items() for word in option]
    assert main(["replay", *options[1:], "--negative-tokens"]) == 2
    assert "nothing in a distilled model" in one_error_line(capsys)
