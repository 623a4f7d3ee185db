"""What the window's process and the engine's process say to each other. Needs no PyTorch."""

from __future__ import annotations

import pickle
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from magi_engine.runtime.control import Command
from magi_engine.runtime.events import Event
from magi_engine.runtime.request import GenerationRequest

EVENTS_AHEAD = 8
"""Events that may be under way; then the engine waits until one is pulled, as it would if it were
pulled itself."""

_BLOCK_BYTES = 1 << 20
"""Large arrays cross in blocks of this size: Python's lock is free again after each, so that the
window stays smooth while the 66 MB of a chunk of 720p come in."""


@dataclass(frozen=True)
class Generate:
    """Begin a job. Only said once the engine is :class:`Ready`."""

    job: int
    request: GenerationRequest
    preview: bool


@dataclass(frozen=True)
class Control:
    """A command to a job."""

    job: int
    command: Command


@dataclass(frozen=True)
class Pulled:
    """An event has been used: one more may be sent."""


@dataclass(frozen=True)
class Unload:
    """Free the models; is answered, once no job runs."""

    call: int


@dataclass(frozen=True)
class Examine:
    """Say what this machine can do; is answered, once no job runs."""

    call: int


@dataclass(frozen=True)
class LookAround:
    """Say what this machine has to offer, in numbers; is answered, once no job runs."""

    call: int


@dataclass(frozen=True)
class Stop:
    """Cancel the job under way, if there is one, and end."""


@dataclass(frozen=True)
class Ready:
    """The engine is there: everything large is imported."""


@dataclass(frozen=True)
class Happened:
    """An event of a job."""

    job: int
    event: Event


@dataclass(frozen=True)
class Answered:
    """What came of a call; a MagiError if it failed."""

    call: int
    value: Any


Message = (
    Generate | Control | Pulled | Unload | Examine | LookAround | Stop | Ready | Happened | Answered
)


class Wire:
    """Sends messages from any thread; one thread receives them.

    Arrays in a message are not pickled: their memory is sent as it is and received straight into
    new arrays.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, message: Message) -> None:
        """Send a message; blocks while the other side does not read.

        Raises:
            OSError: the other side is gone.
        """
        buffers: list[pickle.PickleBuffer] = []
        pickled = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
        views = [buffer.raw() for buffer in buffers]
        with self._sending:
            self._connection.send((pickled, [view.nbytes for view in views]))
            for view in views:
                for start in range(0, view.nbytes, _BLOCK_BYTES):
                    self._connection.send_bytes(view[start : start + _BLOCK_BYTES])

    def receive(self) -> Message:
        """The next message; blocks until there is one.

        Raises:
            EOFError, OSError: the other side is gone.
        """
        pickled, sizes = self._connection.recv()
        buffers = [np.empty(size, np.uint8) for size in sizes]
        for buffer in buffers:
            for start in range(0, len(buffer), _BLOCK_BYTES):
                self._connection.recv_bytes_into(buffer[start : start + _BLOCK_BYTES].data)
        return pickle.loads(pickled, buffers=buffers)

    def close(self) -> None:
        """Hang up."""
        with self._sending:
            self._connection.close()
