"""Taking away what the program has made for one user."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

import platformdirs

from magi_desktop.paths import APP_NAME, Places
from magi_setup.environments import Environments


def remove(environments: Environments, places: Places, everything: bool) -> None:
    """Remove the environments, caches and logs; videos always stay.

    Args:
        everything: models, settings, queue and the library's list as well.
    """
    environments.remove()
    engine = platformdirs.PlatformDirs(APP_NAME, appauthor=False)
    going = [places.cache, places.logs, engine.user_cache_path, engine.user_log_path]
    kept = [places.data, places.config, engine.user_data_path]
    for folder in [*going, *(kept if everything else ())]:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in [*going, *kept]:
        _remove_if_empty(folder)
        # A folder of logs or a cache may lie in another one of ours.
        if folder.parent.name in (places.data.name, APP_NAME):
            _remove_if_empty(folder.parent)


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
