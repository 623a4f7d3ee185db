"""The rough previews of the chunks in work, as a small moving picture."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from magi_engine.media.fit import UInt8Array


class PreviewLoop(QObject):
    """Plays the newest preview of the next chunk round and round.

    Signals:
        changed: `picture` is another one.
    """

    changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._turn)
        self._previews: dict[int, UInt8Array] = {}
        self._index = 0

    def clear(self) -> None:
        """A new video, or none."""
        self._previews.clear()
        self._timer.stop()

    def take(self, chunk: int, frames: UInt8Array, duration_s: float) -> None:
        """A new preview ``(t, h, w, 3)`` of a chunk that lasts so long."""
        self._previews[chunk] = frames
        self._timer.setInterval(round(duration_s * 1000 / len(frames)))
        if not self._timer.isActive():
            self._timer.start()
        self.changed.emit()

    def chunk_done(self) -> None:
        """The earliest chunk in work has become real frames."""
        if self._previews:
            del self._previews[min(self._previews)]
        if not self._previews:
            self._timer.stop()

    @property
    def picture(self) -> UInt8Array | None:
        """The frame ``(h, w, 3)`` to show now."""
        if not self._previews:
            return None
        frames = self._previews[min(self._previews)]
        return frames[self._index % len(frames)]

    @Slot()
    def _turn(self) -> None:
        self._index += 1
        self.changed.emit()
