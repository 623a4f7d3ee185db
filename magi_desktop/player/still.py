"""One frame as a picture: to the clipboard or into a file."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from magi_desktop import background
from magi_desktop.player.canvas import image_of
from magi_desktop.widgets.dialogs import file_dialog
from magi_engine.media.fit import UInt8Array
from magi_engine.media.targets import free_name


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
        dialog = file_dialog(window, self.tr("Save this frame"), partial(self.save, frame))
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilter(self.tr("PNG picture (*.png)"))
        dialog.setDefaultSuffix("png")  # it asks before it replaces that file
        dialog.selectFile(name)
        dialog.open()

    def save(self, frame: UInt8Array, path: Path) -> None:
        """Write a PNG in the background; tells `saved` or `problem`. What has another ending gets
        this one, too, and replaces nothing."""

        def write() -> tuple[Path, bool]:
            png = path.suffix.lower() == ".png"
            place = path if png else free_name(path.with_name(path.name + ".png"))
            return place, image_of(frame).save(str(place))

        background.run(write, then=self._written, owner=self)

    def _written(self, written: tuple[Path, bool]) -> None:
        path, well = written
        if well:
            self.saved.emit(path)
        else:
            text = self.tr("{name} could not be written. Choose another folder.")
            self.problem.emit(text.format(name=path.name))
