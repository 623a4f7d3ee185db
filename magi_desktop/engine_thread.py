"""The one place where the engine's generator meets Qt."""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Iterator
from typing import Protocol

from PySide6.QtCore import QObject, QThread, Signal

from magi_engine.runtime.control import Command
from magi_engine.runtime.events import Cancelled, Event, Failed, Finished
from magi_engine.runtime.finding import Finding
from magi_engine.runtime.machine import MachineFacts
from magi_engine.runtime.request import GenerationRequest

logger = logging.getLogger(__name__)

_CLOSE_TIMEOUT_MS = 20_000


class EngineLike(Protocol):
    """What is iterated: in this process, in a child process, or elsewhere."""

    def start(self) -> None: ...

    def generate(self, request: GenerationRequest, preview: bool = False) -> Iterator[Event]: ...

    def control(self, command: Command) -> None: ...

    def examine(self) -> list[Finding]: ...

    def machine(self) -> MachineFacts: ...

    def unload(self) -> None: ...

    def close(self) -> None: ...


class EngineThread(QThread):
    """Iterates the engine's events and emits them; does one thing at a time, in order.

    The engine runs in a child process, so that neither its Python code nor the loading of its
    libraries ever holds up the window, and a crash of the driver leaves the window standing.

    Signals:
        progressed: every event of a job but its last.
        ended: the last event of a job: Finished, Cancelled or Failed.
        examined: what the engine found out about this machine, or the exception.
        looked: the MachineFacts, or the exception.
    """

    progressed = Signal(object)
    ended = Signal(object)
    examined = Signal(object)
    looked = Signal(object)

    def __init__(self, engine: EngineLike, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self._looking = self._closing = False
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def generate(self, request: GenerationRequest, preview: bool) -> None:
        """Begin a job; commands count from this call on."""
        events = self._engine.generate(request, preview=preview)
        self._work.put(lambda: self._iterate(events))

    def control(self, command: Command) -> None:
        """Tell the job of the latest ``generate`` something."""
        self._engine.control(command)

    def examine(self) -> None:
        """Find out what this machine can do; ``examined`` tells."""
        self._work.put(self._examine)

    def look_around(self) -> None:
        """See what this machine has to offer; ``looked`` tells."""
        self._work.put(self._look_around)

    def unload(self) -> None:
        """Free the models in memory, once no job runs: something else needs the room."""
        self._work.put(self._engine.unload)

    def close(self) -> None:
        """End the thread and the engine. A job under way should have been cancelled before."""
        self._closing = True
        self._work.put(None)
        if self._looking:  # perhaps waiting for an engine that only starts: nobody needs it now
            self._engine.close()
        if self.isRunning() and not self.wait(_CLOSE_TIMEOUT_MS):
            logger.error("the engine did not end in time")

    def run(self) -> None:
        """The thread's work: not to be called."""
        self._engine.start()
        try:
            while (work := self._work.get()) is not None:
                work()
        finally:
            self._engine.close()

    def _iterate(self, events: Iterator[Event]) -> None:
        for event in events:
            if isinstance(event, Finished | Cancelled | Failed):
                self.ended.emit(event)
            else:
                self.progressed.emit(event)

    def _examine(self) -> None:
        try:
            self.examined.emit(self._engine.examine())
        except Exception as error:  # shown where the findings would be
            logger.exception("the machine could not be examined")
            self.examined.emit(error)

    def _look_around(self) -> None:
        self._looking = True
        try:
            if not self._closing:
                self.looked.emit(self._engine.machine())
        except Exception as error:  # without the numbers nothing is promised
            if not self._closing:
                logger.exception("the machine could not be looked at")
                self.looked.emit(error)
        finally:
            self._looking = False
