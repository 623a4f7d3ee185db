"""Why what is installed does not load, told from what the system's loader says."""

from __future__ import annotations

import re

from magi_engine.errors import MagiError
from magi_engine.messages import Message

_ON_WINDOWS = (126, 127, 1114, 1455, 4551)
"""Its numbers for a library that does not load: missing, lacking a function, failing at its start,
without memory for it, and forbidden by a policy."""


class LoadError(MagiError):
    """A library, or the whole program, does not load on this system."""


# What the system says, and what that means, with what the pattern's groups found.
_CAUSES = (
    (
        r"WinError (?:126|127|1114)\b|DLL load failed",
        Message("A library that Windows should have is missing or too old."),
        Message("Install Microsoft's Visual C++ runtime for x64, then try again."),
    ),
    (
        r"(?P<name>\S+\.so[\d.]*): cannot open shared object file",
        Message("The system lacks the library {name}."),
        Message("Install the package that contains it, then try again."),
    ),
    (
        r"version [`'](?P<name>\w+_[\d.]+)' not found",
        Message("The system is too old: it lacks {name}."),
        Message("Use a newer version of it."),
    ),
    (
        r"WinError (?:8|14|1455)\b|MemoryError|Cannot allocate memory",
        Message("There is too little memory to start."),
        Message(
            "Close other programs, then try again; on Windows, let it choose its paging file's "
            "size."
        ),
    ),
    (
        r"WinError (?:5|225|226|1260|4551)\b",
        Message("Windows does not let what was installed start."),
        Message("Allow it in your virus scanner or under App & browser control, then try again."),
    ),
    (
        r"failed to map segment|Permission denied",
        Message("What was installed lies on a disk from which no program may be run."),
        Message("Have it mounted without the option noexec, then try again."),
    ),
    (
        r"exit code (?:-4|3221225501)\b",
        Message("This computer's processor is too old for the program."),
        Message("Use a computer with a newer one."),
    ),
    (
        r"timed out",
        Message("What was installed takes more than fifteen minutes to start."),
        Message("Try again: it is quicker once a virus scanner has seen every file."),
    ),
)


def load_error(said: str) -> LoadError | None:
    """What to tell a user; None: the cause is none of the known ones.

    Args:
        said: by the loader, or how the process that tried it ended.
    """
    for pattern, message, hint in _CAUSES:
        if found := re.search(pattern, said):
            return LoadError(message.filled(**found.groupdict()), hint)
    return None


def is_load_error(error: BaseException) -> bool:
    """Whether a library or a module could not be loaded."""
    return isinstance(error, ImportError) or getattr(error, "winerror", None) in _ON_WINDOWS
