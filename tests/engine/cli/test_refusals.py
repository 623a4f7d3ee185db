"""What ``magi generate`` refuses or cannot finish: one sentence each, and nothing is lost."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from PIL import Image

from magi_engine.cli.main import main
from tests.engine.cli.outcomes import Generate, one_error_line
from tests.engine.runtime.outcomes import frame_count


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
        (["-o", "no/folder/x.mp4"], "There is no folder"),
        (["-o", "taken.mp4/x.mp4"], "taken.mp4 is a file, not a folder. Choose a folder"),
        (["-o", "taken.mp4/no/x.mp4"], "taken.mp4 is a file, not a folder. Choose a folder"),
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
    assert "cannot hold a file of this size" in one_error_line(capsys)
    assert frame_count(tmp_path / "four.mp4") == 24


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


@pytest.mark.parametrize("command", ["generate", "audition"])
@pytest.mark.parametrize("options", [[], ["--seed", "1"], ["--prompt-at", "2", "a ball"]])
def test_a_video_of_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    options: list[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([command, *options]) == 2
    said = one_error_line(capsys)
    assert "Nothing says what the video begins with. Give a prompt, an image" in said
    assert "--prompt, --image, --video, --storyboard" in said
    assert list(tmp_path.iterdir()) == []
