"""Deleting by way of the system's trash, so that it can be taken back."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QFile, QStandardPaths

from magi_engine.atomic import retry_while_in_use
from magi_engine.errors import OutputError
from magi_engine.messages import Message

_DELETE = Message("Delete it in your file manager.")
_IN_USE = Message("Close what uses it, then try again.")
_SHARING_VIOLATION = 32
"""As Windows numbers it."""


@dataclass(frozen=True)
class Trashed:
    """A file or folder that was moved to the trash; ``place`` is None where nobody says where."""

    original: Path
    place: Path | None


def move_to_trash(path: Path) -> Trashed:
    """Move a file or a folder to the system's trash. Not for the UI thread.

    Raises:
        OutputError: there is no trash for that disk, or the file may not be moved. It is still
            where it was.
    """
    if sys.platform.startswith("linux"):
        # Qt makes the trash, but not the folder around it, which a fresh account may lack.
        data = QStandardPaths.StandardLocation.GenericDataLocation
        with contextlib.suppress(OSError):
            Path(QStandardPaths.writableLocation(data)).mkdir(parents=True, exist_ok=True)
    file = QFile(str(path))

    def move() -> None:
        if not file.moveToTrash():
            raise PermissionError(path)

    try:
        retry_while_in_use(move)
    except PermissionError as error:
        hint = _IN_USE if _is_in_use(path) else _DELETE
        raise OutputError(
            "{name} could not be moved to the trash, so it was kept.", hint, name=path.name
        ) from error
    place = Path(file.fileName())
    return Trashed(path, place if place != path else None)


def _is_in_use(path: Path) -> bool:
    """Whether a program on Windows has it open; elsewhere that keeps nothing in its place."""
    try:
        path.replace(path)
    except OSError as error:
        return getattr(error, "winerror", None) == _SHARING_VIOLATION
    return False


def restore(trashed: Trashed) -> None:
    """Put something back to where it was. Not for the UI thread.

    Raises:
        OutputError: it is no longer in the trash, or its old place is taken.
    """
    place, original = trashed.place, trashed.original
    try:
        if place is None or original.exists():
            raise FileExistsError(original)
        original.parent.mkdir(parents=True, exist_ok=True)
        place.rename(original)
    except OSError as error:
        raise OutputError(
            "{name} could not be put back.", "Look for it in the trash.", name=original.name
        ) from error
    # The trash's own note about it, as freedesktop.org lays it down, or as Windows does.
    note = place.parent.parent / "info" / f"{place.name}.trashinfo"
    if sys.platform == "win32":
        note = place.with_name(place.name.replace("$R", "$I", 1))
    with contextlib.suppress(OSError):
        note.unlink(missing_ok=True)
