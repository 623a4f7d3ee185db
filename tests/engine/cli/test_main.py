"""The command line in this process: what it makes, what it says, and how it refuses."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from magi_engine import __version__
from magi_engine.cli.main import build_parser, main
from magi_engine.cli.request_options import add_request_options, build_request
from magi_engine.config.registry import Registry, model_config
from magi_engine.media.frames import decode_frames
from magi_engine.media.output import open_writer
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange

Generate = Callable[..., int]


@pytest.fixture
def generate(tiny_model_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generate:
    """``magi generate`` with the tiny model, in an empty folder; returns the exit code."""
    monkeypatch.chdir(tmp_path)

    def run(*options: str, config: Path = tiny_model_config) -> int:
        return main(["generate", "--config", str(config), "--device", "cpu", *options])

    return run


@pytest.fixture
def image(tmp_path: Path) -> Path:
    Image.new("RGB", (60, 40), "red").save(tmp_path / "image.png")
    return tmp_path / "image.png"


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    with open_writer(tmp_path / "clip.mp4", 48, 32, 24) as writer:
        writer.write(np.full((48, 32, 48, 3), 90, np.uint8))
    return tmp_path / "clip.mp4"


def frame_count(path: Path) -> int:
    return sum(1 for _ in decode_frames(path))


def one_error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The error, which is one line on stderr, with nothing on stdout and no traceback."""
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    errors = [line for line in err.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1, err
    assert err.splitlines()[-1] == errors[0]
    return errors[0]


def test_guidance_reaches_the_request_of_a_base_model() -> None:
    options = ["--prompt", "x", "--model", "4.5B-base", "--text-scales", "3"]
    request = build_request(build_parser().parse_args(["generate", *options]))
    assert request.sampling.text_scales == (3.0,)


@pytest.mark.parametrize("command", ["generate", "audition"])
@pytest.mark.parametrize("options", [[], ["--seed", "1"], ["--prompt-at", "2", "a ball"]])
def test_a_video_of_nothing_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    options: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([command, *options]) == 2
    said = one_error_line(capsys)
    assert said.startswith(
        "Error: Nothing says what the video begins with. Give a prompt, an image"
    )
    assert "--prompt, --image, --video, --storyboard" in said
    assert list(tmp_path.iterdir()) == []


def test_an_empty_prompt_is_one() -> None:
    request = build_request(build_parser().parse_args(["generate", "--prompt", ""]))
    assert request.prompts == (PromptChange(0, ""),)


def test_generate_writes_the_file_and_says_so(
    generate: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--prompt", "a red circle", "--seconds", "1.5", "--seed", "4", "-o", "a.mp4"]
    assert generate(*options) == 0
    err = capsys.readouterr().err
    assert f"Saved {tmp_path / 'a.mp4'} (36 frames" in err
    assert "Chunk 2 of 2 is ready, 36 frames" in err
    assert frame_count(tmp_path / "a.mp4") == 36
    request = read_request(tmp_path / "a.mp4")
    assert (request.mode, request.seed, request.prompt) == (Mode.T2V, 4, "a red circle")


def test_the_default_name_says_what_is_in_the_video(generate: Generate, tmp_path: Path) -> None:
    for _ in range(2):
        assert (
            generate("--prompt", "A red  circle, moving!", "--seconds", "0.1", "--seed", "4") == 0
        )
    names = {path.name for path in tmp_path.glob("*.mp4")}
    assert names == {"A-red-circle-moving-4.mp4", "A-red-circle-moving-4-2.mp4"}


def test_seconds_count_at_the_frame_rate_that_was_asked_for(
    generate: Generate, tmp_path: Path
) -> None:
    assert generate("--prompt", "x", "--seconds", "1", "--fps", "12", "-o", "a.mp4") == 0
    assert generate("--like", "a.mp4", "--seconds", "2", "-o", "b.mp4") == 0
    assert frame_count(tmp_path / "a.mp4") == 12
    assert frame_count(tmp_path / "b.mp4") == 24


def test_without_a_seed_every_video_is_another(generate: Generate, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        assert generate("--prompt", "x", "--seconds", "0.1", "-o", name) == 0
    assert read_request(tmp_path / "a.mp4").seed != read_request(tmp_path / "b.mp4").seed


def test_image_and_video_choose_the_mode(
    generate: Generate, tmp_path: Path, image: Path, clip: Path
) -> None:
    assert generate("--image", "image.png", "--seconds", "1", "-o", "i.mp4") == 0
    options = ["--video", "clip.mp4", "--seconds", "1", "--clip", "0-1", "--prepend-source"]
    assert generate(*options, "-o", "v.mp4") == 0
    assert frame_count(tmp_path / "i.mp4") == 24
    assert frame_count(tmp_path / "v.mp4") == 48
    request = read_request(tmp_path / "v.mp4")
    assert (request.mode, request.reference) == (Mode.V2V, str(clip))


def test_options_reach_the_request(generate: Generate, tmp_path: Path, image: Path) -> None:
    assert (
        generate(
            *("--image", "image.png", "--fit", "pad", "--crop", "1,2,30,20", "--size", "32x48"),
            *("--steps", "8", "--window", "1", "--kv-range", "2,1"),
            *("--special-tokens", "hq,STATIC_FIRST_FRAMES_TOKEN", "--crf", "30"),
            *("--clean-kv-range", "-1"),
            *("--prompt", "x", "--prompt-at", "2", "y", "--seconds", "1.2", "-o", "a.webm"),
        )
        == 0
    )
    request = read_request(tmp_path / "a.webm")
    assert (request.width, request.height, request.num_frames) == (32, 48, 29)
    assert request.prompts == (PromptChange(0, "x"), PromptChange(1, "y"))
    assert (request.sampling.num_steps, request.sampling.window_size) == (8, 1)
    assert request.sampling.noise2clean_kvrange == (2, 1)
    assert request.sampling.clean_chunk_kvrange == -1
    assert request.special_tokens == ("HQ_TOKEN", "STATIC_FIRST_FRAMES_TOKEN")
    assert request.fit.value == "pad"
    assert request.crop is not None
    assert request.crop.width == 30
    assert request.writing.crf == 30


def test_like_takes_the_settings_over(
    generate: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate("--prompt", "a red circle", "--seed", "4", "--seconds", "1", "-o", "a.mp4") == 0
    assert main(["generate", "--like", "a.mp4", "-o", "b.mp4"]) == 0
    assert (tmp_path / "b.mp4").read_bytes()[-1000:] == (tmp_path / "a.mp4").read_bytes()[-1000:]
    assert main(["generate", "--like", "a.mp4", "--seed", "5", "-o", "c.mp4"]) == 0
    assert read_request(tmp_path / "c.mp4").prompt == "a red circle"
    assert read_request(tmp_path / "c.mp4").seed == 5
    capsys.readouterr()
    assert main(["settings-of", "c.mp4"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["seed"], shown["program_version"]) == (5, __version__)


def test_a_video_like_one_of_an_audition_is_whole(
    tiny_model_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--prompt", "a red circle", "--seed", "4", "--seconds", "2", "-o", "a"]
    config = ["--config", str(tiny_model_config), "--device", "cpu"]
    assert main(["audition", "--count", "1", *config, *options]) == 0
    (first,) = (tmp_path / "a").iterdir()
    assert frame_count(first) == 24
    assert main(["generate", "--like", str(first), "-o", "b.mp4"]) == 0
    assert frame_count(tmp_path / "b.mp4") == 48


def test_like_leaves_out_what_was_said_of_another_reference(
    generate: Generate, tmp_path: Path, image: Path, clip: Path
) -> None:
    options = ["--video", "clip.mp4", "--crop", "0,0,48,32", "--prepend-source", "--seconds", "1"]
    assert generate(*options, "-o", "v.mp4") == 0
    Image.new("RGB", (20, 20), "red").save(tmp_path / "small.png")
    assert main(["generate", "--like", "v.mp4", "--image", "small.png", "-o", "i.mp4"]) == 0
    request = read_request(tmp_path / "i.mp4")
    assert (request.mode, request.crop, request.prepend_source) == (Mode.I2V, None, False)
    assert main(["generate", "--like", "v.mp4", "--video", "clip.mp4", "-o", "w.mp4"]) == 0
    assert read_request(tmp_path / "w.mp4").prepend_source


def test_what_is_printed_is_utf8_whatever_the_code_page(generate: Generate) -> None:
    prompt = "红色的球 🎈 rollt über den Tisch"
    assert generate("--prompt", prompt, "--seconds", "1", "-o", "a.mp4") == 0
    command = [sys.executable, "-P", "-m", "magi_engine", "settings-of", "a.mp4"]
    odd = {**os.environ, "PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(command, capture_output=True, env=odd)
    assert done.returncode == 0, done.stderr
    assert prompt in done.stdout.decode("utf-8")


def test_json_events_are_one_object_per_line(
    generate: Generate, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate("--json", "--prompt", "a red circle", "--seconds", "2", "-o", "a.mp4") == 0
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert err == ""
    assert [e["index"] for e in events if e["event"] == "chunk"] == [0, 1]
    assert events[-1]["event"] == "finished"
    assert events[-1]["frames"] == 48


def test_a_failure_is_an_event_too(generate: Generate, capsys: pytest.CaptureFixture[str]) -> None:
    assert generate("--json", "--image", "absent.png", "-o", "a.mp4") == 2
    out, err = capsys.readouterr()
    last = json.loads(out.splitlines()[-1])
    assert (last["event"], last["error"]) == ("failed", "MediaReadError")
    assert err.startswith("Error: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--size", "50x48"], "48x48 or 64x48"),
        (["--size", "big"], "720x720"),
        (["--seconds", "0"], "0 seconds"),
        (["--seconds", "-3"], "-3 seconds"),
        (["--seconds", "long"], "not a number"),
        (["--steps", "5"], "Choose 4 or 6 steps"),
        (["--window", "9"], "1 to 8"),
        (["--image", "image.png", "--video", "x.mp4"], "not allowed with"),
        (["--seconds", "1", "--until-stopped"], "not allowed with"),
        (["--image", "absent.png"], "There is no file"),
        (["--video", "absent.mp4"], "There is no file"),
        (["--image", "notes.txt"], "notes.txt"),
        (["--image", "tiny.png"], "tiny.png"),
        (["--image", "empty.png"], "empty"),
        (["--video", "empty.mp4"], "empty"),
        (["--video", "cut.mp4"], "cut.mp4"),
        (["--video", "image.png"], "is an image"),
        (["--prompt-at", "9", "x"], "from 8 s on, but the video ends after"),
        (["--prompt-at", "soon", "x"], "not the number of a chunk"),
        (["--prompt-at", "0", "x"], "not the number of a chunk"),
        (["--special-tokens", "MAGIC"], "no special token MAGIC"),
        (["--clip", "3-2"], "no range"),
        (["--clip", "middle"], "neither end, start"),
        (["--crop", "1,2,3"], "not X,Y,W,H"),
        (["-o", "no/folder/x.mp4"], "no folder"),
        (["-o", "x.avi"], ".mp4, .webm"),
        (["-o", "taken.mp4"], "exists already"),
        (["--like", "taken.mp4"], "taken.mp4"),
        (["--like", "image.png"], "no settings of this program"),
        (["--dtype", "int4"], "invalid choice"),
        (["--prompt", "x", "--device", "abacus"], "no device called"),
        (["--model", "pocket"], "not allowed with"),
    ],
)
def test_bad_input(
    generate: Generate,
    image: Path,
    clip: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    said: str,
) -> None:
    (tmp_path / "notes.txt").write_text("just text")
    Image.new("RGB", (1, 1)).save(tmp_path / "tiny.png")
    for name in ("empty.png", "empty.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:300])
    (tmp_path / "taken.mp4").write_text("precious")
    before = sorted(tmp_path.iterdir())
    assert generate(*options) == 2
    assert said in one_error_line(capsys)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "taken.mp4").read_text(encoding="utf-8") == "precious"


def test_an_enormous_image_is_refused_or_read_but_never_a_crash(
    generate: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png")
    assert generate("--image", "huge.png", "--seconds", "0.1", "-o", "a.mp4") == 2
    assert "huge.png" in one_error_line(capsys)


def test_an_absent_gpu(
    generate: Generate, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert generate("--prompt", "x", "--device", "cuda") == 1
    assert "--device cpu" in one_error_line(capsys)


def test_an_unknown_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "--model", "pockets"]) == 2
    assert "pocket" in one_error_line(capsys)


def test_a_model_that_is_not_here(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = SimpleNamespace(total=64 * 10**9, available=64 * 10**9)  # or that is told first
    monkeypatch.setattr(psutil, "virtual_memory", lambda: roomy)
    options = ["--models-dir", str(tmp_path), "-o", str(tmp_path / "a.mp4")]
    assert main(["generate", "--prompt", "x", "--model", "4.5B-base", *options]) == 2
    assert "4.5B base" in one_error_line(capsys)


def test_an_unwritable_folder(
    generate: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # /dev/full and file modes do not stop root, but a name that is no folder stops everybody.
    (tmp_path / "file").touch()
    assert generate("-o", "file/x.mp4") == 2
    assert "file" in one_error_line(capsys)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_keeps_the_chunks_before(
    generate: Generate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import resource

    options = ["--prompt", "", "--seed", "1", "--crf", "0"]
    assert generate(*options, "--seconds", "1", "-o", "one.mp4") == 0
    capsys.readouterr()
    limit = (tmp_path / "one.mp4").stat().st_size * 3 // 2
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        code = generate(*options, "--seconds", "4", "-o", "four.mp4", "--quiet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert "No space is left" in one_error_line(capsys)
    assert frame_count(tmp_path / "four.mp4") == 24


def test_a_long_prompt_is_cut_and_said_so(
    generate: Generate, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = "red circle " * 5000
    assert generate("--prompt", prompt, "--seconds", "0.1", "-o", "a.mp4", "--quiet") == 0
    assert "only the first 800 of them count" in capsys.readouterr().err


def test_an_empty_prompt_is_allowed(generate: Generate, tmp_path: Path) -> None:
    assert generate("--prompt", "", "--seconds", "0.1", "--seed", "3") == 0
    assert (tmp_path / "t2v-3.mp4").exists()


class TestDamagedModels:
    """Files that are not what they should be."""

    @pytest.fixture
    def config(self, tiny_model_config: Path, tmp_path: Path) -> Path:
        folder = shutil.copytree(tiny_model_config.parent, tmp_path / "model")
        return Path(folder) / tiny_model_config.name

    @pytest.fixture
    def weights(self, config: Path) -> Path:
        return config.parent / "dit" / "inference_weight.distill" / "model.safetensors"

    def _refused(
        self, generate: Generate, config: Path, capsys: pytest.CaptureFixture[str], code: int = 1
    ) -> str:
        assert generate("--prompt", "x", "-o", "a.mp4", config=config) == code
        return one_error_line(capsys)

    def test_truncated_weights(
        self,
        generate: Generate,
        config: Path,
        weights: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        weights.write_bytes(weights.read_bytes()[:-1000])
        assert "model.safetensors" in self._refused(generate, config, capsys)

    def test_weights_of_the_wrong_shape(
        self,
        generate: Generate,
        config: Path,
        weights: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        # Copies: on Windows no file is replaced that is mapped.
        state = {name: tensor.clone() for name, tensor in load_file(weights).items()}
        state["x_embedder.weight"] = torch.zeros(3, 3)
        save_file(state, weights)
        assert "x_embedder.weight" in self._refused(generate, config, capsys)

    def test_a_pickle_with_code_in_it_is_not_run(
        self,
        generate: Generate,
        config: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        trace = tmp_path / "code-was-run"
        (config.parent / "t5" / "model.safetensors").unlink()
        bad = config.parent / "t5" / "pytorch_model.bin"
        bad.write_bytes(pickle.dumps(_Malicious(trace)))
        self._refused(generate, config, capsys)
        torch.save({"shared.weight": _Malicious(trace)}, bad)
        self._refused(generate, config, capsys)
        assert not trace.exists()

    def test_a_configuration_with_a_wrong_field(
        self, generate: Generate, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        data = json.loads(config.read_text(encoding="utf-8"))
        data["runtime_config"]["num_stepps"] = 8
        config.write_text(json.dumps(data))
        assert "num_stepps" in self._refused(generate, config, capsys, code=2)

    def test_a_missing_part(
        self, generate: Generate, config: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (config.parent / "vae" / "config.json").unlink()
        assert "autoencoder" in self._refused(generate, config, capsys, code=2)


class _Malicious:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.trace,)


def test_what_nobody_foresaw_is_one_sentence_and_a_log(
    tiny_model_config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("the inner reason")

    monkeypatch.setattr("magi_engine.runtime.models.loaded.LoadedModel.load_vae", broken)
    log = tmp_path / "log.txt"
    options = ["--config", str(tiny_model_config), "--prompt", "x", "-o", str(tmp_path / "a.mp4")]
    assert main(["--log-file", str(log), "generate", *options]) == 1
    message = one_error_line(capsys)
    assert "ZeroDivisionError" in message
    assert str(log) in message
    assert log.read_text(encoding="utf-8").count("ZeroDivisionError: the inner reason") == 1
    assert logging.getLogger("magi_engine").handlers == []


def test_the_examples_can_be_typed_name_what_moves_and_are_the_readmes() -> None:
    parser = build_parser()
    examples = [line.strip() for line in (parser.epilog or "").splitlines()[1:]]
    for line in examples:
        prompt = getattr(parser.parse_args(shlex.split(line)[1:]), "prompt", None)
        assert prompt is None or not prompt.startswith("it ")
    readme = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
    shown = re.findall(r"packaging/dev\.py run (generate .*)", readme)
    assert [line for line in examples if "generate" in line] == [f"magi {line}" for line in shown]


HelpOf = Callable[[str], str]


@pytest.fixture
def help_of(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> HelpOf:
    """What a command's ``--help`` says, in one line."""
    monkeypatch.setenv("COLUMNS", "1000")

    def run(command: str) -> str:
        assert main([command, "--help"]) == 0
        return " ".join(capsys.readouterr().out.split())

    return run


def test_the_help_of_a_request_says_defaults_and_choices(help_of: HelpOf) -> None:
    said = help_of("generate")
    assert "default: as the model is configured, 4 for all that are known" in said
    assert "default: as the model is configured, 128x128 for pocket" in said
    for entry in Registry.load().entries:
        runtime = model_config(entry.name, None)[1].runtime_config
        assert runtime.num_frames == 4 * runtime.fps, entry.name
    pocket = model_config("pocket", None)[1].runtime_config
    assert (pocket.video_size_w, pocket.video_size_h) == (128, 128)
    assert "--attention NAME" in said
    assert "'memory-efficient', 'fp8, Hopper', 'int8'" in said
    assert "--shortcut-mode MODE schedule of 12 steps: '8,16,16' or '16,16,8'" in said


def test_the_help_of_an_audition_says_its_limit_and_its_folder(help_of: HelpOf) -> None:
    said = help_of("audition")
    assert "how many, 1 to 100; default: 9" in said
    assert "-o DIR, --output DIR folder for the videos; default: audition" in said
    assert "default: a name made of" not in said


def test_help_and_bad_options_need_no_torch() -> None:
    """They answer at once: PyTorch alone takes two seconds to import."""
    code = (
        "import sys\n"
        "from magi_engine.cli.main import main\n"
        "bad = main(['generate', '--size', '5'])\n"
        "good = [main(['--help']), main(['generate', '--help']), main(['--version'])]\n"
        "codes = [*good, bad, main([])]\n"
        "sys.exit(0 if codes == [0, 0, 0, 2, 2] and 'torch' not in sys.modules else 1)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_command_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert one_error_line(capsys)


def test_doctor_tries_everything_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["doctor", "--json", "--models-dir", str(tmp_path)]) == 0
    findings = {(f["topic"], f["name"]): f for f in json.loads(capsys.readouterr().out)}
    assert findings["Versions", "torch"]["detail"] == torch.__version__
    assert findings["Devices", "cpu"]["works"]
    assert findings["Devices", "fp8 on cpu"]["works"]
    assert findings["Devices", "math attention on cpu"]["works"]
    assert findings["Output", "mp4"]["works"]
    assert findings["Output", "webm"]["works"]
    missing = findings["Models", "4.5B-base"]
    assert not missing["works"]
    assert "transformer" in missing["detail"]


def test_doctor_for_people(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["doctor", "--models-dir", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for word in ("Versions", "Devices", "Memory and disk", "Output", "Models", "pocket"):
        assert word in out


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


def test_recover_with_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recover", str(tmp_path)]) == 0
    assert "nothing to recover" in capsys.readouterr().out
    assert main(["recover", str(tmp_path / "absent")]) == 2
    assert one_error_line(capsys)


def test_recover_leaves_what_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = tmp_path / ".a.mp4.part-999999999-0123abcd.mp4"
    part.write_bytes(b"not a video")
    assert main(["recover", str(tmp_path)]) == 2
    assert one_error_line(capsys)
    assert part.exists()


@pytest.mark.parametrize("field", ["config_path", "reference"])
def test_settings_of_others_open_no_file_of_another_computer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    request = GenerationRequest(Mode.I2V, "pocket", 64, 64, 24)
    request = dataclasses.replace(request, **{field: "//server/share/a"})
    (tmp_path / "theirs.json").write_text(request.to_json())
    assert main(["generate", "--like", str(tmp_path / "theirs.json")]) == 2
    assert "//server/share/a" in one_error_line(capsys)


def test_how_many_cards_are_asked_for() -> None:
    parser = argparse.ArgumentParser()
    add_request_options(parser)
    asked = [parser.parse_args(given).cards for given in ([], ["--gpus", "2"], ["--gpus", "all"])]
    assert asked == [None, 2, 0]
    for wrong in ("0", "-1", "two"):
        with pytest.raises(SystemExit):
            parser.parse_args(["--gpus", wrong])
