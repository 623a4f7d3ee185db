"""Checks that hold for every part of the window."""

from __future__ import annotations

import re

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QTextEdit,
    QWidget,
)

_CONTROLS = (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QTextEdit,
)


def controls(root: QWidget) -> list[QWidget]:
    """All controls below ``root`` that can show now; not the parts of other controls."""
    return [
        widget
        for widget in root.findChildren(QWidget)
        if isinstance(widget, _CONTROLS)
        and not isinstance(widget, QScrollBar)
        and not isinstance(widget.parent(), QAbstractSpinBox | QComboBox | QLineEdit)
        and not widget.objectName().startswith("qt_")
        and widget.isVisibleTo(root)
    ]


def _by_arrows(widget: QWidget) -> bool:
    """Whether the arrow keys lead there from the checked button of its group."""
    if not isinstance(widget, QAbstractButton) or widget.isChecked():
        return False
    group = widget.group()
    return group is not None and group.exclusive() and group.checkedButton() is not None


def faults(root: QWidget) -> list[str]:
    """What is missing, a line each: accessible names, tooltips, a way in with the keyboard."""
    found = []
    for widget in controls(root):
        interface = QAccessible.queryAccessibleInterface(widget)
        name = interface.text(QAccessible.Text.Name)
        what = f"{type(widget).__name__} {name!r} in {type(widget.parent()).__name__}"
        if not name.strip():
            found.append(f"{what}: no accessible name")
        if not widget.toolTip().strip():
            found.append(f"{what}: no tooltip")
        elif not re.sub(r"\s*\([^()]*\)$", "", widget.toolTip()).endswith((".", "。", "?")):
            found.append(f"{what}: the tooltip is no sentence")
        if (
            widget.isEnabled()
            and not _by_arrows(widget)
            and not widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        ):
            found.append(f"{what}: not reachable with the Tab key")
    return found
