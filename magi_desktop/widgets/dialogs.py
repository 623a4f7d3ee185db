"""Dialogs that ask for a file, a folder or a name; to be opened by whoever has them made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QInputDialog, QWidget

_NAME_WIDTH = 520


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


def text_dialog(
    parent: QWidget, title: str, label: str, text: str, then: Callable[[str], object]
) -> QInputDialog:
    """Hands what was typed to ``then``, if that is more than blanks; begins with ``text``."""
    dialog = QInputDialog(parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setWindowTitle(title)
    dialog.setLabelText(label)
    dialog.setTextValue(text)
    dialog.resize(_NAME_WIDTH, dialog.sizeHint().height())
    dialog.textValueSelected.connect(lambda typed: then(typed.strip()) if typed.strip() else None)
    return dialog
