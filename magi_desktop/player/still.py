"""One frame as a picture: to the clipboard or into a file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from magi_desktop import background
from magi_desktop.player.canvas import image_of
from magi_engine.media.fit import UInt8Array


class StillExport(QObject):
    """Copies and saves single frames ``(H, W, 3)``.

    Signals:
        saved: where a frame was saved.
        problem: a sentence about why one was not.
    """

    saved = Signal(Path)
    problem = Signal(str)

    def copy(self, frame: UInt8Array) -> None:
        """Put a frame on the clipboard."""
        QGuiApplication.clipboard().setImage(image_of(frame).copy())

    def ask(self, frame: UInt8Array, name: str, window: QWidget) -> None:
        """Let the user say where a frame is saved, and save it."""
        title, kind = self.tr("Save this frame"), self.tr("PNG picture (*.png)")
        chosen, _ = QFileDialog.getSaveFileName(window, title, name, kind)
        if chosen:
            self.save(frame, Path(chosen))

    def save(self, frame: UInt8Array, path: Path) -> None:
        """Write a PNG in the background; tells `saved` or `problem`."""
        if path.suffix.lower() != ".png":
            path = path.with_name(path.name + ".png")
        background.run(
            lambda: image_of(frame).save(str(path)),
            then=lambda done: self._written(path, done),
            owner=self,
        )

    def _written(self, path: Path, done: bool) -> None:
        if done:
            self.saved.emit(path)
        else:
            text = self.tr("{name} could not be written. Choose another folder.")
            self.problem.emit(text.format(name=path.name))
