"""The engine's own process: what :class:`magi_engine.runtime.host.EngineProcess` starts."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from magi_engine.runtime.environment import let_memory_be_whole
from magi_engine.runtime.events import Event
from magi_engine.runtime.host import (
    Examine,
    Generate,
    LookAround,
    Plan,
    Prospects,
    Unload,
)
from magi_engine.runtime.launch import ChildSettings
from magi_engine.runtime.servant import Emit, Job, call, serve

if TYPE_CHECKING:
    from magi_engine.runtime.engine import Engine

_NICENESS = 5
"""Behind the window and whatever else is on the screen."""
_FIRST_JOB_IMPORTS = ("magi_engine.sampling.sampler", "transformers.models.t5.modeling_t5")
"""Takes longer than anything else in the first job, and can be done before there is one."""
_ORPHAN_GRACE_S = 20.0
"""How long a process without a parent may take to finish its step and its file. What it has not
finished then is in the unfinished file beside it."""


def main(settings: ChildSettings) -> None:
    """Serve until the other side says so or is gone."""
    let_memory_be_whole()
    serve(settings, partial(_prepare, settings), _NICENESS, _ORPHAN_GRACE_S)


def _prepare(settings: ChildSettings) -> Callable[[Any], Job]:
    from magi_engine.runtime.engine import Engine

    for module in _FIRST_JOB_IMPORTS:
        importlib.import_module(module)
    engine = Engine(settings.models_dir, settings.cache_dir)

    def job_of(work: Any) -> Job:
        match work:
            case Generate():
                return _generate(engine, work)
            case Plan():
                return call(partial(engine.plan, work.request), at_once=True)
            case Prospects():
                return call(engine.prospects, at_once=True)
            case LookAround():
                return call(engine.machine, at_once=True)
            case Unload():
                return call(engine.unload)
            case Examine():
                return call(engine.examine)
        raise TypeError(work)

    return job_of


def _generate(engine: Engine, work: Generate) -> Job:
    events = cast("Generator[Event]", engine.generate(work.request, work.preview))

    def do(emit: Emit) -> None:
        with contextlib.closing(events):
            for event in events:
                emit(event)

    return Job(do, engine.control)
