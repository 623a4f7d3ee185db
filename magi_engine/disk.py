"""Room on a disk, and what is said where something cannot be written to it."""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

from magi_engine.errors import (
    DISK_FULL,
    DiskFullError,
    InvalidRequestError,
    MagiError,
    OutputError,
    in_use_error,
    is_in_use,
    too_long_error,
)
from magi_engine.late import filelock
from magi_engine.messages import Message


def free_bytes(folder: Path) -> int:
    """Room on the disk that ``folder`` is on or, not being there yet, would be on."""
    place = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    return shutil.disk_usage(place).free


def require_room(folder: Path, needed_bytes: int, margin_bytes: int) -> None:
    """Check that the disk has room for so much more, and a margin, if it is more at all.

    Raises:
        DiskFullError: it does not; says what is needed.
    """
    free = free_bytes(folder)
    if needed_bytes and needed_bytes + margin_bytes > free:
        raise DiskFullError(
            "{needed:bytes} of room are needed in {folder}, but only {free:bytes} are free.",
            "Free some space, or choose another folder.",
            needed=needed_bytes + margin_bytes,
            free=free,
            folder=folder,
        )


def write_error(error: OSError, target: Path, goes_on: bool = False) -> OutputError:
    """What to say if ``target`` cannot be written or removed; the next try may go on from there."""
    if is_in_use(error, target):
        return in_use_error(target)
    if error.errno in DISK_FULL:
        hint = Message("Free some space, then try again.")
        if goes_on:
            hint = Message("Free some space, then try again: it goes on where it stopped.")
        return DiskFullError("The disk is full.", hint)
    if error.errno == errno.EFBIG:
        return DiskFullError(
            "The disk of {folder} cannot hold a file of this size.",
            "Choose a folder on another disk.",
            folder=target.parent,
        )
    if (told := too_long_error(error, target)) is not None:
        return told
    if isinstance(error, FileExistsError) and error.filename2 is None and target.is_file():
        return OutputError("{path} is no folder.", "Choose another name.", path=target)
    return OutputError(
        "{path} cannot be written.",
        "Check that you may write there, or choose another folder.",
        path=target,
    )


@contextlib.contextmanager
def writing(target: Path, goes_on: bool = False) -> Iterator[None]:
    """Turns what the system says while ``target`` is written into :func:`write_error`."""
    try:
        yield
    except OSError as error:
        raise write_error(error, target, goes_on) from error


@contextlib.contextmanager
def alone(lock: Path, taken: MagiError | None = None) -> Iterator[None]:
    """Keep other programs from changing the folder that ``lock`` is in; a crash lets go of it, too.

    Args:
        taken: what is raised if another one is at it; None: an error that says so.

    Raises:
        InvalidRequestError: another one is at it.
        DiskFullError, OutputError: the folder cannot be written.
    """
    folder, held = lock.parent, filelock.FileLock(lock)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire(timeout=0)
        except filelock.Timeout as error:
            raise taken or InvalidRequestError(
                "Another program is changing {folder} already.",
                "Wait until it is done, or stop it there.",
                folder=folder,
            ) from error
    try:
        yield
    finally:
        held.release()
