"""One chunk of the strip, and how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QPainterPath, QPen

from magi_desktop.player.video_file import VideoFacts
from magi_desktop.state.job_words import percent_text
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import theme
from magi_desktop.theme.tokens import DARK
from magi_desktop.widgets.transitions import transition_words
from magi_engine.runtime.job.events import ChunkState
from magi_engine.runtime.request.request import PromptChange
from magi_engine.sampling.schedule import Transition

CELL_WIDTH = 104
PICTURE_HEIGHT = 60
_TEXT = 18
CELL_HEIGHT = PICTURE_HEIGHT + t.SPACE_1 + _TEXT

_LINE = 3
_MARK = 6


@dataclass(frozen=True)
class Cell:
    """One chunk. Frames count from the start of the video.

    Attributes:
        fraction: how much of the denoising is done, 0 to 1.
    """

    state: ChunkState
    fraction: float
    prompt: str
    first_frame: int
    num_frames: int
    transition: Transition = Transition.GO_ON

    @property
    def said(self) -> str:
        """The prompt, and how the chunk takes over from those before it."""
        if self.transition is Transition.GO_ON:
            return self.prompt
        return f"{transition_words()[self.transition]}: {self.prompt}"


def cells_of(facts: VideoFacts) -> list[Cell]:
    """The chunks of a finished video, with their prompts where the file tells."""
    request = facts.request
    changes = () if request is None else request.prompts
    in_front = 0 if request is None else request.parts_in_front
    cells = []
    for chunk, part in enumerate(facts.parts, -in_front):
        change = next((p for p in reversed(changes) if p.chunk <= chunk), PromptChange(-1, ""))
        transition = change.transition if change.chunk == chunk else Transition.GO_ON
        cells.append(Cell(ChunkState.DONE, 1.0, change.text, part.start, len(part), transition))
    return cells


def paint_cell(
    painter: QPainter,
    rect: QRect,
    cell: Cell,
    *,
    label: str,
    thumbnail: QImage | None,
    playing: bool,
    focused: bool,
    font: QFont,
) -> None:
    """Draw a chunk: the whole picture or its state, progress, number.

    Args:
        label: shown in the corner.
    """
    k = theme().tokens
    font = QFont(font)
    font.setPixelSize(t.FONT_CAPTION)
    painter.setFont(font)
    box = QRectF(rect.x() + 1, rect.y() + 1, rect.width() - 2, PICTURE_HEIGHT - 2)
    path = QPainterPath()
    path.addRoundedRect(box, t.RADIUS_S, t.RADIUS_S)
    painter.fillPath(path, QColor(k.surface_sunken))
    if thumbnail is not None:
        painter.setClipPath(path)
        size = QSizeF(thumbnail.size())
        whole = QRectF(QPointF(), size.scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio))
        whole.moveCenter(box.center())
        painter.drawImage(whole, thumbnail)
        painter.setClipping(False)
    _paint_state(painter, box, cell, label, thumbnail is not None)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(k.accent if playing else k.border), 2 if playing else 1))
    painter.drawPath(path)
    if cell.transition is not Transition.GO_ON:
        painter.fillRect(rect.x() - 5, rect.y(), 2, PICTURE_HEIGHT, QColor(k.accent))
    if focused:  # inside the other ring, so that both can be seen
        painter.setPen(QPen(QColor(k.text), 2))
        painter.drawRoundedRect(box.adjusted(2, 2, -2, -2), t.RADIUS_S - 1, t.RADIUS_S - 1)


def _paint_state(painter: QPainter, box: QRectF, cell: Cell, label: str, has_picture: bool) -> None:
    k = theme().tokens
    metrics = painter.fontMetrics()
    corner = QRectF(
        box.left() + 4, box.top() + 4, metrics.horizontalAdvance(label) + 8, metrics.height() + 2
    )
    if has_picture:
        ground = QColor(k.overlay)
        ground.setAlphaF(0.75)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(corner, 3, 3)
    painter.setPen(QColor(DARK.text if has_picture else k.text_muted))
    painter.drawText(corner, Qt.AlignmentFlag.AlignCenter, label)
    if cell.state is ChunkState.DENOISING:
        painter.setPen(QColor(k.text))
        text = percent_text(cell.fraction * 100)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
        _paint_line(painter, box, cell.fraction)
    elif cell.state is ChunkState.DECODING:
        _paint_line(painter, box, 1.0)
        painter.setPen(QColor(k.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, "…")


def _paint_line(painter: QPainter, box: QRectF, fraction: float) -> None:
    k = theme().tokens
    line = QRectF(box.left() + 8, box.bottom() - 10, box.width() - 16, _LINE)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(k.border))
    painter.drawRoundedRect(line, _LINE / 2, _LINE / 2)
    line.setWidth(max(_LINE, line.width() * fraction))
    painter.setBrush(QColor(k.accent))
    painter.drawRoundedRect(line, _LINE / 2, _LINE / 2)


def paint_prompt(painter: QPainter, rect: QRect, prompt: str, changed: bool, font: QFont) -> None:
    """Write a prompt below the chunks it counts for.

    Args:
        rect: of these chunks together, as far as they show.
        changed: it begins here, and there was another one before.
    """
    k = theme().tokens
    font = QFont(font)
    font.setPixelSize(t.FONT_CAPTION)
    painter.setFont(font)
    left = rect.left() + 2
    middle = rect.bottom() - _TEXT / 2
    if changed:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(k.accent))
        painter.drawEllipse(QPointF(left + _MARK / 2, middle + 1), _MARK / 2, _MARK / 2)
        left += _MARK + 4
    room = QRectF(left, rect.bottom() - _TEXT + 1, rect.right() - left, _TEXT)
    painter.setPen(QColor(k.text_muted))
    metrics = QFontMetrics(font)
    text = metrics.elidedText(
        " ".join(prompt.split()), Qt.TextElideMode.ElideRight, int(room.width())
    )
    painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
