"""The process that does tasks: what :class:`magi_engine.install.process.InstallProcess` starts."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import Any, get_args

from magi_engine.install.performing import Performer
from magi_engine.install.tasks import Question, TaskCancelled, TaskEvent, TaskFailed
from magi_engine.runtime.process.child import Emit, Handler, serve
from magi_engine.runtime.process.control import ControlBox, JobCancelled
from magi_engine.runtime.process.errors import told_error
from magi_engine.runtime.process.launch import ChildSettings
from magi_engine.weights.layout import default_models_dir

logger = logging.getLogger(__name__)

_NICENESS = 10


def main(settings: ChildSettings) -> None:
    """Serve until the other side says so or is gone: all of this can be killed at any moment."""
    models_dir = settings.models_dir or default_models_dir()
    serve(settings, lambda: partial(_handler, models_dir), _NICENESS)


def _handler(models_dir: Path, work: Any) -> Handler:
    box = ControlBox()

    def do(emit: Emit) -> None:
        logger.info("%s", work)
        try:
            last: TaskEvent = Performer(models_dir, emit, box).perform(work)
        except JobCancelled:
            last = TaskCancelled()
        except Exception as error:
            last = TaskFailed(told_error(error))
        emit(last)

    return Handler(do, box.send, at_once=isinstance(work, get_args(Question)))
