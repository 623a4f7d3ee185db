"""The queue: order, states, undo, and what a restart or a kill leaves of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.state.queue import JobQueue, QueueState
from magi_desktop.translation import translated
from magi_engine.errors import OutputError
from magi_engine.messages import Message
from tests.desktop.state.conftest import MakeStore
from tests.desktop.state.helpers import request, settle


@pytest.fixture
def queue(make_store: MakeStore, qtbot: QtBot) -> JobQueue:
    return reopened(make_store, qtbot)


def reopened(make_store: MakeStore, qtbot: QtBot) -> JobQueue:
    """The queue as the next start of the program finds it."""
    store = make_store()
    queue = JobQueue(store, store)
    settle(qtbot, store)
    return queue


def prompts(queue: JobQueue) -> list[str]:
    return [item.request.prompt for item in queue.items]


def test_items_come_out_in_order(queue: JobQueue) -> None:
    first, second = queue.add_many([request("one"), request("two")])
    item = queue.next()
    assert item is not None
    assert item.id == first
    queue.mark_running(first)
    assert queue.next() is None
    queue.mark_done(first)
    item = queue.next()
    assert item is not None
    assert item.id == second


def test_everything_is_as_it_was_after_a_restart(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot
) -> None:
    ids = queue.add_many([request(name) for name in "abcd"])
    queue.move(ids[3], 0)
    queue.remove(ids[1])
    queue.replace(ids[2], request("C", seed=7))
    queue.mark_failed(ids[0], OutputError("{name} is full.", "Go.", name="C").whole)
    queue.set_paused(True)
    items = queue.items
    again = reopened(make_store, qtbot)
    assert prompts(again) == ["d", "C", "a"]
    assert again.items == items
    assert str(again.items[2].error) == "C is full. Go."
    assert again.paused


def test_an_error_of_another_day_is_said_in_the_language_of_today(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot, chinese: None
) -> None:
    long = OutputError("The name {name} is too long.", "Choose another file.", name="C")
    queue.mark_failed(queue.add(request("a")), long.whole)
    (item,) = reopened(make_store, qtbot).items
    assert item.error is not None
    assert str(item.error) == "The name C is too long. Choose another file."
    assert translated(item.error) == "名称 C 太长。请选择其他文件。"


def test_what_is_added_before_the_file_is_read_comes_last(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot
) -> None:
    queue.add_many([request("one"), request("two")])
    store = make_store()
    again = JobQueue(store, store)
    again.add(request("three"))
    again.move(again.items[0].id, 0)
    settle(qtbot, store)
    assert prompts(again) == ["one", "two", "three"]
    assert prompts(reopened(make_store, qtbot)) == ["one", "two", "three"]


def test_what_runs_before_the_file_is_read_comes_first(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot
) -> None:
    queue.add_many([request("one"), request("two")])
    store = make_store()
    again = JobQueue(store, store)
    again.mark_running(again.add(request("three")))
    again.add(request("four"))
    settle(qtbot, store)
    assert prompts(again) == ["three", "one", "two", "four"]
    assert prompts(reopened(make_store, qtbot)) == ["three", "one", "two", "four"]


def test_the_running_item_stays_on_top(queue: JobQueue) -> None:
    ids = queue.add_many([request(name) for name in "abc"])
    queue.mark_running(ids[1])
    queue.move(ids[2], 0)
    queue.move(ids[1], 2)
    assert prompts(queue) == ["b", "c", "a"]
    assert queue.remove(ids[1]) == []
    assert len(queue.items) == 3


def test_a_failed_item_stays_and_the_next_one_runs(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot
) -> None:
    first, second = queue.add_many([request("one"), request("two")])
    queue.mark_running(first)
    queue.mark_failed(first, Message("Out of memory."))
    item = queue.next()
    assert item is not None
    assert item.id == second
    queue.retry(first)
    item = queue.next()
    assert item is not None
    assert item.id == first
    assert item.error is None
    assert prompts(reopened(make_store, qtbot)) == ["one", "two"], "the next start keeps its turn"


def test_what_failed_stands_behind_all_that_waits(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot
) -> None:
    ids = queue.add_many([request(name) for name in "abcd"])
    queue.mark_running(ids[1])
    queue.mark_failed(ids[1], Message("Out of memory."))
    queue.mark_running(ids[0])
    queue.add(request("e"))
    queue.duplicate(queue.failed[0])
    assert prompts(queue) == ["a", "c", "d", "e", "b", "b"]
    assert [item.id for item in queue.failed] == [ids[1]]
    queue.move(ids[1], 0)
    queue.move(ids[3], 9)
    assert prompts(queue) == ["a", "c", "e", "b", "d", "b"]
    assert prompts(reopened(make_store, qtbot)) == prompts(queue)
    queue.retry(ids[1])
    assert prompts(queue) == ["a", "b", "c", "e", "b", "d"]


def test_a_sentence_kept_by_an_earlier_version_is_not_shown_in_its_language(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot
) -> None:
    item_id = queue.add(request("a"))
    queue.mark_failed(item_id, Message("x"))
    queue._store.write(lambda c: c.execute("UPDATE queue SET note = 'The disk is full.'"))
    (item,) = reopened(make_store, qtbot).items
    assert item.state is QueueState.FAILED
    assert item.error is None


def test_removing_can_be_undone(queue: JobQueue, make_store: MakeStore, qtbot: QtBot) -> None:
    ids = queue.add_many([request(name) for name in "abcd"])
    removal = queue.remove(ids[0], ids[2])
    assert prompts(queue) == ["b", "d"]
    queue.put_back(removal)
    queue.put_back(removal)
    assert prompts(queue) == ["a", "b", "c", "d"]
    assert prompts(reopened(make_store, qtbot)) == ["a", "b", "c", "d"]


def test_copies_have_other_seeds_and_names_and_follow_the_item(queue: JobQueue) -> None:
    first, _ = queue.add_many([request("one", seed=5, output="one 5.webm"), request("two")])
    item = queue.item(first)
    assert item is not None
    queue.duplicate(item, 3)
    assert prompts(queue) == ["one"] * 4 + ["two"]
    copies = [item.request for item in queue.items[:4]]
    assert len({c.seed for c in copies}) == 4
    assert [c.output for c in copies] == [f"one {c.seed}.webm" for c in copies]
    queue.mark_done(first)
    assert len(queue.duplicate(item, 2)) == 2, "it was made while the user was asked how many"
    assert prompts(queue) == ["one"] * 5 + ["two"]


def test_a_paused_queue_gives_nothing(queue: JobQueue, qtbot: QtBot) -> None:
    queue.add(request())
    with qtbot.waitSignal(queue.changed):
        queue.set_paused(True)
    assert queue.next() is None
    queue.set_paused(False)
    assert queue.next() is not None


@pytest.mark.parametrize("kept", [False, True])
def test_what_is_said_before_the_file_is_read_counts(
    make_store: MakeStore, qtbot: QtBot, kept: bool
) -> None:
    reopened(make_store, qtbot).set_paused(kept)
    store = make_store()
    queue = JobQueue(store, store)
    queue.set_paused(not kept)
    settle(qtbot, store)
    assert queue.paused is not kept
    assert reopened(make_store, qtbot).paused is not kept


def test_editing_what_has_begun_adds_it_anew(queue: JobQueue) -> None:
    first = queue.add(request("one"))
    queue.mark_running(first)
    other = queue.replace(first, request("changed"))
    assert other != first
    assert prompts(queue) == ["one", "changed"]


def test_a_request_nobody_can_read_stays_in_the_file(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot, caplog: pytest.LogCaptureFixture
) -> None:
    queue.add(request("one"))
    store = make_store()
    store.write(lambda c: c.execute("INSERT INTO queue VALUES ('x', 0, 'waiting', '{}', NULL)"))
    again = reopened(make_store, qtbot)
    assert prompts(again) == ["one"]
    assert "cannot be read" in caplog.text
    counts: list[object] = []
    again._store.read(
        lambda c: c.execute("SELECT COUNT(*) FROM queue").fetchone()[0], counts.append, again
    )
    qtbot.waitUntil(lambda: counts == [2])


_CHILD = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from magi_desktop.state.queue import JobQueue
from magi_desktop.state.store import Store
from tests.desktop.state.helpers import request

app = QCoreApplication([])
store = Store(Path(sys.argv[1]))
queue = JobQueue(store)
store.open()
count = 0

def add():
    global count
    item = queue.add(request(f"item {count}"))
    if count == 1:
        queue.mark_running(item)
    # Said by the worker, after the transaction of the item.
    store.read(lambda c, n=count: print(n, flush=True), lambda _: None, store)
    count += 1

timer = QTimer()
timer.timeout.connect(add)
timer.start(0)
app.exec()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_a_kill_loses_nothing_that_was_written(
    make_store: MakeStore, qtbot: QtBot, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(tmp_path / "magi.sqlite3")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert child.stdout is not None
    last = -1
    with child:
        for line in child.stdout:
            last = int(line)
            if last >= 40:
                child.kill()
                break
        last = max([last, *(int(line) for line in child.stdout if line.endswith("\n"))])
    queue = reopened(make_store, qtbot)
    expected = ["item 1", "item 0", *(f"item {n}" for n in range(2, last + 1))]
    assert prompts(queue)[: last + 1] == expected
    top = queue.items[0]
    assert top.state is QueueState.WAITING
    assert top.interrupted
    assert queue.paused
    assert reopened(make_store, qtbot).items == queue.items


def test_an_item_is_held_while_it_is_edited(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot
) -> None:
    first, second = queue.add_many([request("one"), request("two")])
    queue.edit(first)
    item = queue.next()
    assert item is not None
    assert item.id == second
    queue.edit(second)
    item = queue.next()
    assert item is not None
    assert item.id == first, "one is edited at a time"
    queue.remove(first)
    assert queue.next() is None
    again = reopened(make_store, qtbot)
    assert again.edited is not None, "the next start holds it, too: the draft is there again"
    assert again.next() is None
    again.edit(None)
    assert again.next() is not None
    assert queue.replace(second, request("zwei")) == second
    item = queue.next()
    assert item is not None
    assert item.request.prompt == "zwei"
    queue.edit(second)
    queue.put_back(queue.remove(second))
    assert queue.edited is None


def test_a_failed_item_that_was_edited_as_the_program_ended_does_not_start_by_itself(
    queue: JobQueue, make_store: MakeStore, qtbot: QtBot
) -> None:
    item_id = queue.add(request("one"))
    queue.mark_failed(item_id, Message("Out of memory."))
    queue.edit(item_id)
    again = reopened(make_store, qtbot)
    assert again.edited is not None
    again.edit(None)
    assert again.next() is None
    assert [item.id for item in again.failed] == [item_id]
