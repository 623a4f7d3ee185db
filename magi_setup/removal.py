"""What goes when the program is removed: what the set-up made, and of the user's what they say.

Nothing that only links to somewhere else takes its target along.
"""

from __future__ import annotations

import contextlib
import enum
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from magi_desktop.paths import APP_NAME, Places
from magi_engine.config.places import default_models_dir
from magi_engine.config.registry import Registry
from magi_engine.errors import MagiError
from magi_engine.weights.manifest import Manifest
from magi_setup.environments import Environments, remove_tree

_MADE_HERE = "quantised"
_NOTES = ("verified.json", "licences.json")


class Belongings(enum.Enum):
    """What the user may keep or not."""

    MODELS = "models"
    VIDEOS = "videos"
    SETTINGS = "settings"
    """And the queue, and what the library knows of the videos."""


EVERYTHING = (Belongings.MODELS, Belongings.SETTINGS)
"""All but what nobody can make again."""


@dataclass(frozen=True)
class Remains:
    """Where a user's belongings are."""

    places: Places
    models_dir: Path

    @classmethod
    def of(cls, places: Places) -> Remains:
        """As the settings say; where they cannot be read, the usual places."""
        chosen = None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(places.settings_file.read_text(encoding="utf-8"))
            chosen = said["preferences"]["models_folder"]
        models_dir = Path(chosen) if isinstance(chosen, str) and chosen else default_models_dir()
        return cls(places, models_dir)

    def models(self) -> list[Path]:
        """Files and folders of models, and what the program notes beside them.

        In the usual folder that is everything, in one the user chose only what the program is
        known to put there.
        """
        if self.models_dir == default_models_dir():
            return [self.models_dir] if self.models_dir.exists() else []
        names = {Path(name) for name in (*_NOTES, _MADE_HERE)}
        for entry in Registry.load().entries:
            parts = entry.files
            names.add(parts.transformer)
            if not entry.ships:
                names |= {parts.autoencoder, parts.text_encoder, parts.special_tokens}
        names |= {Path(name) for name in Manifest.load(self.models_dir).files}
        found = [self.models_dir / name for name in names]
        found += self.models_dir.rglob("*.part")
        there = {path for path in found if os.path.lexists(path)}
        return sorted(path for path in there if there.isdisjoint(path.parents))

    def videos(self) -> list[Path]:
        """The videos the library knows that are still there."""
        address = f"{self.places.database.absolute().as_uri()}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
                rows = database.execute("SELECT path FROM library ORDER BY path").fetchall()
        except sqlite3.Error:  # none was ever made, or it is damaged: then they all stay
            return []
        return [path for (name,) in rows if (path := Path(name)).exists()]

    def size_bytes(self, kind: Belongings) -> int:
        """What models or videos take up."""
        paths = self.models() if kind is Belongings.MODELS else self.videos()
        return sum(_size(file) for path in paths for file in _files(path))


def remove(environments: Environments, places: Places, kinds: frozenset[Belongings]) -> None:
    """Remove the environments, caches and logs, and of the user's belongings ``kinds``.

    Models are deleted, videos go to the system's trash; those that cannot be moved there stay.

    Raises:
        BusyError: the program or the set-up runs. Everything is still there.
    """
    remains = Remains.of(places)
    environments.remove()
    engine = platformdirs.PlatformDirs(APP_NAME, appauthor=False)
    going = [places.cache, places.logs, engine.user_cache_path, engine.user_log_path]
    if Belongings.VIDEOS in kinds:
        _move_videos(remains)
    if Belongings.MODELS in kinds:
        for path in remains.models():
            _delete(path)
        _prune(remains.models_dir)
    if Belongings.SETTINGS in kinds:
        going += [places.config, places.data]
    for folder in going:
        remove_tree(folder)
    kept = (places.config, places.data, places.videos, engine.user_data_path)
    for folder in (*going, *kept):
        _remove_empty(folder)
        # A folder of logs or a cache may lie in another one of ours.
        if folder.parent.name in (places.data.name, APP_NAME):
            _remove_empty(folder.parent)


def _move_videos(remains: Remains) -> None:
    # Only now: the rest needs no Qt.
    from magi_desktop.trash import move_to_trash

    for path in remains.videos():
        try:
            move_to_trash(path)
        except MagiError as error:
            print(error, file=sys.stderr)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
    for place, _, names in os.walk(path):  # which does not follow links
        yield from (Path(place, name) for name in names)


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except OSError:
        return 0


def _delete(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_symlink() or path.is_file() or _is_junction(path):
            path.unlink()
        else:
            remove_tree(path)


def _is_junction(path: Path) -> bool:
    """A folder on Windows that leads to another one."""
    return getattr(os.path, "isjunction", lambda _: False)(path)


def _prune(folder: Path) -> None:
    """Remove the empty folders in it, and itself where nothing is left."""
    for place, _, _ in os.walk(folder, topdown=False):
        _remove_empty(Path(place))


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def describe(remains: Remains, file: Path) -> None:
    """Write down for the uninstaller what there is, as the Windows function for settings reads it.

    Empty values: there is none.
    """
    values = {}
    for kind in (Belongings.MODELS, Belongings.VIDEOS):
        size = remains.size_bytes(kind)
        values[kind.value] = _words(size) if size else ""
    lines = ["[here]", *(f"{name}={value}" for name, value in values.items()), ""]
    file.write_text("\r\n".join(lines), encoding="utf-16", newline="")


def parse_kinds(names: Iterable[str]) -> frozenset[Belongings]:
    """From the command line."""
    return frozenset(Belongings(name) for name in names)


def _words(size_bytes: int) -> str:
    if size_bytes >= 10**9:
        return f"{size_bytes / 1e9:.1f} GB"
    return f"{max(size_bytes / 1e6, 0.1):.1f} MB"
