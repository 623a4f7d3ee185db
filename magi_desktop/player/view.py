"""Where the picture lies in the widget: zoom and pan, without any drawing."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF, QSize

MOST_ZOOM = 16.0


class View:
    """Zoom and place of a picture in a pane. All lengths are device pixels.

    Attributes:
        zoom: device pixels per pixel of the picture; None fits the picture into the pane.
        centre: the point of the picture in the middle of the pane, 0 to 1 on both axes.
    """

    def __init__(self) -> None:
        self.zoom: float | None = None
        self.centre = QPointF(0.5, 0.5)

    def scale(self, picture: QSize, pane: QRectF) -> float:
        """Device pixels per pixel of the picture, as shown."""
        if self.zoom is not None:
            return self.zoom
        return min(pane.width() / picture.width(), pane.height() / picture.height())

    def target(self, picture: QSize, pane: QRectF) -> QRect:
        """Where the whole picture is drawn, parts outside of the pane included.

        On whole pixels, so that at 100 % one pixel of the picture is one of the screen.
        """
        scale = self.scale(picture, pane)
        width = max(1, round(picture.width() * scale))
        height = max(1, round(picture.height() * scale))
        left = pane.center().x() - self.centre.x() * width
        top = pane.center().y() - self.centre.y() * height
        return QRect(round(left), round(top), width, height)

    def zoom_at(self, point: QPointF, zoom: float, picture: QSize, pane: QRectF) -> None:
        """Zoom so that what is under `point` stays there."""
        before = self.target(picture, pane)
        across = (point.x() - before.x()) / before.width()
        down = (point.y() - before.y()) / before.height()
        least = min(1.0, View().scale(picture, pane))
        self.zoom = max(least, min(zoom, MOST_ZOOM))
        width, height = picture.width() * self.zoom, picture.height() * self.zoom
        middle = pane.center()
        self.centre = QPointF(
            across + (middle.x() - point.x()) / width, down + (middle.y() - point.y()) / height
        )
        self.keep_inside(picture, pane)

    def pan(self, by: QPointF, picture: QSize, pane: QRectF) -> None:
        target = self.target(picture, pane)
        self.centre -= QPointF(by.x() / target.width(), by.y() / target.height())
        self.keep_inside(picture, pane)

    def keep_inside(self, picture: QSize, pane: QRectF) -> None:
        """No empty border while the picture is larger than the pane; centred while smaller."""
        scale = self.scale(picture, pane)
        half_x = min(0.5, pane.width() / (picture.width() * scale) / 2)
        half_y = min(0.5, pane.height() / (picture.height() * scale) / 2)
        self.centre = QPointF(
            max(half_x, min(self.centre.x(), 1 - half_x)),
            max(half_y, min(self.centre.y(), 1 - half_y)),
        )
