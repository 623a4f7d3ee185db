"""The player's commands, with their keys, for menus and the help sheet."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QKeyCombination, QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent, QKeySequence


def _tr(text: str) -> str:
    return QCoreApplication.translate("PlayerActions", text)


class PlayerActions(QObject):
    """All commands as QActions, by name in `by_name` and in the order of a menu.

    The keys are shown in menus but do not fire by themselves: a plain Space or arrow as a
    window-wide shortcut would be taken from buttons and lists. Widgets that do not use a key hand
    it on, and whoever gets it (the player, then the window) calls `handle_key`.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.by_name: dict[str, QAction] = {}
        self.play = self._add("play", _tr("Play"), _tr("Play or pause the video."), "Space", "K")
        self.step_back = self._add(
            "step_back", _tr("One frame back"), _tr("Go one frame back."), "Left"
        )
        self.step_forward = self._add(
            "step_forward", _tr("One frame forward"), _tr("Go one frame forward."), "Right"
        )
        self.second_back = self._add(
            "second_back", _tr("One second back"), _tr("Go one second back."), "Shift+Left"
        )
        self.second_forward = self._add(
            "second_forward", _tr("One second forward"), _tr("Go one second on."), "Shift+Right"
        )
        self.to_start = self._add(
            "to_start", _tr("First frame"), _tr("Go to the first frame."), "Home"
        )
        self.to_end = self._add("to_end", _tr("Last frame"), _tr("Go to the last frame."), "End")
        self.slower = self._add("slower", _tr("Slower"), _tr("Play more slowly."), "J")
        self.faster = self._add("faster", _tr("Faster"), _tr("Play faster."), "L")
        self.loop = self._add_switch(
            "loop", _tr("Loop"), _tr("Play again from the start when the video ends."), "R"
        )
        self.zoom_in = self._add("zoom_in", _tr("Zoom in"), _tr("Enlarge the picture."), "+", "=")
        self.zoom_out = self._add("zoom_out", _tr("Zoom out"), _tr("Shrink the picture."), "-")
        self.zooms = self._add_zooms()
        self.compare = self._add_switch(
            "compare",
            _tr("Compare with the reference"),
            _tr("Show the reference beside the result."),
            "C",
        )
        self.preview = self._add_switch(
            "preview",
            _tr("Rough preview"),
            _tr("Show a rough preview of the part in work while playback waits for it."),
            "V",
        )
        self.full_screen = self._add_switch(
            "full_screen", _tr("Full screen"), _tr("Fill the screen with the video."), "F11", "F"
        )
        self.copy_frame = self._add(
            "copy_frame",
            _tr("Copy this frame"),
            _tr("Copy the frame shown to the clipboard."),
            "Ctrl+Shift+C",
        )
        self.save_frame = self._add(
            "save_frame",
            _tr("Save this frame…"),
            _tr("Save the frame shown as a PNG picture."),
            "Ctrl+Shift+S",
        )

    @property
    def need_frames(self) -> list[QAction]:
        """The commands that make no sense before there is a frame."""
        moves = [self.step_back, self.step_forward, self.second_back, self.second_forward]
        ends = [self.to_start, self.to_end]
        return [self.play, *moves, *ends, self.copy_frame, self.save_frame]

    def _add(self, name: str, text: str, tip: str, *keys: str) -> QAction:
        action = QAction(text, self)
        action.setObjectName(name)
        action.setShortcuts([QKeySequence(key) for key in keys])
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        shown = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{tip} ({shown})")
        self.by_name[name] = action
        return action

    def _add_switch(self, name: str, text: str, tip: str, *keys: str) -> QAction:
        action = self._add(name, text, tip, *keys)
        action.setCheckable(True)
        return action

    def _add_zooms(self) -> QActionGroup:
        group = QActionGroup(self)
        group.setExclusionPolicy(QActionGroup.ExclusionPolicy.ExclusiveOptional)
        for name, zoom, text, tip, key in (
            ("zoom_fit", None, _tr("Fit"), _tr("Fit the picture into its place."), "0"),
            ("zoom_100", 1.0, "100 %", _tr("Show every pixel as one pixel of the screen."), "1"),
            ("zoom_200", 2.0, "200 %", _tr("Show every pixel twice as large."), "2"),
            ("zoom_400", 4.0, "400 %", _tr("Show every pixel four times as large."), "4"),
        ):
            action = self._add_switch(name, text, tip, key)
            action.setData(zoom)
            group.addAction(action)
        return group

    def handle_key(self, event: QKeyEvent) -> bool:
        """Trigger the command a key press stands for; False if there is none."""
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Minus, Qt.Key.Key_Equal):
            modifiers &= ~Qt.KeyboardModifier.ShiftModifier  # needed to type them on some keyboards
        pressed = QKeySequence(QKeyCombination(modifiers, key))
        for action in self.by_name.values():
            if action.isEnabled() and pressed in action.shortcuts():
                action.trigger()
                event.accept()
                return True
        return False
