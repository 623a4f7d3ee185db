"""One sentence in the window with, at most, one thing to do: errors, hints, undo."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)

from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import plain_label

UNDO_MS = 8000
"""How long something can be undone."""


class Tone(Enum):
    """How serious a notice is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class NoticeBar(QFrame):
    """Hidden until it has something to say; a new notice replaces the one before."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._tone = Tone.INFO
        self._action: Callable[[], None] | None = None
        self._on_hide: Callable[[], None] | None = None
        self._about = ""
        self._symbol = QLabel(self)
        self._text = plain_label("", self)
        self._text.setWordWrap(True)
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._button = QPushButton(self)
        self._button.setProperty("kind", "quiet")
        self._button.clicked.connect(self._act)
        self._close = QToolButton(self)
        self._close.setProperty("kind", "icon")
        self._close.setToolTip(self.tr("Hide this message."))
        self._close.setAccessibleName(self.tr("Hide this message"))
        self._close.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(t.SPACE_3, t.SPACE_1, t.SPACE_1, t.SPACE_1)
        row.setSpacing(t.SPACE_2)
        row.addWidget(self._symbol)
        row.addWidget(self._text, 1)
        row.addWidget(self._button)
        row.addWidget(self._close)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.dismiss)
        theme().changed.connect(self._draw_icons)
        self._draw_icons()
        self.hide()

    @property
    def text(self) -> str:
        """What it says now; empty while hidden."""
        return "" if self.isHidden() else self._text.text()

    def say(
        self,
        text: str,
        tone: Tone = Tone.INFO,
        *,
        action: tuple[str, Callable[[], None]] | None = None,
        on_hide: Callable[[], None] | None = None,
        for_ms: int | None = None,
        about: str = "",
    ) -> None:
        """Show a sentence.

        Args:
            action: label of a button and what it does.
            on_hide: called when this notice is hidden, not when another one replaces it.
            for_ms: hide again after this time; None: until dismissed.
            about: name of its cause, for ``withdraw``.
        """
        self._tone = tone
        self._text.setText(text)
        self._action = None if action is None else action[1]
        self._on_hide, self._about = on_hide, about
        self._button.setVisible(action is not None)
        if action is not None:
            self._button.setText(action[0])
            self._button.setToolTip(text)
        self._timer.stop()
        if for_ms is not None:
            self._timer.start(for_ms)
        self._draw_icons()
        self.setAccessibleName(text)
        self.show()

    def say_error(self, error: Exception) -> None:
        """Show an error: what is wrong and what to do."""
        self.say(translated(error), Tone.ERROR)

    def offer_undo(self, text: str, undo: Callable[[], None]) -> None:
        """Say what was done, with a button to undo it for a while."""
        self.say(text, action=(self.tr("Undo"), undo), for_ms=UNDO_MS)

    def withdraw(self, about: str) -> None:
        """Hide what is said about a cause that is no more."""
        if about == self._about:
            self.dismiss()

    @Slot()
    def dismiss(self) -> None:
        """Hide."""
        self._timer.stop()
        self._action, self._about = None, ""
        self.hide()
        on_hide, self._on_hide = self._on_hide, None
        if on_hide is not None:
            on_hide()

    @Slot()
    def _act(self) -> None:
        action = self._action
        self.dismiss()
        if action is not None:
            action()

    @Slot()
    def _draw_icons(self) -> None:
        k = theme().tokens
        colour = {Tone.INFO: k.accent_text, Tone.WARNING: k.warning, Tone.ERROR: k.error}
        symbol = icon(self._tone.value, colour[self._tone])
        self._symbol.setPixmap(symbol.pixmap(18, 18))
        self._close.setIcon(icon("close", k.text_muted))
