"""The reference as it will be fitted into the video, with a crop frame to drag."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from magi_desktop.panels.crop_geometry import Corner, CropGeometry
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import theme
from magi_engine.media.fit import CropBox, FitPolicy

_MOST_HEIGHT, _LEAST_HEIGHT = 220, 72
_MARGIN = 5
"""Around the picture, so that the grips at its corners are whole."""
_GRIP = 14
"""How near to a corner a press takes hold of it."""
_SHADE = QColor(10, 11, 16, 150)
_STEP, _LONG_STEP, _ZOOM = 0.01, 0.1, 1.05
_MOVES = {
    Qt.Key.Key_Left: (-1, 0),
    Qt.Key.Key_Right: (1, 0),
    Qt.Key.Key_Up: (0, -1),
    Qt.Key.Key_Down: (0, 1),
}


class CropView(QWidget):
    """Shows the picture cropped, with bars, or stretched. The frame moves and resizes by mouse and
    keyboard (arrows, with Shift further; + and -; Home for the usual frame).

    Signals:
        crop_changed: the ``CropBox`` chosen, or None for the usual one.
    """

    crop_changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Part of the picture that is used"))
        self._picture = QPixmap()
        self._size = (1.0, 1.0)
        self._target = (1, 1)
        self._fit = FitPolicy.CROP
        self._crop: CropBox | None = None
        self._held: Corner | None = None
        self._grabbed_at: QPointF | None = None
        """Where a drag began, in pixels of the picture."""
        self._start = CropBox(0, 0, 1, 1)
        self._tell()
        theme().changed.connect(self.update)

    @property
    def geometry_(self) -> CropGeometry:
        """The picture and the shape of the frame."""
        return CropGeometry(*self._size, self._target[0] / self._target[1])

    @property
    def frame(self) -> CropBox:
        """The frame as it is shown."""
        return self.geometry_.adopt(self._crop)

    def set_picture(self, picture: QImage, width: float, height: float) -> None:
        """Show a picture, which stands for one of ``width`` x ``height`` pixels."""
        self._picture = QPixmap.fromImage(picture)
        self._size = (width, height)
        self._changed()

    def set_target(self, width: int, height: int) -> None:
        self._target = (width, height)
        self._changed()

    def set_fit(self, fit: FitPolicy) -> None:
        """Set what happens where picture and video differ in shape."""
        self._fit = fit
        self._changed()

    def set_crop(self, crop: CropBox | None) -> None:
        """Set the part that is used; None is the usual one."""
        self._crop = crop
        self._changed()

    # Size.

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        across, down = self._shown_shape
        height = (width - 2 * _MARGIN) * down / across + 2 * _MARGIN
        return round(min(max(height, _LEAST_HEIGHT), _MOST_HEIGHT))

    def sizeHint(self) -> QSize:
        return QSize(300, self.heightForWidth(300))

    def minimumSizeHint(self) -> QSize:
        return QSize(120, _LEAST_HEIGHT)

    @property
    def _shown_shape(self) -> tuple[float, float]:
        """The whole picture while it is cropped; else the video's picture."""
        return self._size if self._fit is FitPolicy.CROP else self._target

    @property
    def _canvas(self) -> QRectF:
        """Where that lies in the widget."""
        across, down = self._shown_shape
        room = self.rect().adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        scale = min(room.width() / across, room.height() / down)
        place = QRectF(0, 0, max(1.0, across * scale), max(1.0, down * scale))
        place.moveCenter(QRectF(self.rect()).center())
        return place

    def _changed(self) -> None:
        cropping = self._fit is FitPolicy.CROP
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if cropping else Qt.FocusPolicy.NoFocus)
        if not cropping:
            self.unsetCursor()
        self._tell()
        self.updateGeometry()
        self.update()

    def _tell(self) -> None:
        if self._fit is FitPolicy.CROP:
            text = self.tr("Drag the frame to choose what is used; drag a corner to resize it.")
        elif self._fit is FitPolicy.PAD:
            text = self.tr("The whole picture is used, with black bars where it has none.")
        else:
            text = self.tr("The whole picture is used, distorted to the shape of the video.")
        self.setToolTip(text)
        self.setAccessibleDescription(text)

    # Painting.

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        canvas = self._canvas
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme().tokens.canvas))
        painter.drawRoundedRect(self.rect(), t.RADIUS_S, t.RADIUS_S)
        if self._picture.isNull():
            return
        everything = QRectF(self._picture.rect())
        if self._fit is FitPolicy.CROP:
            painter.drawPixmap(canvas, self._picture, everything)
            self._paint_frame(painter, canvas)
            return
        part = self._part_of_picture()
        place = canvas
        if self._fit is FitPolicy.PAD:
            painter.fillRect(canvas, QColor("black"))
            across, down = self._size if self._crop is None else _extent(self._crop)
            scale = min(canvas.width() / across, canvas.height() / down)
            place = QRectF(0, 0, across * scale, down * scale)
            place.moveCenter(canvas.center())
        painter.drawPixmap(place, self._picture, part)

    def _part_of_picture(self) -> QRectF:
        """What is used, in pixels of the small picture."""
        if self._crop is None:
            return QRectF(self._picture.rect())
        across = self._picture.width() / self._size[0]
        down = self._picture.height() / self._size[1]
        box = self._crop
        return QRectF(box.left * across, box.top * down, box.width * across, box.height * down)

    def _paint_frame(self, painter: QPainter, canvas: QRectF) -> None:
        frame = self._to_widget(self.frame)
        for shaded in _around(canvas, frame):
            painter.fillRect(shaded, _SHADE)
        line = frame.adjusted(1, 1, -1, -1)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self.hasFocus() or self._grabbed_at is not None:
            painter.setPen(QPen(QColor(255, 255, 255, 90), 1))
            for third in (1 / 3, 2 / 3):
                x = line.left() + line.width() * third
                y = line.top() + line.height() * third
                painter.drawLine(QPointF(x, line.top()), QPointF(x, line.bottom()))
                painter.drawLine(QPointF(line.left(), y), QPointF(line.right(), y))
        painter.setPen(QPen(QColor(0, 0, 0, 150), 3))
        painter.drawRect(line)
        painter.setPen(QPen(QColor("white"), 1))
        painter.drawRect(line)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        fill = theme().tokens.accent if self.hasFocus() else "#ffffff"
        painter.setBrush(QColor(fill))
        painter.setPen(QPen(QColor("white" if self.hasFocus() else "#3a4050"), 1.5))
        for corner in Corner:
            painter.drawEllipse(_corner_point(line, corner), 4, 4)

    # Mouse and keyboard.

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if self._fit is not FitPolicy.CROP or event.button() is not Qt.MouseButton.LeftButton:
            super().mousePressEvent(event)
            return
        self._held = self._corner_at(event.position())
        if self._held or self._to_widget(self.frame).contains(event.position()):
            self._start = self.frame
            self._grabbed_at = self._to_picture(event.position())
            self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._fit is not FitPolicy.CROP:
            return
        if self._grabbed_at is None:
            self._show_cursor(event.position())
            return
        here = self._to_picture(event.position())
        if self._held is None:
            way = here - self._grabbed_at
            self._choose(self.geometry_.moved(self._start, way.x(), way.y()))
        else:
            self._choose(self.geometry_.dragged(self._start, self._held, here.x(), here.y()))

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._grabbed_at, self._held = None, None
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._fit is FitPolicy.CROP and event.button() is Qt.MouseButton.LeftButton:
            self._choose(self.geometry_.largest)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key, geometry, frame = Qt.Key(event.key()), self.geometry_, self.frame
        if self._fit is not FitPolicy.CROP:
            super().keyPressEvent(event)
        elif key in _MOVES:
            across, down = _MOVES[key]
            far = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            step = (_LONG_STEP if far else _STEP) * max(self._size)
            self._choose(geometry.moved(frame, across * step, down * step))
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._choose(geometry.scaled(frame, _ZOOM))
        elif key is Qt.Key.Key_Minus:
            self._choose(geometry.scaled(frame, 1 / _ZOOM))
        elif key is Qt.Key.Key_Home:
            self._choose(geometry.largest)
        else:
            super().keyPressEvent(event)

    @Slot()
    def reset(self) -> None:
        self._choose(self.geometry_.largest)

    def _choose(self, frame: CropBox) -> None:
        crop = None if frame == self.geometry_.largest else frame
        if crop != self._crop:
            self._crop = crop
            self.update()
            self.crop_changed.emit(crop)

    def _show_cursor(self, point: QPointF) -> None:
        corner = self._corner_at(point)
        if corner in (Corner.TOP_LEFT, Corner.BOTTOM_RIGHT):
            self.setCursor(Qt.CursorShape.SizeFDiagCursor)
        elif corner is not None:
            self.setCursor(Qt.CursorShape.SizeBDiagCursor)
        elif self._to_widget(self.frame).contains(point):
            self.setCursor(Qt.CursorShape.SizeAllCursor)
        else:
            self.unsetCursor()

    def _corner_at(self, point: QPointF) -> Corner | None:
        frame = self._to_widget(self.frame)
        for corner in Corner:
            if (_corner_point(frame, corner) - point).manhattanLength() <= _GRIP:
                return corner
        return None

    # Between the picture's pixels and the widget's.

    def _to_widget(self, box: CropBox) -> QRectF:
        canvas = self._canvas
        scale = canvas.width() / self._size[0]
        left, top = canvas.left() + box.left * scale, canvas.top() + box.top * scale
        return QRectF(left, top, box.width * scale, box.height * scale)

    def _to_picture(self, point: QPointF) -> QPointF:
        canvas = self._canvas
        return (point - canvas.topLeft()) * (self._size[0] / canvas.width())


def _extent(box: CropBox) -> tuple[float, float]:
    return box.width, box.height


def _corner_point(frame: QRectF, corner: Corner) -> QPointF:
    right, bottom = corner.value
    return QPointF(
        frame.right() if right else frame.left(), frame.bottom() if bottom else frame.top()
    )


def _around(outer: QRectF, inner: QRectF) -> list[QRectF]:
    """The four rectangles of ``outer`` that ``inner`` leaves."""
    return [
        QRectF(outer.topLeft(), QPointF(outer.right(), inner.top())),
        QRectF(QPointF(outer.left(), inner.bottom()), outer.bottomRight()),
        QRectF(QPointF(outer.left(), inner.top()), inner.bottomLeft()),
        QRectF(inner.topRight(), QPointF(outer.right(), inner.bottom())),
    ]
