"""What the program remembers between starts: one SQLite file, touched by one thread only."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QLockFile, QObject, Signal

from magi_desktop import background
from magi_desktop.state.database import (
    Opened,
    Trouble,
    of_the_disk,
    open_copy,
    open_database,
    transaction,
)

logger = logging.getLogger(__name__)

_Result = TypeVar("_Result")


class Store(QObject):
    """Runs work on the database, one piece after the other, in its own thread.

    Nothing here waits on the UI thread but ``close``. What is asked for before ``open`` is done
    then.

    Signals:
        noticed: a sentence the user should read, e.g. that a damaged file was replaced.
    """

    noticed = Signal(str)

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.path = path
        self.notices: list[str] = []
        """Everything that was said so far."""
        self._database: Opened | None = None
        self._lock = QLockFile(f"{path}.lock")
        self._lock.setStaleLockTime(0)
        self._pool = background.Pool(self)
        self._pool.setExpiryTimeout(-1)  # the connection belongs to this very thread
        self._early: list[Callable[[], Any]] | None = []
        self._closed = False
        self._write_failed = False
        self._late: list[Callable[[sqlite3.Connection], Any]] = []
        """Changes for which there was no room, in order; touched in the worker thread only."""

    def open(self) -> None:
        """Open the file and do what has been asked for so far."""
        early, self._early = self._early, None
        if early is not None:
            self._pool.run(self._open, then=self._opened)
            for start in early:
                start()

    def read(
        self,
        work: Callable[[sqlite3.Connection], _Result],
        then: Callable[[_Result], None],
        owner: QObject,
    ) -> None:
        """Hand what ``work`` finds to ``then``, on the UI thread."""
        self._run(work, then, owner)

    def write(self, work: Callable[[sqlite3.Connection], Any]) -> None:
        """Change the database in one transaction, after everything asked for earlier. What the disk
        refuses is tried again with the next change and, for the last time, in ``close``."""
        self._run(lambda connection: self._write(connection, work), self._written, self)

    def close(self) -> None:
        """Finish what is under way, however long it takes, and close the file."""
        if not self._closed:
            self.open()
            self._closed = True
            self._pool.run(self._close)
        self._pool.waitForDone()

    def say(self, sentence: str) -> None:
        """Tell the user something, now and in ``notices``."""
        self.notices.append(sentence)
        self.noticed.emit(sentence)

    def _run(
        self,
        work: Callable[[sqlite3.Connection], _Result],
        then: Callable[[_Result], None] | None,
        owner: QObject,
    ) -> None:
        def start() -> None:
            background.run(
                lambda: work(self._connection()),
                then=then,
                failed=self._failed,
                owner=owner,
                pool=self._pool,
            )

        if self._closed:
            logger.info("the database is closed: a late change is left out")
        elif self._early is not None:
            self._early.append(start)
        else:
            start()

    # In the worker thread.

    def _open(self) -> Opened:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            locked = self._lock.tryLock(0)
        except OSError:
            locked = True  # opening will find out what is wrong
        in_use = not locked and self._lock.error() is QLockFile.LockError.LockFailedError
        opened = open_copy(self.path, Trouble.IN_USE) if in_use else open_database(self.path)
        self._database = opened
        return opened

    def _connection(self) -> sqlite3.Connection:
        assert self._database is not None
        return self._database.connection

    def _write(
        self, connection: sqlite3.Connection, *works: Callable[[sqlite3.Connection], Any]
    ) -> None:
        self._late += works
        failed: Exception | None = None
        while self._late:
            try:
                with transaction(connection):
                    self._late[0](connection)
            except Exception as error:
                if isinstance(error, sqlite3.Error) and of_the_disk(error):
                    raise
                failed = error
            del self._late[0]
        if failed is not None:
            raise failed

    def _close(self) -> None:
        if self._database is not None:
            with contextlib.suppress(sqlite3.Error):  # it has been said
                self._write(self._database.connection)
            self._database.connection.close()
        self._lock.unlock()

    # On the UI thread.

    def _opened(self, opened: Opened) -> None:
        if opened.trouble is not None and opened.file is not None:
            self.say(self._sentence(opened.trouble, opened.file))

    def _sentence(self, trouble: Trouble, file: Path) -> str:
        if trouble is Trouble.DAMAGED:
            return self.tr(
                "The list of your videos was damaged. A new one was begun; the old one is kept as "
                "{name}."
            ).format(name=file.name)
        if trouble is Trouble.NEWER:
            return self.tr(
                "The list of your videos was made by a newer version of this program. It was left "
                "alone; this version keeps its own list."
            )
        if trouble is Trouble.IN_USE:
            return self.tr(
                "The program is open already. The queue of this window will not be kept."
            )
        if trouble is Trouble.FULL:
            return self.tr(
                "The disk is full: the queue and the library cannot be saved in {folder}. Free "
                "some space, then start the program again."
            ).format(folder=file.parent)
        return self.tr(
            "The queue and the library cannot be saved in {folder}. Check that you may write there."
        ).format(folder=file.parent)

    def _written(self, _: None) -> None:
        self._write_failed = False

    def _failed(self, error: Exception) -> None:
        logger.error("the database refused something", exc_info=error)
        if not self._write_failed:  # once is enough: the next one will fail likewise
            self._write_failed = True
            self.say(
                self.tr(
                    "A change to the queue or the library could not be saved. Check that the disk "
                    "is not full."
                )
            )
