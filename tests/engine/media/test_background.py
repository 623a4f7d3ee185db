"""Writing in a thread: order, back-pressure, errors, and that nothing is lost."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from magi_engine.errors import InvalidRequestError
from magi_engine.media import open_writer
from magi_engine.media.background import BackgroundWriter
from magi_engine.media.frames import decode_frames

SIDE = 32


def chunk(shade: int, count: int = 4) -> np.ndarray:
    return np.full((count, SIDE, SIDE, 3), shade, np.uint8)


def shades(path: Path | None) -> list[int]:
    assert path is not None
    pictures = (f.picture.to_ndarray(format="rgb24") for f in decode_frames(path))
    return [round(float(p.mean()) / 10) * 10 for p in pictures][::4]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[BackgroundWriter]:
    background = BackgroundWriter(open_writer(tmp_path / "a.mp4", SIDE, SIDE, 24))
    yield background
    background.keep()


def test_frames_come_in_their_order(writer: BackgroundWriter, tmp_path: Path) -> None:
    for shade in range(20, 220, 20):
        writer.write([chunk(shade), chunk(shade + 10)])
    writer.describe('{"late": 1}')
    path = writer.close()
    assert path == tmp_path / "a.mp4"
    assert shades(path) == list(range(20, 220, 10))
    assert writer.frames_written == 80


def test_whoever_is_too_fast_waits(writer: BackgroundWriter) -> None:
    go = threading.Event()
    taken: list[int] = []

    def slow() -> Iterator[np.ndarray]:
        go.wait(10)
        yield chunk(50)

    def bring() -> None:
        for number in range(6):
            writer.write(slow())
            taken.append(number)

    bringing = threading.Thread(target=bring)
    bringing.start()
    bringing.join(0.5)
    assert bringing.is_alive()
    assert len(taken) == 1, "one in work; the second waits for it"
    go.set()
    bringing.join(10)
    assert shades(writer.keep()) == [50] * 6


def test_an_error_is_raised_and_what_came_before_is_kept(writer: BackgroundWriter) -> None:
    writer.write([chunk(50)])
    writer.write([np.zeros((2, 5, 5, 3), np.uint8)])
    with contextlib.suppress(InvalidRequestError):
        for _ in range(6):  # nobody waits for ever, though nothing is written any more
            writer.write([chunk(90)])
            time.sleep(0.1)
    with pytest.raises(InvalidRequestError):
        writer.check()
    with pytest.raises(InvalidRequestError):
        writer.write([chunk(90)])
    with pytest.raises(InvalidRequestError):
        writer.close()
    assert shades(writer.keep()) == [50]
    assert not [t for t in threading.enumerate() if t.name.startswith("video-writer")]


def test_nothing_written_leaves_nothing(writer: BackgroundWriter, tmp_path: Path) -> None:
    assert writer.close() is None
    assert list(tmp_path.iterdir()) == []
