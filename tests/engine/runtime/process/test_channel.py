"""Messages between two ends of a pipe."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from magi_engine.errors import DiskFullError
from magi_engine.runtime.job.events import ChunkReady, Failed
from magi_engine.runtime.process.channel import Channel, Kind, Message

Ends = tuple[Channel, Channel]


@pytest.fixture
def ends() -> Iterator[Ends]:
    one, other = (Channel(end) for end in multiprocessing.Pipe())
    yield one, other
    one.close()
    other.close()


def crossed(ends: Ends, event: Any) -> Any:
    """More than a pipe holds at once: one end sends while the other receives."""
    sending = threading.Thread(target=ends[0].send, args=(Kind.HAPPENED, 7, event))
    sending.start()
    received = ends[1].receive()
    sending.join()
    assert received == Message(Kind.HAPPENED, 7, event)
    return received.value


@pytest.mark.parametrize("frames", [1, 24])
def test_the_frames_of_a_chunk(ends: Ends, frames: int) -> None:
    pictures = np.random.RandomState(0).randint(0, 256, (24, 240, 320, 3), dtype=np.uint8)
    event = ChunkReady(2, 48, pictures[:frames])
    received = crossed(ends, event)
    assert isinstance(received, ChunkReady)
    np.testing.assert_array_equal(received.frames, event.frames)


def test_an_error_keeps_its_kind_and_its_words(ends: Ends) -> None:
    failed = Failed(DiskFullError("Full.", "Free some."), None, 0)
    ends[0].send(Kind.HAPPENED, 1, failed)
    error = ends[1].receive().value.error
    assert type(error) is DiskFullError
    assert (str(error.message), str(error.hint)) == ("Full.", "Free some.")


def test_the_end_of_the_other_side(ends: Ends) -> None:
    ends[0].close()
    with pytest.raises(EOFError):
        ends[1].receive()
    with pytest.raises(OSError, match=r"Broken pipe|closed"):
        ends[1].send(Kind.STOP)
