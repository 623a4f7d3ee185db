"""The queue's panel, with a real queue behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtWidgets import QInputDialog
from pytestqt.qtbot import QtBot

from magi_desktop.panels.queue import QueuePanel
from magi_desktop.state.jobs import JobState, Phase
from magi_desktop.state.queue import JobQueue
from magi_desktop.state.store import Store
from magi_engine.messages import Message
from tests.desktop.state.helpers import request


@pytest.fixture
def queue(tmp_path: Path, qtbot: QtBot) -> Iterator[JobQueue]:
    store = Store(tmp_path / "magi.sqlite3")
    queue = JobQueue(store, store)
    store.open()
    with qtbot.waitSignal(queue.loaded):
        pass
    yield queue
    store.close()


@pytest.fixture
def panel(queue: JobQueue, qtbot: QtBot) -> QueuePanel:
    panel = QueuePanel(queue, JobState(queue))
    qtbot.addWidget(panel)
    panel.resize(300, 500)
    panel.show()
    return panel


def prompts(panel: QueuePanel) -> list[str]:
    return [panel.model.index(row).data() for row in range(panel.model.rowCount())]


def press(qtbot: QtBot, panel: QueuePanel, key: Qt.Key, modifier=Qt.KeyboardModifier.NoModifier):
    panel.list.setFocus()
    qtbot.keyClick(panel.list, key, modifier)


def test_an_empty_queue_says_so(panel: QueuePanel, queue: JobQueue) -> None:
    assert not panel.list.isVisible()
    assert not panel.hold.isVisible()
    queue.add(request())
    assert panel.list.isVisible()
    assert panel.hold.isVisible()


def test_keys_move_the_selected_item_and_it_stays_selected(
    panel: QueuePanel, queue: JobQueue, qtbot: QtBot
) -> None:
    ids = queue.add_many([request(name) for name in "abc"])
    panel.select(ids[2])
    press(qtbot, panel, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    assert prompts(panel) == ["a", "c", "b"]
    assert [i.id for i in panel.selected()] == [ids[2]]
    press(qtbot, panel, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert prompts(panel) == ["a", "b", "c"]
    assert not panel.down_action.isEnabled()


def test_dragging_moves_rows(panel: QueuePanel, queue: JobQueue) -> None:
    queue.add_many([request(name) for name in "abc"])
    top = QModelIndex()
    # What the view calls when rows were dropped between others.
    assert panel.model.moveRows(top, 0, 1, top, 3)
    assert prompts(panel) == ["b", "c", "a"]
    assert panel.model.moveRows(top, 2, 1, top, 0)
    assert prompts(panel) == ["a", "b", "c"]
    queue.mark_running(queue.items[0].id)
    assert not panel.model.flags(panel.model.index(0)) & Qt.ItemFlag.ItemIsDragEnabled
    assert panel.model.flags(panel.model.index(1)) & Qt.ItemFlag.ItemIsDragEnabled


def test_removing_selects_the_neighbour_and_can_be_undone(
    panel: QueuePanel, queue: JobQueue, qtbot: QtBot
) -> None:
    ids = queue.add_many([request(name) for name in "abcd"])
    panel.select(ids[1])
    with qtbot.waitSignal(queue.removed) as removed:
        press(qtbot, panel, Qt.Key.Key_Delete)
    assert prompts(panel) == ["a", "c", "d"]
    assert [i.id for i in panel.selected()] == [ids[2]]
    assert "removed" in panel.notice.text
    assert not panel.remove_action.autoRepeat(), "a key held down removes one"
    assert removed.args is not None
    queue.put_back(removed.args[0])
    assert prompts(panel) == ["a", "b", "c", "d"]


def test_the_running_item_cannot_be_changed(panel: QueuePanel, queue: JobQueue) -> None:
    ids = queue.add_many([request(name) for name in "ab"])
    queue.mark_running(ids[0])
    panel.select(ids[0])
    for action in (panel.edit_action, panel.up_action, panel.down_action, panel.remove_action):
        assert not action.isEnabled()
    assert panel.duplicate_action.isEnabled()


def test_edit_hands_out_the_item(panel: QueuePanel, queue: JobQueue, qtbot: QtBot) -> None:
    (item_id,) = queue.add_many([request("a")])
    panel.select(item_id)
    with qtbot.waitSignal(panel.edit_requested) as asked:
        press(qtbot, panel, Qt.Key.Key_Return)
    assert asked.args == [queue.items[0]]


def test_duplicate_asks_how_many(panel: QueuePanel, queue: JobQueue, qtbot: QtBot) -> None:
    (item_id,) = queue.add_many([request("a")])
    panel.select(item_id)
    panel.duplicate_action.trigger()
    dialog = panel.findChild(QInputDialog)
    assert dialog is not None
    assert dialog.intValue() == 4
    dialog.accept()
    assert len(queue.items) == 5
    assert len({item.request.seed for item in queue.items}) == 5


def test_a_failed_item_says_why_and_can_be_tried_again(panel: QueuePanel, queue: JobQueue) -> None:
    (item_id,) = queue.add_many([request("a")])
    queue.mark_failed(item_id, Message("The disk is full."))
    panel.failed_button.click()
    index = panel.model.index(0)
    assert "The disk is full." in index.data(Qt.ItemDataRole.ToolTipRole)
    assert "The disk is full." in index.data(Qt.ItemDataRole.AccessibleTextRole)
    panel.select(item_id)
    panel.retry_action.trigger()
    assert queue.next() is not None


def test_what_failed_is_apart_and_cleared_at_once(
    panel: QueuePanel, queue: JobQueue, qtbot: QtBot
) -> None:
    ids = queue.add_many([request(name) for name in "abcd"])
    assert not panel.failed_button.isVisible()
    for item_id in ids[:2]:
        queue.mark_failed(item_id, Message("The disk is full."))
    assert prompts(panel) == ["c", "d"]
    assert panel.failed_button.text() == "2 failed"
    qtbot.mouseClick(panel.failed_button, Qt.MouseButton.LeftButton)
    assert prompts(panel) == ["c", "d", "b", "a"]
    panel.select(ids[0])
    assert not panel.up_action.isEnabled()
    assert not panel.model.flags(panel.model.index(2)) & Qt.ItemFlag.ItemIsDragEnabled
    panel.select(ids[3])
    assert not panel.down_action.isEnabled()
    with qtbot.waitSignal(queue.removed) as removed:
        qtbot.mouseClick(panel.clear_button, Qt.MouseButton.LeftButton)
    assert prompts(panel) == ["c", "d"]
    assert not panel.clear_button.isVisible()
    with qtbot.waitSignal(panel.undo_wanted):
        qtbot.mouseClick(panel.notice._button, Qt.MouseButton.LeftButton)
    assert removed.args is not None
    queue.put_back(removed.args[0])
    assert prompts(panel) == ["c", "d", "b", "a"]
    queue.remove(*ids[2:])
    assert not panel.hold.isVisible(), "nothing that failed starts"


def test_the_queue_can_be_held(panel: QueuePanel, queue: JobQueue, qtbot: QtBot) -> None:
    queue.add_many([request("a"), request("b")])
    queue.mark_running(queue.items[0].id)
    assert panel.hold.text() == "Stop after this"
    qtbot.mouseClick(panel.hold, Qt.MouseButton.LeftButton)
    assert queue.paused
    assert panel.hold.text() == "Resume"
    qtbot.mouseClick(panel.hold, Qt.MouseButton.LeftButton)
    assert not queue.paused


def test_progress_of_the_running_item_is_painted(queue: JobQueue, qtbot: QtBot) -> None:
    job = JobState(queue)
    panel = QueuePanel(queue, job)
    qtbot.addWidget(panel)
    panel.resize(300, 300)
    panel.show()
    queue.mark_running(queue.add(request("a")))
    job.begin(queue.items[0].request)
    job.phase, job.fraction = Phase.RUNNING, 0.1
    early = panel.list.grab().toImage()
    job.fraction = 0.9
    assert panel.list.grab().toImage() != early


def test_a_row_says_that_it_is_edited_and_does_not_start(
    panel: QueuePanel, queue: JobQueue
) -> None:
    item_id = queue.add(request("one"))
    queue.edit(item_id)
    assert panel.model.line(queue.items[0]).startswith("You are editing it")
    queue.edit(None)
    assert "seed" in panel.model.line(queue.items[0])
