"""Where everything is that the program keeps, how much it is, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QPushButton, QWidget

from magi_desktop import background
from magi_desktop.belongings import Belonging, sizes
from magi_desktop.state.model_words import size_text
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import flowing_label, line_label, push_button, text_label
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, vbox


class PlacesDialog(Sheet):
    """A row for every kind of thing, with its folders, its size and a way there.

    Args:
        kept: see ``belongings``.
        open_folder: shows a folder in the file manager.
    """

    def __init__(
        self,
        kept: dict[Belonging, tuple[Path, ...]],
        open_folder: Callable[[Path], None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Where things are kept"))
        self.setMinimumWidth(640)
        self._open_folder = open_folder
        self.sizes: dict[Belonging, QLabel] = {}
        self.open_buttons: dict[Belonging, QPushButton] = {}
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(t.SPACE_4)
        self._grid.setVerticalSpacing(t.SPACE_1)
        self._grid.setColumnStretch(0, 1)
        for kind, paths in kept.items():
            self._add(kind, paths)
        close = push_button(self.tr("Close"), self.tr("Close this sheet."), self)
        close.clicked.connect(self.accept)
        vbox(self, t.SPACE_4, SHEET_MARGINS).add(
            text_label(self.windowTitle(), "title", self),
            self._grid,
            (close, 0, Qt.AlignmentFlag.AlignRight),
        )
        close.setFocus()
        background.run(sizes, kept, then=self._show_sizes, owner=self)

    def _add(self, kind: Belonging, paths: tuple[Path, ...]) -> None:
        title, meaning = self._words(kind)
        row = self._grid.rowCount()
        name = QLabel(title, self)
        self.sizes[kind] = line_label("…", "muted", self)
        self._grid.addWidget(name, row, 0)
        self._grid.addWidget(self.sizes[kind], row, 1, Qt.AlignmentFlag.AlignRight)
        open_button = self.open_buttons[kind] = push_button(
            self.tr("Open"), self.tr("Shows it in the file manager."), self
        )
        open_button.setAccessibleName(self.tr("Open: {}").format(title))
        open_button.clicked.connect(partial(self._open_folder, paths[0]))
        self._grid.addWidget(open_button, row, 2, 2, 1, Qt.AlignmentFlag.AlignVCenter)
        lines = flowing_label("\n".join([meaning, *map(str, paths)]), "caption", self)
        lines.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._grid.addWidget(lines, row + 1, 0, 1, 2)
        self._grid.setRowMinimumHeight(row + 2, t.SPACE_2)

    def _show_sizes(self, found: dict[Belonging, int]) -> None:
        for kind, size in found.items():
            self.sizes[kind].setText(size_text(size) if size else self.tr("nothing yet"))

    def _words(self, kind: Belonging) -> tuple[str, str]:
        """Its name, and what becomes of it when the program is removed."""
        asked = self.tr("Stays when Magi Desktop is removed, unless you say otherwise.")
        goes = self.tr("Goes when Magi Desktop is removed.")
        return {
            Belonging.VIDEOS: (self.tr("Videos"), asked),
            Belonging.TAKES: (self.tr("For redoing and extending videos"), asked),
            Belonging.MODELS: (self.tr("Models"), asked),
            Belonging.SETTINGS: (self.tr("Settings"), asked),
            Belonging.LIBRARY: (self.tr("Queue, library and pasted pictures"), asked),
            Belonging.PROGRAM: (self.tr("What the set-up has installed"), goes),
            Belonging.CACHE: (self.tr("What can be made again"), goes),
            Belonging.LOGS: (self.tr("Logs"), goes),
        }[kind]
