"""What is wrong with the settings, and what is merely unwise, as the engine says."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from magi_desktop.state.draft import Draft
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import text_label
from magi_desktop.widgets.layout import vbox
from magi_engine.errors import MagiError
from magi_engine.messages import Message

_ICON_SIZE = 16


class Checks(QWidget):
    """Shows what the draft's plan says of its settings; hidden if all is well."""

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft = draft
        self._lines: list[tuple[QLabel, QLabel, str]] = []
        self._rows = vbox(self, t.SPACE_2)
        draft.changed.connect(self._draft_changed)
        theme().changed.connect(self._draw_icons)
        self._refresh()

    @property
    def text(self) -> str:
        """All that is said, a line each."""
        return "\n".join(label.text() for _, label, _ in self._lines)

    def says(self, error: MagiError) -> bool:
        """Whether this error is shown here."""
        plan = self._draft.plan
        return isinstance(plan, MagiError) and translated(plan) == translated(error)

    @Slot(str)
    def _draft_changed(self, name: str) -> None:
        if name in ("plan", "base"):
            self._refresh()

    def _refresh(self) -> None:
        plan = self._draft.plan
        if isinstance(plan, MagiError):
            self._show([("error", translated(plan))])
            return
        notes = [] if plan is None else list(plan.notices)
        if kept := self._draft.kept:
            notes.append(
                Message("Also kept from the video these settings are from: {names}.", names=kept)
            )
        self._show([("warning", translated(note)) for note in notes])

    def _show(self, lines: list[tuple[str, str]]) -> None:
        while self._rows.count():
            item = self._rows.takeAt(0)
            row = None if item is None else item.widget()
            assert row is not None
            row.hide()
            row.deleteLater()
        self._lines = []
        for tone, sentence in lines:
            row = QWidget(self)
            symbol, label = QLabel(row), text_label("", tone, row)
            label.setText(sentence)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            across = QHBoxLayout(row)
            across.setContentsMargins(0, 0, 0, 0)
            across.setSpacing(t.SPACE_2)
            across.addWidget(symbol, 0, Qt.AlignmentFlag.AlignTop)
            across.addWidget(label, 1)
            self._rows.addWidget(row)
            self._lines.append((symbol, label, tone))
        self._draw_icons()
        self.setVisible(bool(lines))

    @Slot()
    def _draw_icons(self) -> None:
        for symbol, _, tone in self._lines:
            drawn = icon(tone, getattr(theme().tokens, tone))
            symbol.setPixmap(drawn.pixmap(_ICON_SIZE, _ICON_SIZE))
