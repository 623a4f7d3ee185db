"""The built-in demo, with the model that ships with the program."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from magi_engine.cli import demo
from magi_engine.cli.main import main
from magi_engine.config.registry import Registry
from magi_engine.media.frames import decode_frames
from magi_engine.runtime.request.metadata import read_request
from magi_engine.training.analysis import analyse_clip
from magi_engine.training.scenes import Background, Colour, Shape
from magi_engine.weights.layout import missing_parts


@pytest.mark.skipif(
    bool(missing_parts(Registry.load().default)), reason="a source tree without the shipped weights"
)
def test_the_demo_is_a_video_of_its_prompt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--device", "cpu", "--seconds", "1"]) == 0
    (path,) = tmp_path.iterdir()
    assert f"Saved {path}" in capsys.readouterr().err
    frames = [frame.picture.to_ndarray(format="rgb24") for frame in decode_frames(path)]
    assert len(frames) == 24
    report = analyse_clip(np.stack(frames).astype(np.uint8))
    assert report.background is Background.NAVY
    assert {(o.colour, o.shape) for o in report.objects} == {(Colour.YELLOW, Shape.STAR)}
    assert read_request(path).prompt == demo.PROMPT


def test_the_demo_is_made_of_what_was_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own prompt took the place of another video's, and forbade a storyboard."""
    monkeypatch.chdir(tmp_path)
    Path("board.txt").write_text("0:00 a red ball\n")
    small = ["--size", "32x32", "--seconds", "1", "--device", "cpu", "--steps", "4"]
    assert main(["demo", *small, "--storyboard", "board.txt", "-o", "a.mp4"]) == 0
    assert main(["demo", "--device", "cpu", "--like", "a.mp4", "-o", "b.mp4"]) == 0
    for name in ("a.mp4", "b.mp4"):
        request = read_request(tmp_path / name)
        assert (request.prompt, request.width, request.num_frames) == ("a red ball", 32, 24)
        assert request.seed == demo.SEED
