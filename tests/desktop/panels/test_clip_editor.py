"""The part of a video that is used: filmstrip, numbers and note."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt, QThreadPool
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from magi_desktop.panels.clip_editor import ClipEditor
from magi_desktop.panels.clip_range import ClipRange
from magi_desktop.panels.filmstrip import PICTURES, Grip
from magi_engine.media.clips import MAX_PART_S, ClipPart, ClipPartKind
from magi_engine.media.info import probe
from tests.desktop.media_files import foreign_video, video_file

SHIFT, ALT = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture
def editor(qtbot: QtBot, tmp_path: Path) -> ClipEditor:
    path = video_file(tmp_path / "a.mp4", seconds=8)
    editor = ClipEditor()
    qtbot.addWidget(editor)
    editor.resize(330, 260)
    editor.show()
    editor.set_clip(path, probe(path), 8.0, 24)
    editor.set_part(ClipPart())
    return editor


def test_spans_and_parts_of_a_clip() -> None:
    clip = ClipRange(8.0, 24)
    for part, span in (
        (ClipPart(), (8 - 4 / 3, 8)),
        (ClipPart.start(), (0, 4 / 3)),
        (ClipPart.end(3), (5, 8)),
        (ClipPart.range(2, 4), (2, 4)),
        (ClipPart.range(7, 11), (7, 8)),
    ):
        assert clip.span(part) == pytest.approx(span)
        assert clip.span(clip.part(part.kind, *span)) == pytest.approx(span)
    assert clip.part(ClipPartKind.END, 8 - 4 / 3, 8) == ClipPart()
    assert clip.part(ClipPartKind.RANGE, 0, 8) == ClipPart.range(3, 8)  # at most 5 s
    assert clip.clamped(7.99, 8) == pytest.approx((8 - 1 / 6, 8))  # at least four frames
    assert clip.moved(2, 4, 99) == (6, 8)


def test_a_clip_shorter_than_the_usual_part() -> None:
    clip = ClipRange(0.5, 24)
    assert clip.span(ClipPart()) == (0, 0.5)
    assert clip.part(ClipPartKind.END, 0, 0.5) == ClipPart()


def test_the_strip_fills_bit_by_bit(qtbot: QtBot, editor: ClipEditor) -> None:
    qtbot.waitUntil(lambda: editor.strip.pictures > 0)
    qtbot.waitUntil(lambda: editor.strip.pictures == PICTURES)


def test_another_clip_cancels_the_strip_of_the_first(
    qtbot: QtBot, editor: ClipEditor, tmp_path: Path
) -> None:
    other = video_file(tmp_path / "b.mp4", seconds=1)
    qtbot.waitUntil(lambda: editor.strip.pictures > 0)
    editor.set_clip(other, probe(other), 1.0, 24)
    assert editor.strip.pictures == 0
    qtbot.waitUntil(lambda: editor.strip.pictures == PICTURES)
    editor.forget()


def test_the_picture_of_the_clip_before_is_not_shown_for_another(
    qtbot: QtBot, editor: ClipEditor, tmp_path: Path
) -> None:
    other = video_file(tmp_path / "b.mp4", seconds=1)
    said: list[QImage] = []
    editor.junction_ready.connect(said.append)
    qtbot.waitUntil(lambda: said != [])
    editor._plan()
    QThreadPool.globalInstance().waitForDone()  # it is found, and nobody was told yet
    editor.set_clip(other, probe(other), 1.0, 24)
    editor._timer.stop()
    qtbot.waitUntil(lambda: editor.strip.pictures == PICTURES)
    assert len(said) == 1
    editor.forget()


def test_the_note_says_what_is_used(qtbot: QtBot, editor: ClipEditor) -> None:
    with qtbot.waitSignal(editor.junction_ready) as caught:
        pass
    assert editor.note.text() == "Uses the last 1.3 s (32 frame(s) at 24 fps)."
    assert caught.args is not None
    junction = caught.args[0]
    assert isinstance(junction, QImage)
    assert junction.pixelColor(junction.width() - 4, 30).lightness() > 200  # the last frame
    editor.kinds.button(ClipPartKind.START).click()
    qtbot.waitUntil(lambda: "first 1.3 s" in editor.note.text())
    editor.kinds.button(ClipPartKind.RANGE).click()
    editor.second.setValue(3.0)
    qtbot.waitUntil(lambda: "to 3.00 s" in editor.note.text())


def test_a_rate_that_leaves_too_few_frames_is_said(
    qtbot: QtBot, editor: ClipEditor, tmp_path: Path
) -> None:
    path = foreign_video(tmp_path / "short.mp4", [0, 40, 80, 120])
    editor.set_clip(path, probe(path), 0.16, 8)
    qtbot.waitUntil(lambda: editor.note.property("role") == "error")
    assert "frames" in editor.note.text()


def test_a_file_that_goes_away_is_said(qtbot: QtBot, editor: ClipEditor, tmp_path: Path) -> None:
    qtbot.waitUntil(lambda: editor.strip.pictures == PICTURES)
    (tmp_path / "a.mp4").unlink()
    editor.set_part(ClipPart.end(2))
    qtbot.waitUntil(lambda: "no file" in editor.note.text())


def test_the_arrow_keys(qtbot: QtBot, editor: ClipEditor) -> None:
    parts: list[ClipPart] = []
    editor.part_changed.connect(parts.append)
    qtbot.keyClick(editor.strip, Qt.Key.Key_Right)  # the end cannot go further
    assert parts == []
    qtbot.keyClick(editor.strip, Qt.Key.Key_Left, SHIFT)
    assert parts[-1].kind is ClipPartKind.END
    assert parts[-1].seconds == pytest.approx(33 / 24)
    qtbot.keyClick(editor.strip, Qt.Key.Key_Left)
    assert parts[-1].kind is ClipPartKind.RANGE
    assert parts[-1].end_s == pytest.approx(8 - 1 / 24)
    qtbot.keyClick(editor.strip, Qt.Key.Key_Left, ALT)
    assert parts[-1].end_s == pytest.approx(8 - 2 / 24)
    assert editor.kinds.value is ClipPartKind.RANGE


def test_dragging_handles_and_range(qtbot: QtBot, editor: ClipEditor) -> None:
    parts: list[ClipPart] = []
    editor.part_changed.connect(parts.append)
    strip = editor.strip

    def drag(start: QPoint, by: int) -> ClipPart:
        qtbot.mousePress(strip, Qt.MouseButton.LeftButton, pos=start)
        qtbot.mouseMove(strip, start + QPoint(by, 0))
        qtbot.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=start + QPoint(by, 0))
        return parts[-1]

    second = (strip.width() - 22) // 8
    part = drag(strip._handle(Grip.START).center().toPoint(), -2 * second)
    assert part.kind is ClipPartKind.END
    assert part.seconds == pytest.approx(2 + 4 / 3, abs=0.1)
    part = drag(strip._handle(Grip.START).center().toPoint(), -9 * second)
    assert part.seconds == pytest.approx(MAX_PART_S)
    part = drag(strip._handle(Grip.END).center().toPoint(), -2 * second)
    assert part.kind is ClipPartKind.RANGE
    assert part.end_s == pytest.approx(6, abs=0.1)
    middle = round((strip._x(part.start_s) + strip._x(part.end_s)) / 2)
    part = drag(QPoint(middle, 20), -second)
    assert part.start_s == pytest.approx(2, abs=0.1)
    part = drag(QPoint(round(strip._x(7.9)), 20), 0)  # beside the range: it comes
    assert part.end_s == pytest.approx(8)


def test_typed_numbers(editor: ClipEditor) -> None:
    parts: list[ClipPart] = []
    editor.part_changed.connect(parts.append)
    editor.first.setValue(2.5)
    assert parts == [ClipPart.end(2.5)]
    editor.first.setValue(99)
    assert parts[-1] == ClipPart.end(5.0)
    editor.kinds.button(ClipPartKind.RANGE).click()
    editor.first.setValue(0.5)
    assert parts[-1].start_s == pytest.approx(0.5)
    assert parts[-1].end_s == pytest.approx(5.5)
    editor.second.setValue(0.1)  # before the start
    assert 0 <= parts[-1].start_s < parts[-1].end_s <= 0.2


def test_what_is_set_from_outside_is_not_told_back(qtbot: QtBot, editor: ClipEditor) -> None:
    with qtbot.assertNotEmitted(editor.part_changed):
        editor.set_part(ClipPart.range(1, 3))
    assert editor.strip.accessibleDescription() == "From 1.00 s to 3.00 s"
