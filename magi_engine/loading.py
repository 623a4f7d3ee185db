"""Why what is installed does not load, told from what the system's loader says."""

from __future__ import annotations

import re

from magi_engine.errors import MagiError

_ON_WINDOWS = (126, 127, 1114, 1455, 4551)
"""Its numbers for a library that does not load: missing, lacking a function, failing at its start,
without memory for it, and forbidden by a policy."""

# What the system says, what that means, and what helps. {0} is what the pattern's group found.
_CAUSES = (
    (
        r"WinError (?:126|127|1114)\b|DLL load failed",
        "A library that Windows should have is missing or too old.",
        "Install Microsoft's Visual C++ runtime for x64, then try again.",
    ),
    (
        r"(\S+\.so[\d.]*): cannot open shared object file",
        "The system lacks the library {0}.",
        "Install the package that contains it, then try again.",
    ),
    (
        r"version [`'](\w+_[\d.]+)' not found",
        "The system is too old: it lacks {0}.",
        "Use a newer version of it.",
    ),
    (
        r"WinError (?:8|14|1455)\b|MemoryError|Cannot allocate memory",
        "There is too little memory to start.",
        "Close other programs, then try again; on Windows, let it choose its paging file's size.",
    ),
    (
        r"WinError (?:5|225|226|1260|4551)\b",
        "Windows does not let what was installed start.",
        "Allow it in your virus scanner or under App & browser control, then try again.",
    ),
    (
        r"failed to map segment|Permission denied",
        "What was installed lies on a disk from which no program may be run.",
        "Have it mounted without the option noexec, then try again.",
    ),
    (
        r"exit code (?:-4|3221225501)\b",
        "This computer's processor is too old for the program.",
        "Use a computer with a newer one.",
    ),
    (
        r"timed out",
        "What was installed takes more than five minutes to start.",
        "Try again: it is quicker once a virus scanner has seen every file.",
    ),
)


class LoadError(MagiError):
    """A library, or the whole program, does not load on this system."""


def load_error(said: str) -> LoadError | None:
    """What to tell a user; None: the cause is none of the known ones.

    Args:
        said: by the loader, or how the process that tried it ended.
    """
    for pattern, sentence, remedy in _CAUSES:
        if found := re.search(pattern, said):
            return LoadError(sentence.format(*found.groups()), remedy)
    return None


def is_load_error(error: BaseException) -> bool:
    """Whether a library or a module could not be loaded."""
    return isinstance(error, ImportError) or getattr(error, "winerror", None) in _ON_WINDOWS
