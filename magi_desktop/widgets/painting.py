"""Text and shapes for delegates that paint their items themselves."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPainterPath, QTextLayout

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
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


def draw_lines(painter: QPainter, rect: QRect, text: str, most: int, colour: str) -> None:
    """Up to ``most`` wrapped lines in the painter's font, the last cut with an ellipsis."""
    painter.setPen(QColor(colour))
    metrics = QFontMetrics(painter.font())
    layout = QTextLayout(text, painter.font())
    layout.beginLayout()
    for number in range(most):
        line = layout.createLine()
        if not line.isValid():
            break
        line.setLineWidth(rect.width())
        top = rect.top() + number * metrics.lineSpacing()
        end = line.textStart() + line.textLength()
        part = text[line.textStart() :] if number == most - 1 else text[line.textStart() : end]
        shown = metrics.elidedText(part.strip(), Qt.TextElideMode.ElideRight, rect.width())
        painter.drawText(QPointF(rect.left(), top + metrics.ascent()), shown)
    layout.endLayout()


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
