"""Where the engine keeps what it downloads and makes, unless it is told otherwise."""

from __future__ import annotations

import os
import re
from pathlib import Path

FOLDER = "magi-desktop"
"""What the user's folders are called, the window's too."""
SERVED = "jobs"
"""The folder of videos in one of ``magi serve``."""
UNFINISHED_NAME = re.compile(r".+\.[0-9a-f]{16}\.part")
"""What a file is called that is being downloaded into a folder of models."""
MADE_FOLDER = "quantised"
"""Where weights made on this machine are, in the folder of models."""
VERIFIED_NAME, LICENCES_NAME = "verified.json", "licences.json"
"""What is noted beside the models: the files that are right, and the licences agreed to."""


def default_models_dir() -> Path:
    """The folder downloaded models are kept in: the hub repository's layout, below user data."""
    return _folder("user_data_path") / "models"


def default_takes_dir() -> Path:
    """Where the latents of videos are kept."""
    return _folder("user_data_path") / "takes"


def default_serve_dir() -> Path:
    """Where ``magi serve`` keeps what it makes for other machines."""
    return _folder("user_data_path") / "serve"


def default_jobs_dir() -> Path:
    """Where those videos are there, in a folder each."""
    return default_serve_dir() / SERVED


def default_remote_dir() -> Path:
    """Where is noted which videos another machine makes for this one."""
    return _folder("user_data_path") / "remote"


def default_cache_dir() -> Path:
    """Where things are kept that can be made again."""
    return _folder("user_cache_path")


def compiled_dir(cache_dir: Path) -> Path:
    """Where kernels for the graphics card are kept."""
    return cache_dir / "compiled"


def default_log_dir() -> Path:
    """Where the command line writes what went wrong."""
    return _folder("user_log_path")


def _folder(kind: str) -> Path:
    """A folder of the user's."""
    import platformdirs

    return getattr(platformdirs.PlatformDirs(FOLDER, appauthor=False), kind)


def expanded(path: str) -> Path:
    """A path as people write it, with ``~`` and ``$VARIABLES``; unknown ones stay as they are."""
    return Path(os.path.expanduser(os.path.expandvars(path)))
