"""The whole player: from frames and files to the screen, with keys and mouse."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage, QKeySequence, QMouseEvent
from PySide6.QtWidgets import QApplication, QFileDialog, QToolButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from magi_desktop.player.chunk_cell import Cell
from magi_desktop.player.player import Player
from magi_engine.media.output import open_writer
from magi_engine.runtime.job.events import ChunkState
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from tests.desktop.player.clips import CHUNK, grey_frames, is_frame, level, write_greys
from tests.patience import settle


@pytest.fixture
def player(qtbot: QtBot) -> Player:
    player = Player()
    qtbot.addWidget(player)
    player.resize(640, 520)
    player.show()
    qtbot.waitExposed(player)
    return player


def grey_on_screen(player: Player) -> int:
    """The grey in the middle of the picture."""
    image = player.canvas.grab().toImage()
    return image.pixelColor(image.width() // 2, image.height() // 2).red()


def finished(player: Player, count: int = 2 * CHUNK) -> None:
    """A paused video that is complete, at its first frame."""
    player.begin(24, count, 24)
    player.append(0, grey_frames(0, count))
    player.finish()
    player.pause()
    player.seek(0)


def test_plays_as_soon_as_the_first_chunk_is_there(player: Player, qtbot: QtBot) -> None:
    player.begin(24, 72, 24)
    player.set_waiting("Denoising chunk 1, step 3 of 16", 3 / 16)
    assert player.waiting
    assert player.canvas.accessibleDescription().startswith("Denoising chunk 1")
    with qtbot.waitSignal(player.first_frame_shown):
        player.append(0, grey_frames(0, CHUNK))
    assert player.playing
    assert not player.canvas.accessibleDescription()
    qtbot.waitUntil(lambda: player.position >= 3)
    assert grey_on_screen(player) == level(player.position)


def test_waits_with_a_sentence_and_plays_on(player: Player, qtbot: QtBot) -> None:
    player.begin(24, 72, 24)
    player.append(0, grey_frames(0, 6))
    player.set_waiting("Denoising chunk 2, step 9 of 16", 9 / 16)
    qtbot.waitUntil(lambda: player.waiting)
    assert player.position == 5
    assert player.canvas.accessibleDescription() == "Denoising chunk 2, step 9 of 16"
    player.append(6, grey_frames(6, CHUNK))
    assert player.position == 6
    assert not player.waiting
    assert not player.canvas.accessibleDescription()


def test_loops_once_it_is_finished(player: Player, qtbot: QtBot) -> None:
    player.begin(24, None, 24)
    player.append(0, grey_frames(0, 5))
    qtbot.waitUntil(lambda: player.waiting)
    assert player.transport.time_label.text().endswith("+")
    positions: list[int] = []
    player.canvas.painted.connect(lambda: positions.append(player.position))
    player.finish()
    qtbot.waitUntil(lambda: len(positions) >= 4)
    assert positions[0] < 4, "from the start again; a busy machine leaves frames out"
    assert player.transport.time_label.text().endswith("00:00.21")


def test_a_preview_is_shown_only_while_playback_waits(player: Player, qtbot: QtBot) -> None:
    player.begin(24, 72, 24)
    player.append(0, grey_frames(0, 6))
    preview = np.full((6, 6, 8, 3), 255, np.uint8)
    player.set_preview(1, preview)
    assert not player.canvas.is_preview
    qtbot.waitUntil(lambda: player.waiting)
    assert player.canvas.is_preview
    assert grey_on_screen(player) == 255
    player.commands.preview.trigger()
    assert grey_on_screen(player) == level(5)
    player.commands.preview.trigger()
    assert player.canvas.is_preview
    player.append(6, grey_frames(6, CHUNK))
    assert not player.canvas.is_preview


def test_pausing_before_the_first_frame_still_shows_it(player: Player) -> None:
    player.begin(24, 72, 24)
    player.pause()
    player.append(0, grey_frames(0, CHUNK))
    assert grey_on_screen(player) == level(0)
    assert not player.playing


def test_frames_that_left_memory_are_played_from_the_file(qtbot: QtBot, tmp_path: Path) -> None:
    chunk_bytes = grey_frames(0, CHUNK).nbytes
    player = Player(memory_bytes=4 * chunk_bytes)
    qtbot.addWidget(player)
    player.show()
    path = tmp_path / "video.mp4"
    player.begin(24, 10 * CHUNK, 24)
    with open_writer(path, 64, 48, 24) as writer:
        for first in range(0, 10 * CHUNK, CHUNK):
            writer.write(grey_frames(first, CHUNK))
            player.append(first, grey_frames(first, CHUNK))
    player.finish(path)
    player.pause()
    player.seek(30)
    qtbot.waitUntil(lambda: grey_on_screen(player) in range(level(30) - 2, level(30) + 3))
    player.seek(0)
    player.play()
    qtbot.waitUntil(lambda: player.position >= 12)
    frame = player.buffer.frame(player.position)
    assert frame is not None
    assert is_frame(frame, player.position)


def test_a_file_plays_with_its_chunks_and_pictures(
    player: Player, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "video.mp4"
    prompts = (PromptChange(0, "a ball"), PromptChange(2, "a kite"))
    request = GenerationRequest(Mode.T2V, "pocket", 64, 48, 80, prompts, chunk_frames=22)
    with open_writer(path, 64, 48, 24, request.to_json()) as writer:
        writer.write(grey_frames(0, 80))
    with qtbot.waitSignal(player.first_frame_shown):
        player.open_file(path)
    assert player.playing
    assert [c.prompt for c in player.strip.cells] == ["a ball", "a ball", "a kite", "a kite"]
    assert [c.num_frames for c in player.strip.cells] == [22, 22, 22, 14]
    player.pause()
    player.seek(50)
    qtbot.waitUntil(lambda: abs(grey_on_screen(player) - level(50)) <= 2)
    qtbot.waitUntil(lambda: all(i in player.strip._thumbnails for i in range(4)))


def test_opening_what_is_no_video_says_so(player: Player, qtbot: QtBot, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"x" * 1000)
    finished(player)
    player.open_file(bad)
    qtbot.waitUntil(lambda: player.canvas.message is not None)
    message = player.canvas.message
    assert message is not None
    assert message.is_error
    assert "bad.mp4" in message.title
    assert player.canvas.image is None


def open_paused(player: Player, qtbot: QtBot, folder: Path) -> Path:
    """A video too long to be read as a whole, of which the first frame is shown."""
    path = write_greys(folder / "video.mp4", 480)
    with qtbot.waitSignal(player.first_frame_shown):
        player.open_file(path)
    player.pause()
    return path


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no file that is open")
def test_a_file_deleted_while_it_plays_says_so(
    player: Player, qtbot: QtBot, tmp_path: Path
) -> None:
    path = open_paused(player, qtbot, tmp_path)
    path.unlink()
    player.seek(400)
    qtbot.waitUntil(lambda: player.canvas.message is not None)
    assert "video.mp4" in player.canvas.accessibleDescription()


def is_open(path: Path) -> bool:
    """Whether this process has a file open; only Linux tells without trying."""
    links = (Path("/proc/self/fd") / name for name in os.listdir("/proc/self/fd"))
    return any(link.is_symlink() and os.readlink(link) == str(path) for link in links)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_a_file_that_is_about_to_go_is_closed_and_no_other(
    player: Player, qtbot: QtBot, tmp_path: Path
) -> None:
    path = open_paused(player, qtbot, tmp_path)
    player.let_go([tmp_path / "another.mp4"])
    assert player.canvas.image is not None
    assert is_open(path)
    player.let_go([path])
    assert player.canvas.image is None
    qtbot.waitUntil(lambda: not is_open(path))


def test_opening_another_file_at_once_shows_only_that_one(
    player: Player, qtbot: QtBot, tmp_path: Path
) -> None:
    first, second = (write_greys(tmp_path / f"{n}.mp4", 30 + n) for n in range(2))
    player.open_file(first)
    with qtbot.waitSignal(player.first_frame_shown):
        player.open_file(second)
    assert player.buffer.end == 31


KEYS = [
    (Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier, 11),
    (Qt.Key.Key_Left, Qt.KeyboardModifier.NoModifier, 9),
    (Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier, 34),
    (Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier, 0),
    (Qt.Key.Key_Home, Qt.KeyboardModifier.NoModifier, 0),
    (Qt.Key.Key_End, Qt.KeyboardModifier.NoModifier, 47),
]


@pytest.mark.parametrize(("key", "modifier", "expected"), KEYS)
@pytest.mark.parametrize("focus", ["canvas", "scrub_bar"])
def test_keys_move_through_the_video(
    player: Player,
    qtbot: QtBot,
    key: Qt.Key,
    modifier: Qt.KeyboardModifier,
    expected: int,
    focus: str,
) -> None:
    finished(player)
    player.seek(10)
    widget = player.canvas if focus == "canvas" else player.transport.scrub_bar
    qtbot.keyClick(widget, key, modifier)
    assert player.position == expected
    assert grey_on_screen(player) == level(expected)
    assert player.transport.scrub_bar.value() == expected


def test_keys_for_playing_speed_zoom_and_switches(player: Player, qtbot: QtBot) -> None:
    finished(player)
    qtbot.keyClick(player.canvas, Qt.Key.Key_Space)
    assert player.playing
    qtbot.keyClick(player.canvas, Qt.Key.Key_K)
    assert not player.playing
    qtbot.keyClick(player.canvas, Qt.Key.Key_L)
    assert player.transport.speed_button.text() == "1.5×"
    for _ in range(9):
        qtbot.keyClick(player.canvas, Qt.Key.Key_J)
    assert player.transport.speed_button.text() == "0.25×"
    qtbot.keyClick(player.canvas, Qt.Key.Key_1)
    assert player.canvas.zoom == 1.0
    qtbot.keyClick(player.canvas, Qt.Key.Key_Plus, Qt.KeyboardModifier.ShiftModifier)
    assert player.canvas.zoom == pytest.approx(1.25)
    assert player.transport.zoom_button.text() == "125 %"
    qtbot.keyClick(player.canvas, Qt.Key.Key_0)
    assert player.canvas.zoom is None
    qtbot.keyClick(player.canvas, Qt.Key.Key_R)
    assert not player.commands.loop.isChecked()


def test_space_on_a_button_presses_the_button(player: Player, qtbot: QtBot) -> None:
    finished(player)
    button = next(
        b
        for b in player.transport.findChildren(QToolButton)
        if b.defaultAction() is player.commands.step_forward
    )
    qtbot.keyClick(button, Qt.Key.Key_Space)
    assert player.position == 1
    assert not player.playing


def test_comparing_needs_a_reference(player: Player, qtbot: QtBot) -> None:
    finished(player)
    qtbot.keyClick(player.canvas, Qt.Key.Key_C)
    assert not player.canvas.comparing
    player.comparison.set_frames(grey_frames(3, 2))
    qtbot.keyClick(player.canvas, Qt.Key.Key_C)
    assert player.canvas.comparing

    def reference() -> int:
        image = player.canvas.grab().toImage()
        return image.pixelColor(image.width() // 4, image.height() // 2).red()

    assert reference() == level(3)
    player.seek(1)
    assert reference() == level(4)
    player.seek(2)
    assert reference() == level(3)


def test_the_bar_scrubs_but_not_into_what_is_not_made(player: Player, qtbot: QtBot) -> None:
    player.begin(24, 96, 24)
    player.append(0, grey_frames(0, 48))
    player.pause()
    bar = player.transport.scrub_bar
    middle = bar.height() // 2
    for part, expected in ((0.25, 24), (0.9, 47), (0.0, 0)):
        where = QPoint(round(8 + (bar.width() - 16) * part), middle)
        assert abs(bar.frame_at(where.x()) - 95 * part) <= 1
        qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=where)
        assert abs(player.position - expected) <= 1
    assert bar.hover_text(12) == "00:00.50  ·  frame 13"
    assert bar.hover_text(72) == "00:03.00  ·  frame 73, not made yet"


def test_a_click_on_a_chunk_goes_there(player: Player, qtbot: QtBot) -> None:
    finished(player)
    cells = [Cell(ChunkState.DONE, 1, "", f, CHUNK) for f in (0, CHUNK)]
    player.strip.set_cells([*cells, Cell(ChunkState.WAITING, 0, "", 48, CHUNK)])
    viewport = player.strip.viewport()
    for index, expected in ((1, CHUNK), (2, CHUNK), (0, 0)):
        where = player.strip.cell_rect(index).center()
        qtbot.mouseClick(viewport, Qt.MouseButton.LeftButton, pos=where)
        assert player.position == expected


def test_the_frame_is_copied_and_saved_exactly(
    player: Player, qtbot: QtBot, tmp_path: Path
) -> None:
    finished(player)
    player.seek(5)
    player.copy_frame()
    copied = QGuiApplication.clipboard().image()
    assert (copied.width(), copied.height()) == (64, 48)
    assert copied.pixelColor(9, 9).red() == level(5)
    frame = player.buffer.frame(5)
    assert frame is not None
    with qtbot.waitSignal(player.stills.saved) as saved:
        player.stills.save(frame, tmp_path / "still")
    assert saved.args == [tmp_path / "still.png"]
    assert QImage(str(tmp_path / "still.png")).pixelColor(0, 0).red() == level(5)
    (tmp_path / "still.jpg.png").write_text("somebody else's")
    with qtbot.waitSignal(player.stills.saved) as saved:
        player.stills.save(frame, tmp_path / "still.jpg")
    assert saved.args == [tmp_path / "still.jpg-2.png"]
    assert (tmp_path / "still.jpg.png").read_text() == "somebody else's"
    player.save_frame()
    [dialog] = player.findChildren(QFileDialog)
    assert dialog.defaultSuffix() == "png", "it asks before it replaces the file that is written"
    with qtbot.waitSignal(player.stills.saved):
        dialog.fileSelected.emit(str(tmp_path / "asked for.png"))
    dialog.close()
    assert (tmp_path / "asked for.png").is_file()
    with qtbot.waitSignal(player.stills.problem) as problem:
        player.stills.save(frame, tmp_path / "no folder" / "still.png")
    assert problem.args is not None
    assert "still.png" in problem.args[0]


def test_a_click_on_the_picture_pauses_and_plays_and_a_drag_does_not(
    player: Player, qtbot: QtBot
) -> None:
    finished(player)
    where = player.canvas.rect().center()
    qtbot.mouseClick(player.canvas, Qt.MouseButton.LeftButton, pos=where)
    assert player.playing
    qtbot.mouseClick(player.canvas, Qt.MouseButton.LeftButton, pos=where)
    assert not player.playing
    player.canvas.set_zoom(16.0)
    qtbot.mousePress(player.canvas, Qt.MouseButton.LeftButton, pos=where)
    qtbot.mouseMove(player.canvas, where + QPoint(60, 40))
    qtbot.mouseRelease(player.canvas, Qt.MouseButton.LeftButton, pos=where + QPoint(60, 40))
    assert not player.playing
    player.clear()
    qtbot.mouseClick(player.canvas, Qt.MouseButton.LeftButton, pos=where)
    assert not player.playing, "there is nothing to play"


@pytest.mark.parametrize("playing", [True, False])
def test_a_double_click_fills_the_screen_and_leaves_playing_as_it_was(
    player: Player, qtbot: QtBot, playing: bool
) -> None:
    finished(player)
    if playing:
        player.play()
    where = player.canvas.rect().center()
    # As the mouse sends it: a click, then the second press with its release.
    qtbot.mouseClick(player.canvas, Qt.MouseButton.LeftButton, pos=where)
    qtbot.mouseDClick(player.canvas, Qt.MouseButton.LeftButton, pos=where)
    qtbot.mouseRelease(player.canvas, Qt.MouseButton.LeftButton, pos=where)
    assert player.canvas.window() is not player.window()
    assert player.playing is playing
    player.commands.full_screen.trigger()


def test_the_picture_keeps_its_size_when_a_video_begins_and_ends(
    player: Player, qtbot: QtBot
) -> None:
    before = player.canvas.size()
    finished(player)
    player.strip.set_cells([Cell(ChunkState.DONE, 1.0, "a ball", 0, 24)])
    QApplication.processEvents()
    assert player.canvas.size() == before
    player.clear()
    QApplication.processEvents()
    assert player.canvas.size() == before


def test_controls_in_full_screen_are_dark_and_let_the_picture_through(
    player: Player, qtbot: QtBot
) -> None:
    player.begin(24, 24, 24)
    player.append(0, np.full((24, 48, 64, 3), 255, np.uint8))
    player.finish()
    player.pause()
    player.commands.full_screen.trigger()
    qtbot.waitUntil(lambda: player.transport.window().isFullScreen())
    transport, window = player.transport, player.transport.window()
    qtbot.waitUntil(transport.isVisible)
    shown = window.grab(transport.geometry()).toImage()
    ground = shown.pixelColor(transport.width() // 2, 3)
    assert 20 < ground.lightness() < 130, "dark, but the white picture shines through"
    player.commands.full_screen.trigger()
    assert transport.property("role") is None


def test_full_screen_borrows_the_picture_and_gives_it_back(player: Player, qtbot: QtBot) -> None:
    finished(player)
    qtbot.keyClick(player.canvas, Qt.Key.Key_F11)
    window = player.canvas.window()
    assert window is not player.window()
    assert window.isFullScreen()
    assert player.transport.window() is window
    qtbot.keyClick(player.canvas, Qt.Key.Key_Right)
    assert player.position == 1
    qtbot.keyClick(player.canvas, Qt.Key.Key_Escape)
    assert player.canvas.window() is player.window()
    assert player.transport.window() is player.window()
    assert not player.commands.full_screen.isChecked()
    qtbot.waitUntil(lambda: player.canvas.y() < player.transport.y() < player.strip.y())
    player.commands.full_screen.trigger()
    assert player.canvas.window() is not player.window()
    player.canvas.window().close()
    assert player.canvas.window() is player.window()
    assert grey_on_screen(player) == level(1)


def test_controls_hide_in_full_screen_and_come_with_the_mouse(player: Player, qtbot: QtBot) -> None:
    finished(player)
    player.commands.full_screen.trigger()
    full = player._full_screen
    assert full is not None
    full.hide_controls()
    assert not player.transport.isVisible()
    assert player.canvas.cursor().shape() is Qt.CursorShape.BlankCursor
    point = QPointF(60, 60)
    moved = QMouseEvent(
        QEvent.Type.MouseMove,
        point,
        player.canvas.mapToGlobal(point),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(player.canvas, moved)
    assert player.transport.isVisible()
    full.hide_controls()
    player.commands.full_screen.trigger()
    qtbot.waitUntil(player.transport.isVisible)
    assert player.canvas.cursor().shape() is not Qt.CursorShape.BlankCursor


def test_commands_have_keys_of_their_own_and_sentences(player: Player) -> None:
    keys: list[str] = []
    for action in player.commands.by_name.values():
        assert action.text()
        assert "." in action.toolTip() or "%" in action.text()
        assert action.shortcuts()
        keys += [QKeySequence(s).toString() for s in action.shortcuts()]
    assert len(keys) == len(set(keys))


def test_every_control_has_a_name_and_a_tooltip(player: Player) -> None:
    for button in player.transport.findChildren(QToolButton):
        assert button.accessibleName() or button.text()
        assert button.toolTip()
    assert player.canvas.accessibleName()
    assert player.strip.accessibleName()
    assert player.transport.scrub_bar.accessibleName()


def test_messages_and_the_empty_state(player: Player) -> None:
    player.set_empty_text("Describe a video and press Generate")
    assert player.canvas.accessibleDescription() == "Describe a video and press Generate"
    finished(player)
    assert player.canvas.message is None
    player.set_empty_text("Something else")
    assert player.canvas.message is None
    player.fail("It broke.", "Try again.")
    assert player.canvas.accessibleDescription() == "It broke. Try again."
    player.clear()
    assert player.canvas.accessibleDescription() == "Something else"
    assert player.canvas.image is None
    assert not player.commands.play.isEnabled()


def test_nothing_is_left_when_the_window_goes(qtbot: QtBot, tmp_path: Path) -> None:
    path = write_greys(tmp_path / "video.mp4", 240)
    window = QWidget()
    player = Player(window)
    QVBoxLayout(window).addWidget(player)
    qtbot.addWidget(window)
    window.show()
    with qtbot.waitSignal(player.first_frame_shown):
        player.open_file(path)
    gone: list[bool] = []
    player.destroyed.connect(lambda: gone.append(True))
    window.deleteLater()
    qtbot.waitUntil(lambda: bool(gone))
    settle(qtbot)  # background work has nobody left to call
