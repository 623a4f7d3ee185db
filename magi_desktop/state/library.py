"""Everything that was made: a list in memory, kept in the database."""

from __future__ import annotations

import dataclasses
import logging
import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakSet

from PySide6.QtCore import QObject, QTimer, Signal

from magi_desktop import background
from magi_desktop.state.store import Store
from magi_desktop.state.videos import (
    LibraryItem,
    Scan,
    describe,
    is_there,
    located,
    recover,
    renamed,
    scan,
)
from magi_desktop.thumbnails import Thumbnails
from magi_desktop.trash import Trashed, move_to_trash, restore
from magi_engine.errors import MagiError
from magi_engine.runtime.request.request import GenerationRequest

__all__ = ["Library", "LibraryItem"]

logger = logging.getLogger(__name__)

_PATIENCE_MS, _LOOK_PATIENCE_MS = 20_000, 3_000
"""How long a deletion or another change may take at the end of the program, and a look."""
_SECOND_LOOK_MS = 8000
"""An engine that has lost its window takes a moment to end and to let go of its video."""


class Deletion:
    """Videos that are thrown away together.

    Attributes:
        items: what was to go.
        gone: what went, and where it is; written in the library's thread.
    """

    def __init__(self, items: Sequence[LibraryItem]) -> None:
        self.items = items
        self.gone: list[tuple[LibraryItem, Trashed | None]] = []

    @property
    def undoable(self) -> bool:
        """Whether it can be restored: taking a file off the list always, one in the trash only
        where the system says where it is."""
        return all(trashed is None or trashed.place for _, trashed in self.gone)


@dataclass(frozen=True)
class _Moved:
    """What went into the trash or out of it, and why something did not.

    Attributes:
        stayed: files that could not be moved to the trash.
    """

    items: list[LibraryItem] = field(default_factory=list)
    errors: list[MagiError] = field(default_factory=list)
    stayed: list[Path] = field(default_factory=list)


class Library(QObject):
    """The videos, newest first. Everything here returns at once.

    Args:
        thumbnails: folder for small pictures.

    Signals:
        changed: items came, went or changed.
        leaving: paths of videos that are about to be moved, to the trash too, or replaced.
        settled: where a video was that was ``leaving``, and where it is now; the same where it
            stayed or came back.
        deleted: the Deletion that ``delete`` began is done.
        failed: a MagiError the user should see: something was not deleted, restored, found.
    """

    changed = Signal()
    leaving = Signal(list)
    settled = Signal(object, object)
    deleted = Signal(object)
    failed = Signal(object)

    def __init__(self, store: Store, thumbnails: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.thumbnails = Thumbnails(thumbnails, self)
        self.thumbnails.failed.connect(self._check_one)
        self._store = store
        self.items: list[LibraryItem] = []
        """All videos, newest first; not to be changed."""
        self.loaded = False
        # One thread: a video is added before a later look at its folder, and never twice.
        self._pool = background.Pool(self)
        self._looks: WeakSet[background.Task[Any]] = WeakSet()
        """Tasks that change nothing."""
        self._waiting_folders: list[Path] = []
        store.read(_load, self._take_loaded, self)

    def item(self, item_id: str) -> LibraryItem | None:
        """The item of that id, None if it is gone."""
        return next((i for i in self.items if i.id == item_id), None)

    def search(self, text: str) -> list[LibraryItem]:
        """The videos in whose prompts or name every word of ``text`` occurs, newest first."""
        words = text.casefold().split()
        return [i for i in self.items if all(word in i.words for word in words)]

    def at(self, path: Path | None) -> LibraryItem | None:
        """The item whose file this is, None if it is none of them."""
        return next((i for i in self.items if i.path == path), None)

    def add(
        self,
        path: Path,
        request: GenerationRequest,
        complete: bool = True,
        took_s: float | None = None,
    ) -> None:
        """Take in a video that was just made."""
        self._pool.run(
            describe,
            path,
            request,
            complete,
            then=lambda item: self._put([dataclasses.replace(item, took_s=took_s)]),
            failed=lambda error: logger.warning("%s is not in the library: %s", path, error),
        )

    def look_again(self, path: Path) -> None:
        """A file was written anew: where it was one of the videos, another one is there now."""
        if self.at(path) is not None:
            self._pool.run(describe, path, None, None, then=lambda item: self._put([item]))

    def rescan(self, folder: Path) -> None:
        """Look for videos of ours in a folder that are not in the list, or that were moved."""
        if not self.loaded:
            self._waiting_folders.append(folder)
            return
        self._look(scan, folder, tuple(self.items), then=self._take_scan)

    def recover(self, folder: Path) -> None:
        """Finish what a killed program left in a folder, and take it in; to be called at start."""
        self._recover_now(folder)
        QTimer.singleShot(_SECOND_LOOK_MS, self, lambda: self._recover_now(folder))

    def check_files(self) -> None:
        """Find out which files are still there."""
        items = tuple(self.items)
        self._look(_missing, items, then=self._take_missing)

    def locate(self, item_id: str, path: Path) -> None:
        """Say where a missing video is now."""
        item = self.item(item_id)
        if item is None:
            return
        self._pool.run(
            located,
            item,
            path,
            then=lambda seen: self._move({item_id: seen.path}),
            failed=self._fail,
        )

    def rename(self, item_id: str, stem: str) -> None:
        """Give a video's file another name, without its suffix."""
        item = self.item(item_id)
        if item is None:
            return
        self.leaving.emit([item.path])

        def done(path: Path) -> None:
            self._move({item_id: path})
            self.settled.emit(item.path, path)

        def failed(error: Exception) -> None:
            self._fail(error)
            self.settled.emit(item.path, item.path)

        self._pool.run(renamed, item, stem, then=done, failed=failed)

    def set_favourite(self, item_ids: Iterable[str], favourite: bool) -> None:
        """Mark videos, or unmark them."""
        ids = set(item_ids)
        self.items = [
            dataclasses.replace(i, favourite=favourite) if i.id in ids else i for i in self.items
        ]
        changed = [i for i in self.items if i.id in ids]
        self._store.write(lambda c: _insert(c, changed))
        self.changed.emit()

    def forget(self, item_ids: Iterable[str]) -> None:
        """Take videos off the list; their files stay."""
        gone = set(item_ids)
        self.items = [i for i in self.items if i.id not in gone]
        self._store.write(lambda c: _delete(c, gone))
        self.changed.emit()

    def delete(self, item_ids: Iterable[str]) -> None:
        """Move videos to the system's trash; what cannot be moved stays in the list."""
        ids = set(item_ids)
        deletion = Deletion([i for i in self.items if i.id in ids])
        self.throw_away(deletion, tell=True)

    def throw_away(self, deletion: Deletion, tell: bool = False) -> None:
        """Begin a deletion, or do it again after it was undone: of the videos as they are by now,
        under whatever names; ``tell``: by ``deleted``, too."""
        deletion.items = [self.item(i.id) or i for i in deletion.items]
        if deletion.items:
            self.leaving.emit([i.path for i in deletion.items])
            then = partial(self._take_deleted, deletion if tell else None)
            self._pool.run(_trash, deletion, then=then)

    def restore(self, deletion: Deletion) -> None:
        """Bring back what was deleted."""
        if deletion.items:
            self._pool.run(_restore, deletion, then=self._take_restored)

    def close(self) -> None:
        """Finish what was asked for, and look at nothing any more; blocks for a moment."""
        self.thumbnails.close()
        for look in self._looks:
            look.cancel()
        asked_for = background.under_way(self) - set(self._looks)
        self._pool.finish(_PATIENCE_MS if asked_for else _LOOK_PATIENCE_MS)

    def _look(
        self, function: Callable[..., Any], *args: object, then: Callable[[Any], object]
    ) -> None:
        self._looks.add(self._pool.run(function, *args, then=then))

    def _recover_now(self, folder: Path) -> None:
        self._look(recover, folder, then=self._put)
        self.rescan(folder)

    def _put(self, items: Sequence[LibraryItem]) -> None:
        """Take in items; one with the path of another replaces it."""
        if not items:
            return
        paths = {item.path for item in items}
        for path in paths:
            self.thumbnails.forget(path)
        kept = [i for i in self.items if i.path not in paths]
        self.items = sorted([*kept, *items], key=lambda i: i.created, reverse=True)
        self._store.write(lambda c: _insert(c, items))
        self.changed.emit()

    def _move(self, places: dict[str, Path]) -> None:
        if not places:
            return
        for path in places.values():
            self.thumbnails.forget(path)
        taken = set(places.values())
        gone = [i.id for i in self.items if i.path in taken and i.id not in places]
        self.items = [
            dataclasses.replace(i, path=places[i.id], missing=False) if i.id in places else i
            for i in self.items
            if i.id not in gone
        ]
        self._store.write(lambda c: _delete(c, gone))
        self._store.write(lambda c: _relocate(c, places))
        self.changed.emit()

    def _take_loaded(self, items: list[LibraryItem]) -> None:
        early = self.items
        paths = {item.path for item in early}
        self.items = [*early, *(i for i in items if i.path not in paths)]
        self.items.sort(key=lambda i: i.created, reverse=True)
        self.loaded = True
        self.changed.emit()
        self.check_files()
        folders, self._waiting_folders = self._waiting_folders, []
        for folder in folders:
            self.rescan(folder)

    def _take_scan(self, result: Scan) -> None:
        known = {item.path for item in self.items}
        self._put([item for item in result.found if item.path not in known])
        self._move(result.moved)

    def _take_missing(self, found: dict[str, bool]) -> None:
        """``found``: for each id whether its file is gone."""
        items = [
            dataclasses.replace(i, missing=found[i.id])
            if found.get(i.id, i.missing) != i.missing
            else i
            for i in self.items
        ]
        for old, new in zip(self.items, items, strict=True):
            if old.missing and not new.missing:
                self.thumbnails.forget(new.path)
        if items != self.items:
            self.items = items
            self.changed.emit()

    def _take_deleted(self, deletion: Deletion | None, outcome: _Moved) -> None:
        if outcome.items:
            self.forget(item.id for item in outcome.items)
            if deletion is not None:
                self.deleted.emit(deletion)
        for path in outcome.stayed:
            self.settled.emit(path, path)
        for error in outcome.errors:
            self.failed.emit(error)

    def _take_restored(self, outcome: _Moved) -> None:
        self._put(outcome.items)
        for item in outcome.items:
            self.settled.emit(item.path, item.path)
        for error in outcome.errors:
            self.failed.emit(error)

    def _check_one(self, path: Path) -> None:
        items = tuple(i for i in self.items if i.path == path)
        self._look(_missing, items, then=self._take_missing)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, MagiError):
            self.failed.emit(error)
        else:
            logger.error("the library failed", exc_info=error)


# In worker threads.

_COLUMNS = (
    "id, path, request, prompts, created, frames, fps, width, height, complete, favourite, took_s"
)


def _load(connection: sqlite3.Connection) -> list[LibraryItem]:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM library ORDER BY created DESC")
    items = [
        LibraryItem(
            *(row[0], Path(os.fsdecode(row[1])), *row[2:9]),
            complete=bool(row[9]),
            favourite=bool(row[10]),
            took_s=row[11],
        )
        for row in rows
    ]
    for item in items:
        _ = item.lineage  # read here, not in the window
    return items


def _stored(path: Path) -> str | bytes:
    """A path as the database takes it: text, or the bytes of a name that is not UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return os.fsencode(path)
    return str(path)


def _insert(connection: sqlite3.Connection, items: Sequence[LibraryItem]) -> None:
    connection.executemany(
        f"INSERT OR REPLACE INTO library ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                *(i.id, _stored(i.path), i.request_text, i.prompts, i.created),
                *(i.frames, i.fps, i.width, i.height, i.complete, i.favourite, i.took_s),
            )
            for i in items
        ],
    )


def _delete(connection: sqlite3.Connection, ids: Iterable[str]) -> None:
    connection.executemany("DELETE FROM library WHERE id = ?", [(item_id,) for item_id in ids])


def _relocate(connection: sqlite3.Connection, places: dict[str, Path]) -> None:
    connection.executemany(
        "UPDATE library SET path = ? WHERE id = ?",
        [(_stored(path), item_id) for item_id, path in places.items()],
    )


def _missing(items: Sequence[LibraryItem]) -> dict[str, bool]:
    found = {}
    for item in items:
        there = is_there(item.path)
        if there is not None:
            found[item.id] = not there
    return found


def _trash(deletion: Deletion) -> _Moved:
    outcome = _Moved()
    deletion.gone = []
    for item in deletion.items:
        try:
            trashed = None if is_there(item.path) is False else move_to_trash(item.path)
            deletion.gone.append((item, trashed))
            outcome.items.append(item)
        except MagiError as error:
            outcome.errors.append(error)
            outcome.stayed.append(item.path)
    return outcome


def _restore(deletion: Deletion) -> _Moved:
    outcome = _Moved()
    for item, trashed in deletion.gone:
        try:
            if trashed is not None:
                restore(trashed)
            outcome.items.append(item)
        except MagiError as error:
            outcome.errors.append(error)
    return outcome
