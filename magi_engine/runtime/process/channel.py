"""What a process of this program and the one it started say to each other. Needs no PyTorch."""

from __future__ import annotations

import enum
import pickle
import threading
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from magi_engine.late import np

_BLOCK_BYTES = 1 << 20
"""Large arrays cross in blocks of this size: Python's lock is free again after each, so that the
window stays smooth while the 66 MB of a chunk of 720p come in."""


class Kind(enum.Enum):
    """Of messages; the first three go to the child, the others come from it."""

    BEGIN = enum.auto()
    """Do the work that comes along."""
    CONTROL = enum.auto()
    """A command to a run."""
    STOP = enum.auto()
    """Cancel every run and end."""
    READY = enum.auto()
    """Everything large is imported."""
    HAPPENED = enum.auto()
    """An event of a run."""
    OVER = enum.auto()
    """A run has no more events."""


class Message(NamedTuple):
    """One message, about a run where there is one."""

    kind: Kind
    run: int = 0
    value: Any = None


class Channel:
    """Sends messages from any thread; one thread receives them.

    Arrays in a message are not pickled: their memory is sent as it is and received straight into
    new arrays.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()

    def send(self, kind: Kind, run: int = 0, value: Any = None) -> None:
        """Send a message; blocks while the other side does not read.

        Raises:
            OSError: the other side is gone.
        """
        message, buffers = Message(kind, run, value), list[pickle.PickleBuffer]()
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
