"""Messages between two ends of a pipe."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from magi_engine.errors import DiskFullError
from magi_engine.runtime.events import ChunkReady, Failed
from magi_engine.runtime.wire import Answered, Happened, Message, Wire


@pytest.fixture
def wires() -> Iterator[tuple[Wire, Wire]]:
    ends = tuple(Wire(end) for end in multiprocessing.Pipe())
    yield ends  # type: ignore[misc]
    for end in ends:
        end.close()


def crossed(wires: tuple[Wire, Wire], message: Message) -> Message:
    """More than a pipe holds at once: one end sends while the other receives."""
    sending = threading.Thread(target=wires[0].send, args=(message,))
    sending.start()
    received = wires[1].receive()
    sending.join()
    return received


@pytest.mark.parametrize("frames", [1, 24])
def test_the_frames_of_a_chunk(wires: tuple[Wire, Wire], frames: int) -> None:
    pictures = np.random.RandomState(0).randint(0, 256, (24, 240, 320, 3), dtype=np.uint8)
    event = ChunkReady(2, 48, pictures[:frames])
    received = crossed(wires, Happened(7, event))
    assert isinstance(received, Happened)
    assert received == Happened(7, event)
    assert isinstance(received.event, ChunkReady)
    np.testing.assert_array_equal(received.event.frames, event.frames)


def test_an_error_keeps_its_kind_and_its_words(wires: tuple[Wire, Wire]) -> None:
    received = crossed(wires, Happened(1, Failed(DiskFullError("Full.", "Free some."), None, 0)))
    assert isinstance(received, Happened)
    assert isinstance(received.event, Failed)
    assert type(received.event.error) is DiskFullError
    assert (str(received.event.error.message), str(received.event.error.hint)) == (
        "Full.",
        "Free some.",
    )


def test_the_end_of_the_other_side(wires: tuple[Wire, Wire]) -> None:
    wires[0].close()
    with pytest.raises(EOFError):
        wires[1].receive()
    with pytest.raises(OSError, match=r"Broken pipe|closed"):
        wires[1].send(Answered(1, None))
