"""The set-up that made the environment this program runs in, where an installer did."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from magi_engine.errors import MagiError
from magi_engine.json_text import read_json

RECORD_NAME = "magi-environment.json"
"""In the environment's folder; written by magi_setup, which runs apart from the program."""

IN_USE_NAME = "in-use"
"""Beside it; whoever holds it open keeps the environment from being removed."""


class SetUpError(MagiError):
    """The set-up cannot be started."""


def launcher() -> list[str] | None:
    """The command that opens the set-up; None: this program was not installed by one."""
    try:
        said = read_json(Path(sys.prefix, RECORD_NAME))
        return [*said["launcher"], "--setup"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def installer_kind() -> str | None:
    """How this program was installed: a key of ``publication.INSTALLERS``; None: in no such way."""
    command = launcher()
    if command is None:
        return None
    if sys.platform == "win32":
        return "windows-setup"
    of_system = any(Path(part).is_relative_to("/usr/lib") for part in command)
    return "linux-deb" if of_system else "linux-run"


def hold(environment: Path) -> int | None:
    """Keep an environment from being removed while this process runs.

    Returns:
        The open file's descriptor; None: this program was not installed by a set-up.
    """
    if not (environment / RECORD_NAME).is_file():
        return None
    try:
        held = os.open(environment / IN_USE_NAME, os.O_RDWR | os.O_CREAT)
    except OSError:  # a full or read-only disk keeps nobody from working
        return None
    if sys.platform != "win32":
        import fcntl

        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(held, fcntl.LOCK_SH)
    return held
