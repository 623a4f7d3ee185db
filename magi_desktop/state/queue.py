"""The videos that are waiting to be made, in order; kept in the database from the first moment."""

from __future__ import annotations

import dataclasses
import json
import logging
import sqlite3
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from magi_desktop.state.store import Store
from magi_engine.errors import InvalidRequestError
from magi_engine.json_text import parse_json
from magi_engine.messages import Message
from magi_engine.runtime.request.request import GenerationRequest, drawn_seed

logger = logging.getLogger(__name__)


class QueueState(Enum):
    """Where an item of the queue stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FAILED = "failed"


_INTERRUPTED = "interrupted"
"""How a waiting item is stored that was running when the program ended."""
_EDITED = "edited"
"""How one is stored that the user is changing."""


@dataclass(frozen=True)
class QueueItem:
    """One video to make.

    Attributes:
        error: what went wrong, of a failed item.
        interrupted: it was being made when the program ended, and waits again.
        edited: the user is changing it, and it does not start until that is over, also after a
            restart: the draft survives one, too.
    """

    id: str
    request: GenerationRequest
    state: QueueState = QueueState.WAITING
    error: Message | None = None
    interrupted: bool = False
    edited: bool = False


_RANKS = {QueueState.RUNNING: 0, QueueState.WAITING: 1, QueueState.FAILED: 2}


Removal = list[tuple[int, QueueItem]]
"""Items that were taken out of the queue, with their places in it."""


class JobQueue(QObject):
    """The queue. Everything here acts on memory at once and reaches the file a moment later.

    Args:
        goes_on: whether what was being made when the program ended is gone on with unasked.

    Signals:
        changed: items came, went, moved or changed, or the queue was paused or resumed.
        loaded: what earlier sessions left is here.
        removed: the Removal of what was taken out by hand.
    """

    changed = Signal()
    loaded = Signal()
    removed = Signal(object)

    def __init__(self, store: Store, parent: QObject | None = None, goes_on: bool = False) -> None:
        super().__init__(parent)
        self._goes_on = goes_on
        self._store = store
        self._items: list[QueueItem] = []
        self._paused: bool | None = None
        """None until the user, or the file, has said it."""
        store.read(_load, self._take_loaded, self)

    @property
    def items(self) -> tuple[QueueItem, ...]:
        """All items: the running one, those that wait in their order, and those that failed."""
        return tuple(self._items)

    @property
    def failed(self) -> tuple[QueueItem, ...]:
        """The items that could not be made."""
        return tuple(i for i in self._items if i.state is QueueState.FAILED)

    @property
    def waiting(self) -> list[QueueItem]:
        """The items that may start, in their order."""
        return [i for i in self._items if i.state is QueueState.WAITING and not i.edited]

    @property
    def running(self) -> QueueItem | None:
        return next((i for i in self._items if i.state is QueueState.RUNNING), None)

    @property
    def edited(self) -> QueueItem | None:
        return next((i for i in self._items if i.edited), None)

    def edit(self, item_id: str | None) -> None:
        """Hold an item while the user changes it, instead of any other; None: of no item. One that
        runs, or is gone, is not held."""
        before = self.edited
        if before is not None and before.id != item_id:
            self._set(before.id, edited=False)
        item = None if item_id is None else self.item(item_id)
        if item is not None and item.state is not QueueState.RUNNING:
            self._set(item.id, edited=True)

    @property
    def paused(self) -> bool:
        """Whether ``next`` gives nothing, until the queue is resumed. Survives a restart."""
        return bool(self._paused)

    @Slot(bool)
    def set_paused(self, paused: bool) -> None:
        """Start nothing more, or go on. What is running runs on."""
        if paused != self._paused:
            self._paused = paused
            self._store.write(lambda c: _keep_paused(c, paused))
            self.changed.emit()

    def item(self, item_id: str) -> QueueItem | None:
        """The item of that id, None if it is gone."""
        return next((i for i in self._items if i.id == item_id), None)

    def index(self, item_id: str) -> int:
        """Place of an item; -1 if it is gone."""
        return next((n for n, i in enumerate(self._items) if i.id == item_id), -1)

    def next(self) -> QueueItem | None:
        """What is to be made now; None while something runs or nothing may start."""
        if self._paused or self.running is not None:
            return None
        return next(iter(self.waiting), None)

    def add(self, request: GenerationRequest) -> str:
        """Line up a video; returns the item's id."""
        return self.add_many([request])[0]

    def add_many(self, requests: Iterable[GenerationRequest]) -> list[str]:
        """Line up videos at the end; returns the items' ids."""
        items = [QueueItem(uuid.uuid4().hex, request) for request in requests]
        self._items.extend(items)
        self._store.write(lambda c: _append(c, items))
        self._arrange()
        self.changed.emit()
        return [item.id for item in items]

    def move(self, item_id: str, index: int) -> None:
        """Give a waiting item another place among those that wait."""
        here = self.index(item_id)
        if here < 0 or self._items[here].state is not QueueState.WAITING:
            return
        self._items.insert(max(0, index), self._items.pop(here))
        self._arrange()
        self._save_order()
        self.changed.emit()

    def remove(self, *item_ids: str, tell: bool = True) -> Removal:
        """Take items out, all but a running one; ``tell``: by ``removed``, too."""
        gone = [
            (n, dataclasses.replace(item, edited=False))
            for n, item in enumerate(self._items)
            if item.id in item_ids and item.state is not QueueState.RUNNING
        ]
        if gone:
            self._drop([item.id for _, item in gone])
            if tell:
                self.removed.emit(gone)
        return gone

    def put_back(self, removal: Removal) -> None:
        """Put back what was removed."""
        items = [item for _, item in removal]
        if not items or self.item(items[0].id) is not None:
            return
        for index, item in removal:
            self._items.insert(index, item)
        self._store.write(lambda c: _append(c, items))
        self._arrange()
        self._save_order()
        self.changed.emit()

    def replace(self, item_id: str, request: GenerationRequest) -> str:
        """Ask for something else in an item's place; a failed one waits again.

        Returns:
            The id: a new one, at the end of the queue, if the item was begun in the meantime.
        """
        item = self.item(item_id)
        if item is None or item.state is QueueState.RUNNING:
            return self.add(request)
        self._put(QueueItem(item_id, request))
        return item_id

    def retry(self, item_id: str) -> None:
        """Let a failed item wait again, as the next one."""
        item = self.item(item_id)
        if item is not None and item.state is QueueState.FAILED:
            self._items.remove(item)
            self._items.insert(0, item)
            self._set(item_id, state=QueueState.WAITING, error=None)
            self._save_order()

    def duplicate(self, item: QueueItem, count: int = 1) -> list[str]:
        """Line up the same with other seeds, right behind the item or, where that was made
        meanwhile, in front; returns the new ids."""
        request = (self.item(item.id) or item).request
        copies = [QueueItem(uuid.uuid4().hex, reseeded(request)) for _ in range(count)]
        behind = self.index(item.id) + 1
        self._items[behind:behind] = copies
        self._store.write(lambda c: _append(c, copies))
        self._arrange()
        self._save_order()
        self.changed.emit()
        return [item.id for item in copies]

    def mark_running(self, item_id: str) -> None:
        """The engine has begun with it; it goes to the top."""
        self._set(item_id, state=QueueState.RUNNING, error=None, interrupted=False)

    def mark_begun(self, item_id: str, request: GenerationRequest) -> None:
        """The engine makes it as ``request``, whose output is the file that is being written."""
        self._set(item_id, request=request)

    def mark_done(self, item_id: str) -> None:
        """It has been made, or was stopped: it leaves the queue."""
        if self.index(item_id) >= 0:
            self._drop([item_id])

    def mark_failed(self, item_id: str, message: Message) -> None:
        """It went wrong: it stays, with the reason, behind those that wait."""
        self._set(item_id, state=QueueState.FAILED, error=message)

    def _set(self, item_id: str, **values: object) -> None:
        index = self.index(item_id)
        if index < 0:
            return
        self._put(dataclasses.replace(self._items[index], **values))  # type: ignore[arg-type]

    def _put(self, item: QueueItem) -> None:
        self._items[self.index(item.id)] = item
        self._store.write(lambda c: _update(c, item))
        self._arrange()
        self.changed.emit()

    def _drop(self, ids: Sequence[str]) -> None:
        self._items = [item for item in self._items if item.id not in ids]
        self._store.write(lambda c: _delete(c, ids))
        self.changed.emit()

    def _arrange(self) -> None:
        """What runs on top, what failed at the end; else the order stays."""
        arranged = sorted(self._items, key=lambda item: _RANKS[item.state])
        if arranged != self._items:
            self._items = arranged
            self._save_order()

    def _save_order(self) -> None:
        ids = [item.id for item in self._items]
        self._store.write(lambda c: _order(c, ids))

    def _take_loaded(self, found: tuple[list[QueueItem], bool]) -> None:
        items, kept = found
        if self._paused is None:
            self._paused = kept
        early = self._items
        interrupted = [i for i in items if i.state is QueueState.RUNNING]
        others = [i for i in items if i.state is not QueueState.RUNNING]
        again = [
            dataclasses.replace(i, state=QueueState.WAITING, interrupted=True) for i in interrupted
        ]
        begun = [i for i in early if i.state is QueueState.RUNNING]
        later = [i for i in early if i.state is not QueueState.RUNNING]
        self._items = [*begun, *again, *others, *later]
        if again and not self._goes_on:
            # Whatever ended the program might be that very video: it is not begun unasked.
            self._paused = True
            self._store.write(lambda c: _keep_paused(c, True))
        if again:
            self._store.write(lambda c: [_update(c, item) for item in again])
        if again or (early and items):
            self._save_order()
        self._arrange()
        self.loaded.emit()
        self.changed.emit()


def reseeded(request: GenerationRequest) -> GenerationRequest:
    """The same request with another seed, and a name that says so."""
    suffix = Path(request.output or "video.mp4").suffix
    other = dataclasses.replace(request, seed=drawn_seed())
    return dataclasses.replace(other, output=f"{other.name()}{suffix}")


# In the worker thread.


def _load(connection: sqlite3.Connection) -> tuple[list[QueueItem], bool]:
    items = []
    for row in connection.execute("SELECT id, request, state, note FROM queue ORDER BY position"):
        item_id, request, state, note = row
        try:
            items.append(
                QueueItem(
                    item_id,
                    GenerationRequest.from_json(request),
                    _state(state, note),
                    None if note is None else _message(note),
                    interrupted=state == _INTERRUPTED,
                    edited=state == _EDITED,
                )
            )
        except (InvalidRequestError, ValueError) as error:
            # Perhaps a newer program can read it: it stays in the file.
            logger.warning("an item of the queue cannot be read", exc_info=error)
    paused = connection.execute("SELECT value FROM kept WHERE name = 'queue_paused'").fetchone()
    return items, paused is not None and paused[0] == "1"


def _append(connection: sqlite3.Connection, items: Sequence[QueueItem]) -> None:
    connection.executemany(
        "INSERT INTO queue VALUES (?, (SELECT COALESCE(MAX(position), 0) + 1 FROM queue), ?, ?, ?)",
        [(i.id, _stored_state(i), i.request.to_json(), _note(i)) for i in items],
    )


def _update(connection: sqlite3.Connection, item: QueueItem) -> None:
    connection.execute(
        "UPDATE queue SET state = ?, request = ?, note = ? WHERE id = ?",
        (_stored_state(item), item.request.to_json(), _note(item), item.id),
    )


def _delete(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    connection.executemany("DELETE FROM queue WHERE id = ?", [(item_id,) for item_id in ids])


def _order(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    connection.executemany("UPDATE queue SET position = ? WHERE id = ?", list(enumerate(ids)))


def _keep_paused(connection: sqlite3.Connection, paused: bool) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO kept VALUES ('queue_paused', ?)", (str(int(paused)),)
    )


def _note(item: QueueItem) -> str | None:
    return None if item.error is None else json.dumps(item.error.to_dict())


def _message(note: str) -> Message | None:
    try:
        return Message.from_dict(parse_json(note))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # a sentence in the language of its day, as earlier versions kept it


def _state(stored: str, note: str | None) -> QueueState:
    if stored == _EDITED and note is not None:
        return QueueState.FAILED
    return QueueState.WAITING if stored in (_INTERRUPTED, _EDITED) else QueueState(stored)


def _stored_state(item: QueueItem) -> str:
    if item.edited:
        return _EDITED
    return _INTERRUPTED if item.interrupted else item.state.value
