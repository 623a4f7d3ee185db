"""The window: composes the panels and wires them to the state; no work is done here."""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QPoint, QRect, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QGuiApplication,
    QKeyEvent,
)
from PySide6.QtWidgets import (
    QGridLayout,
    QMainWindow,
    QScrollArea,
    QSplitter,
    QTabWidget,
    QWidget,
)

from magi_desktop import drops, shell
from magi_desktop.arrivals import Arrivals
from magi_desktop.from_here import FromHere
from magi_desktop.making import Making
from magi_desktop.menus import MenuKeys, make_menus
from magi_desktop.panels.drop_zone import Veil
from magi_desktop.panels.export_bar import ExportBar
from magi_desktop.panels.generate_bar import GenerateBar
from magi_desktop.panels.generation import GenerationPanel
from magi_desktop.panels.install_strip import InstallStrip
from magi_desktop.panels.library import LibraryPanel
from magi_desktop.panels.modes import ModeSelector
from magi_desktop.panels.preflight_line import PreflightLine
from magi_desktop.panels.progress import ProgressPanel
from magi_desktop.panels.prompt import PromptPanel
from magi_desktop.panels.queue import QueuePanel
from magi_desktop.player.player import Player
from magi_desktop.player.take_rows import TakeRows
from magi_desktop.state.job_words import job_sentence
from magi_desktop.state.library import LibraryItem
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import Appearance, theme
from magi_desktop.translation import translated
from magi_desktop.update_notices import UpdateNotices
from magi_desktop.video_actions import VideoCommands
from magi_desktop.video_bar import Foot, VideoBar
from magi_desktop.widgets.fitting import SmallScreenScroll, fit_to_screen
from magi_desktop.widgets.layout import STRETCH, follow, hbox, vbox
from magi_desktop.widgets.notice_bar import UNDO, NoticeBar, Tone
from magi_desktop.window_dialogs import WindowDialogs, earlier_of
from magi_desktop.workshop import Workshop
from magi_engine.errors import MagiError
from magi_engine.install.tasks import Download, Make, Task
from magi_engine.runtime.job.events import Event, Failed, Finished
from magi_engine.runtime.request.request import Mode

if TYPE_CHECKING:
    from magi_desktop.panels.reference import ReferencePanel

_NOTICE_MS = 12_000
_INPUTS_WIDTH, _SIDE_WIDTH = 360, 300
_CLOSE_PATIENCE_MS = 30_000


class MainWindow(QMainWindow):
    """Inputs on the left, the player in the middle, queue and library on the right.

    Attributes:
        restart_wanted: the program is to begin again once it has ended.

    Signals:
        closed: the window is gone for good, and nothing runs any more.
    """

    closed = Signal()

    def __init__(self, workshop: Workshop) -> None:
        super().__init__()
        self.workshop = workshop
        self.setWindowTitle("Magi Desktop")
        self.setAcceptDrops(True)
        self.restart_wanted = False
        self._make_panels()
        self._lay_out()
        self._wire()
        self.menus = make_menus(self)
        MenuKeys(self.menus)
        self.veil = Veil(self)
        self._taskbar = shell.TaskbarProgress(self)
        self._restore_geometry()

    # Composition.

    def _make_panels(self) -> None:
        shop = self.workshop
        self.modes = ModeSelector(shop.draft, self)
        self.prompt = PromptPanel(shop.draft, shop.prompt_history, self)
        self.generation = GenerationPanel(shop.draft, shop.presets, shop.models, self)
        self.generate_bar = GenerateBar(shop.draft, shop.job, shop.queue, shop.models, self)
        self.preflight = PreflightLine(shop.draft, shop.machine, self)
        self.player = Player(self, shop.preferences.get("frame_memory_mb") << 20)
        self.player.bind(shop.job)
        self.player.set_empty_text(
            self.tr("Describe a video and press Generate"),
            self.tr("It appears here while it is made, one second after the other."),
        )
        self.progress = ProgressPanel(shop.job, self)
        self.queue = QueuePanel(shop.queue, shop.job, self)
        self.notice = NoticeBar(self)
        self.exports = ExportBar(self)
        self.videos = VideoCommands(shop.library, self.notice, self.exports, self)
        self.video_bar = VideoBar(self.player, shop.library, shop.job, self.videos, self)
        self.library = LibraryPanel(shop.library, self.videos, self)
        self.install_strip = InstallStrip(shop.models, self)
        self.arrivals = Arrivals(shop.draft, shop.places.pasted, self)
        self.dialogs = WindowDialogs(shop, self)
        self.making = Making(
            *(shop, self.notice, self.arrivals, self.dialogs),
            *(self.prompt, self.generation.checks, self),
        )
        self.from_here = FromHere(
            self.player, shop.job, shop.engine, self.dialogs, self.videos, self
        )
        self.takes = TakeRows(self.player, shop.library, shop.job, self)
        self.takes.menu_wanted.connect(self.from_here.show_at)
        self.from_here.addMenu(self.takes.menu)
        self.takes.export_wanted.connect(self.videos.export_parts)
        UpdateNotices(shop.updates, shop.preferences, self.notice, self.dialogs.updates, self)

    @cached_property
    def reference(self) -> ReferencePanel:
        """Made when something first comes to start from."""
        from magi_desktop.panels.reference import ReferencePanel

        panel = ReferencePanel(self.workshop.draft, self)
        panel.continue_requested.connect(self.arrivals.continue_video)
        panel.settings_requested.connect(self.arrivals.use_settings)
        panel.paste_requested.connect(self.paste)
        panel.failed.connect(self.making.say_input_error)
        panel.setVisible(self.workshop.draft.mode is not Mode.T2V)
        self._inputs.insertWidget(self._inputs.indexOf(self.generation), panel)
        before = self.generation.previousInFocusChain()
        assert before is not None
        follow(before, panel)
        return panel

    def _lay_out(self) -> None:
        # From the outside in: what moves into another widget is styled anew with all that is in it.
        frame = QWidget(self)
        self.setCentralWidget(SmallScreenScroll(frame, self))
        self.splitter = QSplitter(Qt.Orientation.Horizontal, frame)
        self.splitter.setHandleWidth(t.SPACE_4)
        hbox(frame, margins=(t.SPACE_4, t.SPACE_3, t.SPACE_4, t.SPACE_4)).add(self.splitter)
        left, centre, right = (QWidget(self.splitter) for _ in range(3))
        for index, (column, width) in enumerate(((left, 300), (centre, 396), (right, 240))):
            column.setMinimumWidth(width)
            self.splitter.setStretchFactor(index, 1 if column is centre else 0)
            self.splitter.setCollapsible(index, False)

        self.inputs_scroll = scroll = QScrollArea(left)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inputs = QWidget(scroll)
        scroll.setWidget(inputs)
        self._inputs = vbox(inputs, t.SPACE_4, (0, 0, t.SPACE_2, 0)).add(
            self.prompt, self.generation, STRETCH
        )
        vbox(left, t.SPACE_3).add(self.modes, (scroll, 1), self.generate_bar, self.preflight)

        foot = Foot(
            self.player, self.workshop.job, self.workshop.library, self.video_bar, self.progress
        )
        cells = QGridLayout(centre)
        cells.setContentsMargins(0, 0, 0, 0)
        cells.setSpacing(t.SPACE_3)
        cells.addWidget(self.player, 0, 0)
        cells.addWidget(self.takes, 1, 0)
        cells.addWidget(foot, 2, 0)
        # A notice lies over the picture, which stays where it is.
        cells.addWidget(self.notice, 0, 0, Qt.AlignmentFlag.AlignTop)
        cells.setRowStretch(0, 1)
        self.notice.raise_()

        self.side = QTabWidget(right)
        self.side.addTab(self.queue, self.tr("Queue"))
        self.side.addTab(self.library, self.tr("Library"))
        vbox(right, t.SPACE_3).add((self.side, 1), self.exports, self.install_strip)
        self._follow_mode(self.workshop.draft.mode)
        self.prompt.field.setFocus()

    def _wire(self) -> None:
        shop = self.workshop
        shop.draft.mode_changed.connect(self._follow_mode)
        self.generate_bar.generate_clicked.connect(self.making.generate)
        self.generate_bar.audition_clicked.connect(self.making.audition)
        self.generate_bar.editing_left.connect(self.making.stop_editing)
        self.generate_bar.download_wanted.connect(self.dialogs.download)
        self.generate_bar.models_wanted.connect(self.dialogs.models)
        self.making.queue_wanted.connect(partial(self.side.setCurrentWidget, self.queue))
        self.making.checks_wanted.connect(
            partial(self.inputs_scroll.ensureWidgetVisible, self.generation.checks)
        )
        self.prompt.field.generate_requested.connect(self.generate_bar.generate_once)
        self.progress.pause_toggled.connect(shop.controller.toggle_pause)
        self.progress.stop_clicked.connect(self.making.stop)
        self.progress.direct.chosen.connect(shop.controller.change_prompt)
        self.player.prompt_requested.connect(self.progress.direct.ask)
        self.queue.edit_requested.connect(self.making.edit)
        self.queue.duplicated.connect(shop.undo.lined_up)
        shop.queue.changed.connect(self._follow_queue)
        shop.library.leaving.connect(self.player.let_go)
        shop.library.settled.connect(self.player.follow)
        self.videos.play_wanted.connect(lambda item: self.player.open_file(item.path))
        self.videos.settings_wanted.connect(self.arrivals.use_settings)
        self.videos.continue_wanted.connect(self.dialogs.go_on)
        self.dialogs.file_wanted.connect(self.arrivals.continue_video)
        self.videos.redo_wanted.connect(self._redo)
        self.videos.resume_wanted.connect(self.dialogs.resume)
        self.videos.details_wanted.connect(self.dialogs.details)
        self.videos.variations_wanted.connect(self.making.vary)
        self.prompt.field.paste_requested.connect(self.paste)
        # The next change of the text is what its undo would take back.
        self.prompt.field.textChanged.connect(partial(self.notice.withdraw, "words"))
        self.arrivals.composed.connect(shop.undo.composed)
        self.arrivals.text_came.connect(self._insert)
        self.arrivals.media_came.connect(lambda path: self.reference.open(path))
        self.arrivals.storyboard_came.connect(self.prompt.later.open_storyboard)
        self.prompt.later.failed.connect(self.making.say_input_error)
        self.arrivals.config_came.connect(lambda path: self.generation.presets.import_file(path))
        self.arrivals.hinted.connect(self._hint)
        self.arrivals.refused.connect(self.making.say_input_error)
        self.dialogs.said.connect(self._say)
        self.dialogs.started.connect(self._start)
        self.dialogs.restart_wanted.connect(self.restart)
        self.dialogs.failed.connect(self.arrivals.refuse)
        for panel in (self.queue, self.videos):
            panel.undo_wanted.connect(shop.undo.undo)
        shop.undo.indexChanged.connect(self._undo_changed)
        self.install_strip.clicked.connect(self.dialogs.installing)
        shop.models.tasks.done.connect(self._installed)
        shop.models.tasks.failed.connect(self._install_failed)
        self.player.stills.saved.connect(
            lambda path: self._say(self.tr("Saved: {}").format(path.name))
        )
        self.player.stills.problem.connect(self._hint)
        shop.job.noticed.connect(self._hint)
        shop.job.changed.connect(self._show_progress)
        shop.job.ended.connect(self._ended)
        shop.store.noticed.connect(self._hint)
        shop.file.noticed.connect(self._hint)
        shop.preferences.changed.connect(self._prefer)
        commands = self.player.commands
        for name, action in (("loop", commands.loop), ("live_preview", commands.preview)):
            action.setChecked(shop.preferences.get(name))
            action.toggled.connect(partial(shop.preferences.set, name))
        advanced = self.generation.advanced
        advanced.set_open(shop.preferences.get("advanced_open"))
        advanced.toggled.connect(partial(shop.preferences.set, "advanced_open"))
        # Once it is laid out.
        advanced.toggled.connect(self._show_advanced, Qt.ConnectionType.QueuedConnection)
        if shop.file.notice is not None:
            self._hint(shop.file.notice)

    @Slot()
    def _undo_changed(self) -> None:
        for notice in (self.queue.notice, self.notice):
            notice.withdraw(UNDO)  # what it offers to undo is not the last deed any more

    # From the user.

    @Slot()
    def get_ready(self) -> None:
        """Prepare, once the window is there, what would hold it up when first opened."""
        self.dialogs.import_all(then=lambda: self.generation.advanced.body)

    @Slot(list)
    def open_again(self, paths: list[str]) -> None:
        """The program was started a second time, perhaps with files."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.raise_()
        self.activateWindow()
        if paths:
            self.arrivals.open(*map(Path, paths))

    def paste(self) -> None:
        """Use what is on the clipboard as if it had been dropped."""
        self.arrivals.take_data(QGuiApplication.clipboard().mimeData())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if drops.can_take(event.mimeData()):
            event.accept()  # and hear where it goes
            self.dragMoveEvent(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        inputs = QRect(self.inputs_scroll.mapTo(self, QPoint()), self.inputs_scroll.size())
        # A video of the library that is hardly moved is not meant for the draft.
        if event.source() is None or inputs.contains(event.position().toPoint()):
            event.acceptProposedAction()
            if not self.veil.isVisible():
                self.veil.say(drops.promise(event.mimeData()))
        else:
            event.ignore()
            self.veil.hide()

    def dragLeaveEvent(self, _event: QDragLeaveEvent) -> None:
        self.veil.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.veil.hide()
        event.acceptProposedAction()
        self.arrivals.take_data(event.mimeData())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        # Keys that no panel wanted: the player's.
        if not self.player.commands.handle_key(event):
            super().keyPressEvent(event)

    @Slot()
    def restart(self) -> None:
        """Close, and let the program begin again."""
        self.restart_wanted = True
        self.close()

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._making and not self.exports.busy:
            self._keep_geometry()
            event.accept()
            self.closed.emit()
            return
        event.ignore()
        # Who keeps on making a video, and closes the window later, only wants it closed.
        restart, self.restart_wanted = self.restart_wanted, False
        self._ask_to_quit(restart)

    # From the menus.

    def show_prompt(self) -> None:
        """Bring the prompt into view and type into it."""
        self.prompt.field.setFocus()
        self.inputs_scroll.ensureWidgetVisible(self.prompt)
        self.inputs_scroll.ensureWidgetVisible(self.prompt.field)

    def start_from(self, mode: Mode) -> None:
        """Compose a video of a mode, beginning with its prompt."""
        self.workshop.draft.set_mode(mode)
        self.show_prompt()

    def direct(self) -> None:
        """Show the video that is being made, and type what comes next."""
        if self.workshop.job.can_direct:
            self.player.show_job()
            self.progress.direct.ask()

    def show_side(self, panel: QueuePanel | LibraryPanel) -> None:
        """Bring the queue or the library to the front."""
        self.side.setCurrentWidget(panel)
        panel.take_focus()

    @Slot()
    def search_library(self) -> None:
        """Bring the library to the front and type what to find."""
        self.side.setCurrentWidget(self.library)
        self.library.focus_search()

    # From the panels.

    @Slot()
    def _start(self) -> None:
        """Who begins finds something to press Generate for."""
        if not self.workshop.draft.prompt.strip():
            self.prompt.take_example()

    @Slot(object)
    def _redo(self, item: LibraryItem) -> None:
        shown = self.player.path == item.path
        self.dialogs.redo(
            partial(earlier_of, item.path, self.workshop.engine.engine.takes),
            self.player.second_in_file if shown else 0.0,
        )

    @Slot(bool)
    def _show_advanced(self, is_open: bool) -> None:
        """Its key opens it wherever it is: bring it into view, as much of it as there is room."""
        if is_open:
            self.inputs_scroll.ensureWidgetVisible(self.generation.advanced_rows)
            self.inputs_scroll.ensureWidgetVisible(self.generation.advanced.button)

    # From the state.

    @Slot()
    def _follow_queue(self) -> None:
        text = self.tr("Queue, held") if self.workshop.queue.paused else self.tr("Queue")
        self.side.setTabText(self.side.indexOf(self.queue), text)

    @Slot(str)
    def _insert(self, text: str) -> None:
        self.prompt.insert(text)
        self.inputs_scroll.ensureWidgetVisible(self.prompt.field)
        text = self.tr("The text was added to the prompt.")
        self.notice.offer_undo(text, self.prompt.field.undo, about="words")

    @Slot(object)
    def _follow_mode(self, mode: Mode) -> None:
        if mode is not Mode.T2V or "reference" in vars(self):
            self.reference.setVisible(mode is not Mode.T2V)

    @Slot(str)
    def _hint(self, text: str) -> None:
        self.notice.say(text, Tone.WARNING, for_ms=_NOTICE_MS)

    @Slot(str)
    def _say(self, text: str) -> None:
        self.notice.say(text, for_ms=_NOTICE_MS)

    @Slot()
    def _show_progress(self) -> None:
        job = self.workshop.job
        self._taskbar.show(job.fraction if job.phase.active else None)
        title = "Magi Desktop"
        if job.phase.active and job.fraction is not None:
            title = f"{job.fraction:.0%} · {title}"
        self.setWindowTitle(title)

    @Slot(object)
    def _ended(self, event: Event) -> None:
        job = self.workshop.job
        self.notice.withdraw("behind")
        if isinstance(event, Finished):
            self._notify(
                self.tr("Your video is ready"),
                job.request.prompt if job.request is not None else "",
            )
        elif isinstance(event, Failed):
            self._notify(self.tr("The video could not be made"), job_sentence(job))

    @Slot(object, str)
    def _installed(self, task: Task, sentence: str) -> None:
        action = None
        if isinstance(task, Download | Make):
            action = (self.tr("Use it"), partial(self.dialogs.use_model, task.model))
            self._notify(self.tr("Your model is ready"), sentence)
        self.notice.say(sentence, action=action, for_ms=2 * _NOTICE_MS)

    @Slot(object, object)
    def _install_failed(self, _task: Task, error: MagiError) -> None:
        self._notify(self.tr("The model could not be got ready"), translated(error))

    def _notify(self, title: str, text: str) -> None:
        if self.workshop.preferences.get("notify"):
            shell.notify(title, text, self)

    @Slot(str)
    def _prefer(self, name: str) -> None:
        preferences = self.workshop.preferences
        if name == "appearance":
            theme().apply(Appearance(preferences.get(name)))
        elif name == "live_preview":
            self.player.commands.preview.setChecked(preferences.get(name))
        elif name == "loop":
            self.player.commands.loop.setChecked(preferences.get(name))
        elif name == "output_folder":
            self.workshop.library.rescan(self.workshop.controller.output_folder)

    # The end.

    @property
    def _making(self) -> bool:
        """Whether a video is being made that ends with the program."""
        shop = self.workshop
        return shop.controller.busy and not shop.engine.engine.outlives

    def _ask_to_quit(self, restart: bool) -> None:
        stop, then = self.tr("Stop and quit"), partial(self._stop_and_quit, restart)
        if not self._making:
            self.making.ask_to_end(
                self.tr("A video is being exported."),
                self.tr("If you quit now, nothing of it is kept."),
                *(stop, then, self.tr("Keep exporting"), self.exports.idle),
            )
            return
        detail = self.tr("If you quit now, what is finished of it is kept as a video.")
        if self.exports.busy:
            detail += "\n" + self.tr("Nothing is kept of the export that is under way.")
        self.making.ask_to_end(self.tr("A video is being made."), detail, stop, then)

    def _stop_and_quit(self, restart: bool) -> None:
        self.restart_wanted = restart
        controller = self.workshop.controller
        self.setEnabled(False)
        self.exports.cancel_all()
        controller.idle.connect(self.close)
        QTimer.singleShot(_CLOSE_PATIENCE_MS, self._quit_anyway)
        controller.close()
        if not self._making:
            self.close()

    @Slot()
    def _quit_anyway(self) -> None:
        """The engine hangs: its process is ended, and what it wrote is recovered."""
        self._keep_geometry()
        self.closed.emit()

    def _keep_geometry(self) -> None:
        self.workshop.file.set_section(
            "window",
            {
                "geometry": _as_text(self.saveGeometry()),
                "splitter": _as_text(self.splitter.saveState()),
                "side": self.side.currentIndex(),
            },
        )

    def _restore_geometry(self) -> None:
        saved = self.workshop.file.section("window")
        fit_to_screen(self, QSize(_INPUTS_WIDTH + 820 + _SIDE_WIDTH, 900))
        width = self.width()
        self.splitter.setSizes([_INPUTS_WIDTH, width - _INPUTS_WIDTH - _SIDE_WIDTH, _SIDE_WIDTH])
        if isinstance(saved.get("geometry"), str):
            self.restoreGeometry(_from_text(saved["geometry"]))
            if not self.windowState():  # neither maximised nor full screen
                fit_to_screen(self, self.size())
        if isinstance(saved.get("splitter"), str):
            self.splitter.restoreState(_from_text(saved["splitter"]))
        if saved.get("side") in (0, 1):
            self.side.setCurrentIndex(saved["side"])


def _as_text(state: QByteArray) -> str:
    return bytes(state.toBase64().data()).decode()


def _from_text(text: str) -> QByteArray:
    return QByteArray.fromBase64(text.encode())
