"""Text and shapes for delegates that paint their items themselves."""

from __future__ import annotations

import unicodedata

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QPainter,
    QPainterPath,
    QTextLayout,
)

from magi_desktop.theme import tokens as t


def font_of(base: QFont, pixels: int, bold: bool = False) -> QFont:
    """``base`` in one of the theme's sizes."""
    font = QFont(base)
    font.setPixelSize(pixels)
    if bold:
        font.setWeight(QFont.Weight.DemiBold)
    return font


def draw_line(painter: QPainter, rect: QRect, text: str, colour: str) -> None:
    """One line in the painter's font, cut with an ellipsis."""
    painter.setPen(QColor(colour))
    metrics = painter.fontMetrics()
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    top = rect.top() + (rect.height() - metrics.height()) // 2
    painter.drawText(QPoint(rect.left(), top + metrics.ascent()), shown)


def draw_lines(painter: QPainter, rect: QRect, text: str, most: int, colour: str) -> None:
    """Up to ``most`` wrapped lines in the painter's font, the last cut with an ellipsis; from the
    side where the text's script begins.

    Where the lines stand is the font's own; another one that lends it letters, as for Chinese,
    may want more room, and would be cut off in the height of the first.
    """
    painter.setPen(QColor(colour))
    metrics = painter.fontMetrics()
    backwards = _is_right_to_left(text)
    direction = Qt.LayoutDirection
    painter.setLayoutDirection(direction.RightToLeft if backwards else direction.LeftToRight)
    for number, line in enumerate(wrapped(text, painter.font(), rect.width(), most)):
        left = rect.left()
        if backwards:
            left += rect.width() - metrics.horizontalAdvance(line)
        base = rect.top() + number * metrics.lineSpacing() + metrics.ascent()
        painter.drawText(QPoint(left, base), line)


def wrapped(text: str, font: QFont, width: int, most: int) -> list[str]:
    """A text in up to ``most`` lines that fit into ``width``, the last cut with an ellipsis."""
    units = text.encode("utf-16-le")  # what Qt counts in: most emoji are two

    def part(start: int, end: int | None = None) -> str:
        return units[2 * start : None if end is None else 2 * end].decode("utf-16-le").strip()

    layout = QTextLayout(text, font)
    lines: list[str] = []
    layout.beginLayout()
    while (line := layout.createLine()).isValid():
        line.setLineWidth(width)
        if len(lines) == most - 1:
            mode, rest = Qt.TextElideMode.ElideRight, part(line.textStart())
            shown = QFontMetrics(font).elidedText(rest, mode, width)
            if shown != rest and " " in shown and _is_right_to_left(text):
                shown = shown.rpartition(" ")[0] + "…"  # a cut letter would change its shape
            lines.append(shown)
            break
        lines.append(part(line.textStart(), line.textStart() + line.textLength()))
    layout.endLayout()
    return lines


def _is_right_to_left(text: str) -> bool:
    """Whether its first letter belongs to such a script."""
    strong = (unicodedata.bidirectional(letter) for letter in text)
    return next((kind for kind in strong if kind in ("L", "R", "AL")), "L") != "L"


def draw_badge(
    painter: QPainter, corner: QPointF, text: str, ground: QColor, ink: str, left: bool = False
) -> None:
    """A small label whose bottom right (``left``: bottom left) corner is at ``corner``."""
    metrics = painter.fontMetrics()
    width, height = metrics.horizontalAdvance(text) + 2 * t.SPACE_1 + 2, metrics.height() + 2
    x = corner.x() if left else corner.x() - width
    box = QRectF(x, corner.y() - height, width, height)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(box, t.RADIUS_S, t.RADIUS_S)
    painter.setPen(QColor(ink))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def rounded(rect: QRectF, radius: float) -> QPainterPath:
    """The path of a rectangle with round corners."""
    path = QPainterPath()
    path.addRoundedRect(rect, radius, radius)
    return path
