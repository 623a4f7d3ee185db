"""The controls under the picture."""

from __future__ import annotations

from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup, QResizeEvent
from PySide6.QtWidgets import QFrame, QLabel, QMenu, QToolButton, QWidget

from magi_desktop.player.actions import PlayerActions
from magi_desktop.player.clock import SPEEDS
from magi_desktop.player.scrub_bar import ScrubBar
from magi_desktop.player.times import time_text
from magi_desktop.state.job_words import percent_text
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_desktop.theme.tokens import DARK
from magi_desktop.widgets.layout import STRETCH, hbox, vbox

_BUTTON = 32
_MENU_BUTTON = 44


def speed_text(speed: float) -> str:
    """``0.5×``"""
    return f"{speed:g}×"


class Transport(QFrame):
    """Buttons, time and the scrub bar; what they do is in the player's actions.

    Signals:
        scrubbed: a frame was chosen on the scrub bar.
        speed_chosen: a speed was chosen from the menu.
    """

    scrubbed = Signal(int)
    speed_chosen = Signal(float)

    def __init__(self, actions: PlayerActions) -> None:
        super().__init__()
        self._actions = actions
        self._playing = self._floating = False
        self.scrub_bar = ScrubBar()
        self.scrub_bar.scrubbed.connect(self.scrubbed)
        self.time_label = QLabel()
        self.time_label.setTextFormat(Qt.TextFormat.PlainText)
        self.time_label.setAccessibleName(self.tr("Time"))
        self.time_label.setToolTip(self.tr("Time of this frame, and length of the video."))
        self.speed_button = self._menu_button(
            self.tr("Speed"), self.tr("How fast the video plays.")
        )
        self.speed_button.setMenu(self._speed_menu())
        self.zoom_button = self._menu_button(self.tr("Zoom"), self.tr("How large the picture is."))
        self.zoom_button.setMenu(self._zoom_menu())
        self._lay_out()
        self._set_icons()
        self.set_speed(1.0)
        self.set_zoom(None)
        self.set_time(0, 0, 24.0, False)
        theme().changed.connect(self._set_icons)

    def _lay_out(self) -> None:
        a = self._actions
        row = self._row = hbox(spacing=2).add(
            *map(self._button, (a.step_back, a.play, a.step_forward, a.loop)),
            *(t.SPACE_2, self.time_label, STRETCH, self.speed_button, self.zoom_button),
        )
        wipe, copy, save = map(self._button, (a.wipe, a.copy_frame, a.save_frame))
        wipe.setVisible(a.compare.isChecked())
        a.compare.toggled.connect(wipe.setVisible)
        row.add(self._button(a.preview), self._button(a.compare), wipe, copy, save)
        row.add(self._button(a.full_screen))
        # In this order, where there is little room.
        self._first_to_go = [save, copy, self.speed_button, self.zoom_button]
        vbox(self, 0, (t.SPACE_1, 0, t.SPACE_1, 0)).add(self.scrub_bar, row)

    def _button(self, action: QAction) -> QToolButton:
        button = QToolButton()
        button.setProperty("kind", "icon")
        button.setDefaultAction(action)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.setFixedSize(_BUTTON, _BUTTON)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _menu_button(self, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        button.setFixedHeight(_BUTTON)
        button.setMinimumWidth(_MENU_BUTTON)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setAccessibleName(name)
        button.setToolTip(tip)
        return button

    def _speed_menu(self) -> QMenu:
        menu = QMenu(self)
        self._speeds = QActionGroup(menu)
        for speed in SPEEDS:
            action = QAction(speed_text(speed), self._speeds)
            action.setCheckable(True)
            action.setData(speed)
            menu.addAction(action)
        self._speeds.triggered.connect(lambda action: self.speed_chosen.emit(action.data()))
        menu.addSeparator()
        menu.addActions([self._actions.slower, self._actions.faster])
        return menu

    def _zoom_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addActions(self._actions.zooms.actions())
        menu.addSeparator()
        menu.addActions([self._actions.zoom_in, self._actions.zoom_out])
        return menu

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._make_room()

    def minimumSizeHint(self) -> QSize:
        hint = super().minimumSizeHint()
        spared = sum(_width(b) + self._row.spacing() for b in self._first_to_go if b.isVisible())
        return QSize(hint.width() - spared, hint.height())

    def _make_room(self) -> None:
        """Leave out buttons where the row is too short; the menu has all of them."""
        items = [self._row.itemAt(n) for n in range(self._row.count())]
        widgets = [w for item in items if item is not None and (w := item.widget()) is not None]
        missing = sum(_width(w) + self._row.spacing() for w in widgets) + t.SPACE_2  # the gap
        missing += 2 * t.SPACE_1 - self.width()
        for button in self._first_to_go:
            button.setVisible(missing <= 0)
            if missing > 0:
                missing -= _width(button) + self._row.spacing()

    # What is shown

    def set_playing(self, playing: bool) -> None:
        """Let the button offer the other."""
        if playing != self._playing:
            self._playing = playing
            self._actions.play.setText(self.tr("Pause") if playing else self.tr("Play"))
            self._set_icons()

    def set_time(self, frame: int, total: int, fps: float, open_ended: bool) -> None:
        """Say where playback is and how long the video will be, as far as it is known."""
        length = time_text(total / fps) + ("+" if open_ended else "")
        text = f"{time_text(frame / fps)} / {length}"
        self.time_label.setText(text)
        zeros = "".join("0" if c.isdigit() else c for c in text)
        widest = self.time_label.fontMetrics().horizontalAdvance(zeros)
        if self.time_label.minimumWidth() < widest:
            self.time_label.setMinimumWidth(widest)  # else the row moves with every frame
            self._make_room()

    def set_speed(self, speed: float) -> None:
        self.speed_button.setText(speed_text(speed))
        for action in self._speeds.actions():
            action.setChecked(action.data() == speed)

    def set_zoom(self, zoom: float | None) -> None:
        """Show the zoom; None is fitted."""
        self.zoom_button.setText(self.tr("Fit") if zoom is None else percent_text(zoom * 100))
        for action in self._actions.zooms.actions():
            action.setChecked(action.data() == zoom)

    def set_floating(self, floating: bool) -> None:
        """In full screen the controls lie on the picture, on a dark ground it shines through."""
        self._floating = self.scrub_bar.on_dark = floating
        self.setProperty("role", "floating" if floating else None)
        for widget in (self, *self.findChildren(QWidget)):
            widget.style().unpolish(widget)
            widget.style().polish(widget)
        margin = t.SPACE_2 if floating else 0
        layout = self.layout()
        assert layout is not None
        layout.setContentsMargins(margin or t.SPACE_1, margin, margin or t.SPACE_1, margin)
        self._set_icons()

    def popup_open(self) -> bool:
        """Whether one of the menus is open."""
        menus = (self.speed_button.menu(), self.zoom_button.menu())
        return any(menu.isVisible() for menu in menus)

    def holds(self, global_point: QPoint) -> bool:
        """Whether a point of the screen lies on the controls."""
        return self.rect().contains(self.mapFromGlobal(global_point))

    @Slot()
    def _set_icons(self) -> None:
        a = self._actions
        full = self.window().isFullScreen()
        for action, name in (
            (a.play, "pause" if self._playing else "play"),
            (a.step_back, "step-back"),
            (a.step_forward, "step-forward"),
            (a.loop, "loop"),
            (a.preview, "preview"),
            (a.compare, "compare"),
            (a.wipe, "wipe"),
            (a.copy_frame, "copy"),
            (a.save_frame, "camera"),
            (a.full_screen, "fullscreen-exit" if full else "fullscreen"),
        ):
            action.setIcon(icon(name, DARK.text if self._floating else None))


def _width(widget: QWidget) -> int:
    """What a widget needs, shown or not."""
    needed = max(widget.minimumSizeHint().width(), widget.minimumWidth())
    return min(needed, widget.maximumWidth())
