"""What can be asked of the part that gets models onto this machine, and what is heard of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path

from magi_engine.errors import MagiError
from magi_engine.messages import Message


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
