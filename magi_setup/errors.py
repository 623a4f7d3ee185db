"""What can go wrong while the environment is built."""

from __future__ import annotations

from magi_engine.errors import DiskFullError, MagiError
from magi_engine.messages import Message

OR_REPORT = Message("Try again; if it happens again, report it with the log.")


class NetworkError(MagiError):
    """Packages cannot be looked up or fetched."""


class DamagedPackageError(MagiError):
    """A package is not what this release was made with."""


class BuildError(MagiError):
    """The environment could not be built, or what was built does not start."""


class BusyError(MagiError):
    """The program or the set-up runs already, for the same user."""

    EXIT_CODE = 3
    """How a command ends with it; the uninstaller for Windows looks for that."""


class SetupCancelled(Exception):
    """The user stopped it; what was fetched is kept."""


def disk_full() -> DiskFullError:
    """What to raise where space runs out on the way."""
    return DiskFullError(
        "The disk is full.", "Free some space, then try again: what was fetched is kept."
    )


def unexpected() -> BuildError:
    """What to say where something went wrong that nobody thought of; the log has the rest."""
    return BuildError("The set-up failed.", OR_REPORT)
