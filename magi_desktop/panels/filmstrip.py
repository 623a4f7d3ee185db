"""A video as a strip of pictures, with the part of it that is used."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from magi_desktop.panels.clip_range import ClipRange
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import theme

PICTURES = 12
"""Pictures of a strip, spread evenly over the clip."""

_HEIGHT = 56
_HANDLE = 11
_SHADE = QColor(10, 11, 16, 160)
_FAR_S = 1.0


class Grip(Enum):
    """What of the range is held."""

    START = "start"
    END = "end"
    WHOLE = "whole"


class Filmstrip(QWidget):
    """Drag the handles or what lies between them. Left and Right move the range by a frame, with
    Ctrl by a second; with Shift they move its start, with Alt its end.

    Signals:
        range_dragged: what was moved (``Grip``), start and end in seconds.
    """

    range_dragged = Signal(object, float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(_HEIGHT)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(self.tr("Part of the video that is used"))
        self.setToolTip(
            self.tr("Drag the range or its ends to choose what the video goes on from.")
        )
        self._limits = ClipRange(1.0, 24.0)
        self._span = (0.0, 1.0)
        self._pictures: list[QImage | None] = [None] * PICTURES
        self._held: Grip | None = None
        self._offset_s = 0.0
        theme().changed.connect(self.update)

    @property
    def pictures(self) -> int:
        """How many pictures are there already."""
        return sum(picture is not None for picture in self._pictures)

    def set_clip(self, limits: ClipRange) -> None:
        """Begin anew with a clip of which no picture is known yet."""
        self._limits = limits
        self._pictures = [None] * PICTURES
        self.update()

    def set_limits(self, limits: ClipRange) -> None:
        """Set another rate for the same clip."""
        self._limits = limits
        self.update()

    def set_picture(self, index: int, picture: QImage) -> None:
        """Show the picture of a place, from 0 to ``PICTURES`` - 1."""
        self._pictures[index] = picture
        self.update()

    def set_span(self, start_s: float, end_s: float) -> None:
        self._span = (start_s, end_s)
        text = self.tr("From {start} s to {end} s").format(
            start=f"{start_s:.2f}", end=f"{end_s:.2f}"
        )
        self.setAccessibleDescription(text)
        self.update()

    def times(self) -> list[float]:
        """The moments in seconds whose pictures are shown: the middle of each place."""
        return [(k + 0.5) * self._limits.duration_s / PICTURES for k in range(PICTURES)]

    def minimumSizeHint(self) -> QSize:
        return QSize(160, _HEIGHT)

    # Painting.

    @property
    def _film(self) -> QRectF:
        """Where the pictures are: handles stand outside the range, also at the clip's ends."""
        return QRectF(self.rect()).adjusted(_HANDLE, 2, -_HANDLE, -2)

    def _x(self, time_s: float) -> float:
        film = self._film
        return film.left() + film.width() * time_s / self._limits.duration_s

    def _time(self, x: float) -> float:
        film = self._film
        return (x - film.left()) / film.width() * self._limits.duration_s

    def _handle(self, grip: Grip) -> QRectF:
        if grip is Grip.START:
            return QRectF(self._x(self._span[0]) - _HANDLE, 0, _HANDLE, self.height())
        return QRectF(self._x(self._span[1]), 0, _HANDLE, self.height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        k = theme().tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        film = self._film
        painter.fillRect(film, QColor(k.canvas))
        for index, picture in enumerate(self._pictures):
            self._paint_picture(painter, index, picture)
        start_x, end_x = self._x(self._span[0]), self._x(self._span[1])
        for left, right in ((film.left(), start_x), (end_x, film.right())):
            painter.fillRect(QRectF(left, film.top(), right - left, film.height()), _SHADE)
        self._paint_range(painter, QColor(k.accent))
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(k.text), 1, Qt.PenStyle.DotLine))
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))

    def _paint_picture(self, painter: QPainter, index: int, picture: QImage | None) -> None:
        film = self._film
        width = film.width() / PICTURES
        place = QRectF(film.left() + index * width, film.top(), width, film.height())
        if picture is None:
            painter.setPen(QPen(QColor(theme().tokens.border), 1))
            painter.drawLine(place.topLeft(), place.bottomLeft())
            return
        # Its middle, as much as there is room for.
        part = QRectF(0, 0, picture.height() * place.width() / place.height(), picture.height())
        if part.width() > picture.width():
            part = QRectF(0, 0, picture.width(), picture.width() * place.height() / place.width())
        part.moveCenter(QRectF(picture.rect()).center())
        painter.drawImage(place, picture, part)

    def _paint_range(self, painter: QPainter, colour: QColor) -> None:
        start, end = self._handle(Grip.START), self._handle(Grip.END)
        outer, inner = QPainterPath(), QPainterPath()
        outer.addRoundedRect(start.united(end), t.RADIUS_S, t.RADIUS_S)
        inner.addRect(QRectF(start.right(), 3, max(0.0, end.left() - start.right()), _HEIGHT - 6))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawPath(outer.subtracted(inner))
        painter.setPen(QPen(QColor("white"), 2, c=Qt.PenCapStyle.RoundCap))
        for handle in (start, end):
            middle = handle.center()
            painter.drawLine(middle - QPointF(0, 6), middle + QPointF(0, 6))

    # Mouse and keyboard.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        x, (start, end) = event.position().x(), self._span
        self._held = self._grip_at(event.position())
        if self._held is None:  # beside the range: bring it here
            middle = self._time(x)
            by = middle - (start + end) / 2
            self._offset_s = (end - start) / 2
            self._held = Grip.WHOLE
            self._drag(Grip.WHOLE, *self._limits.moved(start, end, by))
        else:
            self._offset_s = self._time(x) - (end if self._held is Grip.END else start)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._held is None:
            grip = self._grip_at(event.position())
            shapes = {
                Grip.START: Qt.CursorShape.SizeHorCursor,
                Grip.END: Qt.CursorShape.SizeHorCursor,
                Grip.WHOLE: Qt.CursorShape.OpenHandCursor,
                None: Qt.CursorShape.ArrowCursor,
            }
            self.setCursor(shapes[grip])
            return
        start, end = self._span
        time = self._on_frame(self._time(event.position().x()) - self._offset_s)
        if self._held is Grip.START:
            self._drag(Grip.START, *self._limits.with_start(time, end))
        elif self._held is Grip.END:
            self._drag(Grip.END, *self._limits.with_end(start, time))
        else:
            self._drag(Grip.WHOLE, *self._limits.moved(start, end, time - start))

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._held = None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        direction = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        if direction is None:
            super().keyPressEvent(event)
            return
        held = event.modifiers()
        far = held & Qt.KeyboardModifier.ControlModifier
        by = direction * (_FAR_S if far else 1 / self._limits.fps)
        start, end = self._span
        if held & Qt.KeyboardModifier.ShiftModifier:
            self._drag(Grip.START, *self._limits.with_start(start + by, end))
        elif held & Qt.KeyboardModifier.AltModifier:
            self._drag(Grip.END, *self._limits.with_end(start, end + by))
        else:
            self._drag(Grip.WHOLE, *self._limits.moved(start, end, by))

    def _drag(self, grip: Grip, start_s: float, end_s: float) -> None:
        if (start_s, end_s) != self._span:
            self.set_span(start_s, end_s)
            self.range_dragged.emit(grip, start_s, end_s)

    def _on_frame(self, time_s: float) -> float:
        return round(time_s * self._limits.fps) / self._limits.fps

    def _grip_at(self, point: QPointF) -> Grip | None:
        for grip in (Grip.START, Grip.END):
            if self._handle(grip).adjusted(-2, 0, 2, 0).contains(point):
                return grip
        inside = self._x(self._span[0]) <= point.x() <= self._x(self._span[1])
        return Grip.WHOLE if inside else None
