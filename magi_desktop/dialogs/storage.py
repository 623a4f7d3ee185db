"""What models and things made from them take up on the disk, and giving it back."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Slot
from PySide6.QtWidgets import QFrame, QLabel, QWidget

from magi_desktop.state.model_words import size_text
from magi_desktop.state.models import Models
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import (
    flowing_label,
    line_label,
    push_button,
    scroll_area,
    set_role,
    text_label,
)
from magi_desktop.widgets.empty_state import EmptyState
from magi_desktop.widgets.layout import STRETCH, hbox, vbox
from magi_engine.install.status import CachedKind, CachedThing


class StoragePage(QWidget):
    """A row for everything that can be thrown away without losing a model."""

    def __init__(self, models: Models, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._models = models
        self.rows: list[_ThingRow] = []
        self.total = text_label("", "muted", self)
        self.empty = EmptyState(
            "folder", self.tr("Nothing is stored besides the models themselves."), self
        )
        inner = QWidget(self)
        self._list = vbox(spacing=t.SPACE_2)
        vbox(inner, margins=(0, 0, t.SPACE_2, 0)).add(self._list, STRETCH)
        self._scroll = scroll_area(inner, self)
        vbox(self, t.SPACE_3, (0, t.SPACE_3, 0, 0)).add(
            self.total, (self._scroll, 1), (self.empty, 1)
        )
        models.changed.connect(self._show)
        models.tasks.changed.connect(self._guard)
        self._show()

    @Slot()
    def _show(self) -> None:
        for row in self.rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        things = sorted(self._models.things, key=lambda thing: -thing.size_bytes)
        self.rows = [_ThingRow(thing, self) for thing in things]
        for row in self.rows:
            row.delete_button.clicked.connect(partial(self._models.delete, row.thing))
            self._list.addWidget(row)
        size = sum(thing.size_bytes for thing in things)
        said = self.tr("{} besides the models themselves; all of it can be had again.")
        if any(thing.kind is CachedKind.TAKES for thing in things):
            said = self.tr(
                "{} besides the models themselves; all but what videos are redone from can be had "
                "again."
            )
        self.total.setText(said.format(size_text(size)))
        self.total.setVisible(bool(things))
        self._scroll.setVisible(bool(things))
        self.empty.setVisible(not things)

        self._guard()

    @Slot()
    def _guard(self) -> None:
        """Nothing is pulled away from under a download."""
        busy = bool(self._models.tasks.items)
        for row in self.rows:
            unfinished = row.thing.kind is CachedKind.UNFINISHED_DOWNLOAD
            row.delete_button.setEnabled(not (busy and unfinished))


class _ThingRow(QFrame):
    def __init__(self, thing: CachedThing, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.thing = thing
        title = QLabel(translated(thing.title), self)
        title.setToolTip("\n".join(map(str, thing.paths)))
        size = line_label(size_text(thing.size_bytes), "muted", self)
        meaning = flowing_label(self._meaning(), "caption", self)
        if thing.kind is CachedKind.ORIGINAL_TEXT_ENCODER:
            set_role(meaning, "success")
        self.delete_button = push_button(
            self.tr("Delete"), self.tr("Moves it to the bin; that can be undone."), self
        )
        self.delete_button.setAccessibleName(self.tr("Delete: {}").format(title.text()))
        hbox(self, t.SPACE_3, (t.SPACE_4, t.SPACE_2, t.SPACE_3, t.SPACE_2)).add(
            (vbox(spacing=2).add(title, meaning), 1), size, self.delete_button
        )

    def _meaning(self) -> str:
        if self.thing.kind is CachedKind.SMALL_TEXT_ENCODER and not self.thing.can_be_remade:
            return self.tr("In use; without it the original has to be downloaded again.")
        return {
            CachedKind.QUANTISED_TRANSFORMER: self.tr("Made on this computer; can be made again."),
            CachedKind.SMALL_TEXT_ENCODER: self.tr("Used in place of the large original."),
            CachedKind.EMBEDDINGS: self.tr("Prompts that need not be encoded again."),
            CachedKind.COMPILED: self.tr(
                "Compiled on this computer; the next video compiles what it needs again."
            ),
            CachedKind.ORIGINAL_TEXT_ENCODER: self.tr(
                "No longer needed: the small text encoder does its work."
            ),
            CachedKind.TAKES: self.tr(
                "Needed to redo or extend videos without loss; the videos themselves stay."
            ),
            CachedKind.UNFINISHED_DOWNLOAD: self.tr(
                "Downloaded in part; without it the download begins anew."
            ),
        }[self.thing.kind]
