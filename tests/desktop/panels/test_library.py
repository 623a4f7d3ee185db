"""The library's panel, with a real library and real small videos behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QPoint, Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from magi_desktop.panels.export_bar import ExportBar
from magi_desktop.panels.library import LibraryPanel, Order
from magi_desktop.state.library import Library
from magi_desktop.state.store import Store
from magi_desktop.state.videos import LibraryItem
from magi_desktop.video_actions import VideoCommands
from magi_desktop.widgets.notice_bar import NoticeBar
from magi_engine.runtime.request.request import TakeStart
from tests.desktop.state.helpers import settle
from tests.desktop.state.videos import make_video


@pytest.fixture
def commands(library: Library, qtbot: QtBot) -> VideoCommands:
    window = QWidget()
    qtbot.addWidget(window)
    return VideoCommands(library, NoticeBar(window), ExportBar(window), window)


@pytest.fixture
def panel(library: Library, commands: VideoCommands, qtbot: QtBot) -> LibraryPanel:
    panel = LibraryPanel(library, commands)
    qtbot.addWidget(panel)
    panel.resize(320, 600)
    panel.show()
    return panel


@pytest.fixture
def made(library: Library, tmp_path: Path, qtbot: QtBot) -> list[LibraryItem]:
    """Three videos, newest first."""
    for name in ("one", "two", "three"):
        path = tmp_path / f"{name}.mp4"
        library.add(path, make_video(path, f"prompt {name}"))
    qtbot.waitUntil(lambda: len(library.items) == 3)
    return list(library.items)


def entries(panel: LibraryPanel) -> dict[str, bool]:
    actions = panel.video_actions.menu().actions()
    return {a.text(): a.isEnabled() for a in actions if a.text()}


def hover(panel: LibraryPanel, row: int) -> None:
    QTest.mouseMove(panel.grid.viewport(), QPoint(0, 0))  # else it may be there from a test before
    QTest.mouseMove(panel.grid.viewport(), panel.grid.visualRect(panel.model.index(row)).center())


def test_an_empty_library_says_so_and_hides_the_search(panel: LibraryPanel) -> None:
    assert not panel.search.isVisible()
    assert not panel.grid.isVisible()


def test_videos_are_dragged_out_as_their_files(
    panel: LibraryPanel, library: Library, made: list[LibraryItem], qtbot: QtBot
) -> None:
    model = panel.model
    assert panel.grid.dragEnabled()
    urls = model.mimeData([model.index(2), model.index(0)]).urls()
    assert [Path(url.toLocalFile()) for url in urls] == [made[0].path, made[2].path]
    assert model.supportedDragActions() == Qt.DropAction.CopyAction, "they stay here"
    made[1].path.unlink()
    library.check_files()
    qtbot.waitUntil(lambda: library.items[1].missing)
    draggable = [Qt.ItemFlag.ItemIsDragEnabled in model.flags(model.index(n)) for n in range(3)]
    assert draggable == [True, False, True]


def test_search_filters_and_says_when_nothing_is_found(
    panel: LibraryPanel, made: list[LibraryItem]
) -> None:
    panel.search.setText("TWO prompt")
    assert [i.prompt for i in panel.model.items] == ["prompt two"]
    panel.search.setText("zeppelin")
    assert not panel.grid.isVisible()
    assert panel.search.isVisible()
    panel.search.clear()
    assert panel.grid.isVisible()
    assert len(panel.model.items) == 3


def test_takes_of_a_video_are_one_entry_that_opens(
    panel: LibraryPanel, library: Library, made: list[LibraryItem], tmp_path: Path, qtbot: QtBot
) -> None:
    first, second = "20260101-000000-000001", "20260101-000000-000002"
    for name, take, start in (("four", first, None), ("five", second, TakeStart(first, 1))):
        path = tmp_path / f"{name}.mp4"
        library.add(path, make_video(path, f"prompt {name}", take=take, start=start))
    qtbot.waitUntil(lambda: len(library.items) == 5)

    def prompts() -> list[str]:
        return [item.prompt.removeprefix("prompt ") for item in panel.model.items]

    assert prompts() == ["five", "three", "two", "one"]
    text = panel.model.index(0).data(Qt.ItemDataRole.AccessibleTextRole)
    assert "2 take(s)" in text or "2 takes" in text
    card = panel.grid.visualRect(panel.model.index(0))
    corner = card.topRight() + QPoint(-16, 16)
    qtbot.mouseClick(panel.grid.viewport(), Qt.MouseButton.LeftButton, pos=corner)
    assert prompts() == ["five", "four", "three", "two", "one"]
    panel.grid.setCurrentIndex(panel.model.index(1))
    panel.takes_action.trigger()
    assert prompts() == ["five", "three", "two", "one"]
    panel.search.setText("four")  # which the entry that is shown does not say
    assert prompts() == ["four"]
    panel.search.clear()
    library.forget([panel.model.items[0].id])
    assert prompts() == ["four", "three", "two", "one"]
    assert not panel.model.takes_text(panel.model.items[0])


def test_what_is_selected_stays_selected(
    panel: LibraryPanel, library: Library, made: list[LibraryItem]
) -> None:
    panel.select(made[1].id)
    panel.search.setText("prompt")
    library.forget([made[0].id])
    assert [i.id for i in panel.selected()] == [made[1].id]


def test_a_video_of_quantised_attention_says_so_where_one_looks(
    panel: LibraryPanel, library: Library, made: list[LibraryItem], tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "four.mp4"
    library.add(path, make_video(path, "prompt four", quantised_attention=True))
    qtbot.waitUntil(lambda: len(panel.model.items) == 4)
    for row, item in enumerate(panel.model.items):
        tip = panel.model.index(row).data(Qt.ItemDataRole.ToolTipRole)
        assert ("8-bit arithmetic" in tip) == (item.path == path)
        assert panel.model.remarks(item) == [], "it is no fault"


def test_a_first_second_to_choose_among_is_no_half_a_video(
    panel: LibraryPanel, library: Library, tmp_path: Path, qtbot: QtBot
) -> None:
    for name, only in (("stopped", None), ("first", 1)):
        path = tmp_path / f"{name}.mp4"
        library.add(path, make_video(path, name, only_chunks=only), complete=False)
    qtbot.waitUntil(lambda: len(panel.model.items) == 2)
    remarks = {item.path.stem: panel.model.remarks(item) for item in panel.model.items}
    assert remarks == {"stopped": ["Partial"], "first": ["Audition"]}


def test_thumbnails_of_visible_cards_are_made(
    panel: LibraryPanel, library: Library, made: list[LibraryItem], qtbot: QtBot
) -> None:
    qtbot.waitUntil(lambda: all(library.thumbnails.picture(i.path) is not None for i in made))


def test_a_card_plays_while_the_mouse_is_on_it(
    panel: LibraryPanel, library: Library, made: list[LibraryItem], qtbot: QtBot
) -> None:
    hover(panel, 0)
    qtbot.waitUntil(lambda: panel.grid.hover_frame > 2)
    assert library.thumbnails.animation(made[0].path) is not None
    QGuiApplication.sendEvent(panel.grid.viewport(), QEvent(QEvent.Type.Leave))
    assert panel.grid.hover_frame == 0
    assert panel.grid.hovered is None


def test_keys_open_and_delete(
    panel: LibraryPanel,
    commands: VideoCommands,
    library: Library,
    made: list[LibraryItem],
    qtbot: QtBot,
) -> None:
    panel.select(made[0].id)
    with qtbot.waitSignal(commands.play_wanted) as opened:
        qtbot.keyClick(panel.grid, Qt.Key.Key_Return)
    assert opened.args == [made[0]]
    made[0].path.unlink()
    with qtbot.waitSignal(library.deleted) as deleted:
        qtbot.keyClick(panel.grid, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: len(panel.model.items) == 2)
    assert deleted.args is not None
    library.restore(deleted.args[0])
    qtbot.waitUntil(lambda: len(panel.model.items) == 3)


def test_a_key_held_down_deletes_once(
    panel: LibraryPanel, made: list[LibraryItem], qtbot: QtBot
) -> None:
    asked: list[None] = []
    panel.grid.delete_pressed.disconnect()
    panel.grid.delete_pressed.connect(lambda: asked.append(None))
    for again in (False, True, True):
        none = Qt.KeyboardModifier.NoModifier
        key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Delete, none, "", again)
        QCoreApplication.sendEvent(panel.grid, key)
    assert len(asked) == 1


def test_the_order_can_be_chosen(
    panel: LibraryPanel, library: Library, made: list[LibraryItem]
) -> None:
    def names() -> list[str]:
        return [i.path.stem for i in panel.model.items]

    assert names() == [i.path.stem for i in made]
    panel.sort(Order.OLDEST)
    assert names() == [i.path.stem for i in reversed(made)]
    for order in (Order.NAME, Order.PROMPT):
        panel.sort(order)
        assert names() == ["one", "three", "two"]
    library._put([replace(made[1], frames=1000)])
    panel.sort(Order.LONGEST)
    assert panel.model.items[0].id == made[1].id


def test_favourites_are_shown_alone_and_stay_favourites(
    panel: LibraryPanel, library: Library, made: list[LibraryItem], tmp_path: Path, qtbot: QtBot
) -> None:
    panel.favourites.setChecked(True)
    assert not panel.grid.isVisible()
    panel.favourites.setChecked(False)
    panel.select(made[0].id, made[2].id)
    qtbot.mouseClick(panel.mark_button, Qt.MouseButton.LeftButton)
    panel.favourites.setChecked(True)
    assert [i.id for i in panel.model.items] == [made[0].id, made[2].id]
    panel.grid.grab()
    panel.favourites.setChecked(False)
    panel.select(made[2].id)
    assert panel.video_actions.favourite.isChecked()
    qtbot.mouseClick(panel.mark_button, Qt.MouseButton.LeftButton)
    settle(qtbot, library.parent())  # type: ignore[arg-type]
    store = Store(tmp_path / "magi.sqlite3")
    again = Library(store, tmp_path / "thumbnails", store)
    library.parent().close()  # type: ignore[union-attr]
    store.open()
    qtbot.waitUntil(lambda: again.loaded)
    assert [i.id for i in again.items if i.favourite] == [made[0].id]
    again.close()
    store.close()


def test_buttons_for_what_is_selected_show_only_then(
    panel: LibraryPanel, library: Library, made: list[LibraryItem], qtbot: QtBot
) -> None:
    assert not panel.delete_button.isVisible()
    height = panel.grid.height()
    panel.select(made[0].id, made[1].id)
    assert panel.export_button.isVisible()
    assert panel.grid.height() == height, "the grid stays where it is"
    with qtbot.waitSignal(library.deleted) as deleted:
        qtbot.mouseClick(panel.delete_button, Qt.MouseButton.LeftButton)
    assert deleted.args is not None
    assert len(deleted.args[0].gone) == 2
    assert not panel.delete_button.isVisible()


def test_a_missing_video_offers_to_find_it_and_to_leave_the_list(
    panel: LibraryPanel, library: Library, made: list[LibraryItem], qtbot: QtBot
) -> None:
    made[0].path.unlink()
    library.check_files()
    qtbot.waitUntil(lambda: library.items[0].missing)
    panel.select(made[0].id)
    assert set(entries(panel)) == {"Find the file …", "Use these settings", "Remove from the list"}
    assert not panel.video_actions.play.isEnabled()
    tooltip = panel.model.index(0).data(Qt.ItemDataRole.ToolTipRole)
    assert "File is gone" in tooltip
    panel.grid.grab()


def test_the_menu_of_several_leaves_out_what_needs_one(
    panel: LibraryPanel, made: list[LibraryItem]
) -> None:
    panel.select(made[0].id, made[1].id)
    shown = entries(panel)
    assert not shown["Play"]
    assert not shown["Continue"]
    assert shown["Export as"]
    assert shown["Move to trash"]


def test_five_thousand_cards_look_only_at_those_on_the_screen(
    library: Library, panel: LibraryPanel, qtbot: QtBot
) -> None:
    items = [
        LibraryItem(
            str(n), Path(f"/gone/{n}.mp4"), "{}", f"number {n}", float(n), 24, 24.0, 64, 64, True
        )
        for n in range(5000)
    ]
    library._put(items)
    settle(qtbot, library.parent())  # type: ignore[arg-type]
    rows = panel.grid.visible_rows()
    assert 0 < len(rows) < 40
    for text, found in (("number 42", 199), ("4999", 1), ("", 5000)):
        panel.search.setText(text)
        assert len(panel.model.items) == found
    panel.grid.verticalScrollBar().setValue(panel.grid.verticalScrollBar().maximum())
    bottom = panel.grid.viewport().rect().bottomLeft() + QPoint(20, -40)
    last = panel.grid.indexAt(bottom).row()
    assert last in panel.grid.visible_rows()
    assert panel.grid.visible_rows().stop == 5000
