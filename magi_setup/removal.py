"""Removing the program: all that the set-up made, and of the user's files those they choose.

Nothing that only links to somewhere else takes its target along.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from magi_desktop.belongings import Belonging, belongings
from magi_desktop.belongings import sizes as sizes_of
from magi_desktop.paths import APP_NAME, Places
from magi_engine.config.added import own_root
from magi_engine.config.places import (
    LICENCES_NAME,
    MADE_FOLDER,
    UNFINISHED_NAME,
    VERIFIED_NAME,
    default_jobs_dir,
    default_models_dir,
    default_takes_dir,
)
from magi_engine.config.registry import Registry
from magi_engine.errors import MagiError
from magi_engine.install.links import is_link
from magi_engine.messages import size_words
from magi_engine.takes.store import is_take_name
from magi_engine.weights.manifest import Manifest
from magi_setup.environments import Environments, remove_tree

CHOICES = (Belonging.MODELS, Belonging.VIDEOS, Belonging.TAKES, Belonging.SETTINGS)
"""What the user may keep or not; with the settings go the queue and the library's list."""
EVERYTHING = (Belonging.MODELS, Belonging.SETTINGS)
"""All but what nobody can make again."""


@dataclass(frozen=True)
class Remains:
    """Where a user's belongings are."""

    places: Places
    models_dir: Path
    videos_dir: Path

    @classmethod
    def of(cls, places: Places) -> Remains:
        """As the settings say; where they cannot be read, the usual places."""
        said = {}
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
            said = json.loads(places.settings_file.read_text(encoding="utf-8"))["preferences"]
        return cls(
            places,
            _chosen(said, "models_folder") or default_models_dir(),
            _chosen(said, "output_folder") or places.videos,
        )

    @property
    def everything(self) -> dict[Belonging, tuple[Path, ...]]:
        """Every place, by kind."""
        return belongings(self.places, self.models_dir, self.videos_dir)

    def listing(self) -> str:
        """For a terminal: a line for every place, with its size."""
        return _listing(self.everything, sizes_of(self.everything))

    def left(self) -> str:
        """The same of what is there."""
        found = sizes_of(self.everything)
        there = {
            kind: tuple(path for path in paths if path.exists())
            for kind, paths in self.everything.items()
            if found[kind]
        }
        return _listing(there, found)

    def models(self) -> list[Path]:
        """Files and folders of models, and what the program notes beside them.

        In the usual folder that is everything; in one the user chose, or where a model of the
        user's own lies, only what the program is known to put there.
        """
        entries = Registry.load().entries
        used = [entry.folder.resolve() for entry in entries if entry.folder is not None]
        ours_alone = not any(f.is_relative_to(self.models_dir.resolve()) for f in used)
        if self.models_dir == default_models_dir() and ours_alone:
            return [self.models_dir] if self.models_dir.exists() else []
        names = {Path(name) for name in (VERIFIED_NAME, LICENCES_NAME, MADE_FOLDER)}
        for entry in entries:
            parts = entry.files
            names.add(parts.transformer)
            if not entry.ships:
                names |= {parts.autoencoder, parts.text_encoder, parts.special_tokens}
        unfinished = self._unfinished(names)
        names |= {Path(name) for name in Manifest.load(self.models_dir).files}
        found = [*unfinished, *(self.models_dir / name for name in names)]
        there = {path for path in found if os.path.lexists(path) and self._is_ours(path)}
        there = {path for path in there if not any(map(path.resolve().is_relative_to, used))}
        return sorted(path for path in there if there.isdisjoint(path.parents))

    def _unfinished(self, names: set[Path]) -> Iterator[Path]:
        """Unfinished downloads, of the parts of models at ``names`` and beside them."""
        tops = {Path(name.parts[0]) for name in names if not name.is_absolute()}
        for top in tops | {own_root("")}:
            found = [*self.models_dir.glob(f"{glob.escape(str(top))}.*.part")]
            found += (self.models_dir / top).rglob("*.part")
            yield from (path for path in found if UNFINISHED_NAME.fullmatch(path.name))

    def _is_ours(self, path: Path) -> bool:
        """Not if it lies elsewhere, and is only used from there or linked to."""
        return path.parent.resolve().is_relative_to(self.models_dir.resolve())

    def videos(self) -> list[Path]:
        """The videos the library knows that are still there, and those made for other machines."""
        address = f"{self.places.database.absolute().as_uri()}?mode=ro"
        try:
            with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
                rows = database.execute("SELECT path FROM library ORDER BY path").fetchall()
        except sqlite3.Error:  # none was ever made, or it is damaged: then they all stay
            rows = []
        known = [path for (name,) in rows if (path := Path(name)).exists()]
        return [*known, *sorted(default_jobs_dir().glob("*"))]

    def takes(self) -> list[Path]:
        """The folders of kept takes."""
        with contextlib.suppress(OSError):
            return sorted(p for p in default_takes_dir().iterdir() if is_take_name(p.name))
        return []

    def size_bytes(self, kind: Belonging) -> int:
        """What models, videos or takes take up."""
        paths = {
            Belonging.MODELS: self.models,
            Belonging.VIDEOS: self.videos,
            Belonging.TAKES: self.takes,
        }[kind]()
        return sum(_size(file) for path in paths for file in _files(path))


def remove(environments: Environments, places: Places, kinds: frozenset[Belonging]) -> None:
    """Remove the environments, caches and logs, and of the user's belongings ``kinds``.

    Models and takes are deleted, videos go to the system's trash; those that cannot be moved there
    stay.

    Raises:
        BusyError: the program or the set-up runs. Everything is still there.
    """
    remains = Remains.of(places)
    every, usual = remains.everything, default_models_dir()
    environments.remove()
    going = [*every[Belonging.CACHE], *every[Belonging.LOGS]]
    if Belonging.VIDEOS in kinds:
        _move_videos(remains)
    if Belonging.MODELS in kinds:
        for path in remains.models():
            _delete(path)
            _prune_above(path, remains.models_dir)
    if Belonging.TAKES in kinds:
        for path in remains.takes():
            _delete(path)
    if Belonging.SETTINGS in kinds:
        of_settings = (Belonging.SETTINGS, Belonging.LIBRARY, Belonging.TAKES)  # but for the takes
        going += [path for kind in of_settings for path in every[kind]]
    # What the user keeps may lie in a folder that goes, whatever links lead there; and so may
    # videos of an earlier folder, or that cannot be moved to the trash.
    kept = {usual, remains.models_dir, remains.videos_dir, *remains.videos(), *remains.takes()}
    kept |= {place.resolve() for place in kept}
    for path in going:
        _clear(path.resolve(), kept)
    emptied = (usual, default_takes_dir(), places.config, places.data, places.videos, usual.parent)
    for folder in (*going, *emptied):
        _remove_empty(folder)
        # A folder of logs or a cache may lie in another one of ours.
        if folder.parent.name in (places.data.name, APP_NAME):
            _remove_empty(folder.parent)


def _listing(places: dict[Belonging, tuple[Path, ...]], found: dict[Belonging, int]) -> str:
    words = {kind: size_words(size) if size else "-" for kind, size in found.items()}
    return "\n".join(
        f"{kind.value:<9} {'' if number else words[kind]:>10}  {path}"
        for kind, paths in places.items()
        for number, path in enumerate(paths)
    )


def _chosen(said: object, name: str) -> Path | None:
    value = said.get(name) if isinstance(said, dict) else None
    return Path(value) if isinstance(value, str) and value else None


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
        if is_link(path) or path.is_file():
            path.unlink()
        else:
            remove_tree(path)


def _clear(path: Path, kept: set[Path]) -> None:
    """Delete a file, a link or a folder, but nothing in ``kept``."""
    if not any(place.is_relative_to(path) for place in kept):
        _delete(path)
    elif path not in kept and path.is_dir() and not is_link(path):
        for inside in path.iterdir():
            _clear(inside, kept)


def _prune_above(path: Path, top: Path) -> None:
    """Remove the folders that it was the last thing in; ``top``, which is the user's, stays."""
    for folder in path.parents:
        if folder == top or not folder.is_relative_to(top):
            return
        _remove_empty(folder)


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def describe(remains: Remains, file: Path) -> None:
    """Write down for the uninstaller what there is, as the Windows function for settings reads it.

    Empty values: there is none.
    """
    values = {}
    for kind in (Belonging.MODELS, Belonging.VIDEOS, Belonging.TAKES):
        size = remains.size_bytes(kind)
        values[kind.value] = size_words(size) if size else ""
    lines = ["[here]", *(f"{name}={value}" for name, value in values.items()), ""]
    file.write_text("\r\n".join(lines), encoding="utf-16", newline="")


def parse_kinds(names: Iterable[str]) -> frozenset[Belonging]:
    """From the command line."""
    return frozenset(Belonging(name) for name in names)
