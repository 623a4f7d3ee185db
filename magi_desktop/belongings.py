"""Everything the program writes for one user: the one list of it.

The window shows it, and uninstalling goes by it: a place that is missing here would be left behind.
Nothing is written anywhere else but exports where the user says, trash where the system has it, and
a socket and a lock in the folder of temporary files while the program runs. Nothing starts with the
computer by itself.
"""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path

from magi_desktop.paths import Places
from magi_engine.config.added import user_models_file
from magi_engine.config.places import (
    default_cache_dir,
    default_jobs_dir,
    default_log_dir,
    default_takes_dir,
)


class Belonging(Enum):
    """Kinds of things, by what they mean to the user."""

    VIDEOS = "videos"
    TAKES = "takes"
    """What videos are redone and extended from; nobody can make it again exactly."""
    MODELS = "models"
    SETTINGS = "settings"
    LIBRARY = "library"
    """Queue, what is known of videos, pasted pictures."""
    PROGRAM = "program"
    """What an installed program runs from, and was fetched for it."""
    CACHE = "cache"
    LOGS = "logs"


def belongings(places: Places, models: Path, videos: Path) -> dict[Belonging, tuple[Path, ...]]:
    """Folders and files, whether they are there yet or not; folders may lie in each other.

    Args:
        models: the folder of models, as the user may have chosen it.
        videos: the folder of videos, likewise.
    """
    return {
        Belonging.VIDEOS: (videos, default_jobs_dir()),
        Belonging.TAKES: (default_takes_dir(),),
        Belonging.MODELS: (models,),
        Belonging.SETTINGS: (places.config, user_models_file()),
        Belonging.LIBRARY: (places.data,),
        Belonging.PROGRAM: (places.environments,),
        Belonging.CACHE: _once(places.cache, default_cache_dir()),
        Belonging.LOGS: _once(places.logs, default_log_dir()),
    }


def sizes(kept: dict[Belonging, tuple[Path, ...]]) -> dict[Belonging, int]:
    """Bytes of every kind; a folder in another one counts for its own kind only. Reads the disk."""
    every = {path for paths in kept.values() for path in paths}
    found, counted = dict.fromkeys(kept, 0), set()
    for kind, paths in kept.items():
        for path in paths:
            if path not in counted:
                counted.add(path)
                found[kind] += _size(path, every - {path})
    return found


def _once(*paths: Path) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(paths))


def _size(path: Path, without: set[Path]) -> int:
    if path.is_file():
        return _size_of_file(path)
    total = 0
    for place, folders, names in os.walk(path):  # which does not follow links
        here = Path(place)
        folders[:] = [name for name in folders if here / name not in without]
        total += sum(_size_of_file(here / name) for name in names if here / name not in without)
    return total


def _size_of_file(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:  # gone meanwhile
        return 0
