"""Rows and columns of widgets, said in one expression."""

from __future__ import annotations

from enum import Enum
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QBoxLayout, QLayout, QWidget

from magi_desktop.theme import tokens as t


class Room(Enum):
    """What is no widget and takes the room that is left."""

    STRETCH = "stretch"


STRETCH = Room.STRETCH

Part = QWidget | QLayout | Room | int | tuple[Any, ...]
"""A widget, a layout or ``STRETCH``, alone or followed by a stretch factor and an alignment; or a
distance in pixels."""
Margins = int | tuple[int, int, int, int]

SHEET_MARGINS = (t.SPACE_5, t.SPACE_5, t.SPACE_5, t.SPACE_4)
"""Of a dialog: left, top, right, bottom."""


class Box(QBoxLayout):
    """A row or a column that is filled with ``add``."""

    def add(self, *parts: Part) -> Box:
        """Append parts; returns the box itself."""
        for part in parts:
            first, *more = part if isinstance(part, tuple) else (part,)
            if isinstance(first, QWidget):
                self.addWidget(first, *more)
            elif isinstance(first, QLayout):
                self.addLayout(first, *more)
            elif isinstance(first, Room):
                self.addStretch(*more or (1,))
            else:
                self.addSpacing(first)
        return self


def hbox(of: QWidget | None = None, spacing: int | None = None, margins: Margins = 0) -> Box:
    """A row.

    Args:
        of: the widget whose layout it is; None: it becomes a part of another box.
        spacing: pixels between parts; None: as the style has it.
        margins: pixels around them.
    """
    return _box(QBoxLayout.Direction.LeftToRight, of, spacing, margins)


def vbox(of: QWidget | None = None, spacing: int | None = None, margins: Margins = 0) -> Box:
    """A column; as ``hbox``."""
    return _box(QBoxLayout.Direction.TopToBottom, of, spacing, margins)


def _box(
    direction: QBoxLayout.Direction, of: QWidget | None, spacing: int | None, margins: Margins
) -> Box:
    box = Box(direction, of)
    box.setContentsMargins(*((margins,) * 4 if isinstance(margins, int) else margins))
    if spacing is not None:
        box.setSpacing(spacing)
    return box


def follow(before: QWidget, part: QWidget) -> None:
    """Let Tab lead from ``before`` through ``part``, which was made after what comes behind it."""
    inside: list[QWidget] = []
    widget = part.nextInFocusChain()
    while widget is not None and widget is not part:
        if part.isAncestorOf(widget) and widget.focusPolicy() is not Qt.FocusPolicy.NoFocus:
            inside.append(widget)
        widget = widget.nextInFocusChain()
    for widget in inside:
        QWidget.setTabOrder(before, widget)
        before = widget
