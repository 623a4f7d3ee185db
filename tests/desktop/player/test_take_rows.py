"""The rows of takes under the strip, with real small videos."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from magi_desktop.player.player import Player
from magi_desktop.player.take_rows import TakeRows
from magi_desktop.state.jobs import JobState
from magi_desktop.state.library import Library
from magi_desktop.theme.style import theme
from magi_engine.runtime.request.request import GenerationRequest, TakeStart
from tests.desktop.state.videos import make_video

FIRST, SECOND = "20260101-000000-000001", "20260101-000000-000002"


@pytest.fixture
def window(library: Library, tmp_path: Path, qtbot: QtBot) -> QWidget:
    """A player above its takes; nothing is shown yet."""
    window = QWidget()
    qtbot.addWidget(window)
    player = Player(window)
    column = QVBoxLayout(window)
    column.addWidget(player)
    column.addWidget(TakeRows(player, library, JobState(window), window))
    window.resize(700, 600)
    window.show()
    for take, start in ((FIRST, None), (SECOND, TakeStart(FIRST, 1))):
        path = tmp_path / f"{take}.mp4"
        library.add(path, make_video(path, take, frames=72, take=take, start=start))
    path = tmp_path / "alone.mp4"
    library.add(path, make_video(path, "alone"))
    qtbot.waitUntil(lambda: len(library.items) == 3)
    return window


def parts(window: QWidget) -> tuple[Player, TakeRows]:
    player, rows = window.findChild(Player), window.findChild(TakeRows)
    assert player is not None
    assert rows is not None
    return player, rows


def opened(window: QWidget, video: Path, qtbot: QtBot) -> tuple[Player, TakeRows]:
    """The parts, when the player shows a video and its takes are there."""
    player, rows = parts(window)
    player.open_file(video)
    qtbot.waitUntil(lambda: player.part_shown is not None and not rows.isHidden())
    return player, rows


def test_a_video_with_one_take_has_no_rows(window: QWidget, tmp_path: Path, qtbot: QtBot) -> None:
    player, rows = parts(window)
    assert rows.isHidden()
    player.open_file(tmp_path / f"{SECOND}.mp4")
    qtbot.waitUntil(lambda: not rows.isHidden())
    assert len(rows.rows) == 2
    player.open_file(tmp_path / "alone.mp4")
    qtbot.waitUntil(rows.isHidden)
    player.open_file(tmp_path / f"{FIRST}.mp4")
    qtbot.waitUntil(lambda: not rows.isHidden())
    player.clear()
    qtbot.waitUntil(rows.isHidden)


def test_a_click_shows_a_take_from_that_second_on(
    window: QWidget, tmp_path: Path, qtbot: QtBot
) -> None:
    player, rows = opened(window, tmp_path / f"{FIRST}.mp4", qtbot)
    player.pause()
    bar = rows.bar_rect(1)
    assert bar.left() == player.strip.cell_rect(1).left()
    qtbot.mouseClick(
        rows.viewport(),
        Qt.MouseButton.LeftButton,
        pos=QPoint(bar.right() - 8, bar.center().y()),
    )
    assert rows.shown is not None
    assert rows.shown.number == 2
    qtbot.waitUntil(lambda: player.part_shown == range(48, 72))


def test_arrows_change_the_take_at_the_same_second(
    window: QWidget, tmp_path: Path, qtbot: QtBot
) -> None:
    player, rows = parts(window)
    player.open_file(tmp_path / f"{FIRST}.mp4", 30)
    qtbot.waitUntil(lambda: player.part_shown is not None and not rows.isHidden())
    player.pause()
    player.seek(30)
    rows.setFocus()
    qtbot.keyClick(rows, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: player.part_shown == range(24, 48))
    player.pause()
    assert player.path == tmp_path / f"{SECOND}.mp4"
    qtbot.keyClick(rows, Qt.Key.Key_Right)
    assert player.part_shown == range(48, 72), "the keys of the strip work here too"
    assert rows.hasFocus()
    qtbot.keyClick(rows, Qt.Key.Key_Up)
    qtbot.waitUntil(lambda: player.part_shown is not None)
    assert player.path == tmp_path / f"{FIRST}.mp4"


def test_the_menu_of_a_row_is_that_of_the_second(
    window: QWidget, tmp_path: Path, qtbot: QtBot
) -> None:
    player, rows = opened(window, tmp_path / f"{FIRST}.mp4", qtbot)
    place = rows.bar_rect(1).center()
    with qtbot.waitSignal(rows.menu_wanted):
        QGuiApplication.sendEvent(
            rows.viewport(),
            QContextMenuEvent(
                QContextMenuEvent.Reason.Mouse, place, rows.viewport().mapToGlobal(place)
            ),
        )
    assert player.path == tmp_path / f"{SECOND}.mp4"
    assert player.part_shown is not None
    assert "as take 1 up to 0:01" in rows.describe(rows.rows[1])


def test_two_takes_are_compared_in_step(window: QWidget, tmp_path: Path, qtbot: QtBot) -> None:
    player, rows = opened(window, tmp_path / f"{FIRST}.mp4", qtbot)
    player.pause()
    qtbot.waitUntil(player.commands.compare.isEnabled)
    qtbot.mouseClick(
        rows.viewport(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.ControlModifier,
        rows.bar_rect(1).center(),
    )
    canvas = player.canvas
    qtbot.waitUntil(lambda: canvas.comparing)
    assert canvas.names == ("Take 2", "Take 1")
    player.seek(60)

    def greys(*places: float) -> list[int]:
        image = canvas.grab().toImage()
        y = image.height() // 3
        return [image.pixelColor(round(image.width() * x), y).red() for x in places]

    # Both are the same grey ramp: the same frame of both has the same grey.
    qtbot.waitUntil(lambda: greys(0.25, 0.75)[0] == greys(0.25, 0.75)[1] > 150)
    player.play()
    qtbot.waitUntil(lambda: player.position < 30)  # round and round, in step
    player.pause()
    qtbot.waitUntil(lambda: abs(greys(0.25)[0] - greys(0.75)[0]) < 3)
    assert player.path == tmp_path / f"{FIRST}.mp4"
    # Another one is compared with the one it is compared with.
    player.open_file(tmp_path / f"{SECOND}.mp4")
    qtbot.waitUntil(lambda: canvas.names == ("Take 1", "Take 2"))


def test_a_video_that_is_alone_is_compared_with_nothing(
    window: QWidget, tmp_path: Path, qtbot: QtBot
) -> None:
    player, _rows = parts(window)
    player.open_file(tmp_path / f"{FIRST}.mp4")
    qtbot.waitUntil(player.commands.compare.isEnabled)
    player.open_file(tmp_path / "alone.mp4")
    qtbot.waitUntil(lambda: player.part_shown is not None)
    assert not player.commands.compare.isEnabled()


def test_a_take_that_is_thrown_away_is_not_compared_with_any_more(
    window: QWidget, library: Library, tmp_path: Path, qtbot: QtBot
) -> None:
    player, rows = parts(window)
    library.leaving.connect(player.let_go)
    player.open_file(tmp_path / f"{FIRST}.mp4")
    qtbot.waitUntil(player.commands.compare.isEnabled)
    other = library.at(tmp_path / f"{SECOND}.mp4")
    assert other is not None
    with qtbot.waitSignal(library.leaving):
        library.delete([other.id])
    assert player.comparison.file is None, "its file is let go before it is moved"
    qtbot.waitUntil(lambda: library.item(other.id) is None)
    qtbot.waitUntil(rows.isHidden)
    assert not player.commands.compare.isEnabled()


def test_what_is_played_is_marked_in_the_rows_it_is_drawn_in(
    window: QWidget, tmp_path: Path, qtbot: QtBot
) -> None:
    player, rows = opened(window, tmp_path / f"{SECOND}.mp4", qtbot)
    picture = rows.grab().toImage()
    ratio = picture.devicePixelRatio()
    first, second = rows.bar_rect(0), rows.bar_rect(1)

    def played(x: int, bar: QRect) -> bool:
        colour = picture.pixelColor(QPoint(x, bar.bottom() - 2) * ratio)
        return colour == QColor(theme().tokens.accent_soft)

    width = player.strip.cell_rect(1).left() - player.strip.cell_rect(0).left()
    assert played(first.left() + 10, first), "the second that it shares"
    assert not played(first.left() + width + 20, first), "what only the other one has"
    assert played(second.left() + 10, second)


def test_a_way_is_marked_where_its_parts_are_drawn(
    window: QWidget, tmp_path: Path, qtbot: QtBot
) -> None:
    _, rows = opened(window, tmp_path / f"{SECOND}.mp4", qtbot)
    rows.lead(rows.rows[1], 0)
    assert [(row.number, chunks) for row, chunks in rows.legs()] == [(2, range(3))]
    picture = rows.grab().toImage()
    ratio = picture.devicePixelRatio()
    first, second = rows.bar_rect(0), rows.bar_rect(1)

    def marked(x: int, below: QRect) -> bool:
        place = QPoint(x, below.bottom() + 1) * ratio
        return picture.pixelColor(place) == QColor(theme().tokens.accent)

    shared, own = first.left() + 10, second.left() + 10
    assert marked(shared, first), "the first second is the first take's"
    assert not marked(shared, second)
    assert marked(own, second)
    assert not marked(own, first)


def test_a_way_through_the_takes_is_marked_and_exported(
    window: QWidget, tmp_path: Path, qtbot: QtBot
) -> None:
    player, rows = opened(window, tmp_path / f"{FIRST}.mp4", qtbot)
    player.pause()
    bar = rows.bar_rect(1)
    qtbot.mouseClick(
        rows.viewport(),
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.ShiftModifier,
        QPoint(bar.right() - 8, bar.center().y()),
    )
    assert [(row.number, chunks) for row, chunks in rows.legs()] == [
        (1, range(2)),
        (2, range(2, 3)),
    ]
    assert player.path == tmp_path / f"{FIRST}.mp4", "what is shown stays"
    rows.grab()
    rows.menu.aboutToShow.emit()
    with qtbot.waitSignal(rows.export_wanted) as wanted:
        rows.menu.actions()[-2].trigger()
    assert wanted.args is not None
    files, metadata = wanted.args
    first, second = (tmp_path / f"{name}.mp4" for name in (FIRST, SECOND))
    assert files == [(first, range(48)), (second, range(48, 72))]
    assert GenerationRequest.from_json(metadata).extra["joined_from"][1]["take"] == SECOND
    qtbot.keyClick(rows, Qt.Key.Key_Escape)
    assert not rows.legs()
    player.seek(50)
    rows.setFocus()
    qtbot.keyClick(rows, Qt.Key.Key_Return)
    assert [(row.number, chunks) for row, chunks in rows.legs()] == [(1, range(3))]
