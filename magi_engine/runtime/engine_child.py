"""The engine's own process: what :class:`.engine_process.EngineProcess` starts."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Generator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from magi_engine.runtime.job.events import Event
from magi_engine.runtime.process.child import Emit, Handler, call, serve
from magi_engine.runtime.process.environment import let_memory_be_whole
from magi_engine.runtime.process.errors import told_error
from magi_engine.runtime.process.launch import ChildSettings

if TYPE_CHECKING:
    from magi_engine.runtime.engine import Engine
    from magi_engine.runtime.request.request import GenerationRequest

_NICENESS = 5
"""Behind the window and whatever else is on the screen."""
_ORPHAN_GRACE_S = 20.0
"""How long a process without a parent may take to finish its step and its file. What it has not
finished then is in the unfinished file beside it."""
_AT_ONCE = ("machine", "plan", "check", "prospects")
"""Methods that are answered beside a job; the others wait for its end."""


def main(settings: ChildSettings) -> None:
    """Serve until the other side says so or is gone."""
    let_memory_be_whole()
    serve(settings, partial(_prepare, settings), _NICENESS, _ORPHAN_GRACE_S)


def _prepare(settings: ChildSettings) -> Callable[[Any], Handler]:
    from magi_engine.runtime.engine import Engine

    # Takes longer than anything else in the first job, and can be done before there is one.
    importlib.import_module("transformers.models.t5.modeling_t5")
    engine = Engine(settings.models_dir, settings.cache_dir)

    def handler_of(work: tuple[Any, ...]) -> Handler:
        name, *arguments = work
        if name == "generate":
            return _generate(engine, *arguments)
        if name == "measure":
            return _measure(engine)
        return call(partial(getattr(engine, name), *arguments), at_once=name in _AT_ONCE)

    return handler_of


def _generate(engine: Engine, request: GenerationRequest, preview: bool) -> Handler:
    events = cast("Generator[Event]", engine.generate(request, preview))

    def do(emit: Emit) -> None:
        with contextlib.closing(events):
            for event in events:
                emit(event)

    return Handler(do, engine.control)


def _measure(engine: Engine) -> Handler:
    events = engine.measure()

    def do(emit: Emit) -> None:
        try:
            for event in events:
                emit(event)
        except Exception as error:
            emit(told_error(error))

    return Handler(do, engine.control)
