"""A part of a panel that opens and closes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QToolButton, QWidget

from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.widgets.controls import name_control
from magi_desktop.widgets.layout import follow, vbox


class Section(QWidget):
    """A heading that opens and closes what is below it; closed at first.

    Args:
        make: makes what is below, when it is opened for the first time.

    Signals:
        toggled: whether it is open now.
    """

    toggled = Signal(bool)

    def __init__(
        self, title: str, hint: str, make: Callable[[], QWidget], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._make = make
        self.is_open = False
        self.button = QToolButton(self)
        self.button.setText(title)
        self.button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.setProperty("kind", "section")
        name_control(self.button, title.replace("&", ""), hint)
        self.button.clicked.connect(self._clicked)
        self._column = vbox(self, t.SPACE_3).add(self.button)
        self._point()

    @cached_property
    def body(self) -> QWidget:
        """What is below the heading."""
        body = self._make()
        body.setVisible(self.is_open)
        self._column.add(body)
        follow(self.button, body)
        return body

    def set_open(self, is_open: bool) -> None:
        """Show or hide what is below."""
        if is_open != self.is_open:
            self.is_open = is_open
            self.body.setVisible(is_open)
            self._point()
            self.toggled.emit(is_open)

    def _point(self) -> None:
        bind_icon(self.button, "chevron-down" if self.is_open else "chevron-right", "text_muted")

    @Slot()
    def _clicked(self) -> None:
        self.set_open(not self.is_open)
