"""Writing in a thread: order, back-pressure, errors, and that nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from magi_engine.errors import InvalidRequestError
from magi_engine.media.frames import decode_frames
from magi_engine.runtime.job.latents import KeptLatents
from magi_engine.runtime.job.output import VideoOutput
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange

SIDE = 32


def chunk(shade: int, count: int = 4) -> np.ndarray:
    return np.full((count, SIDE, SIDE, 3), shade, np.uint8)


def shades(path: Path | None) -> list[int]:
    assert path is not None
    pictures = (f.picture.to_ndarray(format="rgb24") for f in decode_frames(path))
    return [round(float(p.mean()) / 10) * 10 for p in pictures][::4]


class Slow(KeptLatents):
    """Keeps nothing, and takes its time for it."""

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def append(self, latents: np.ndarray, request: GenerationRequest, source_frames: int) -> None:
        self.begun.set()
        self.go.wait()

    def describe(self, request: GenerationRequest) -> None:
        pass


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def output(tmp_path: Path, slow: Slow) -> Iterator[VideoOutput]:
    request = GenerationRequest(
        mode=Mode.T2V,
        model="pocket",
        width=SIDE,
        height=SIDE,
        num_frames=None,
        prompts=(PromptChange(0, "a"),),
        output=str(tmp_path / "a.mp4"),
    )
    output = VideoOutput(request, slow)
    output.open(24, None)
    yield output
    slow.go.set()
    output.keep()


def test_frames_come_in_their_order(output: VideoOutput, tmp_path: Path) -> None:
    for shade in range(20, 220, 10):
        output.write(chunk(shade))
    output.made_with(seed=7)
    path = output.close()
    assert path == tmp_path / "a.mp4"
    assert shades(path) == list(range(20, 220, 10))
    assert output.frames_kept == output.frames == 80
    assert read_request(tmp_path / "a.mp4").seed == 7


def test_whoever_is_too_fast_waits(output: VideoOutput, slow: Slow) -> None:
    taken: list[int] = []

    def bring() -> None:
        for number in range(6):
            output.write(chunk(50), np.zeros(1, np.float32))
            taken.append(number)

    bringing = threading.Thread(target=bring)
    bringing.start()
    assert slow.begun.wait(300)
    bringing.join(0.5)
    assert bringing.is_alive()
    assert len(taken) <= 1, "one in work; the second waits for it"
    slow.go.set()
    bringing.join()
    assert len(taken) == 6
    assert shades(output.keep()) == [50] * 6


def test_an_error_is_raised_and_what_came_before_is_kept(output: VideoOutput) -> None:
    output.write(chunk(50))
    output.write(np.zeros((2, 5, 5, 3), np.uint8))
    for wrong in (lambda: output.write(chunk(90)), output.check, output.close):
        with pytest.raises(InvalidRequestError):
            wrong()
    assert shades(output.keep()) == [50]
    assert not [t for t in threading.enumerate() if t.name.startswith("video-writer")]


def test_nothing_written_leaves_nothing(output: VideoOutput, tmp_path: Path) -> None:
    assert output.close() is None
    assert list(tmp_path.iterdir()) == []
