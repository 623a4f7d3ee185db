"""Several engines of one machine, each with a graphics card of its own and a video at a time."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.job.events import Event
from magi_engine.runtime.process.control import Command
from magi_engine.runtime.request.request import GenerationRequest


class Engines:
    """So many engines; one alone has all cards.

    Attributes:
        first: the one that answers questions.
    """

    def __init__(self, count: int, models_dir: Path | None) -> None:
        self._engines: list[EngineProcess] = []
        self._free = queue.SimpleQueue[EngineProcess]()
        for number in range(count):
            log_file = Path(f"engine-{number}.log" if number else "engine.log")
            engine = EngineProcess(models_dir, log_file=log_file.absolute())
            engine.card = number if count > 1 else None
            self._engines.append(engine)
            self._free.put(engine)
        self.first = self._engines[0]

    def start(self) -> None:
        """Have the first one get ready; the others do when they are needed."""
        self.first.start()

    def one_video(self) -> OneVideo:
        """What makes a video, as many at a time as there are engines."""
        return OneVideo(self._free)

    def close(self) -> None:
        """End them all."""
        for engine in self._engines:
            engine.close()


class OneVideo:
    """Makes one video with an engine that is free; see :class:`.job.Maker`."""

    def __init__(self, free: queue.SimpleQueue[EngineProcess]) -> None:
        self._free = free
        self._engine = free.get()

    def generate(self, request: GenerationRequest, preview: bool) -> Iterator[Event]:
        """As ``EngineProcess.generate``; the engine is free again at its end."""
        return self._events(self._engine.generate(request, preview))

    def control(self, command: Command) -> None:
        """As ``EngineProcess.control``."""
        self._engine.control(command)

    def close(self) -> None:
        """Do without the video."""
        self._engine.close()

    def _events(self, events: Iterator[Event]) -> Iterator[Event]:
        try:
            yield from events
        finally:
            self._free.put(self._engine)
