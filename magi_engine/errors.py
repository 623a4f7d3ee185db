"""What can go wrong, as classes: callers decide by type, never by the text of a message.

Every error carries one short sentence for the person in front of the screen and one thing
they can do about it. The technical cause, when there is one, is chained with ``raise ... from``.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any, LiteralString

from magi_engine.messages import Message, in_sequence

DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system's errors say where a disk, or a user's share of it, is full."""

_LONGEST_PATH = 247 if os.name == "nt" else sys.maxsize
"""Characters of a folder's path. Files have 12 more; what is told is the same."""


class MagiError(Exception):
    """Base of every error this program raises on purpose.

    Args:
        message: one sentence saying what is wrong, without a trailing hint.
        hint: one thing the user can do about it; may be empty.
        values: what stands in either text in braces; see :class:`Message`.
    """

    def __init__(
        self, message: LiteralString | Message, hint: LiteralString | Message = "", **values: object
    ) -> None:
        self.message = message if isinstance(message, Message) else Message(message, **values)
        self.hint = hint if isinstance(hint, Message) else Message(hint, **values)
        super().__init__(self.message, self.hint)

    @property
    def whole(self) -> Message:
        """Message and hint as one text."""
        return in_sequence(self.message, self.hint)

    def __str__(self) -> str:
        return str(self.whole)

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON values."""
        said = {"message": self.message.to_dict(), "hint": self.hint.to_dict()}
        return {"error": type(self).__name__, **said}

    @staticmethod
    def from_dict(data: dict[str, Any]) -> MagiError:
        """What ``to_dict`` gave; an error whose class is not known here has that of all.

        Raises:
            KeyError, TypeError, AttributeError: it is something else.
        """
        classes, found = [MagiError], MagiError
        while classes:
            one = classes.pop()
            classes += one.__subclasses__()
            if one.__name__ == data["error"]:
                found = one
        return found(Message.from_dict(data["message"]), Message.from_dict(data["hint"]))


def message_of(error: Exception) -> Message:
    """What an error says; one that is not ours says it in its own words."""
    return error.whole if isinstance(error, MagiError) else Message(str(error))


class InvalidRequestError(MagiError):
    """A generation was asked for with values that cannot work (size, seconds, steps, ...)."""


class ConfigError(MagiError):
    """A configuration file is unreadable, or a field of it is missing or wrong."""


class MediaReadError(MagiError):
    """An image or a video cannot be opened or holds nothing usable."""


class OutputError(MagiError):
    """The result cannot be written: folder missing, read-only, or not a known format."""


class DiskFullError(OutputError):
    """The disk has no room, or not for a file so large; what was written so far is kept."""


class TakeError(MagiError):
    """The latents of an earlier video are missing or damaged, or cannot be kept."""


class ModelNotFoundError(MagiError):
    """The model that was asked for is unknown or its files are not on this machine."""


class DownloadError(MagiError):
    """The network, or the hub that models come from, failed or refused."""


class WeightsError(MagiError):
    """Weight files are damaged, unsafe, or do not fit the model's configuration."""


class NotFiniteError(MagiError):
    """The model has computed something that is no number, so there is no picture to show."""


class DeviceError(MagiError):
    """The device that was asked for is absent, or its driver failed."""


class RemoteError(MagiError):
    """An engine on another machine cannot be reached, or refuses."""


class EngineDiedError(MagiError):
    """The process that generates has ended without being asked to."""


class OutOfMemoryError(DeviceError):
    """The device ran out of memory."""


def too_long(name: str) -> OutputError:
    """What to say of a name that is longer than file systems allow."""
    shown = name if len(name) <= 40 else f"{name[:40]}…"
    return OutputError("The name {name} is too long.", "Choose a shorter one.", name=shown)


def too_long_error(error: OSError, path: Path) -> OutputError | None:
    """What to say if ``path`` is longer than the system allows, in one name or as a whole."""
    if error.errno == errno.ENAMETOOLONG:
        return too_long(path.name)
    if isinstance(error, FileNotFoundError) and is_path_too_long(path):
        return path_too_long(path)
    return None


def is_path_too_long(path: Path) -> bool:
    """Whether a path is so long that Windows says there is nothing, unless told otherwise."""
    return len(os.path.abspath(path)) > _LONGEST_PATH


def path_too_long(path: Path) -> OutputError:
    """What to say where :func:`is_path_too_long`."""
    return OutputError(
        "The path of {name} is too long for Windows.",
        "Choose a shorter name, or a folder that lies in fewer others.",
        name=path.name,
    )


def folder_error(kind: type[MagiError], name: str | Path) -> MagiError:
    """A folder where a file should be; ``name`` is what it is called there."""
    said = Message("{name} is a folder, not a file.", name=name)
    return kind(said, Message("Choose a file in it."))


def pipe_error(kind: type[MagiError], name: str | Path) -> MagiError:
    """Something else that is no regular file: opening it could wait for somebody to write to it."""
    said = Message("{name} is a pipe or a device, not a file.", name=name)
    return kind(said, Message("Save what comes from it as a file first."))


def is_in_use(error: OSError, path: Path) -> bool:
    """Whether ``path`` cannot be replaced or removed since a program has it open, on Windows."""
    # ERROR_ACCESS_DENIED is said of files that are mapped, but also where rights are missing.
    denied = getattr(error, "winerror", None)
    return denied in (32, 33, 1224) or (denied == 5 and os.access(path, os.W_OK))


def in_use_error(path: Path) -> OutputError:
    """What to say where :func:`is_in_use`."""
    return OutputError("{path} is in use.", "Close what uses it, then try again.", path=path)
