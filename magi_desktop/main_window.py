"""The window: composes the panels and wires them to the state; no work is done here."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from PySide6.QtCore import QByteArray, QMimeData, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QScrollArea,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from magi_desktop import background, drops, shell
from magi_desktop.dialogs.direct import DirectDialog
from magi_desktop.menus import make_menus
from magi_desktop.panels.generate_bar import GenerateBar
from magi_desktop.panels.generation import GenerationPanel
from magi_desktop.panels.library import LibraryPanel
from magi_desktop.panels.modes import ModeSelector
from magi_desktop.panels.progress import ProgressPanel, job_sentence
from magi_desktop.panels.prompt import PromptPanel
from magi_desktop.panels.queue import QueuePanel
from magi_desktop.panels.reference import ReferencePanel
from magi_desktop.player.player import Player
from magi_desktop.state.library import LibraryItem
from magi_desktop.state.queue import QueueItem
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.notice_bar import NoticeBar, Tone
from magi_desktop.workshop import Workshop
from magi_engine.errors import MagiError
from magi_engine.media import MediaInfo, probe
from magi_engine.runtime.events import Event, Failed, Finished
from magi_engine.runtime.request import GenerationRequest, Mode

_NOTICE_MS = 12_000
_INPUTS_WIDTH, _SIDE_WIDTH = 360, 300
_CLOSE_PATIENCE_MS = 30_000


class MainWindow(QMainWindow):
    """Inputs on the left, the player in the middle, queue and library on the right.

    Signals:
        closed: the window is gone for good, and nothing runs any more.
    """

    closed = Signal()

    def __init__(self, workshop: Workshop) -> None:
        super().__init__()
        self.workshop = workshop
        self.setWindowTitle("Magi Desktop")
        self.setAcceptDrops(True)
        self._make_panels()
        self._lay_out()
        self._wire()
        self.menus = make_menus(self)
        self._taskbar = shell.TaskbarProgress(self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._restore_geometry()

    # Composition.

    def _make_panels(self) -> None:
        shop = self.workshop
        self.modes = ModeSelector(shop.draft, self)
        self.prompt = PromptPanel(shop.draft, shop.prompt_history, self)
        self.reference = ReferencePanel(shop.draft, shop.places.pasted, self)
        self.generation = GenerationPanel(shop.draft, shop.presets, self)
        self.generate_bar = GenerateBar(shop.job, self)
        self.player = Player(self)
        self.player.bind(shop.job)
        self.progress = ProgressPanel(shop.job, self)
        self.queue = QueuePanel(shop.queue, shop.job, self)
        self.library = LibraryPanel(shop.library, self)
        self.notice = NoticeBar(self)

    def _lay_out(self) -> None:
        inputs = QWidget(self)
        column = QVBoxLayout(inputs)
        column.setContentsMargins(0, 0, t.SPACE_2, 0)
        column.setSpacing(t.SPACE_4)
        for panel in (self.prompt, self.reference, self.generation):
            column.addWidget(panel)
        column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inputs)
        left = _column(self.modes, scroll, self.generate_bar, stretch=scroll)
        left.setMinimumWidth(300)

        centre = _column(self.notice, self.player, self.progress, stretch=self.player)
        centre.setMinimumWidth(420)

        self.side = QTabWidget(self)
        self.side.addTab(self.queue, self.tr("Queue"))
        self.side.addTab(self.library, self.tr("Library"))
        self.side.setMinimumWidth(240)

        self.splitter = QSplitter(Qt.Orientation.Horizontal, self)
        for widget, stretch in ((left, 0), (centre, 1), (self.side, 0)):
            self.splitter.addWidget(widget)
            self.splitter.setStretchFactor(self.splitter.indexOf(widget), stretch)
            self.splitter.setCollapsible(self.splitter.indexOf(widget), False)
        self.splitter.setHandleWidth(t.SPACE_4)
        frame = QWidget(self)
        margins = QHBoxLayout(frame)
        margins.setContentsMargins(t.SPACE_4, t.SPACE_3, t.SPACE_4, t.SPACE_4)
        margins.addWidget(self.splitter)
        self.setCentralWidget(frame)
        self._follow_mode(self.workshop.draft.mode)

    def _wire(self) -> None:
        shop = self.workshop
        shop.draft.mode_changed.connect(self._follow_mode)
        self.generate_bar.generate_clicked.connect(self.generate)
        self.prompt.generate_requested.connect(self.generate_bar.generate_once)
        self.progress.pause_toggled.connect(shop.controller.toggle_pause)
        self.progress.stop_clicked.connect(shop.controller.stop)
        self.player.prompt_requested.connect(self._direct)
        self.queue.edit_requested.connect(self._edit)
        self.library.open_requested.connect(self._play)
        self.library.settings_requested.connect(self._use_settings)
        self.library.continue_requested.connect(self._continue)
        self.library.show_in_folder_requested.connect(self.show_in_folder)
        self.generation.model_wanted.connect(self.show_welcome)
        shop.controller.failed.connect(self._failed)
        shop.job.noticed.connect(self._hint)
        shop.job.changed.connect(self._show_progress)
        shop.job.ended.connect(self._ended)
        shop.store.noticed.connect(self._hint)
        if shop.file.notice is not None:
            self._hint(shop.file.notice)

    # From the user.

    @Slot(int)
    def generate(self, copies: int = 1) -> None:
        """Make the draft's video, now or when the ones before it are done."""
        draft = self.workshop.draft
        draft.take_seed()
        try:
            request = draft.request()
        except MagiError as error:
            self.notice.say_error(error)
            return
        self.prompt.remember()
        self.notice.dismiss()
        self.workshop.controller.generate(request, copies)
        if copies > 1 or self.workshop.job.phase.active:
            self.side.setCurrentWidget(self.queue)

    def open_path(self, path: Path) -> None:
        """What dropping a file on the window does."""
        try:
            dropped = drops.classify_path(path)
        except MagiError as error:
            self.notice.say_error(error)
            return
        self._take_dropped(dropped)

    @Slot(list)
    def open_again(self, paths: list[str]) -> None:
        """The program was started a second time, perhaps with files."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.activateWindow()
        if paths:
            self.open_path(Path(paths[0]))

    def paste(self) -> None:
        """Use what is on the clipboard as if it had been dropped."""
        self._take_mime(QGuiApplication.clipboard().mimeData())

    def show_in_folder(self, path: Path) -> None:
        """Show a file in the file manager."""
        self._start_task(shell.show_in_folder(path))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if drops.may_be_usable(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self._take_mime(event.mimeData())

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self.workshop.controller.busy:
            self._keep_geometry()
            event.accept()
            self.closed.emit()
            return
        event.ignore()
        self._ask_to_quit()

    def _take_mime(self, mime: QMimeData) -> None:
        try:
            dropped = drops.classify(mime, self.workshop.places.pasted)
        except MagiError as error:
            self.notice.say_error(error)
            return
        self._take_dropped(dropped)

    def _start_task(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # From the panels.

    @Slot(object)
    def _edit(self, item: QueueItem) -> None:
        self.workshop.queue.remove(item.id)
        self._use_settings(item.request)
        self.notice.offer_undo(
            self.tr("Taken out of the queue to be edited."), self.workshop.queue.undo_remove
        )

    @Slot(object)
    def _play(self, item: LibraryItem) -> None:
        self.player.open_file(item.path)

    @Slot(object)
    def _use_settings(self, request: GenerationRequest) -> None:
        """Compose ``request`` again; its reference is read in the background."""
        if request.reference is None:
            self._take_request(request, None)
            return
        background.run(
            probe,
            request.reference,
            then=lambda info: self._take_request(request, info),
            failed=lambda error: self._take_without_reference(request, error),
            owner=self,
        )

    def _take_request(self, request: GenerationRequest, info: MediaInfo | None) -> None:
        try:
            self.workshop.draft.take(request, info)
        except MagiError as error:
            self.notice.say_error(error)

    def _take_without_reference(self, request: GenerationRequest, error: Exception) -> None:
        self._take_request(request, None)
        if isinstance(error, MagiError):
            self.notice.say_error(error)

    @Slot(object)
    def _continue(self, item: LibraryItem) -> None:
        """Compose a video that begins where another ends."""
        self._take_request(dataclasses.replace(item.request, mode=Mode.V2V, reference=None), None)
        self.workshop.draft.set_mode(Mode.V2V)
        self.workshop.draft.set_prompt(item.request.prompt)
        self.reference.open(item.path)

    @Slot(int)
    def _direct(self, chunk: int) -> None:
        """Ask for the prompt from a chunk on."""
        job = self.workshop.job
        if not job.phase.active or chunk >= len(job.chunks):
            return
        dialog = DirectDialog(chunk, job.chunks[chunk].prompt, job.chunk_frames / job.fps, self)
        dialog.chosen.connect(self.workshop.controller.change_prompt)
        dialog.open()

    # From the state.

    @Slot(object)
    def _follow_mode(self, mode: Mode) -> None:
        self.reference.setVisible(mode is not Mode.T2V)

    @Slot(str)
    def _hint(self, text: str) -> None:
        self.notice.say(text, Tone.WARNING, for_ms=_NOTICE_MS)

    @Slot(object)
    def _failed(self, error: MagiError) -> None:
        self.notice.say_error(error)

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
        if not self.workshop.preferences.get("notify"):
            return
        job = self.workshop.job
        if isinstance(event, Finished):
            text = job.request.prompt if job.request is not None else ""
            self._start_task(shell.notify(self.tr("Your video is ready"), text, self))
        elif isinstance(event, Failed):
            text = job_sentence(job)
            self._start_task(shell.notify(self.tr("The video could not be made"), text, self))

    # The end.

    def _ask_to_quit(self) -> None:
        box = QMessageBox(self)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(self.tr("A video is being made."))
        box.setInformativeText(
            self.tr("If you quit now, what is finished of it is kept as a video.")
        )
        stop = box.addButton(self.tr("Stop and quit"), QMessageBox.ButtonRole.AcceptRole)
        keep = box.addButton(self.tr("Keep making it"), QMessageBox.ButtonRole.RejectRole)
        box.setDefaultButton(keep)
        box.setEscapeButton(keep)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        stop.clicked.connect(self._stop_and_quit)
        box.open()

    @Slot()
    def _stop_and_quit(self) -> None:
        controller = self.workshop.controller
        self.setEnabled(False)
        controller.idle.connect(self.close)
        QTimer.singleShot(_CLOSE_PATIENCE_MS, self._quit_anyway)
        controller.close()
        if not controller.busy:
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
        self.resize(_INPUTS_WIDTH + 820 + _SIDE_WIDTH, 900)
        screen = self.screen().availableSize()
        self.resize(self.size().boundedTo(screen))
        width = self.width()
        self.splitter.setSizes([_INPUTS_WIDTH, width - _INPUTS_WIDTH - _SIDE_WIDTH, _SIDE_WIDTH])
        if isinstance(saved.get("geometry"), str):
            self.restoreGeometry(_from_text(saved["geometry"]))
        if isinstance(saved.get("splitter"), str):
            self.splitter.restoreState(_from_text(saved["splitter"]))
        if saved.get("side") in (0, 1):
            self.side.setCurrentIndex(saved["side"])


def _column(*widgets: QWidget, stretch: QWidget) -> QWidget:
    column = QWidget()
    layout = QVBoxLayout(column)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(t.SPACE_3)
    for widget in widgets:
        layout.addWidget(widget, 1 if widget is stretch else 0)
    return column


def _as_text(state: QByteArray) -> str:
    return bytes(state.toBase64().data()).decode()


def _from_text(text: str) -> QByteArray:
    return QByteArray.fromBase64(text.encode())
