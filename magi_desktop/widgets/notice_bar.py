"""One sentence in the window with, at most, one thing to do: errors, hints, undo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import shiboken6
from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import icon_button, line_label
from magi_desktop.widgets.layout import hbox

UNDO = "undo"
"""What an offer to undo is about."""
UNDO_MS = 8000
"""How long something can be undone."""


class Tone(Enum):
    """How serious a notice is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


_COLOURS = {Tone.INFO: "accent_text", Tone.WARNING: "warning", Tone.ERROR: "error"}


@dataclass(frozen=True)
class _Notice:
    text: str
    tone: Tone
    action: tuple[str, Callable[[], None]] | None = None
    on_hide: Callable[[], None] | None = None
    for_ms: int | None = None
    about: str = ""


class NoticeBar(QFrame):
    """Hidden until it has something to say.

    A new notice covers the one before. What is said about a cause stands until that is no more:
    it is shown again when what covered it is gone.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._said: list[_Notice] = []
        """The last one is shown, the others are covered by it."""
        self._symbol = QLabel(self)
        self._text = line_label("", "", self)
        self._text.setWordWrap(True)
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._button = QPushButton(self)
        self._button.setProperty("kind", "quiet")
        self._button.clicked.connect(self._act)
        self._came_from: QWidget | None = None
        """What had the focus before this bar's buttons."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._focus_moved)
        self._close = icon_button(
            "close", self.tr("Hide this message"), self.tr("Hide this message."), self
        )
        self._close.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._close.clicked.connect(self.dismiss)
        hbox(self, t.SPACE_2, (t.SPACE_3, t.SPACE_1, t.SPACE_1, t.SPACE_1)).add(
            self._symbol, (self._text, 1), self._button, self._close
        )
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.dismiss)
        bind_icon(self._close, "close", "text_muted")
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
            on_hide: called when this notice is dismissed or withdrawn, not when it is covered.
            for_ms: hide again after this time; None: until dismissed.
            about: name of its cause, for ``withdraw``; what was said about it before is replaced.
        """
        self._said = [n for n in self._said if n.about and n.about != about]
        self._said.append(_Notice(text, tone, action, on_hide, for_ms, about))
        self._show()

    def say_error(self, error: Exception) -> None:
        """Show an error: what is wrong and what to do."""
        self.say(translated(error), Tone.ERROR)

    def offer_undo(self, text: str, undo: Callable[[], None], about: str = UNDO) -> None:
        """Say what was done, with a button to undo it for a while."""
        self.say(text, action=(self.tr("Undo"), undo), for_ms=UNDO_MS, about=about)

    def withdraw(self, about: str) -> None:
        """Take back what is said about a cause that is no more."""
        for notice in [n for n in self._said if n.about == about]:
            self._drop(notice)

    @Slot()
    def dismiss(self) -> None:
        if self._said:
            self._drop(self._said[-1])

    def _drop(self, notice: _Notice) -> None:
        self._said.remove(notice)
        self._show()
        if notice.on_hide is not None:
            notice.on_hide()

    def _show(self) -> None:
        self._timer.stop()
        if not self._said:
            self._give_focus_back()
            self.hide()
            return
        notice = self._said[-1]
        self._text.setText(notice.text)
        self._button.setVisible(notice.action is not None)
        if notice.action is not None:
            self._button.setText(notice.action[0])
            self._button.setToolTip(notice.text)
        if notice.for_ms is not None:
            self._timer.start(notice.for_ms)
        bind_icon(self._symbol, notice.tone.value, _COLOURS[notice.tone])
        self.setAccessibleName(notice.text)
        self.show()

    @Slot(QWidget, QWidget)
    def _focus_moved(self, old: QWidget | None, now: QWidget | None) -> None:
        if now is not None and self.isAncestorOf(now) and not (old and self.isAncestorOf(old)):
            self._came_from = old

    def _give_focus_back(self) -> None:
        """Before the buttons vanish: else the focus goes wherever the order of Tab leads."""
        focus = self.focusWidget()
        if focus is not None and focus.hasFocus():
            before = self._came_from
            if before is not None and shiboken6.isValid(before) and before.isVisible():
                before.setFocus()

    @Slot()
    def _act(self) -> None:
        action = self._said[-1].action if self._said else None  # its time may just have ended
        self.dismiss()
        if action is not None:
            action[1]()
