"""What is drawn over the picture, or in its place: labels, waiting, messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPen

from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_desktop.theme.tokens import DARK

if TYPE_CHECKING:
    from magi_desktop.player.canvas import Message

LABEL_HEIGHT = 24
"""Of a label, with its distance from the corner, in logical pixels."""

GRIP = 12
"""How near to the line of a comparison the mouse takes hold of it, in logical pixels."""

_OPACITY = 0.82
_LINE = 3
_MESSAGE_WIDTH = 420
_ICON = 40


@dataclass(frozen=True)
class Waiting:
    """What playback waits for.

    Attributes:
        text: "Making second 4, step 9 of 16".
        fraction: how much of it is done, None if nobody knows.
    """

    text: str
    fraction: float | None = None


def paint_line(painter: QPainter, x: float, height: int) -> None:
    """A line from top to bottom with a knob to draw it by."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for colour, wider in ((DARK.canvas, 2), (DARK.text, 0)):
        painter.setPen(QPen(QColor(colour), 2 + wider))
        painter.setBrush(QColor(DARK.text))
        painter.drawLine(QPointF(x, 0), QPointF(x, height))
        painter.drawEllipse(QPointF(x, height / 2), GRIP / 2 + wider / 2, GRIP / 2 + wider / 2)
    painter.restore()


def paint_label(
    painter: QPainter, corner: QPointF, text: str, font: QFont, right: float | None = None
) -> None:
    """A small label below and right of a corner; ``right``: whose right end is there instead."""
    font = _sized(font, t.FONT_CAPTION)
    width = QFontMetricsF(font).horizontalAdvance(text) + 2 * t.SPACE_2
    left = corner.x() + t.SPACE_2 if right is None else right - width - t.SPACE_2
    box = QRectF(left, corner.y() + t.SPACE_2, width, LABEL_HEIGHT - 4)
    _panel(painter, box, t.RADIUS_S)
    painter.setFont(font)
    painter.setPen(QColor(DARK.text))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


def paint_waiting(painter: QPainter, area: QRectF, waiting: Waiting, font: QFont) -> None:
    """A calm panel above the lower edge, with a thin line for the progress."""
    font = _sized(font, t.FONT_BODY)
    metrics = QFontMetricsF(font)
    width = min(metrics.horizontalAdvance(waiting.text) + 2 * t.SPACE_4, area.width() - t.SPACE_6)
    height = metrics.height() + 2 * t.SPACE_2 + (_LINE + t.SPACE_1)
    box = QRectF(0, 0, width, height)
    box.moveCenter(QPointF(area.center().x(), area.bottom() - t.SPACE_4 - height / 2))
    _panel(painter, box, t.RADIUS_M)
    text_box = box.adjusted(t.SPACE_4, t.SPACE_2, -t.SPACE_4, -(t.SPACE_2 + _LINE + t.SPACE_1))
    text = metrics.elidedText(waiting.text, Qt.TextElideMode.ElideRight, text_box.width() + 1)
    painter.setFont(font)
    painter.setPen(QColor(DARK.text))
    painter.drawText(text_box, Qt.AlignmentFlag.AlignCenter, text)
    line = QRectF(text_box.left(), box.bottom() - t.SPACE_2 - _LINE, text_box.width(), _LINE)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(DARK.border_strong))
    painter.drawRoundedRect(line, _LINE / 2, _LINE / 2)
    if waiting.fraction:
        line.setWidth(max(_LINE, line.width() * min(1.0, waiting.fraction)))
        painter.setBrush(QColor(DARK.accent_text))
        painter.drawRoundedRect(line, _LINE / 2, _LINE / 2)


def paint_message(
    painter: QPainter, area: QRectF, message: Message, font: QFont, bare: bool
) -> None:
    """A sentence, and what to do, in the middle of an empty canvas."""
    k = DARK if bare else theme().tokens
    title_font, detail_font = _sized(font, t.FONT_HEADING), _sized(font, t.FONT_BODY)
    title_font.setWeight(QFont.Weight.DemiBold)
    width = min(_MESSAGE_WIDTH, area.width() - 2 * t.SPACE_5)
    flags = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
    room = QRectF(0, 0, width, area.height())
    title = QFontMetricsF(title_font).boundingRect(room, flags, message.title)
    detail = QFontMetricsF(detail_font).boundingRect(room, flags, message.detail)
    detail_height = t.SPACE_2 + detail.height() if message.detail else 0
    top = area.center().y() - (_ICON + t.SPACE_3 + title.height() + detail_height) / 2
    left = area.center().x() - width / 2

    drawing = icon("error" if message.is_error else "video", k.error if message.is_error else None)
    if not message.is_error:
        painter.setOpacity(0.5)
    drawing.paint(painter, round(area.center().x() - _ICON / 2), round(top), _ICON, _ICON)
    painter.setOpacity(1.0)
    top += _ICON + t.SPACE_3
    painter.setFont(title_font)
    painter.setPen(QColor(k.text))
    painter.drawText(QRectF(left, top, width, title.height()), flags, message.title)
    top += title.height() + t.SPACE_2
    painter.setFont(detail_font)
    painter.setPen(QColor(k.text_muted))
    painter.drawText(QRectF(left, top, width, detail.height() + 2), flags, message.detail)


def paint_banner(painter: QPainter, area: QRectF, message: Message, font: QFont) -> None:
    """A message above the lower edge of a picture that stays visible."""
    font = _sized(font, t.FONT_BODY)
    metrics = QFontMetricsF(font)
    text = message.whole
    icon_room = (18 + t.SPACE_2) if message.is_error else 0
    most = min(2 * _MESSAGE_WIDTH, area.width() - 2 * t.SPACE_4) - 2 * t.SPACE_3 - icon_room
    flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter | Qt.TextFlag.TextWordWrap
    needed = metrics.boundingRect(QRectF(0, 0, most, area.height()), flags, text)
    box = QRectF(
        0, 0, needed.width() + icon_room + 2 * t.SPACE_3 + 1, needed.height() + 2 * t.SPACE_3
    )
    box.moveCenter(QPointF(area.center().x(), area.bottom() - t.SPACE_4 - box.height() / 2))
    _panel(painter, box, t.RADIUS_M)
    if message.is_error:
        top = round(box.center().y() - 9)
        icon("error", DARK.error).paint(painter, round(box.left() + t.SPACE_3), top, 18, 18)
    painter.setFont(font)
    painter.setPen(QColor(DARK.text))
    inner = box.adjusted(t.SPACE_3 + icon_room, t.SPACE_3, -t.SPACE_3 + 1, -t.SPACE_3)
    painter.drawText(inner, flags, text)


def _panel(painter: QPainter, box: QRectF, radius: float) -> None:
    ground = QColor(theme().tokens.overlay)
    ground.setAlphaF(_OPACITY)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ground)
    painter.drawRoundedRect(box, radius, radius)


def _sized(font: QFont, pixels: int) -> QFont:
    font = QFont(font)
    font.setPixelSize(pixels)
    return font
