"""``--like``: a video with the settings of another one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from PIL import Image

from magi_engine import __version__
from magi_engine.cli.main import main
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import GenerationRequest, Mode
from tests.engine.cli.outcomes import Generate, one_error_line
from tests.engine.runtime.outcomes import frame_count


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


@pytest.mark.parametrize("field", ["config_path", "reference"])
def test_settings_of_others_open_no_file_of_another_computer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], field: str
) -> None:
    request = GenerationRequest(Mode.I2V, "pocket", 64, 64, 24)
    request = dataclasses.replace(request, **{field: "//server/share/a"})
    (tmp_path / "theirs.json").write_text(request.to_json())
    assert main(["generate", "--like", str(tmp_path / "theirs.json")]) == 2
    assert "//server/share/a" in one_error_line(capsys)
