"""What is under the picture: how far the running video is, or what can be done with a finished
one."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QMenu,
    QPushButton,
    QSizePolicy,
    QStackedWidget,
    QToolButton,
    QWidget,
)

from magi_desktop.panels.progress import ProgressPanel
from magi_desktop.player.player import Player
from magi_desktop.state.item_texts import length_text, size_text
from magi_desktop.state.job_words import duration, percent_text
from magi_desktop.state.jobs import JobState
from magi_desktop.state.library import Library, LibraryItem
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.video_actions import VideoActions, VideoCommands
from magi_desktop.widgets.controls import ElidedLabel, icon_button, name_control
from magi_desktop.widgets.layout import STRETCH, hbox, vbox

_SEPARATOR = "  ·  "


class VideoBar(QWidget):
    """Name and facts of the finished video that the player shows, and what can be done with it."""

    def __init__(
        self,
        player: Player,
        library: Library,
        job: JobState,
        commands: VideoCommands,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._player, self._library, self._job = player, library, job
        self.video_actions = a = VideoActions(commands, self._shown, self, keys=True)
        self.title = ElidedLabel(self, Qt.TextElideMode.ElideRight)
        self.facts = ElidedLabel(self, Qt.TextElideMode.ElideRight)
        self.facts.setProperty("role", "caption")
        self._words = QWidget(self)
        vbox(self._words, 0).add(self.title, self.facts)
        policy = self._words.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._words.setSizePolicy(policy)
        self.back = QPushButton(self)
        self.back.setProperty("kind", "quiet")
        self.back.clicked.connect(player.show_job)
        self.go_on = QPushButton(a.go_on.text(), self)
        self.go_on.clicked.connect(a.go_on.trigger)
        name_control(self.go_on, a.go_on.text(), a.go_on.toolTip())
        bind_icon(self.go_on, "continue")
        self.resume = QPushButton(a.resume.text(), self)
        self.resume.clicked.connect(a.resume.trigger)
        name_control(self.resume, a.resume.text(), a.resume.toolTip())
        bind_icon(self.resume, "play")
        self.export = QPushButton(self.tr("Export"), self)
        self.export.setMenu(a.export_menu)
        name_control(
            self.export, self.tr("Export"), self.tr("Save a copy in another format, such as GIF.")
        )
        bind_icon(self.export, "export")
        self.more = icon_button(
            "more", self.tr("More"), self.tr("More to do with this video."), self
        )
        self.more.setMenu(QMenu(self.more))
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        a.fill(self.more.menu(), shown=True)
        buttons = hbox(spacing=t.SPACE_1).add(
            (self.back, 1),
            STRETCH,
            self._button(a.favourite),
            self._button(a.show_in_folder),
            self.resume,
            self.go_on,
            self.export,
            self.more,
        )
        vbox(self, t.SPACE_1).add(self._words, buttons)
        player.shown_changed.connect(self.refresh)
        player.menu_wanted.connect(self._show_menu)
        library.changed.connect(self.refresh)
        job.changed.connect(self._show_running)
        self.refresh()

    @property
    def item(self) -> LibraryItem | None:
        """The video that is shown, None where it is none of the library."""
        return self._library.at(self._player.path)

    @Slot()
    def refresh(self) -> None:
        """Show what is there now."""
        item = self.item
        self.title.set_text("" if item is None else item.prompt or item.path.stem)
        self.facts.set_text("" if item is None else self._describe(item))
        self.video_actions.refresh()
        self.resume.setVisible(self.video_actions.resume.isVisible())
        self.go_on.setVisible(not self.video_actions.resume.isVisible())
        self.go_on.setEnabled(self.video_actions.go_on.isEnabled())
        self.export.setEnabled(self.video_actions.export_menu.isEnabled())
        self._show_running()

    def _describe(self, item: LibraryItem) -> str:
        parts = [length_text(item.duration_s), size_text(item.width, item.height)]
        if item.took_s is not None:
            parts.append(self.tr("made in {}").format(duration(item.took_s)))
        if item.auditioned:
            parts.append(self.tr("first second only"))
        elif not item.complete:
            parts.append(self.tr("stopped early"))
        return _SEPARATOR.join([*parts, item.path.name])

    @Slot()
    def _show_running(self) -> None:
        """The way back to the video that is being made meanwhile."""
        job = self._job
        running = job.phase.active and not self._player.showing_job
        self.back.setVisible(running)
        self._words.setVisible(not running)
        if running:
            text = self.tr("Show the new one")
            if job.fraction is not None:
                text += " · " + percent_text(job.fraction * 100)
            self.back.setText(text)
            hint = self.tr("Another video is being made meanwhile: watch that one.")
            name_control(self.back, text, hint)

    def _shown(self) -> list[LibraryItem]:
        item = self.item
        return [] if item is None else [item]

    def _button(self, action: QAction) -> QToolButton:
        button = QToolButton(self)
        button.setDefaultAction(action)
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
        button.setProperty("kind", "icon")
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    @Slot(QPoint)
    def _show_menu(self, place: QPoint) -> None:
        commands = self._player.commands
        menu = QMenu(self)
        menu.addActions([commands.play, commands.full_screen])
        menu.addSeparator()
        menu.addActions([commands.copy_frame, commands.save_frame])
        if self.item is not None:
            menu.addSeparator()
            self.video_actions.fill(menu, shown=True)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)


class Foot(QStackedWidget):
    """The place under the player. It has one height, so that the picture never jumps."""

    def __init__(
        self,
        player: Player,
        job: JobState,
        library: Library,
        bar: VideoBar,
        progress: ProgressPanel,
    ) -> None:
        super().__init__()
        self._player, self._job, self._progress, self._bar = player, job, progress, bar
        self._nothing = QWidget(self)
        for page in (self._nothing, progress, bar):
            self.addWidget(page)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        for signal in (player.shown_changed, job.changed, library.changed):
            signal.connect(self._choose)
        progress.direct.left.connect(self._choose)
        self._choose()

    @Slot()
    def _choose(self) -> None:
        page, typing = self._nothing, self._progress.direct.is_typing
        if typing and self.currentWidget() is self._progress:
            return  # elsewhere the keys would do something
        if self._job.phase.active and self._player.showing_job:
            page = self._progress
        elif self._job.phase.active or self._bar.item is not None:
            page = self._bar
        self.setCurrentWidget(page)
