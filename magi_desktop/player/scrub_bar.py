"""The bar to move through the video: the part that exists is filled, the rest hollow."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractSlider, QSizePolicy, QToolTip

from magi_desktop.player.times import time_text
from magi_desktop.theme.style import theme
from magi_desktop.theme.tokens import DARK

_HEIGHT = 22
_GROOVE = 6
_HANDLE = 14


class ScrubBar(QAbstractSlider):
    """A slider over frames; for the keyboard and screen readers it is an ordinary one.

    Signals:
        scrubbed: the user chose a frame.
    """

    scrubbed = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Position in the video"))
        self.setToolTip(self.tr("Drag to go to another moment of the video."))
        self._fps = 24.0
        self._first = self._ready = self._total = 0
        self._hovered = False
        self.on_dark = False
        """In full screen, whatever the theme."""
        self.actionTriggered.connect(self._act)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(200, _HEIGHT)

    def set_extent(self, first: int, ready: int, total: int, fps: float) -> None:
        """Frames from `first` to before `ready` exist, `total` are expected."""
        self._first, self._ready, self._total, self._fps = first, ready, max(ready, total), fps
        self.setEnabled(ready > 0)
        self.setRange(0, max(0, self._total - 1))
        self.setPageStep(max(1, round(fps)))
        self.update()

    def set_position(self, frame: int) -> None:
        """Show where playback is; emits nothing."""
        if not self.isSliderDown():
            self.setValue(frame)

    def _act(self) -> None:
        """The keyboard, or a screen reader, moved the slider."""
        self._choose(self.sliderPosition())

    def _choose(self, frame: int) -> None:
        frame = max(self._first, min(frame, self._ready - 1))
        self.setSliderPosition(frame)
        self.setValue(frame)
        self.scrubbed.emit(frame)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            event.ignore()  # one of the player's keys
        else:
            super().keyPressEvent(event)

    # Mouse

    def frame_at(self, x: float) -> int:
        """The frame that lies under a horizontal position."""
        groove = self._groove()
        part = (x - groove.left()) / max(1.0, groove.width())
        return round(max(0.0, min(part, 1.0)) * self.maximum())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._choose(self.frame_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        frame = self.frame_at(event.position().x())
        if self.isSliderDown():
            self._choose(frame)
        place = self.mapToGlobal(QPoint(round(event.position().x()), -2 * _HEIGHT))
        QToolTip.showText(place, self.hover_text(frame), self)

    def hover_text(self, frame: int) -> str:
        """What is said of a frame under the mouse."""
        text = self.tr("{time}  ·  frame {frame}").format(
            time=time_text(frame / self._fps), frame=frame + 1
        )
        return text if frame < self._ready else self.tr("{place}, not made yet").format(place=text)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self.setSliderDown(False)

    def enterEvent(self, event: QEvent) -> None:
        self._hovered = True
        self.update()
        super().enterEvent(event)  # type: ignore[arg-type]

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = False
        self.update()
        super().leaveEvent(event)

    # Painting

    def _groove(self) -> QRectF:
        inset = _HANDLE / 2 + 1
        top = (self.height() - _GROOVE) / 2
        return QRectF(inset, top, self.width() - 2 * inset, _GROOVE)

    def _x_of(self, frame: float) -> float:
        groove = self._groove()
        return groove.left() + groove.width() * frame / max(1, self.maximum())

    def paintEvent(self, _event: QPaintEvent) -> None:
        k = DARK if self.on_dark else theme().tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        groove, radius = self._groove(), _GROOVE / 2
        painter.setPen(QPen(QColor(k.border_strong), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(groove.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        if self._ready == 0:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        ready = QRectF(groove)
        ready.setLeft(self._x_of(self._first) if self._first else groove.left())
        ready.setRight(self._x_of(min(self._ready, self.maximum())))
        painter.setBrush(QColor(k.border_strong))
        painter.drawRoundedRect(ready, radius, radius)
        played = QRectF(ready)
        played.setRight(self._x_of(self.value()))
        painter.setBrush(QColor(k.accent))
        painter.drawRoundedRect(played, radius, radius)
        self._paint_handle(painter, self._x_of(self.value()), k.accent, k.surface_raised)

    def _paint_handle(self, painter: QPainter, x: float, accent: str, ground: str) -> None:
        large = self._hovered or self.hasFocus() or self.isSliderDown()
        size = _HANDLE if large else _HANDLE - 4
        handle = QRectF(x - size / 2, (self.height() - size) / 2, size, size)
        painter.setBrush(QColor(accent if self.hasFocus() else ground))
        painter.setPen(QPen(QColor(accent), 2))
        painter.drawEllipse(handle.adjusted(1, 1, -1, -1))
