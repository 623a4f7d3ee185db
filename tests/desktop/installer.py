"""An installer that does what a test tells it, step by step."""

from __future__ import annotations

import queue
from collections.abc import Iterator

from magi_engine.install.tasks import TaskCancelled, TaskEvent, TaskPaused, TaskResumed, Work
from magi_engine.runtime.control import Cancel, Command, Pause, Resume


class Installer:
    """Obeys at once; a task goes on only when the test says so."""

    def __init__(self) -> None:
        self.begun: list[Work] = []
        self.events: queue.SimpleQueue[TaskEvent] = queue.SimpleQueue()

    def run(self, task: Work) -> Iterator[TaskEvent]:
        self.begun.append(task)
        self.events = queue.SimpleQueue()
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

    def close(self) -> None:
        pass
