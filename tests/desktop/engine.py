"""An engine that does what a test tells it, step by step."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from magi_engine.config.places import default_takes_dir
from magi_engine.errors import EngineDiedError
from magi_engine.messages import Message
from magi_engine.runtime.job.events import Cancelled, Event, Failed, Finished
from magi_engine.runtime.machine.facts import Finding, MachineFacts
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.planning.prospects import Prospect
from magi_engine.runtime.process.control import Cancel, Command
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.runtime.speed.report import Measuring, SpeedReport
from magi_engine.takes.store import TakeStore
from tests.desktop.machines import planned


class ScriptedEngine:
    """Its job goes on only when the test says so; it obeys Cancel unless it is ``stuck``.

    Attributes:
        begun: what it was asked to make.
        commands: what its jobs were told.
        broken: raises in everything but jobs.
    """

    def __init__(self) -> None:
        self.begun: list[GenerationRequest] = []
        self.commands: list[Command] = []
        self.stuck = self.broken = self.closed = self.outlives = False
        self.takes = TakeStore(default_takes_dir())
        self._events: queue.SimpleQueue[Event | Exception] = queue.SimpleQueue()
        self.measurements = queue.SimpleQueue[Measuring | SpeedReport | Exception | None]()
        """What measuring comes to next; None ends it."""

    def start(self) -> None:
        self._work()

    def unfinished(self, request: GenerationRequest) -> Earlier | None:
        return Earlier.unfinished(request, self.takes)

    def is_making(self, request: GenerationRequest) -> bool:
        return False

    def generate(self, request: GenerationRequest, preview: bool = False) -> Iterator[Event]:
        self.begun.append(request)
        events = self._events = queue.SimpleQueue()
        return self._pull(events)

    def say(self, event: Event | Exception) -> None:
        """What the job comes to next; an exception is raised."""
        self._events.put(event)

    def control(self, command: Command) -> None:
        self.commands.append(command)
        if isinstance(command, Cancel) and not self.stuck:
            self.say(Cancelled(None, 0))

    def examine(self) -> list[Finding]:
        self._work()
        return []

    def machine(self) -> MachineFacts:
        self._work()
        raise EngineDiedError("There is no machine.")

    def plan(self, request: GenerationRequest) -> JobPlan:
        self._work()
        return planned(request).plan

    def prospects(self) -> dict[str, Prospect]:
        self._work()
        return {}

    def measure(self) -> Iterator[Measuring | SpeedReport]:
        self._work()
        yield Measuring(0.5, Message("A video"))
        while (event := self.measurements.get()) is not None:
            if isinstance(event, Exception):
                raise event
            yield event

    def stop_measuring(self) -> None:
        self.measurements.put(None)

    def unload(self) -> None:
        self._work()

    def close(self) -> None:
        self.closed = True
        self.say(Cancelled(None, 0))  # as of a process that is killed

    def _pull(self, events: queue.SimpleQueue[Event | Exception]) -> Iterator[Event]:
        event: Event | Exception | None = None
        while not isinstance(event, Finished | Cancelled | Failed):
            event = events.get()
            if isinstance(event, Exception):
                raise event
            yield event

    def _work(self) -> None:
        if self.broken:
            raise RuntimeError("broken")
