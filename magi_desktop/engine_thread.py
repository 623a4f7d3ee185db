"""The one place where the engine's generator meets Qt."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from PySide6.QtCore import QObject, Signal, Slot

from magi_desktop.background import WorkThread
from magi_engine.runtime.job.events import Cancelled, Event, Failed, Finished
from magi_engine.runtime.process.errors import named_error, without_traceback
from magi_engine.runtime.request.request import GenerationRequest

if TYPE_CHECKING:
    from magi_engine.runtime.machine.facts import Finding, MachineFacts
    from magi_engine.runtime.planning.plan import JobPlan
    from magi_engine.runtime.planning.prospects import Prospect
    from magi_engine.runtime.process.control import Command
    from magi_engine.runtime.request.branch import Earlier
    from magi_engine.runtime.speed.report import Measuring, SpeedReport
    from magi_engine.takes.store import Takes

logger = logging.getLogger(__name__)


class EngineLike(Protocol):
    """What is iterated: in this process, in a child process, or elsewhere.

    Attributes:
        outlives: whether a job goes on when this program ends.
    """

    outlives: bool

    @property
    def takes(self) -> Takes: ...

    def unfinished(self, request: GenerationRequest) -> Earlier | None: ...

    def is_making(self, request: GenerationRequest) -> bool: ...

    def start(self) -> None: ...

    def generate(self, request: GenerationRequest, preview: bool = False) -> Iterator[Event]: ...

    def control(self, command: Command) -> None: ...

    def examine(self) -> list[Finding]: ...

    def machine(self) -> MachineFacts: ...

    def plan(self, request: GenerationRequest) -> JobPlan: ...

    def prospects(self) -> dict[str, Prospect]: ...

    def measure(self) -> Iterator[Measuring | SpeedReport]: ...

    def stop_measuring(self) -> None: ...

    def unload(self) -> None: ...

    def close(self) -> None: ...


class EngineThread(WorkThread):
    """Iterates the engine's events and emits them; does one thing at a time, in order.

    The engine runs in a child process, so that neither its Python code nor the loading of its
    libraries ever holds up the window, and a crash of the driver leaves the window standing.

    Signals:
        progressed: every event of a job but its last.
        ended: the last event of a job: Finished, Cancelled or Failed.
        examined: what the engine found out about this machine, or the exception.
        looked: the MachineFacts, or the exception.
        measured: how far measuring this machine's speed is, its report, the exception, or None if
            it was cancelled.

    Attributes:
        engine: for what is asked and answered at once, in a thread of one's own; it waits for the
            engine, but not for a job.
    """

    progressed = Signal(object)
    ended = Signal(object)
    examined = Signal(object)
    looked = Signal(object)
    measured = Signal(object)
    _measured = Signal(object, object)

    def __init__(self, engine: EngineLike, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.engine = engine
        self._closing = False
        self._measuring: Iterator[Measuring | SpeedReport] | None = None
        """Of the latest ``measure``."""
        self._measured.connect(self._tell_measured)
        self.do(engine.start)

    def generate(self, request: GenerationRequest, preview: bool) -> None:
        """Begin a job; commands count from this call on."""
        self.do(partial(self._iterate, self.engine.generate(request, preview=preview)))

    def control(self, command: Command) -> None:
        """Tell the job of the latest ``generate`` something."""
        self.engine.control(command)

    def examine(self) -> None:
        """Find out what this machine can do; ``examined`` tells."""
        self.do(partial(self._tell, self.examined.emit, self.engine.examine))

    def look_around(self) -> None:
        """See what this machine has to offer; ``looked`` tells."""
        self.do(partial(self._tell, self.looked.emit, self.engine.machine))

    def measure(self) -> None:
        """Find out how fast this machine is; ``measured`` tells, and of no earlier try any more."""
        self._measuring = self.engine.measure()
        self.do(partial(self._measure, self._measuring))

    def unload(self) -> None:
        """Free the models in memory, once no job runs: something else needs the room."""
        self.do(self.engine.unload)

    def close(self) -> None:
        """End the engine and the thread in bounded time, whatever the engine is at.

        A job under way should have been cancelled before; it ends now, and its video is kept.
        """
        self._closing = True
        self.engine.close()
        self.finish()

    def _iterate(self, events: Iterator[Event]) -> None:
        over = False
        try:
            for event in events:
                over = isinstance(event, Finished | Cancelled | Failed)
                (self.ended if over else self.progressed).emit(event)
        except Exception as error:
            logger.exception("the engine failed")
            if not over:
                self.ended.emit(Failed(without_traceback(named_error(error)), None, 0))

    def _measure(self, events: Iterator[Measuring | SpeedReport]) -> None:
        from magi_engine.runtime.speed.report import SpeedReport

        def last() -> SpeedReport | None:
            for event in events:
                if isinstance(event, SpeedReport):
                    return event
                self._measured.emit(events, event)
            return None

        self._tell(partial(self._measured.emit, events), last)

    @Slot(object, object)
    def _tell_measured(self, events: object, event: object) -> None:
        """On the UI thread: only there it is known which one is the latest."""
        if events is self._measuring:
            self.measured.emit(event)

    def _tell(self, tell: Callable[[Any], None], ask: Callable[[], Any]) -> None:
        try:
            answer = ask()
        except Exception as error:  # shown where the answer would be
            if self._closing:
                return
            logger.exception("the engine was asked in vain")
            answer = error
        tell(answer)
