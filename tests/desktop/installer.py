"""An installer that does what a test tells it, step by step."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import get_args

from magi_engine.install.tasks import (
    Question,
    TaskCancelled,
    TaskEvent,
    TaskPaused,
    TaskResumed,
    Work,
)
from magi_engine.runtime.process.control import Cancel, Command, Pause, Resume


class Run:
    """Obeys at once; goes on only when the test says so."""

    def __init__(self) -> None:
        self.events: queue.SimpleQueue[TaskEvent] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[TaskEvent]:
        return iter(self.events.get, None)

    def control(self, command: Command) -> None:
        match command:
            case Pause():
                self.events.put(TaskPaused())
            case Resume():
                self.events.put(TaskResumed())
            case Cancel():
                self.end(TaskCancelled())

    def end(self, event: TaskEvent) -> None:
        self.events.put(event)
        self.events.put(None)  # pyright: ignore[reportArgumentType]


class Installer:
    """Keeps what it is given to do: ``task`` and ``question`` are the latest ones."""

    def __init__(self) -> None:
        self.begun: list[Work] = []
        self.asked: list[Work] = []
        self.task = self.question = Run()

    def run(self, work: Work) -> Run:
        run = Run()
        if isinstance(work, get_args(Question)):
            self.asked.append(work)
            self.question = run
        else:
            self.begun.append(work)
            self.task = run
        return run

    def end(self, event: TaskEvent) -> None:
        """End the task."""
        self.task.end(event)

    def close(self) -> None:
        pass
