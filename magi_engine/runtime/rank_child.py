"""The process of a further card: what :class:`.models.ranks.RankProcess` starts."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from magi_engine.runtime.process.child import Emit, Handler, serve
from magi_engine.runtime.process.control import Cancel, JobCancelled
from magi_engine.runtime.process.environment import let_memory_be_whole
from magi_engine.runtime.process.errors import told_error
from magi_engine.runtime.process.launch import ChildSettings
from magi_engine.runtime.process.worker import Answer

if TYPE_CHECKING:
    from magi_engine.runtime.models.loaded import ModelCache
    from magi_engine.runtime.models.ranks import Seat
    from magi_engine.runtime.planning.plan import JobPlan


def main(settings: ChildSettings) -> None:
    """Serve until the leading process says so or is gone."""
    let_memory_be_whole()
    # The leading process has said already how far it stands behind others.
    serve(settings, partial(_prepare, settings), 0)


def _prepare(settings: ChildSettings) -> Callable[[Any], Handler]:
    from magi_engine.runtime.models.loaded import ModelCache

    models = ModelCache(settings.models_dir, settings.cache_dir)
    return lambda work: _follow(models, *work)


def _follow(models: ModelCache, plan: JobPlan, seat: Seat) -> Handler:
    from magi_engine.runtime.job.following import follow

    told: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def hear() -> Any:
        said = told.get()
        if isinstance(said, Cancel):
            raise JobCancelled
        return said

    def do(emit: Emit) -> None:
        error = None
        with _beating(emit) as there:
            try:
                follow(models, plan, seat, hear, there, emit)
            except JobCancelled:
                pass
            except Exception as problem:
                error = told_error(problem)
        emit(Answer(error))

    return Handler(do, told.put)


@contextlib.contextmanager
def _beating(emit: Emit) -> Iterator[Callable[[], None]]:
    """Say again and again that this process is alive, and, once what this gives is called, that
    it is ready."""
    from magi_engine.runtime.models.ranks import BEAT_S, Beat

    there, done = threading.Event(), threading.Event()

    def arrive() -> None:
        there.set()
        emit(Beat(True))

    def beat() -> None:
        with contextlib.suppress(OSError):  # the leading process is gone, as the listener knows
            emit(Beat(False))
            while not done.wait(BEAT_S):
                emit(Beat(there.is_set()))

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield arrive
    finally:
        done.set()
        thread.join()
