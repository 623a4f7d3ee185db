"""The database file in every state in which a start may find it."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.settings import SettingsFile
from magi_desktop.state.database import MIGRATIONS, Trouble, open_database
from tests.desktop.state.conftest import MakeStore
from tests.desktop.state.helpers import settle


def tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def test_a_fresh_file_has_the_newest_version(tmp_path: Path) -> None:
    opened = open_database(tmp_path / "new" / "magi.sqlite3")
    with closing(opened.connection) as connection:
        assert opened.trouble is None
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert tables(connection) == {"queue", "library", "kept"}


def test_an_older_file_is_copied_and_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "magi.sqlite3"
    with closing(open_database(path).connection) as connection:
        connection.execute("INSERT INTO kept VALUES ('colour', 'red')")

    def add_size(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE kept ADD COLUMN size INTEGER DEFAULT 3")

    opened = open_database(path, [*MIGRATIONS, add_size])
    with closing(opened.connection) as connection:
        assert connection.execute("SELECT * FROM kept").fetchall() == [("colour", "red", 3)]
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS) + 1
    with closing(sqlite3.connect(tmp_path / f"{path.name}.version-{len(MIGRATIONS)}")) as copy:
        assert copy.execute("SELECT * FROM kept").fetchall() == [("colour", "red")]


def test_a_file_that_cannot_be_brought_up_to_date_is_kept_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "magi.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE library (of_books TEXT)")
    opened = open_database(path)
    opened.connection.close()
    assert opened.trouble is Trouble.DAMAGED
    assert opened.file is not None
    with closing(sqlite3.connect(opened.file)) as connection:
        assert tables(connection) == {"library"}


def test_no_room_to_bring_it_up_to_date_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "magi.sqlite3"
    with closing(open_database(path).connection) as connection:
        connection.execute("INSERT INTO kept VALUES ('colour', 'red')")

    def grow(connection: sqlite3.Connection) -> None:
        if connection.execute("PRAGMA database_list").fetchone()[2]:  # a file
            connection.execute("PRAGMA max_page_count = 1")  # as many as there are, and no more
        connection.execute("INSERT INTO kept VALUES ('large', zeroblob(5000000))")

    opened = open_database(path, [*MIGRATIONS, grow])
    assert (opened.trouble, opened.file) == (Trouble.UNWRITABLE, path)
    assert not list(tmp_path.glob("*.corrupt-*"))
    with closing(opened.connection) as connection:
        names = connection.execute("SELECT name FROM kept ORDER BY 1").fetchall()
    assert names == [("colour",), ("large",)], "what was read goes on in memory"
    with closing(open_database(path).connection) as connection:
        assert connection.execute("SELECT * FROM kept").fetchall() == [("colour", "red")]


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database at all" * 100)


def overwritten_in_the_middle(path: Path) -> None:
    with closing(open_database(path).connection) as connection:
        rows = [(str(n), "x" * 500) for n in range(200)]
        connection.executemany("INSERT INTO kept VALUES (?, ?)", rows)
    content = bytearray(path.read_bytes())
    content[8192:40000] = b"\xa5" * (40000 - 8192)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [garbage, overwritten_in_the_middle])
def test_a_damaged_file_is_kept_aside_replaced_and_said(
    make_store: MakeStore, tmp_path: Path, damage
) -> None:
    path = tmp_path / "magi.sqlite3"
    damage(path)
    before = path.read_bytes()
    store = make_store()
    aside = next(p for p in tmp_path.iterdir() if ".corrupt-" in p.name)
    assert aside.read_bytes() == before
    assert len(store.notices) == 1
    assert aside.name in store.notices[0]
    assert make_store().notices == []


def test_a_newer_file_is_left_alone(make_store: MakeStore, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "magi.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE holograms (id)")
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    store = make_store()
    store.write(lambda c: c.execute("INSERT INTO kept VALUES ('colour', 'red')"))
    settle(qtbot, store)
    again = make_store()
    kept: list[object] = []
    again.read(lambda c: c.execute("SELECT value FROM kept").fetchall(), kept.append, again)
    settle(qtbot, again)
    assert path.read_bytes() == before
    assert kept == [[("red",)]]
    assert "newer version" in store.notices[0]
    assert "newer version" in again.notices[0]


def test_a_place_that_cannot_be_written_is_said(
    make_store: MakeStore, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "file").write_text("no folder")
    store = make_store(tmp_path / "file" / "magi.sqlite3")
    store.write(lambda c: c.execute("INSERT INTO kept VALUES ('colour', 'red')"))
    settle(qtbot, store)
    assert len(store.notices) == 1
    assert str(tmp_path / "file") in store.notices[0]


def test_a_full_disk_is_not_told_as_a_question_of_rights(
    make_store: MakeStore, small_disk: Path, qtbot: QtBot
) -> None:
    (small_disk / "filler").write_bytes(bytes(shutil.disk_usage(small_disk).free))
    store = make_store(small_disk / "magi.sqlite3")
    assert len(store.notices) == 1
    assert "The disk is full" in store.notices[0]
    # It is the settings' as well.
    file = SettingsFile(small_disk / "settings.json")
    with qtbot.waitSignal(file.noticed) as said:
        file.set_section("draft", {"mode": "i2v"})
    assert said.args is not None
    assert "The disk is full" in said.args[0]
    store.close()


def test_a_second_window_sees_the_library_but_not_the_queue(
    make_store: MakeStore, qtbot: QtBot
) -> None:
    first = make_store()
    first.write(lambda c: c.execute("INSERT INTO queue VALUES ('a', 1, 'waiting', '{}', NULL)"))
    first.write(
        lambda c: c.execute(
            "INSERT INTO library VALUES ('b', '/v', '{}', '', 0, 1, 24, 2, 2, 1, 0, NULL)"
        )
    )
    settle(qtbot, first)
    second = make_store(restart=False)
    counts: list[object] = []
    count = "SELECT (SELECT COUNT(*) FROM queue), (SELECT COUNT(*) FROM library)"
    second.read(lambda c: c.execute(count).fetchone(), counts.append, second)
    settle(qtbot, second)
    assert counts == [(0, 1)]
    assert "open already" in second.notices[0]


def test_a_write_that_fails_changes_nothing_and_is_said_once(
    make_store: MakeStore, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store()

    def half(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO kept VALUES ('colour', 'red')")
        connection.execute("INSERT INTO there_is_none VALUES (1)")

    store.write(half)
    store.write(half)
    kept: list[object] = []
    store.read(lambda c: c.execute("SELECT * FROM kept").fetchall(), kept.append, store)
    settle(qtbot, store)
    assert kept == [[]]
    assert len(store.notices) == 1
    assert "refused" in caplog.text


def test_what_a_full_disk_refused_is_there_once_there_is_room(
    make_store: MakeStore, qtbot: QtBot
) -> None:
    store = make_store()

    def most_pages(count: int) -> None:
        limit = f"PRAGMA max_page_count = {count}"
        store.read(lambda c: c.execute(limit).fetchone(), lambda _: None, store)

    def keep(name: str) -> None:
        store.write(lambda c: c.execute("INSERT INTO kept VALUES (?, ?)", (name, "x" * 9000)))

    most_pages(1)  # as many as there are
    keep("first")
    store.write(lambda c: c.execute("UPDATE kept SET value = 'short' WHERE name = 'first'"))
    settle(qtbot, store)
    assert len(store.notices) == 1
    most_pages(10_000)
    keep("second")
    most_pages(1)
    keep("third")
    settle(qtbot, store)
    assert len(store.notices) == 2, "it is another time"
    most_pages(10_000)
    again, kept = make_store(), []
    again.read(lambda c: c.execute("SELECT * FROM kept").fetchall(), kept.append, again)
    settle(qtbot, again)
    large = "x" * 9000
    assert kept == [[("first", "short"), ("second", large), ("third", large)]]


def test_all_work_is_done_in_one_other_thread_in_order(make_store: MakeStore, qtbot: QtBot) -> None:
    store = make_store()
    threads: list[int] = []
    order: list[int] = []

    def note(number: int):
        def work(_connection: sqlite3.Connection) -> None:
            threads.append(threading.get_ident())
            order.append(number)

        return work

    for number in range(50):
        store.write(note(number))
    settle(qtbot, store)
    assert order == list(range(50))
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


def test_close_writes_what_is_under_way(make_store: MakeStore, tmp_path: Path) -> None:
    store = make_store()
    for number in range(100):
        store.write(lambda c, n=number: c.execute("INSERT INTO kept VALUES (?, '')", (n,)))
    store.close()
    with closing(sqlite3.connect(tmp_path / "magi.sqlite3")) as connection:
        assert connection.execute("SELECT COUNT(*) FROM kept").fetchone() == (100,)
