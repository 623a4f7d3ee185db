"""Dialogs that ask for a file or a folder; to be opened by whoever has them made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget


def file_dialog(
    parent: QWidget, title: str, then: Callable[[Path], object], folder: Path | str = ""
) -> QFileDialog:
    """Hands a file that exists to ``then``; begins in ``folder``."""
    dialog = QFileDialog(parent, title, str(folder))
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: then(Path(name)))
    return dialog


def folder_dialog(
    parent: QWidget, title: str, then: Callable[[Path], object], folder: Path | str = ""
) -> QFileDialog:
    """The same for a folder."""
    dialog = file_dialog(parent, title, then, folder)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    return dialog
