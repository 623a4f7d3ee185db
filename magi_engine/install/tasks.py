"""What can be asked of the part that gets models onto this machine, and what is heard of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magi_engine.errors import InvalidRequestError, MagiError
from magi_engine.json_text import WrongField, read_fields, to_fields
from magi_engine.messages import Message

MARGIN_BYTES = 1_000_000_000
"""Of room that a download is to leave."""


@dataclass(frozen=True)
class Download:
    """Get every part of a model that is not here; then make its text encoder small."""

    model: str


@dataclass(frozen=True)
class Verify:
    """Hash every file of a model again; what is damaged no longer counts as here."""

    model: str


@dataclass(frozen=True)
class Make:
    """Quantise a model that is made on this machine, from one that is here."""

    model: str


@dataclass(frozen=True)
class ShrinkText:
    """Make the 8-bit form of a model's text encoder."""

    model: str


@dataclass(frozen=True)
class Import:
    """Find models in an official folder, or by an official configuration, without copying."""

    path: Path


@dataclass(frozen=True)
class Add:
    """Put the models of a folder, or of a hub repository, into the user's list; quick."""

    source: str
    """A folder, ``owner/repository``, that with ``@revision``, or its address."""
    name: str | None = None
    """None: after the folder or the repository."""
    like: str | None = None
    """The released model it is a variant of; None: what its folders are called like."""


@dataclass(frozen=True)
class SetMirror:
    """Download from a mirror of the hub from now on, if it answers."""

    address: str | None
    """None: from the hub itself."""


Task = Download | Verify | Make | ShrinkText | Import
"""What may take long."""

Question = Add | SetMirror
"""What is answered within seconds."""

Work = Task | Question

_TASKS = {"download": Download, "verify": Verify, "make": Make, "shrink_text": ShrinkText}
"""What can be asked for from another machine: nothing that names a file or an address."""


def task_to_dict(task: Work) -> dict[str, Any]:
    """A task as JSON values.

    Raises:
        InvalidRequestError: it cannot be asked for from another machine.
    """
    for name, cls in _TASKS.items():
        if type(task) is cls:
            return {"task": name, **to_fields(task)}
    raise InvalidRequestError(
        "That can only be done on the computer that makes the videos.",
        "Run 'magi models' there.",
    )


def task_from_dict(data: dict[str, Any]) -> Download | Verify | Make | ShrinkText:
    """What :func:`task_to_dict` gave. Raises: WrongField: it is no task, or damaged."""
    cls = _TASKS.get(str(data.get("task")))
    if cls is None:
        raise WrongField("task", Message("is missing"))
    return read_fields(cls, data)


class Phase(enum.Enum):
    """What a task is at."""

    ASKING = "asking what there is"
    DOWNLOADING = "downloading"
    VERIFYING = "verifying"
    CONVERTING = "converting"
    READING = "reading the weights"
    CALIBRATING = "calibrating"
    QUANTISING = "quantising"

    @property
    def in_bytes(self) -> bool:
        """Whether its progress is counted in bytes; else in thousandths."""
        return self in (Phase.DOWNLOADING, Phase.VERIFYING)


@dataclass(frozen=True)
class FileProgress:
    """A file under way. Sizes are in bytes."""

    name: str
    done_bytes: int
    total_bytes: int


@dataclass(frozen=True)
class TaskProgress:
    """How far a task is in its present phase; comes some times a second."""

    phase: Phase
    done_bytes: int
    """Bytes, or thousandths in a phase that is not counted in bytes."""
    total_bytes: int
    """0: not known yet."""
    bytes_per_s: float | None = None
    """Over the last seconds; None: not counted in bytes, or too early to say."""
    seconds_left: float | None = None
    """Of this phase; None: too early to say."""
    files: tuple[FileProgress, ...] = ()


@dataclass(frozen=True)
class TaskPaused:
    """The task stands still."""


@dataclass(frozen=True)
class TaskResumed:
    """The task goes on."""


@dataclass(frozen=True)
class TaskDone:
    """The task has ended well."""

    message: Message
    """One sentence: what is here now, or what was found."""
    added: tuple[str, ...] = ()
    """Names of the models that were put into the user's list."""


@dataclass(frozen=True)
class TaskCancelled:
    """The task was cancelled; what has come is kept, and the next one goes on from there."""


@dataclass(frozen=True)
class TaskFailed:
    """The task has failed; what has come is kept."""

    error: MagiError


TaskEvent = TaskProgress | TaskPaused | TaskResumed | TaskDone | TaskCancelled | TaskFailed
"""Exactly one of the last three ends every task."""

_EVENTS = {
    "progress": TaskProgress,
    "paused": TaskPaused,
    "resumed": TaskResumed,
    "done": TaskDone,
    "cancelled": TaskCancelled,
    "failed": TaskFailed,
}


def task_event_to_dict(event: TaskEvent) -> dict[str, Any]:
    """An event as JSON values: its name under ``event``, and its fields."""
    name = next(name for name, cls in _EVENTS.items() if cls is type(event))
    return {"event": name, **to_fields(event)}


def task_event_from_dict(data: dict[str, Any]) -> TaskEvent:
    """What :func:`task_event_to_dict` gave. Raises: WrongField: it is no event, or damaged."""
    cls = _EVENTS.get(str(data.get("event")))
    if cls is None:
        raise WrongField("event", Message("is missing"))
    return read_fields(cls, data)
