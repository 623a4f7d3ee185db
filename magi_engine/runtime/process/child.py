"""The child's side of ``process.worker``: does the work that comes over the channel."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from magi_engine.runtime.process.channel import Channel, Kind, Message
from magi_engine.runtime.process.control import Cancel, Command
from magi_engine.runtime.process.environment import let_threads_sleep
from magi_engine.runtime.process.errors import told_error
from magi_engine.runtime.process.launch import ChildSettings, open_pipe
from magi_engine.runtime.process.worker import Answer

logger = logging.getLogger(__name__)

Emit = Callable[[Any], None]
"""Tells the other side an event; blocks while it has enough. Raises OSError: it is gone."""

_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True)
class Handler:
    """How a piece of work is done.

    Attributes:
        do: does it to its end, and tells what happens.
        control: takes commands, from any thread, from now on.
        at_once: whether it is quick and done beside the others, rather than after them.
    """

    do: Callable[[Emit], None]
    control: Callable[[Command], None]
    at_once: bool = False


def call(action: Callable[[], Any], *, at_once: bool = False) -> Handler:
    """Work whose only event is what an action returns, or the error it failed with."""

    def do(emit: Emit) -> None:
        try:
            value = action()
        except Exception as error:
            value = told_error(error)
        emit(Answer(value))

    return Handler(do, lambda _command: None, at_once)


def serve(
    settings: ChildSettings,
    prepare: Callable[[], Callable[[Any], Handler]],
    niceness: int,
    orphan_grace_s: float = 0.0,
) -> None:
    """Do what comes over the channel until the other side says so or is gone.

    Args:
        prepare: imports what is large; returns what finds the handler of a piece of work.
        niceness: how far this process stands behind others, where it says so itself.
        orphan_grace_s: how long it may take to end its work once nobody is left.
    """
    # A Ctrl-C in the terminal is for the window's process, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":  # there the parent asks for it
        os.nice(niceness)
    let_threads_sleep()
    if sys.stderr is not None:  # a program without a console may have none
        faulthandler.enable()
        logging.basicConfig(format=_LOG_FORMAT, level=logging.WARNING)
    logging.getLogger("magi_engine").setLevel(settings.log_level)
    _Server(Channel(open_pipe(settings.handle)), orphan_grace_s).run(prepare)


class _Server:
    """Works in the main thread, and beside it in a second; a third listens all the time."""

    def __init__(self, channel: Channel, orphan_grace_s: float) -> None:
        self._channel = channel
        self._orphan_grace_s = orphan_grace_s
        self._controls: dict[int, Callable[[Command], None]] = {}
        self._in_order: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._at_once: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def run(self, prepare: Callable[[], Callable[[Any], Handler]]) -> None:
        for target in (self._listen, partial(self._work, self._at_once)):
            threading.Thread(target=target, daemon=True).start()
        self._handler_of = prepare()
        gc.freeze()  # what is imported stays: to look through it once more at the end takes seconds
        with contextlib.suppress(OSError):  # the listener finds out, too
            self._channel.send(Kind.READY)
        self._work(self._in_order)

    def _work(self, work: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        with contextlib.suppress(OSError):
            while (item := work.get()) is not None:
                item()

    def _listen(self) -> None:
        try:
            while True:
                self._take(self._channel.receive())
        except EOFError:
            logger.info("the other side is gone")
        except Exception:
            logger.info("the other side is gone", exc_info=True)
        self._stop()
        time.sleep(self._orphan_grace_s)
        os._exit(1)

    def _take(self, message: Message) -> None:
        kind, run, value = message
        if kind is Kind.BEGIN:
            # Here and not where it is done: commands count from now on.
            handler = self._handler_of(value)
            self._controls[run] = handler.control
            work = self._at_once if handler.at_once else self._in_order
            work.put(lambda: self._do(run, handler))
        elif kind is Kind.CONTROL and run in self._controls:
            self._controls[run](value)
        elif kind is Kind.STOP:
            self._stop()

    def _do(self, run: int, handler: Handler) -> None:
        handler.do(lambda event: self._channel.send(Kind.HAPPENED, run, event))
        del self._controls[run]
        self._channel.send(Kind.OVER, run)

    def _stop(self) -> None:
        for control in list(self._controls.values()):
            control(Cancel())
        self._in_order.put(None)
