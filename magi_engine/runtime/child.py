"""The engine's own process: what :class:`magi_engine.runtime.host.EngineProcess` starts."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from magi_engine.runtime.control import Cancel
from magi_engine.runtime.environment import (
    let_memory_be_whole,
    let_threads_sleep,
)
from magi_engine.runtime.events import Event
from magi_engine.runtime.failures import named_error
from magi_engine.runtime.launch import ChildSettings, open_pipe
from magi_engine.runtime.wire import (
    EVENTS_AHEAD,
    Answered,
    Control,
    Examine,
    Generate,
    Happened,
    LookAround,
    Message,
    Pulled,
    Ready,
    Stop,
    Unload,
    Wire,
)

if TYPE_CHECKING:
    from magi_engine.runtime.engine import Engine

logger = logging.getLogger(__name__)

_NICENESS = 5
"""Behind the window and whatever else is on the screen."""
_FIRST_JOB_IMPORTS = ("magi_engine.sampling.sampler", "transformers.models.t5.modeling_t5")
"""Takes longer than anything else in the first job, and can be done before there is one."""
_ORPHAN_GRACE_S = 20.0
"""How long a process without a parent may take to finish its step and its file. What it has not
finished then is in the unfinished file beside it."""
_EVENTS_OF_AN_END = 1000
"""More than any job reports once it is cancelled."""
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(settings: ChildSettings) -> None:
    """Serve until the other side says so or is gone."""
    # A Ctrl-C in the terminal is for the window's process, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":  # there the parent asks for it
        os.nice(_NICENESS)
    let_threads_sleep()
    let_memory_be_whole()
    if sys.stderr is not None:  # a program without a console may have none
        faulthandler.enable()
        logging.basicConfig(format=_LOG_FORMAT, level=logging.WARNING)
    logging.getLogger("magi_engine").setLevel(settings.log_level)
    _Servant(Wire(open_pipe(settings.handle)), settings).run()


class _Servant:
    """Generates in the main thread; a second thread listens all the time."""

    def __init__(self, wire: Wire, settings: ChildSettings) -> None:
        self._wire = wire
        self._models_dir = _path(settings.models_dir)
        self._cache_dir = _path(settings.cache_dir)
        self._engine: Engine | None = None
        self._latest_job = 0
        self._room = threading.Semaphore(EVENTS_AHEAD)
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def run(self) -> None:
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        self._engine = self._made_engine()
        with contextlib.suppress(OSError):  # the listener finds out, too
            self._wire.send(Ready())
            while (work := self._work.get()) is not None:
                work()

    def _made_engine(self) -> Engine:
        from magi_engine.runtime.engine import Engine

        for module in _FIRST_JOB_IMPORTS:
            importlib.import_module(module)
        return Engine(self._models_dir, self._cache_dir)

    def _listen(self) -> None:
        try:
            while True:
                self._take(self._wire.receive())
        except Exception:
            logger.info("the other side is gone", exc_info=True)
            self._end_orphaned()

    def _take(self, message: Message) -> None:
        match message:
            case Generate() if self._engine is not None:
                # Here and not in the main thread: commands count from now on.
                events = self._engine.generate(message.request, message.preview)
                self._latest_job = message.job
                self._work.put(lambda: self._run(message.job, events))
            case Control() if self._engine is not None and message.job == self._latest_job:
                self._engine.control(message.command)
            case Pulled():
                self._room.release()
            case Unload():
                self._work.put(lambda: self._answer(message.call, self._unload))
            case Examine():
                # Not while a job runs: trying out attention kernels switches the others off.
                self._work.put(lambda: self._answer(message.call, self._examine))
            case LookAround():
                self._work.put(lambda: self._answer(message.call, self._machine))
            case Stop():
                self._stop()

    def _stop(self) -> None:
        if self._engine is not None:
            self._engine.control(Cancel())
        self._room.release(_EVENTS_OF_AN_END)  # nobody may be left to say that events were pulled
        self._work.put(None)

    def _end_orphaned(self) -> None:
        self._stop()
        time.sleep(_ORPHAN_GRACE_S)
        os._exit(1)

    def _run(self, job: int, events: Any) -> None:
        with contextlib.closing(cast("Generator[Event]", events)):
            for event in events:
                self._room.acquire()
                self._wire.send(Happened(job, event))

    def _answer(self, call: int, action: Callable[[], Any]) -> None:
        try:
            value = action()
        except Exception as error:
            logger.exception("a call failed")
            value = named_error(error)
        with contextlib.suppress(OSError):
            self._wire.send(Answered(call, value))

    def _unload(self) -> None:
        assert self._engine is not None  # work is done once it is there
        self._engine.unload()

    def _machine(self) -> Any:
        assert self._engine is not None
        return self._engine.machine()

    def _examine(self) -> Any:
        from magi_engine.runtime.doctor import examine

        return examine(self._models_dir, self._cache_dir)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)
