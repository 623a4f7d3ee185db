"""The player's commands, with their keys, for menus and the help sheet."""

from __future__ import annotations

from PySide6.QtCore import QKeyCombination, QObject, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent, QKeySequence

from magi_desktop.state.job_words import percent_text


class PlayerActions(QObject):
    """All commands as QActions, by name in `by_name` and in the order of a menu.

    The keys are shown in menus but do not fire by themselves: a plain Space or arrow as a
    window-wide shortcut would be taken from buttons and lists. Widgets that do not use a key hand
    it on, and whoever gets it (the player, then the window) calls `handle_key`.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.by_name: dict[str, QAction] = {}
        self.play = self._add(
            "play", self.tr("Play"), self.tr("Play or pause the video."), "Space", "K"
        )
        self.step_back = self._add(
            "step_back", self.tr("One frame back"), self.tr("Go one frame back."), "Left"
        )
        self.step_forward = self._add(
            "step_forward", self.tr("One frame forward"), self.tr("Go one frame forward."), "Right"
        )
        self.second_back = self._add(
            "second_back", self.tr("One second back"), self.tr("Go one second back."), "Shift+Left"
        )
        self.second_forward = self._add(
            "second_forward",
            self.tr("One second forward"),
            self.tr("Go one second on."),
            "Shift+Right",
        )
        self.to_start = self._add(
            "to_start", self.tr("First frame"), self.tr("Go to the first frame."), "Home"
        )
        self.to_end = self._add(
            "to_end", self.tr("Last frame"), self.tr("Go to the last frame."), "End"
        )
        self.slower = self._add("slower", self.tr("Slower"), self.tr("Play more slowly."), "J")
        self.faster = self._add("faster", self.tr("Faster"), self.tr("Play faster."), "L")
        self.loop = self._add_switch(
            "loop", self.tr("Loop"), self.tr("Play again from the start when the video ends."), "R"
        )
        self.zoom_in = self._add(
            "zoom_in", self.tr("Zoom in"), self.tr("Enlarge the picture."), "+", "="
        )
        self.zoom_out = self._add(
            "zoom_out", self.tr("Zoom out"), self.tr("Shrink the picture."), "-"
        )
        self.zooms = self._add_zooms()
        self.compare = self._add_switch(
            "compare",
            self.tr("Compare"),
            self.tr("Show the reference, or another take, beside the result."),
            "C",
        )
        self.wipe = self._add_switch(
            "wipe",
            self.tr("Compare with a line"),
            self.tr("Lay the two over each other, with a line between them that can be drawn."),
            "W",
        )
        self.wipe_left = self._add(
            "wipe_left", self.tr("Line to the left"), self.tr("Show more of the result."), "Shift+A"
        )
        self.wipe_right = self._add(
            "wipe_right",
            self.tr("Line to the right"),
            self.tr("Show more of what it is compared with."),
            "Shift+D",
        )
        self.preview = self._add_switch(
            "preview",
            self.tr("Rough preview"),
            self.tr("Show a rough preview of the part in work while playback waits for it."),
            "V",
        )
        self.full_screen = self._add_switch(
            "full_screen",
            self.tr("Full screen"),
            self.tr("Fill the screen with the video."),
            "F11",
            "F",
        )
        self.copy_frame = self._add(
            "copy_frame",
            self.tr("Copy this frame"),
            self.tr("Copy the frame shown to the clipboard."),
            "Ctrl+Shift+C",
        )
        self.save_frame = self._add(
            "save_frame",
            self.tr("Save this frame…"),
            self.tr("Save the frame shown as a PNG picture."),
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
            ("zoom_fit", None, self.tr("Fit"), self.tr("Fit the picture into its place."), "0"),
            (
                "zoom_100",
                1.0,
                percent_text(100),
                self.tr("Show every pixel as one pixel of the screen."),
                "1",
            ),
            ("zoom_200", 2.0, percent_text(200), self.tr("Show every pixel twice as large."), "2"),
            (
                "zoom_400",
                4.0,
                percent_text(400),
                self.tr("Show every pixel four times as large."),
                "4",
            ),
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
