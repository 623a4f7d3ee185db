"""The window's actions: menus, shortcuts, and the list the help sheet shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu


@dataclass(frozen=True)
class Entry:
    """One action of a menu."""

    text: str
    do: Callable[[], object]
    shortcut: str = ""
    checkable: bool = False


@dataclass
class Menus:
    """All actions by name of their menu, in their order."""

    window: QMainWindow
    groups: dict[str, list[QAction]] = field(default_factory=dict)

    def add(self, title: str, entries: list[Entry | QAction | None]) -> QMenu:
        """Append a menu to the menu bar; None is a separator."""
        menu = self.window.menuBar().addMenu(title)
        actions = self.groups.setdefault(title.replace("&", ""), [])
        for entry in entries:
            if entry is None:
                menu.addSeparator()
                continue
            action = entry if isinstance(entry, QAction) else self._action(entry, menu)
            menu.addAction(action)
            actions.append(action)
        return menu

    def _action(self, entry: Entry, menu: QMenu) -> QAction:
        action = QAction(entry.text, menu)
        action.setCheckable(entry.checkable)
        if entry.shortcut:
            action.setShortcut(QKeySequence(entry.shortcut))
        action.triggered.connect(entry.do)
        return action
