"""Small pictures of chunks, made in the background."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage

from magi_desktop import background
from magi_desktop.player.canvas import image_of
from magi_desktop.player.video_file import BlockReader, VideoFile
from magi_engine.media.fit import UInt8Array


class ThumbnailMaker(QObject):
    """Makes the pictures one after the other, from a frame at hand or from the file.

    Signals:
        made: number given with the order, and the picture.
    """

    made = Signal(int, QImage)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = background.Pool(self)
        self._tasks: list[background.Task[QImage | None]] = []

    def clear(self) -> None:
        """Forget all orders."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    def from_frame(self, number: int, frame: UInt8Array, size: QSize) -> None:
        """Shrink a frame ``(H, W, 3)`` until it fits into `size`."""
        self._order(number, lambda: shrink(frame, size))

    def from_file(self, number: int, file: VideoFile, index: int, size: QSize) -> None:
        """The same for a frame of a file; nothing is made where it cannot be read."""

        def read() -> QImage | None:
            frames = BlockReader(file).read(index, 1)
            return None if frames is None else shrink(frames[0], size)

        self._order(number, read)

    def _order(self, number: int, work: Callable[[], QImage | None]) -> None:
        def deliver(image: QImage | None) -> None:
            self._tasks.remove(task)
            if image is not None:
                self.made.emit(number, image)

        task = self._pool.run(work, then=deliver, failed=lambda _: deliver(None))
        self._tasks.append(task)


def shrink(frame: UInt8Array, size: QSize) -> QImage:
    """A frame ``(H, W, 3)``, small and in its own memory."""
    return image_of(frame).scaled(
        size,
        Qt.AspectRatioMode.KeepAspectRatio,
        Qt.TransformationMode.SmoothTransformation,
    )
