"""The window's menus and shortcuts; the help sheet lists what is made here."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Slot
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence, QTextDocument
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QApplication,
    QLineEdit,
    QMenu,
    QPlainTextEdit,
    QWidget,
)
from shiboken6 import isValid

from magi_desktop import set_up
from magi_desktop.video_actions import VARIATIONS
from magi_desktop.widgets.controls import take_typed
from magi_engine.runtime.request.request import Mode

if TYPE_CHECKING:
    from magi_desktop.main_window import MainWindow

translate = QCoreApplication.translate

_FIELDS = (QLineEdit, QPlainTextEdit, QAbstractSpinBox)
_UNDO, _REDO = QKeySequence("Ctrl+Z"), QKeySequence("Ctrl+Shift+Z")
"""Of the text, in a text field; where it has nothing to undo, of the draft it belongs to."""


@dataclass(frozen=True)
class Entry:
    """One line of a menu."""

    text: str
    do: Callable[[], object]
    shortcut: str = ""


@dataclass
class Menus:
    """All actions, by the title of their menu and in its order."""

    window: MainWindow
    groups: dict[str, list[QAction]] = field(default_factory=dict)

    def add(self, title: str, entries: list[Entry | QAction | None]) -> QMenu:
        """Append a menu to the menu bar; None is a separator."""
        menu = self.window.menuBar().addMenu(title)
        actions: list[QAction] = []
        for entry in entries:
            if entry is None:
                menu.addSeparator()
                continue
            action = entry if isinstance(entry, QAction) else self._action(entry)
            menu.addAction(action)
            actions.append(action)
        self.groups[re.sub(r"\(&\w\)|&", "", title)] = actions
        return menu

    def _action(self, entry: Entry) -> QAction:
        action = QAction(entry.text, self.window)
        if entry.shortcut:
            action.setShortcut(QKeySequence(entry.shortcut))
            action.setAutoRepeat(False)  # a key held down makes one video
        action.triggered.connect(partial(self._do, entry))
        return action

    def _do(self, entry: Entry, _checked: bool = False) -> None:
        take_typed(self.window.focusWidget())
        entry.do()


class MenuKeys(QObject):
    """Lets the keys of the menus work in text and number fields, which take some of them for
    editing: on Linux Ctrl+E is the end of the line, Ctrl+U erases it and Ctrl+D a letter."""

    def __init__(self, menus: Menus) -> None:
        super().__init__(menus.window)
        self._window = menus.window
        shortcuts = [a.shortcut() for actions in menus.groups.values() for a in actions]
        self._keys = [s for s in shortcuts if "Ctrl" in s.toString() and s not in (_UNDO, _REDO)]
        self._watched: QWidget | None = None
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._focus_moved)

    @Slot(QWidget, QWidget)
    def _focus_moved(self, _old: QWidget | None, now: QWidget | None) -> None:
        if self._watched is not None and isValid(self._watched):
            self._watched.removeEventFilter(self)
        self._watched = None
        if isinstance(now, _FIELDS) and now.window() is self._window:
            now.installEventFilter(self)
            self._watched = now

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            keys = QKeySequence(event.keyCombination())
            if keys in self._keys or self._means_draft(watched, keys):
                event.ignore()
                return True
        return super().eventFilter(watched, event)

    def _means_draft(self, field: QObject, keys: QKeySequence) -> bool:
        undo = self._window.workshop.undo
        if keys == _UNDO:
            return undo.undoes_draft and not _text_of(field).isUndoAvailable()
        return keys == _REDO and undo.redoes_draft and not _text_of(field).isRedoAvailable()


def _text_of(field: QObject) -> QTextDocument | QLineEdit:
    """What keeps the history of a field's text."""
    if isinstance(field, QPlainTextEdit):
        return field.document()
    line = field if isinstance(field, QLineEdit) else field.findChild(QLineEdit)
    assert line is not None  # a number field has one inside
    return line


def make_menus(window: MainWindow) -> Menus:
    """Fill the window's menu bar."""
    menus = Menus(window)
    _file(menus)
    menus.add(translate("Menus", "&Edit"), _undo_entries(window))
    _make(menus)
    menus.add(translate("Menus", "&Player"), _player_entries(window))
    _video(menus)
    _view(menus)
    _help(menus)
    return menus


def _file(menus: Menus) -> None:
    w = menus.window
    menus.add(
        translate("Menus", "&File"),
        [
            Entry(
                translate("Menus", "Open a picture or video…"),
                lambda: w.reference.choose(),
                "Ctrl+O",
            ),
            Entry(translate("Menus", "Paste as reference"), w.paste, "Ctrl+Shift+V"),
            None,
            Entry(
                translate("Menus", "Import a configuration…"),
                lambda: w.generation.presets.ask_import(),
            ),
            Entry(
                translate("Menus", "Export the configuration…"),
                lambda: w.generation.presets.ask_export(),
            ),
            None,
            Entry(translate("Menus", "Open the folder of videos"), w.dialogs.open_videos),
            Entry(translate("Menus", "Models…"), w.dialogs.models, "Ctrl+Shift+M"),
            Entry(translate("Menus", "Preferences…"), w.dialogs.preferences, "Ctrl+,"),
            None,
            Entry(translate("Menus", "Quit"), w.close, "Ctrl+Q"),
        ],
    )


def _undo_entries(window: MainWindow) -> list[Entry | QAction | None]:
    stack = window.workshop.undo
    undo_name, redo_name = translate("Menus", "Undo"), translate("Menus", "Redo")
    undo = stack.createUndoAction(window, undo_name)
    redo = stack.createRedoAction(window, redo_name)
    undo.setIconText(undo_name)  # their text says what they would undo now
    redo.setIconText(redo_name)
    undo.setShortcut(_UNDO)
    redo.setShortcuts([_REDO, QKeySequence("Ctrl+Y")])
    for action in (undo, redo):
        action.setAutoRepeat(False)
    return [undo, redo]


def _make(menus: Menus) -> None:
    w = menus.window
    controller = w.workshop.controller
    menus.add(
        translate("Menus", "&Generate"),
        [
            Entry(translate("Menus", "Generate"), w.generate_bar.generate_once, "Ctrl+Return"),
            Entry(
                translate("Menus", "Generate {} variations").format(VARIATIONS),
                partial(w.generate_bar.generate, VARIATIONS),
                "Ctrl+Shift+Return",
            ),
            Entry(
                translate("Menus", "Audition of first seconds…"),
                w.generate_bar.audition,
                "Ctrl+Alt+Return",
            ),
            Entry(translate("Menus", "Show the first seconds"), w.dialogs.audition),
            None,
            Entry(translate("Menus", "Pause or resume"), controller.toggle_pause, "Ctrl+P"),
            Entry(translate("Menus", "Stop and keep the video so far"), w.making.stop, "Ctrl+."),
            Entry(translate("Menus", "Direct what comes next"), w.direct, "Ctrl+D"),
            None,
            Entry(translate("Menus", "From text"), lambda: w.start_from(Mode.T2V), "Ctrl+1"),
            Entry(translate("Menus", "From an image"), lambda: w.start_from(Mode.I2V), "Ctrl+2"),
            Entry(translate("Menus", "From a video"), lambda: w.start_from(Mode.V2V), "Ctrl+3"),
        ],
    )


def _player_entries(window: MainWindow) -> list[Entry | QAction | None]:
    return list(window.player.commands.by_name.values())


def _video(menus: Menus) -> None:
    """What can be done with the video that is shown."""
    shown = menus.window.video_bar.video_actions
    title = translate("Menus", "V&ideo")
    menu = menus.add(title, [])
    shown.fill(menu, shown=True)
    here = menus.window.from_here
    menu.insertMenu(menu.actions()[0], here)
    menu.aboutToShow.connect(shown.refresh)
    menus.groups[title.replace("&", "")] = [*here.actions(), *shown.by_name.values()]


def _view(menus: Menus) -> None:
    w = menus.window
    menus.add(
        translate("Menus", "&View"),
        [
            Entry(translate("Menus", "Prompt"), w.show_prompt, "Ctrl+E"),
            Entry(translate("Menus", "Queue"), lambda: w.show_side(w.queue), "Ctrl+U"),
            Entry(translate("Menus", "Library"), lambda: w.show_side(w.library), "Ctrl+L"),
            Entry(translate("Menus", "Search the library"), w.search_library, "Ctrl+F"),
        ],
    )


def _set_up(window: MainWindow) -> list[Entry | QAction | None]:
    command = set_up.launcher()
    if command is None:
        return []
    text = translate("Menus", "GPU support and repair…")
    return [Entry(text, lambda: window.dialogs.set_up(command))]


def _help(menus: Menus) -> None:
    w = menus.window
    menus.add(
        translate("Menus", "&Help"),
        [
            Entry(translate("Menus", "Guide"), w.dialogs.guide),
            Entry(
                translate("Menus", "Keyboard shortcuts"), lambda: w.dialogs.shortcuts(menus), "F1"
            ),
            Entry(translate("Menus", "What this computer can run…"), w.dialogs.welcome),
            Entry(translate("Menus", "How fast is this computer?…"), w.dialogs.speed),
            *_set_up(w),
            Entry(translate("Menus", "Check for updates…"), w.dialogs.updates),
            None,
            Entry(translate("Menus", "Where things are kept…"), w.dialogs.places),
            Entry(translate("Menus", "Copy diagnostics"), w.dialogs.copy_diagnostics),
            Entry(translate("Menus", "Open the folder of logs"), w.dialogs.open_logs),
            Entry(translate("Menus", "About Magi Desktop"), w.dialogs.about),
        ],
    )
