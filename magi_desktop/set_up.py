"""The set-up that made the environment this program runs in, where an installer did."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from magi_engine.errors import MagiError

RECORD_NAME = "magi-environment.json"
"""In the environment's folder; written by magi_setup, which runs apart from the program."""


class SetUpError(MagiError):
    """The set-up cannot be started."""


def launcher() -> list[str] | None:
    """The command that opens the set-up; None: this program was not installed by one."""
    try:
        said = json.loads(Path(sys.prefix, RECORD_NAME).read_text(encoding="utf-8"))
        return [*said["launcher"], "--setup"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
