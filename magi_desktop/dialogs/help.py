"""The help sheet: every shortcut there is, from the window's own actions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QGridLayout,
    QLineEdit,
    QScrollArea,
    QWidget,
)

from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import line_label, name_control, text_label
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.gradual import Gradually
from magi_desktop.widgets.layout import STRETCH, Box, hbox, vbox


class HelpSheet(Sheet):
    """Shortcuts in two columns, with a search.

    Args:
        groups: actions by heading, as ``Menus.groups`` has them; actions without a shortcut are
            left out.
    """

    def __init__(
        self, groups: Mapping[str, Iterable[QAction]], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Shortcuts"))
        self.resize(680, 560)
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(self.tr("Search"))
        self.search.setClearButtonEnabled(True)
        name_control(
            self.search,
            self.tr("Search the shortcuts"),
            self.tr("Shows only what has these letters in its name or keys."),
        )
        self.search.textChanged.connect(self._filter)
        self.nothing = text_label(self.tr("No shortcut is called that."), "muted", self)
        self.nothing.hide()
        self.groups: list[_Group] = []
        inner = QWidget(self)
        columns = hbox(inner, t.SPACE_6, (0, 0, t.SPACE_3, 0))
        with_keys = {
            name: [a for a in actions if a.shortcuts() and not a.isSeparator()]
            for name, actions in groups.items()
        }
        self._to_come: list[tuple[Box, str, list[QAction]]] = []
        """What is not made yet, of so many small parts: in which column, under which heading."""
        for members in _balanced([group for group in with_keys.items() if group[1]]):
            column = vbox(spacing=t.SPACE_5)
            columns.add((vbox().add(column, STRETCH), 1))
            self._to_come += [(column, name, actions) for name, actions in members]
        if self._to_come:
            Gradually(self._add_next, self).start()
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setWidget(inner)
        vbox(self, t.SPACE_4, (t.SPACE_5, t.SPACE_5, t.SPACE_3, t.SPACE_5)).add(
            hbox(margins=(0, 0, t.SPACE_3, 0)).add(
                (text_label(self.tr("Shortcuts"), "title", self), 1), (self.search, 1)
            ),
            self.nothing,
            (scroll, 1),
        )
        self.search.setFocus()

    def _add_next(self) -> bool:
        column, name, actions = self._to_come.pop(0)
        self.groups.append(_Group(name, actions, self))
        column.add(self.groups[-1])
        if not self._to_come:
            self._filter(self.search.text())
        return bool(self._to_come)

    @Slot(str)
    def _filter(self, text: str) -> None:
        shown = [group.filter(text.strip().casefold()) for group in self.groups]
        self.nothing.setVisible(not any(shown) and not self._to_come)


class _Group(QWidget):
    def __init__(self, name: str, actions: list[QAction], parent: QWidget) -> None:
        super().__init__(parent)
        self.lines: list[_Line] = []
        column = QGridLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setVerticalSpacing(t.SPACE_2)
        column.setColumnStretch(0, 1)
        column.addWidget(text_label(name, "heading", self), 0, 0, 1, 2)
        corner = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
        for action in actions:
            line = _Line(action, self)
            row = column.rowCount()
            column.addWidget(line.name, row, 0, Qt.AlignmentFlag.AlignTop)
            column.addWidget(line.keys, row, 1, corner)
            self.lines.append(line)

    def filter(self, text: str) -> bool:
        """Show only what matches; whether anything does."""
        matches = [line.filter(text) for line in self.lines]
        self.setVisible(any(matches))
        return any(matches)


class _Line:
    """One action: its name, and its keys as key caps."""

    def __init__(self, action: QAction, parent: QWidget) -> None:
        plain = action.iconText()  # its name: without mnemonic and dots, whatever its text says now
        shortcuts = [
            sequence.toString(QKeySequence.SequenceFormat.NativeText)
            for sequence in action.shortcuts()
        ]
        self.text = f"{plain} {' '.join(shortcuts)}".casefold()
        self.name = text_label(plain, "", parent)
        self.keys = QWidget(parent)
        self.keys.setAccessibleName(", ".join(shortcuts))
        hbox(self.keys, t.SPACE_1).add(*(line_label(s, "key", self.keys) for s in shortcuts))

    def filter(self, text: str) -> bool:
        """Show the line if it has ``text`` in it; whether it has."""
        matches = text in self.text
        self.name.setVisible(matches)
        self.keys.setVisible(matches)
        return matches


_Heading = tuple[str, list[QAction]]


def _balanced(groups: list[_Heading]) -> tuple[list[_Heading], list[_Heading]]:
    """Two columns of about the same height, the order kept."""
    heights = [len(actions) + 2 for _, actions in groups]
    split = min(
        range(len(groups) + 1),
        key=lambda at: abs(sum(heights[:at]) - sum(heights[at:])),
        default=0,
    )
    return groups[:split], groups[split:]
