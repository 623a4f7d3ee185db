"""The picture: painted with QPainter, which measured fastest without a GPU."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPoint, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QSizePolicy, QWidget

from magi_desktop.player import overlay
from magi_desktop.player.view import View
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import theme
from magi_desktop.theme.tokens import DARK
from magi_desktop.translation import translated
from magi_engine.late import np
from magi_engine.media.fit import UInt8Array
from magi_engine.messages import in_sequence

_WHEEL_STEP = 1.25
_NOTCH = 120  # QWheelEvent: eighths of a degree of one notch of an ordinary mouse


def image_of(frame: UInt8Array) -> QImage:
    """A frame ``(H, W, 3)`` as a QImage over the same memory, which the image keeps alive."""
    frame = np.ascontiguousarray(frame)
    height, width, _ = frame.shape
    image = QImage(frame.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    image._frame = frame  # type: ignore[attr-defined]  # QImage does not own the pixels
    return image


@dataclass(frozen=True)
class Message:
    """What stands where there is no picture, or below the one there is."""

    title: str
    detail: str = ""
    is_error: bool = False

    @property
    def whole(self) -> str:
        """Title and detail as one text."""
        return translated(in_sequence(self.title, self.detail))


class Canvas(QWidget):
    """Shows one frame at a time, fitted or zoomed, alone or beside the reference.

    Signals:
        painted: a frame given to `show_frame` has been drawn for the first time.
        zoom_changed: by the mouse or by `set_zoom`.
        clicked: with the left button, on a picture that was not dragged.
        double_clicked: with the left button.
        menu_wanted: a place on the screen, for a context menu.
    """

    painted = Signal()
    zoom_changed = Signal()
    clicked = Signal()
    double_clicked = Signal()
    menu_wanted = Signal(QPoint)

    def __init__(self) -> None:
        super().__init__()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 160)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Video"))
        self.bare = False  # in full screen: black to the edges
        self.image: QImage | None = None
        self._shape = QSize()  # of the last real frame; empty before the first one
        self._new = False
        self.is_preview = False
        """Whether the picture is a rough preview."""
        self._reference: QImage | None = None
        self._comparing = self._wiping = False
        self._line = 0.5
        self._line_dragged = False
        self.names: tuple[str, str] | None = None
        """What the other picture and this one are called; None: reference and result."""
        self._waiting: overlay.Waiting | None = None
        self.message: Message | None = None
        """The sentence shown."""
        self._view = View()
        self._pressed_at: QPointF | None = None
        self._dragged_from: QPointF | None = None
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(640, 480)

    # What is shown

    def show_frame(self, frame: UInt8Array | None, preview: bool = False) -> None:
        """Show a frame ``(H, W, 3)`` uint8 RGB, or nothing.

        Args:
            preview: it is a small, rough one, drawn as large as the last real frame.
        """
        self.image = None if frame is None else image_of(frame)
        self._new = frame is not None
        self.is_preview = preview
        if self.image is None:
            self._shape = QSize()
        elif not preview and self.image.size() != self._shape:
            self._shape = self.image.size()
            self._view.keep_inside(self._shape, self._panes()[-1])
        self.update()

    def set_reference(self, image: QImage | None) -> None:
        self._reference = image
        self.update()

    @property
    def comparing(self) -> bool:
        """Whether the reference is shown beside the picture."""
        return self._comparing and self._reference is not None

    def set_comparing(self, on: bool, wiping: bool = False) -> None:
        """Show the reference, if there is one, on the left of the picture.

        Args:
            wiping: on the left of a line through it, which the mouse or `move_line` moves.
        """
        self._comparing, self._wiping = on, wiping
        self.show_cursor()
        self.update()

    @property
    def wiping(self) -> bool:
        """Whether there is a line between the reference and the picture."""
        return self.comparing and self._wiping

    @property
    def line_x(self) -> float:
        """Where it is, in logical pixels."""
        return self._line * self.width()

    def move_line(self, by: float) -> None:
        """Move the line by a part of the widget's width."""
        self._line = max(0.0, min(self._line + by, 1.0))
        self.update()

    def set_waiting(self, waiting: overlay.Waiting | None) -> None:
        """What is being waited for, over the lower edge of the picture."""
        if waiting != self._waiting:
            self._waiting = waiting
            self.setAccessibleDescription("" if waiting is None else waiting.text)
            self.update()

    def set_message(self, message: Message | None) -> None:
        """A sentence in place of the picture, or below it when there is one."""
        if message != self.message:
            self.message = message
            text = "" if message is None else message.whole
            self.setAccessibleDescription(text)
            self.update()

    # Zoom

    @property
    def zoom(self) -> float | None:
        """Screen pixels per pixel of the picture, None when it is fitted."""
        return self._view.zoom

    @property
    def shown_scale(self) -> float:
        """Screen pixels per pixel of the picture, as it is now."""
        shape = self._drawn_as()
        return 1.0 if shape is None else self._view.scale(shape, self._panes()[-1])

    def set_zoom(self, zoom: float | None) -> None:
        """Zoom around the middle; None fits the picture into the widget."""
        shape = self._drawn_as()
        if zoom is None or shape is None:
            self._view = View()
            self._view.zoom = zoom
        else:
            pane = self._panes()[-1]
            self._view.zoom_at(pane.center(), zoom, shape, pane)
        self._zoomed()

    def _drawn_as(self) -> QSize | None:
        """The size zoom counts from; a preview is drawn as large as the frames around it."""
        if self.image is None:
            return None
        return self.image.size() if self._shape.isEmpty() else self._shape

    def zoom_by(self, factor: float) -> None:
        """Zoom in (> 1) or out (< 1) around the middle."""
        self.set_zoom(self.shown_scale * factor)

    def show_cursor(self, visible: bool = True) -> None:
        """Show the mouse over the picture, or hide it."""
        shape = Qt.CursorShape.ArrowCursor
        if not visible:
            shape = Qt.CursorShape.BlankCursor
        elif self._view.zoom is not None:
            shape = Qt.CursorShape.OpenHandCursor
        self.setCursor(shape)

    def _zoomed(self) -> None:
        self.show_cursor()
        self.update()
        self.zoom_changed.emit()

    # Painting; everything in device pixels, so that 100 % is exact at every pixel ratio

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        self._paint_ground(painter)
        painter.save()
        ratio = self.devicePixelRatioF()
        painter.scale(1 / ratio, 1 / ratio)
        panes = self._panes()
        shape = self._drawn_as()
        if self.image is not None and shape is not None:
            self._paint_picture(painter, self.image, self._view.target(shape, panes[-1]), panes[-1])
        if self.comparing and self._reference is not None:
            place = self._view.target(shape or self._reference.size(), panes[0])
            target = View().target(self._reference.size(), QRectF(place))
            pane = panes[0]
            if self.wiping:
                pane = QRectF(pane)
                pane.setRight(round(self.line_x * ratio))
                painter.fillRect(pane, QColor((DARK if self.bare else theme().tokens).canvas))
            self._paint_picture(painter, self._reference, target, pane)
        painter.restore()
        if self.wiping:
            overlay.paint_line(painter, self.line_x, self.height())
        self._paint_over(painter)
        painter.end()
        if self._new:
            self._new = False
            self.painted.emit()

    def _paint_ground(self, painter: QPainter) -> None:
        k = DARK if self.bare else theme().tokens
        if self.bare:
            painter.fillRect(self.rect(), QColor(k.canvas))
            return
        painter.fillRect(self.rect(), QColor(k.window))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(k.canvas))
        painter.drawRoundedRect(self.rect(), t.RADIUS_M, t.RADIUS_M)
        # The picture itself is cut with square corners: its pixels are shown as they are.
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_picture(self, painter: QPainter, image: QImage, target: QRect, pane: QRectF) -> None:
        scale = target.width() / image.width()
        painter.setClipRect(pane)
        sharp = self._view.zoom is not None and scale >= 1 and scale == round(scale)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, not sharp)
        if scale < 0.5:
            # QPainter looks at four pixels only, which flickers when shrunk by more than half.
            image = image.scaled(
                target.size(),
                Qt.AspectRatioMode.IgnoreAspectRatio,
                Qt.TransformationMode.SmoothTransformation,
            )
        painter.drawImage(target, image)
        painter.setClipping(False)

    def _paint_over(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect())
        if self.comparing:
            other, own = self.names or (self.tr("Reference"), self.tr("Result"))
            overlay.paint_label(painter, QPointF(), other, self.font())
            left = self._panes()[-1].x() / self.devicePixelRatioF()
            overlay.paint_label(
                painter, QPointF(left, 0), own, self.font(), self.width() if self.wiping else None
            )
        if self.image is not None and self.is_preview:
            corner = area.topLeft()
            if self.comparing:
                corner.setY(corner.y() + overlay.LABEL_HEIGHT + t.SPACE_1)
                corner.setX(self._panes()[-1].x() / self.devicePixelRatioF())
            overlay.paint_label(painter, corner, self.tr("Rough preview"), self.font())
        if self.message is not None:
            if self.image is None:
                overlay.paint_message(painter, area, self.message, self.font(), self.bare)
            else:
                overlay.paint_banner(painter, area, self.message, self.font())
        elif self._waiting is not None:
            overlay.paint_waiting(painter, area, self._waiting, self.font())

    def _panes(self) -> list[QRectF]:
        """Where pictures go, in device pixels: the result is in the last one."""
        ratio = self.devicePixelRatioF()
        width, height = round(self.width() * ratio), round(self.height() * ratio)
        if not self.comparing or self.wiping:
            return [QRectF(0, 0, width, height)]
        gap = round(t.SPACE_1 * ratio)
        half = (width - gap) // 2
        return [QRectF(0, 0, half, height), QRectF(width - half, 0, half, height)]

    # Mouse

    def resizeEvent(self, event: QResizeEvent) -> None:
        if (shape := self._drawn_as()) is not None:
            self._view.keep_inside(shape, self._panes()[-1])
        super().resizeEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        turned, shape = event.angleDelta().y(), self._drawn_as()
        if shape is None or turned == 0:
            event.ignore()
            return
        point, pane = self._pane_at(event.position())
        zoom = self.shown_scale * _WHEEL_STEP ** (turned / _NOTCH)
        self._view.zoom_at(point, zoom, shape, pane)
        self._zoomed()

    def _pane_at(self, position: QPointF) -> tuple[QPointF, QRectF]:
        point = position * self.devicePixelRatioF()
        panes = self._panes()
        return point, next((pane for pane in panes if pane.contains(point)), panes[-1])

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self.image is not None:
            self.set_message(None)  # it hides a part of the picture
        if event.button() is not Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        if self._on_line(event.position()):
            self._line_dragged = True
            return
        self._pressed_at = event.position()
        if self._view.zoom is not None:
            self._dragged_from = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        shape = self._drawn_as()
        if self._line_dragged:
            self.move_line(event.position().x() / max(1, self.width()) - self._line)
            return
        if self._dragged_from is None or shape is None:
            if self.wiping and not event.buttons():
                self.show_cursor()
                if self._on_line(event.position()):
                    self.setCursor(Qt.CursorShape.SplitHCursor)
            super().mouseMoveEvent(event)
            return
        by = (event.position() - self._dragged_from) * self.devicePixelRatioF()
        self._dragged_from = event.position()
        self._view.pan(by, shape, self._panes()[-1])
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._line_dragged = False
        if self._dragged_from is not None:
            self._dragged_from = None
            self.show_cursor()
        pressed, self._pressed_at = self._pressed_at, None
        if pressed is None or event.button() is not Qt.MouseButton.LeftButton:
            super().mouseReleaseEvent(event)
            return
        moved = (event.position() - pressed).manhattanLength()
        if self.image is not None and moved < QApplication.startDragDistance():
            self.clicked.emit()

    def _on_line(self, point: QPointF) -> bool:
        return self.wiping and abs(point.x() - self.line_x) <= overlay.GRIP

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton and self.image is not None:
            self.double_clicked.emit()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu_wanted.emit(event.globalPos())
