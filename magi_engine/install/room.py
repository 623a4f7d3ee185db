"""Room on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from magi_engine.errors import DiskFullError

MARGIN_BYTES = 1_000_000_000
"""Of room that is to be left."""


def require_room(needed_bytes: int, models_dir: Path) -> None:
    """Check that the disk has room for so much more, and some to spare.

    Raises:
        DiskFullError: it does not; says what is needed.
    """
    folder = next(path for path in (models_dir, *models_dir.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    if needed_bytes and needed_bytes + MARGIN_BYTES > free:
        raise DiskFullError(
            "{needed:bytes} of room are needed, {free:bytes} are free in {folder}.",
            "Free some space, or choose another folder of models.",
            needed=needed_bytes + MARGIN_BYTES,
            free=free,
            folder=folder,
        )
