"""Texts that delegates paint themselves."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRect
from PySide6.QtGui import QFontMetrics, QImage, QPainter
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from magi_desktop.widgets.painting import draw_lines, wrapped

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
