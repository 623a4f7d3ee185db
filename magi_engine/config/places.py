"""Where the engine keeps what it downloads and makes, unless it is told otherwise."""

from __future__ import annotations

import os
import re
from pathlib import Path

_FOLDER = "Magi Desktop"
UNFINISHED_NAME = re.compile(r".+\.([0-9a-f]{16}|copy-[0-9a-f]{1,11})\.part")
"""What a file is called that is being downloaded or copied into a folder of models."""


def default_models_dir() -> Path:
    """The folder downloaded models are kept in: the hub repository's layout, below user data."""
    import platformdirs

    return Path(platformdirs.user_data_dir(_FOLDER, appauthor=False)) / "models"


def default_cache_dir() -> Path:
    """Where things are kept that can be made again."""
    import platformdirs

    return Path(platformdirs.user_cache_dir(_FOLDER, appauthor=False))


def compiled_dir(cache_dir: Path) -> Path:
    """Where kernels for the graphics card are kept."""
    return cache_dir / "compiled"


def default_log_dir() -> Path:
    """Where the command line writes what went wrong."""
    import platformdirs

    return Path(platformdirs.user_log_dir(_FOLDER, appauthor=False))


def expanded(path: str) -> Path:
    """A path as people write it, with ``~`` and ``$VARIABLES``; unknown ones stay as they are."""
    return Path(os.path.expanduser(os.path.expandvars(path)))
