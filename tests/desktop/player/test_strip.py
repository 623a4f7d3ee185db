"""The strip of chunks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QPoint, QRect, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QImage
from pytestqt.qtbot import QtBot

from magi_desktop.player import chunk_strip
from magi_desktop.player.chunk_cell import Cell
from magi_desktop.player.chunk_strip import ChunkStrip
from magi_desktop.player.thumbnails import ThumbnailMaker
from magi_desktop.player.video_file import VideoFile
from magi_engine.runtime.job.events import ChunkState
from magi_engine.sampling.schedule import Transition
from tests.desktop.player.clips import grey_frames, level, write_greys


def cell(index: int, state: ChunkState = ChunkState.DONE, prompt: str = "a ball") -> Cell:
    return Cell(state, 0.5, prompt, index * 24, 24)


@pytest.fixture
def strip(qtbot: QtBot) -> ChunkStrip:
    strip = ChunkStrip()
    qtbot.addWidget(strip)
    strip.resize(600, strip.height())
    strip.show()
    qtbot.waitExposed(strip)
    return strip


def centre(strip: ChunkStrip, index: int) -> QPoint:
    return strip.cell_rect(index).center()


def test_only_visible_chunks_are_painted(
    strip: ChunkStrip, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[str] = []
    real = chunk_strip.paint_cell

    def count(*args, label: str, **named) -> None:
        painted.append(label)
        real(*args, label=label, **named)

    # Counted on its way: the painting itself is the real one.
    monkeypatch.setattr(chunk_strip, "paint_cell", count)
    strip.set_cells([cell(i) for i in range(500)])
    strip.grab()
    assert 5 <= len(set(painted)) <= 7
    painted.clear()
    qtbot.waitUntil(lambda: bool(painted))  # the whole strip once more, as it is new
    QCoreApplication.processEvents()
    painted.clear()
    strip.set_cell(2, cell(2, ChunkState.DECODING))
    strip.set_cell(400, cell(400, ChunkState.DECODING))
    qtbot.waitUntil(lambda: bool(painted))
    assert set(painted) == {"0:02"}


def test_pictures_are_asked_for_once_and_only_where_seen(strip: ChunkStrip) -> None:
    asked: list[int] = []
    strip.thumbnail_wanted.connect(asked.append)
    strip.set_cells([cell(i) for i in range(500)])
    strip.grab()
    strip.grab()
    assert asked == list(strip.visible_range())
    strip.set_playing_frame(300 * 24 + 5)
    strip.grab()
    assert 300 in asked
    assert len(asked) < 20


def test_follows_the_playhead(strip: ChunkStrip) -> None:
    strip.set_cells([cell(i) for i in range(100)])
    for frame in (0, 50 * 24 + 3, 99 * 24 + 23, 0):
        strip.set_playing_frame(frame)
        rect = strip.cell_rect(frame // 24)
        assert strip.viewport().rect().contains(rect.adjusted(0, 0, 0, -20))


def test_chunks_of_uneven_length_are_found(strip: ChunkStrip) -> None:
    lengths = (20, 24, 24, 8)
    firsts = (0, 20, 44, 68)
    cells = [Cell(ChunkState.DONE, 1, "", f, n) for f, n in zip(firsts, lengths, strict=True)]
    strip.set_cells([*cells, Cell(ChunkState.WAITING, 0, "", 76, 24)])
    assert [strip.chunk_of(f) for f in (0, 19, 20, 43, 44, 75, 76)] == [0, 0, 1, 1, 2, 3, None]


def test_a_click_goes_to_the_chunk(strip: ChunkStrip, qtbot: QtBot) -> None:
    strip.set_cells([cell(i) for i in range(4)])
    with qtbot.waitSignal(strip.chosen) as chosen:
        qtbot.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=centre(strip, 2))
    assert chosen.args == [2]


def test_arrow_keys_go_through_the_chunks(strip: ChunkStrip, qtbot: QtBot) -> None:
    strip.set_cells([cell(i) for i in range(30)])
    chosen: list[int] = []
    strip.chosen.connect(chosen.append)
    for _ in range(8):
        qtbot.keyClick(strip, Qt.Key.Key_Right)
    qtbot.keyClick(strip, Qt.Key.Key_Left)
    assert chosen == [1, 2, 3, 4, 5, 6, 7, 8, 7]
    assert strip.viewport().rect().contains(centre(strip, 7))


def test_a_prompt_is_asked_for_only_where_it_can_still_change(
    strip: ChunkStrip, qtbot: QtBot
) -> None:
    states = (ChunkState.DONE, ChunkState.DENOISING, ChunkState.WAITING)
    strip.set_cells([cell(i, state) for i, state in enumerate(states)])
    asked: list[int] = []
    strip.prompt_requested.connect(asked.append)

    def try_all() -> None:
        for index in range(3):
            where = centre(strip, index)
            qtbot.mouseDClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=where)

    try_all()
    assert asked == []  # nothing runs
    strip.can_direct = True
    try_all()
    assert asked == [2]
    qtbot.mouseClick(strip.viewport(), Qt.MouseButton.LeftButton, pos=centre(strip, 2))
    qtbot.keyClick(strip, Qt.Key.Key_Return)
    assert asked == [2, 2]


def test_a_changed_prompt_is_marked(strip: ChunkStrip) -> None:
    def image(prompts: tuple[str, str]) -> QImage:
        strip.set_cells([cell(i, ChunkState.WAITING, p) for i, p in enumerate(prompts)])
        whole = strip.grab().toImage()
        return whole.copy(
            QRect(strip.cell_rect(1).bottomLeft() - QPoint(0, 18), strip.cell_rect(1).size())
        )

    assert image(("a", "b")) == image(("c", "b"))
    assert image(("a", "b")) != image(("b", "b"))


def test_a_cut_is_marked_and_said(strip: ChunkStrip) -> None:
    plain, cut = cell(1), dataclasses.replace(cell(1), transition=Transition.CUT)
    pictures = []
    for second in (plain, cut):
        strip.set_cells([cell(0), second])
        pictures.append(strip.grab().toImage())
        assert len(strip.prompt_runs()) == (1 if second is plain else 2)
    assert pictures[0] != pictures[1]
    assert strip.describe_cell(1).endswith("with a cut: a ball")


@pytest.mark.parametrize("by_key", [False, True])
def test_the_menu_of_a_chunk_that_is_ready(strip: ChunkStrip, by_key: bool) -> None:
    strip.set_cells([cell(0), cell(1), cell(2, ChunkState.WAITING)])
    chosen: list[int] = []
    wanted: list[QPoint] = []
    strip.chosen.connect(chosen.append)
    strip.menu_wanted.connect(wanted.append)
    reasons = QContextMenuEvent.Reason
    for index in (2, 1):
        place = centre(strip, index)
        strip._select(index)
        reason = reasons.Keyboard if by_key else reasons.Mouse
        strip.contextMenuEvent(QContextMenuEvent(reason, place, strip.mapToGlobal(place)))
    assert chosen == [1]
    (place,) = wanted
    assert abs(strip.viewport().mapFromGlobal(place).x() - centre(strip, 1).x()) <= 60


def test_a_prompt_stands_once_below_all_the_chunks_it_counts_for(strip: ChunkStrip) -> None:
    prompts = ("a", "a", "b", "b", "b", "a")
    strip.set_cells([cell(i, prompt=p) for i, p in enumerate(prompts)])
    assert strip.prompt_runs() == [range(2), range(2, 5), range(5, 6)]
    strip.set_cell(1, cell(1, prompt="b"))
    assert strip.prompt_runs() == [range(1), range(1, 5), range(5, 6)]


def test_the_whole_picture_of_a_chunk_shows(strip: ChunkStrip) -> None:
    strip.set_cells([cell(0, prompt="")])
    tall = QImage(40, 80, QImage.Format.Format_RGB888)
    tall.fill(Qt.GlobalColor.white)
    for edge in (*range(8), *range(72, 80)):  # what a cut would take away
        for x in range(40):
            tall.setPixelColor(x, edge, Qt.GlobalColor.red)
    strip.set_thumbnail(0, tall)
    shown = strip.grab().toImage()
    column = [shown.pixelColor(strip.cell_rect(0).center().x(), y) for y in range(60)]
    reds = [y for y, c in enumerate(column) if c.red() > 150 > c.green() + c.blue()]
    assert reds
    assert reds[0] < 10
    assert reds[-1] > 50


def test_chunks_are_described_in_words(strip: ChunkStrip) -> None:
    strip.set_cells([cell(0), cell(1, ChunkState.DENOISING, "a kite")])
    strip.set_playing_frame(3)
    assert strip.describe_cell(0) == "Part 1 of 2, from 0:00 on: playing\na ball"
    assert strip.describe_cell(1) == "Part 2 of 2, from 0:01 on: 50 % made\na kite"
    assert strip.accessibleDescription() == "Part 1 of 2, from 0:00 on: playing\na ball"
    assert strip.accessibleName()


def test_a_job_that_ends_early_leaves_its_ready_chunks(strip: ChunkStrip) -> None:
    strip.set_cells([cell(i) for i in range(50)])
    strip.set_playing_frame(49 * 24)
    strip.drop_from(3)
    assert len(strip.cells) == 3
    assert strip.horizontalScrollBar().maximum() == 0
    strip.grab()


def test_pictures_come_from_memory_and_from_the_file(
    strip: ChunkStrip, qtbot: QtBot, tmp_path: Path
) -> None:
    maker = ThumbnailMaker()
    made: dict[int, QImage] = {}
    maker.made.connect(made.__setitem__)
    path = write_greys(tmp_path / "video.mp4", 96)
    size = strip.thumbnail_size()
    maker.from_frame(0, grey_frames(7, 1)[0], size)
    maker.from_file(1, VideoFile(path, 24), 60, size)
    maker.from_file(2, VideoFile(tmp_path / "gone.mp4", 24), 60, size)
    qtbot.waitUntil(lambda: len(made) == 2)
    assert made[0].height() == size.height(), "as large as it fits"
    assert made[0].width() <= size.width()
    assert abs(QColor(made[0].pixel(5, 5)).red() - level(7)) <= 2
    assert abs(QColor(made[1].pixel(5, 5)).red() - level(60)) <= 2


def test_the_chunk_in_work_is_on_screen(strip: ChunkStrip) -> None:
    strip.set_cells([cell(0, ChunkState.DENOISING)])
    for index in range(1, 12):  # a video without an end
        strip.set_cell(index, cell(index, ChunkState.DENOISING))
        assert strip.cell_rect(index).right() <= strip.viewport().width()
    strip.horizontalScrollBar().setValue(0)
    strip.set_cell(12, cell(12, ChunkState.DENOISING))
    assert strip.horizontalScrollBar().value() == 0, "who looks elsewhere is left there"


def test_the_chunk_in_work_does_not_push_away_what_plays(strip: ChunkStrip) -> None:
    strip.set_cells([cell(0), *(cell(i, ChunkState.WAITING) for i in range(1, 12))])
    strip.set_playing_frame(0)
    for index in range(1, 12):
        strip.set_cell(index, cell(index, ChunkState.DENOISING))
    assert strip.cell_rect(0).left() == 0
