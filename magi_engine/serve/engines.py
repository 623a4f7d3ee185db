"""Several engines of one machine, each with a graphics card of its own and a video at a time."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Iterator
from pathlib import Path

from magi_engine.runtime.engine_process import EngineProcess


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

    @contextlib.contextmanager
    def one_video(self) -> Iterator[EngineProcess]:
        """What makes a video, as many at a time as there are engines."""
        engine = self._free.get()
        try:
            yield engine
        finally:
            self._free.put(engine)

    def close(self) -> None:
        """End them all."""
        for engine in self._engines:
            engine.close()
