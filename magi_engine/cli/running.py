"""Running a generation in a terminal: its display, Ctrl-C, and how it ends."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from types import FrameType
from typing import cast

from magi_engine.cli.display import Display, choose_display
from magi_engine.cli.engines import engine_of
from magi_engine.cli.exit_codes import CANCELLED, DONE
from magi_engine.messages import counted
from magi_engine.runtime.job.events import Cancelled, Event, Failed
from magi_engine.runtime.process.control import Cancel
from magi_engine.runtime.request.batch import with_along
from magi_engine.runtime.request.request import GenerationRequest

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PATIENCE_S = 10.0
"""After a SIGTERM."""


def add_display_options(parser: argparse.ArgumentParser) -> None:
    """Options about what is shown while it runs."""
    group = parser.add_argument_group("display").add_mutually_exclusive_group()
    group.add_argument(
        "--json", action="store_true", help="write one JSON object per event to standard output"
    )
    group.add_argument("--quiet", action="store_true", help="only say how it ended")


def run_request(*requests: GenerationRequest, args: argparse.Namespace) -> int:
    """Generate one request after the other, until one does not come to its end.

    Returns:
        The exit code of the last one. Raises the MagiError a job failed with.

    Args:
        args: has ``models_dir``, and what ``add_engine_options`` and :func:`add_display_options`
            add.
    """
    display = choose_display(args.json, args.quiet)
    stop = StopOnSignal(display)
    # Not before now: this is where PyTorch comes in, which takes seconds.
    with stop, engine_of(args) as engine:
        for index, request in enumerate(requests):
            events = engine.generate(with_along(request, requests[index + 1 :]))
            stop.call_on_stop(lambda: engine.control(Cancel()))
            with contextlib.closing(cast("Generator[Event]", events)), display:
                last = _show_all(events, display)
            if (code := _exit_code(last)) != DONE:
                return code
    return DONE


def _show_all(events: Iterator[Event], display: Display) -> Event:
    event = next(events)
    display.show(event)
    for event in events:
        display.show(event)
    return event


def _exit_code(last: Event) -> int:
    """Exit code of a job that ended so; its error is raised, for the one place that shows them."""
    if isinstance(last, Failed):
        if last.path is not None:
            frames = counted(last.frames, "frame made so far is|frames made so far are")
            print(f"The {frames} in {last.path}.", file=sys.stderr)
        raise last.error
    return CANCELLED if isinstance(last, Cancelled) else DONE


class StopOnSignal:
    """The first Ctrl-C (or SIGTERM) asks for a clean stop; the second ends the program at once.

    A thread of its own hears them, since Python calls handlers between two of its instructions
    only, and a single operation may take hours. Nobody sends a second SIGTERM, so the first one
    ends the program after a while. The part file holds every finished chunk even then, but
    perhaps the last.
    """

    def __init__(self, display: Display) -> None:
        self._display = display
        self._action: Callable[[], None] | None = None
        self._asked = False
        self._lock = threading.Lock()
        self._previous: dict[signal.Signals, object] = {}

    def __enter__(self) -> StopOnSignal:
        # Python delivers signals to the main thread only.
        if threading.current_thread() is threading.main_thread():
            self._heard, self._told = socket.socketpair()
            self._told.setblocking(False)
            self._wakeup = signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
            self._previous = {s: signal.signal(s, _heard_elsewhere) for s in _SIGNALS}
            self._thread = threading.Thread(target=self._listen, name="signals")
            self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._previous:
            for number, handler in self._previous.items():
                signal.signal(number, cast("signal.Handlers", handler))
            signal.set_wakeup_fd(self._wakeup)
            self._told.close()
            self._thread.join()
            self._heard.close()

    def call_on_stop(self, action: Callable[[], None]) -> None:
        """What to do on the first signal; done now if that has come already."""
        with self._lock:
            self._action = action
            if self._asked:
                action()

    def _listen(self) -> None:
        number = self._next_signal()
        if number is None:
            return
        self._display.say("Stopping after this step; press Ctrl-C again to abort at once.")
        with self._lock:
            self._asked = True
            if self._action is not None:
                self._action()
        if number == signal.SIGTERM:
            self._heard.settimeout(_PATIENCE_S)
        number = self._next_signal()
        if number is not None:
            os._exit(128 + number)

    def _next_signal(self) -> int | None:
        """Waits for one; None: none will come."""
        try:
            return next(iter(self._heard.recv(1)), None)
        except TimeoutError:
            return signal.SIGTERM


def _heard_elsewhere(number: int, frame: FrameType | None) -> None:
    """Signals only come to the listening thread if Python has a handler for them, too."""
