"""An error that deserves more than a line in the window."""

from __future__ import annotations

import traceback

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from magi_desktop.dialogs.parts import CopyButton, push_button, text_label
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_engine.errors import MagiError

_ICON_SIZE = 32


class ErrorDialog(QDialog):
    """One sentence, one thing to do, and the details for whoever can use them."""

    def __init__(self, error: MagiError, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._error = error
        self.setWindowTitle(self.tr("Something went wrong"))
        self.setMinimumWidth(420)
        self._symbol = QLabel(self)
        self.message = text_label(error.message, "heading", self)
        self.hint = text_label(error.hint, "muted", self)
        self.hint.setVisible(bool(error.hint))
        for label in (self.message, self.hint):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.copy_button = CopyButton(
            self.tr("Copy details"),
            self.tr("Put the technical cause on the clipboard."),
            self,
        )
        self.copy_button.clicked.connect(self._copy)
        self.close_button = push_button(
            self.tr("Close"), self.tr("Close this message."), self, kind="primary"
        )
        self.close_button.setDefault(True)
        self.close_button.clicked.connect(self.accept)
        words = QVBoxLayout()
        words.setSpacing(t.SPACE_2)
        words.addWidget(self.message)
        words.addWidget(self.hint)
        head = QHBoxLayout()
        head.setSpacing(t.SPACE_4)
        head.addWidget(self._symbol, 0, Qt.AlignmentFlag.AlignTop)
        head.addLayout(words, 1)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy_button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(t.SPACE_5, t.SPACE_5, t.SPACE_5, t.SPACE_4)
        column.setSpacing(t.SPACE_5)
        column.addLayout(head)
        column.addStretch(1)
        column.addLayout(buttons)
        theme().changed.connect(self._draw_icon)
        self._draw_icon()
        self.close_button.setFocus()

    @property
    def details(self) -> str:
        """The error with everything that led to it."""
        return "".join(traceback.format_exception(self._error))

    @Slot()
    def _copy(self) -> None:
        self.copy_button.copy(self.details)

    @Slot()
    def _draw_icon(self) -> None:
        drawn = icon("error", theme().tokens.error)
        self._symbol.setPixmap(drawn.pixmap(_ICON_SIZE, _ICON_SIZE))


def show_error(parent: QWidget, error: MagiError) -> ErrorDialog:
    """Show an error without blocking anything; the dialog deletes itself when closed."""
    dialog = ErrorDialog(error, parent)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.show()
    return dialog
