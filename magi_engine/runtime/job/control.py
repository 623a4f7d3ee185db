"""Stopping and pausing a job, and its time, which stands still with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

from magi_engine.runtime.job.events import Event, Paused, Resumed
from magi_engine.runtime.process.control import ControlBox

Events = Generator[Event, None, None]


class Stopwatch:
    """Seconds of work: runs from its creation, stands still while paused."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._paused_s = 0.0
        self._paused_at: float | None = None

    def pause(self) -> None:
        """Stop counting."""
        self._paused_at = self._clock()

    def resume(self) -> None:
        """Go on counting."""
        if self._paused_at is not None:
            self._paused_s += self._clock() - self._paused_at
            self._paused_at = None

    @property
    def seconds(self) -> float:
        """Work done so far."""
        now = self._clock() if self._paused_at is None else self._paused_at
        return now - self._start - self._paused_s


class JobControl:
    """What a job was told, and the clock of its work."""

    def __init__(self, box: ControlBox) -> None:
        self.box = box
        self.stopwatch = Stopwatch()

    def checkpoint(self) -> Events:
        """Where the job may be stopped or may stand still.

        Raises:
            JobCancelled: it is to stop.
        """
        self.box.raise_if_cancelled()
        if not self.box.paused:
            return
        self.stopwatch.pause()
        yield Paused()
        self.box.wait_while_paused()
        self.stopwatch.resume()
        self.box.raise_if_cancelled()
        yield Resumed()
