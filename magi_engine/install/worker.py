"""The process that does a task: what ``install.process`` starts."""

from __future__ import annotations

import faulthandler
import logging
import os
import signal
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from magi_engine.install.performing import Performer
from magi_engine.install.tasks import TaskCancelled, TaskEvent, TaskFailed
from magi_engine.runtime.control import ControlBox, JobCancelled
from magi_engine.runtime.environment import let_threads_sleep
from magi_engine.runtime.failures import named_error, without_traceback
from magi_engine.runtime.launch import ChildSettings, open_pipe
from magi_engine.weights.layout import default_models_dir

logger = logging.getLogger(__name__)

_NICENESS = 10
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def main(settings: ChildSettings) -> None:
    """Do the one task that comes over the pipe."""
    # A Ctrl-C in the terminal is for the window's process, which then ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":  # there the parent asks for it
        os.nice(_NICENESS)
    let_threads_sleep()
    if sys.stderr is not None:  # a program without a console may have none
        faulthandler.enable()
        logging.basicConfig(format=_LOG_FORMAT, level=logging.WARNING)
    logging.getLogger("magi_engine").setLevel(settings.log_level)
    pipe = open_pipe(settings.handle)
    box = ControlBox()
    task = pipe.recv()
    threading.Thread(target=_listen, args=(pipe, box), name="listener", daemon=True).start()
    models_dir = default_models_dir() if settings.models_dir is None else Path(settings.models_dir)
    logger.info("%s", task)
    try:
        last: TaskEvent = Performer(models_dir, pipe.send, box).perform(task)
    except JobCancelled:
        last = TaskCancelled()
    except Exception as error:
        logger.exception("the task failed")
        last = TaskFailed(without_traceback(named_error(error)))
    pipe.send(last)


def _listen(pipe: Connection, box: ControlBox) -> None:
    try:
        while True:
            box.send(pipe.recv())
    except (EOFError, OSError):
        os._exit(1)  # nobody is left; everything here can be killed at any moment
