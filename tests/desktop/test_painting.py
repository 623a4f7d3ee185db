"""Texts that delegates paint themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPointF, QRect
from PySide6.QtGui import QFontMetrics, QImage, QPainter, QTextLayout
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from magi_desktop.widgets.controls import ElidedLabel
from magi_desktop.widgets.painting import draw_line, draw_lines, wrapped

ARABIC = (
    "\U0001f534 \U0001f7e6 دائرة حمراء كبيرة تتحرك إلى اليمين على خلفية بيضاء "
    "\U0001f3ac ثم تختفي ببطء وتظهر بعدها نجمة زرقاء"
)
EMOJI = (
    "\U0001f534\U0001f534 a large red circle \U0001f7e6 moves to the right \U0001f3ac "
    "and vanishes while a blue star comes up behind it"
)


@pytest.mark.parametrize("text", [ARABIC, EMOJI], ids=["arabic", "emoji"])
@pytest.mark.parametrize("width", [120, 170, 240])
def test_lines_end_between_words_whatever_they_are_made_of(
    qtbot: QtBot, text: str, width: int
) -> None:
    font = QApplication.font()
    lines = wrapped(text, font, width, 20)
    assert " ".join(lines).split() == text.split()
    metrics = QFontMetrics(font)
    assert all(metrics.horizontalAdvance(line) <= width for line in lines)
    first, cut = wrapped(text, font, width, 2)
    assert first == lines[0]
    assert cut.endswith("…")
    assert text.startswith(f"{first} {cut[:-1]}")
    if text is ARABIC:
        assert cut[:-1].split()[-1] in text.split()


@pytest.mark.parametrize("text", ["gÅjq", "一个大的红色圆形在白色背景上向右移动", ARABIC])
def test_letters_of_another_font_are_not_cut_off(qtbot: QtBot, text: str) -> None:
    """It may be higher than the font that lends them."""

    def ink(draw: Callable[[QPainter], object]) -> int:
        image = QImage(900, 90, QImage.Format.Format_Grayscale8)
        image.fill(255)
        painter = QPainter(image)
        draw(painter)
        painter.end()
        return sum(255 - value for value in bytes(image.constBits()))

    def whole(painter: QPainter) -> None:
        layout = QTextLayout(text, painter.font())
        layout.beginLayout()
        layout.createLine().setLineWidth(900)
        layout.endLayout()
        layout.draw(painter, QPointF(0, 30))

    line = QRect(0, 30, 900, QFontMetrics(QApplication.font()).height())
    for draw in (
        lambda painter: draw_lines(painter, line, text, 1, "#000000"),
        lambda painter: draw_line(painter, line, text, "#000000"),
    ):
        assert ink(draw) == pytest.approx(ink(whole), rel=0.02)


def test_text_from_the_right_begins_at_the_right(qtbot: QtBot) -> None:
    def middle(text: str) -> float:
        image = QImage(300, 30, QImage.Format.Format_Grayscale8)
        image.fill(255)
        painter = QPainter(image)
        draw_lines(painter, QRect(0, 0, 300, 30), text, 1, "#000000")
        painter.end()
        inked = [x for x in range(300) for y in range(30) if image.pixelColor(x, y).value() < 128]
        return sum(inked) / len(inked)

    assert middle("abc") < 100
    assert middle("אבג") > 200


def test_a_line_is_as_high_empty_as_with_words_of_the_windows_language(
    qtbot: QtBot, chinese: None
) -> None:
    """Else the picture above it moves when a video begins."""
    around = QWidget()
    qtbot.addWidget(around)
    column, label = QVBoxLayout(around), ElidedLabel(around)
    column.addWidget(label)
    around.resize(200, 30)
    around.show()
    empty = around.sizeHint().height()
    for text in ("正在制作第 2 秒", "abc"):
        label.set_text(text)
        assert around.sizeHint().height() == empty
