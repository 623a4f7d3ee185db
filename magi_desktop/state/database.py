"""The database file: opening it whatever state it is in, and its versions.

Everything here runs in the store's worker thread.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

logger = logging.getLogger(__name__)

Migration = Callable[[sqlite3.Connection], None]

_LEAST_BYTES = 1 << 17
"""What a new database needs, with its log."""
_SIDE_FILES = ("", "-wal", "-shm")
_NOT_DAMAGE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_READONLY,
    }
)
"""Troubles of the disk or of another program; the file itself is as it should be."""


class Trouble(Enum):
    """Why the database is not the one that was asked for."""

    DAMAGED = "damaged"
    """It was moved aside and a fresh one begun."""
    NEWER = "newer"
    """A newer program made it: it was left alone, another file is used."""
    UNWRITABLE = "unwritable"
    """Nothing can be kept; what could be read of it is there until the program ends."""
    FULL = "full"
    """As UNWRITABLE, for want of room."""
    IN_USE = "in use"
    """The program is open already and keeps it; this one works with a copy in memory."""


@dataclass(frozen=True)
class Opened:
    """An open database, in autocommit mode.

    Attributes:
        trouble: what the user should be told, with ``file`` as the file it is about.
    """

    connection: sqlite3.Connection
    trouble: Trouble | None = None
    file: Path | None = None


class _NewerVersionError(Exception):
    pass


def _version_1(connection: sqlite3.Connection) -> None:
    connection.execute(
        "CREATE TABLE queue (id TEXT PRIMARY KEY, position REAL NOT NULL, state TEXT NOT NULL,"
        " request TEXT NOT NULL, note TEXT)"
    )
    connection.execute(
        "CREATE TABLE library (id TEXT PRIMARY KEY, path TEXT NOT NULL UNIQUE,"
        " request TEXT NOT NULL, prompts TEXT NOT NULL, created REAL NOT NULL,"
        " frames INTEGER NOT NULL, fps REAL NOT NULL, width INTEGER NOT NULL,"
        " height INTEGER NOT NULL, complete INTEGER NOT NULL)"
    )
    connection.execute("CREATE INDEX library_created ON library (created)")
    connection.execute("CREATE TABLE kept (name TEXT PRIMARY KEY, value TEXT NOT NULL)")


def _version_2(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE library ADD COLUMN favourite INTEGER NOT NULL DEFAULT 0")
    connection.execute("ALTER TABLE library ADD COLUMN took_s REAL")


MIGRATIONS: tuple[Migration, ...] = (_version_1, _version_2)
"""Step n takes a database of version n to n + 1."""


def open_database(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> Opened:
    """Open the file, make it, or bring it up to date; never fails.

    A damaged file goes to ``<name>.corrupt-<time>``; before an older one is brought up to date it
    is copied to ``<name>.version-<n>``.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Opened(_open(path, migrations))
    except _NewerVersionError:
        own = path.with_name(f"{path.stem}-version-{len(migrations)}{path.suffix}")
        with contextlib.suppress(_NewerVersionError, sqlite3.Error):
            return Opened(_open(own, migrations), Trouble.NEWER, path)
        return open_copy(path, _why_unwritable(path), migrations)
    except sqlite3.Error as error:
        logger.warning("%s cannot be opened", path, exc_info=error)
        if not of_the_disk(error):
            aside = _move_aside(path)
            if aside is not None:
                with contextlib.suppress(sqlite3.Error):
                    return Opened(_open(path, migrations), Trouble.DAMAGED, aside)
    except OSError as error:
        logger.warning("%s cannot be made", path, exc_info=error)
    return open_copy(path, _why_unwritable(path), migrations)


def _why_unwritable(path: Path) -> Trouble:
    with contextlib.suppress(OSError):
        if shutil.disk_usage(path.parent).free < _LEAST_BYTES:
            return Trouble.FULL
    return Trouble.UNWRITABLE


def open_copy(path: Path, trouble: Trouble, migrations: Sequence[Migration] = MIGRATIONS) -> Opened:
    """A database in memory with the library of a file, as far as it can be read.

    The queue is left out: it could not be worked off without doing it all again the next time.
    """
    memory = _connect(":memory:")
    with contextlib.suppress(sqlite3.Error):
        source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        with contextlib.closing(source):
            if _version(source) <= len(migrations):
                source.backup(memory)
    try:
        _migrate(memory, migrations)
        memory.execute("DELETE FROM queue")
    except sqlite3.Error:
        memory.close()
        memory = _connect(":memory:")
        _migrate(memory, migrations)
    return Opened(memory, trouble, path)


def _open(path: Path, migrations: Sequence[Migration]) -> sqlite3.Connection:
    connection = _connect(path)
    try:
        version = _version(connection)
        if version > len(migrations):
            raise _NewerVersionError
        finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if finding != "ok":
            raise sqlite3.DatabaseError(finding)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")  # what was shown survives a power cut
        if 0 < version < len(migrations):
            _copy(connection, path.with_name(f"{path.name}.version-{version}"))
        _migrate(connection, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path | str) -> sqlite3.Connection:
    # Autocommit: each transaction is begun where it is needed.
    return sqlite3.connect(path, timeout=5.0, isolation_level=None)


def _version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def _migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    for version in range(_version(connection), len(migrations)):
        with transaction(connection):
            migrations[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block or, where it raises, nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # else SQLite has taken it back itself, as on a full disk
            connection.execute("ROLLBACK")
        raise


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    target.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)


def of_the_disk(error: sqlite3.Error) -> bool:
    """Whether it is a trouble of the disk or of another program, and may pass."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return code & 0xFF in _NOT_DAMAGE


def _move_aside(path: Path) -> Path | None:
    """Rename the file and what belongs to it; None if that is not possible."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    try:
        for ending in _SIDE_FILES:
            part = path.with_name(path.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
    except OSError as error:
        logger.warning("%s cannot be moved aside", path, exc_info=error)
        return None
    return aside
