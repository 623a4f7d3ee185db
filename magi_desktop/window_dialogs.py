"""Opens the window's dialogs and folders."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QLocale, QObject, QProcess, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from magi_desktop import background, diagnostics, set_up
from magi_desktop.belongings import belongings
from magi_desktop.dialogs.about import AboutDialog
from magi_desktop.dialogs.details import DetailsDialog
from magi_desktop.dialogs.direct import DirectDialog
from magi_desktop.dialogs.guide import GuideDialog
from magi_desktop.dialogs.help import HelpSheet
from magi_desktop.dialogs.licence import LicenceDialog
from magi_desktop.dialogs.models import ModelsDialog
from magi_desktop.dialogs.places import PlacesDialog
from magi_desktop.dialogs.preferences import PreferencesDialog
from magi_desktop.dialogs.redo import RedoDialog
from magi_desktop.dialogs.updates import UpdatesDialog
from magi_desktop.dialogs.welcome import WelcomeDialog
from magi_desktop.menus import Menus
from magi_desktop.state.library import LibraryItem
from magi_desktop.video_actions import VARIATIONS
from magi_desktop.workshop import Workshop
from magi_engine.config.places import default_takes_dir
from magi_engine.install.tasks import Download
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.takes.store import TakeStore


class WindowDialogs(QObject):
    """All of them, as slots.

    Signals:
        said: a sentence for the window's notice.
        failed: an exception: a folder could not be opened.
        restart_wanted: the program is to end and begin again.
        started: the user begins with a model that the welcome offers.
    """

    said = Signal(str)
    failed = Signal(object)
    restart_wanted = Signal()
    started = Signal()

    def __init__(self, workshop: Workshop, window: QWidget) -> None:
        super().__init__(window)
        self._workshop, self._window = workshop, window

    @Slot()
    def preferences(self) -> None:
        """Open the preferences."""
        shop = self._workshop
        dialog = PreferencesDialog(shop.preferences, shop.places.videos, self._window)
        dialog.restart_wanted.connect(self.restart_wanted)
        self._open(dialog)

    def shortcuts(self, menus: Menus) -> None:
        """Open the sheet of shortcuts."""
        self._open(HelpSheet(menus.groups, self._window))

    @Slot()
    def guide(self) -> None:
        """Open the guide."""
        self._open(GuideDialog(QLocale().name(), self._window))

    @Slot(object, object)
    def details(self, item: LibraryItem, request: GenerationRequest) -> None:
        """Open how a video was made."""
        self._open(DetailsDialog(item, request, self._window))

    def redo(self, item: LibraryItem, second: float) -> None:
        """Ask how a video is to be made anew from about ``second`` on."""
        background.run(
            _earlier,
            item.path,
            then=partial(self._open_redo, second),
            failed=self.failed.emit,
            owner=self,
        )

    def _open_redo(self, second: float, earlier: Earlier) -> None:
        dialog = RedoDialog(earlier, second, VARIATIONS, self._window)
        dialog.chosen.connect(self._workshop.controller.generate)
        self._open(dialog)

    @Slot()
    def about(self) -> None:
        """Open version and licences."""
        self._open(AboutDialog(self._diagnostics, self._window))

    def welcome(self, greets: bool = False) -> None:
        """Say what this computer can run and offer the models; ``greets``: on the first start."""
        shop = self._workshop
        dialog = WelcomeDialog(shop.machine, shop.models, self._window, greets=greets)
        dialog.start_wanted.connect(self.use_model)
        dialog.start_wanted.connect(self.started)
        dialog.download_wanted.connect(self.download)
        self._open(dialog)

    @Slot()
    @Slot(str)
    def models(self, name: str = "") -> None:
        """Open the list of models, where ``name`` is."""
        shop = self._workshop
        dialog = ModelsDialog(shop.models, shop.machine, shop.draft, shop.preferences, self._window)
        dialog.download_wanted.connect(self.download)
        self._open(dialog)
        if name:
            dialog.show_model(name)

    @Slot()
    def installing(self) -> None:
        """Open the list of models where something is under way or went wrong."""
        tasks = self._workshop.models.tasks
        item = tasks.current
        self.models(next(iter(tasks.problems), "") if item is None else item.subject)

    @Slot(str)
    def use_model(self, name: str) -> None:
        """Make the next videos with a model."""
        self._workshop.draft.set(model=name, config_path=None)

    @Slot(str)
    def download(self, name: str) -> None:
        """Get what is missing of a model; shows its licence if that has not been accepted."""
        models = self._workshop.models
        status = models.status(name)
        if status is None:
            return
        release = status.entry.release
        if release is None or models.is_accepted(name):
            models.tasks.do(Download(name))
            return
        dialog = LicenceDialog(status, release, QApplication.activeModalWidget() or self._window)
        dialog.accepted.connect(partial(self._accepted, name))
        self._open(dialog)

    def _accepted(self, name: str) -> None:
        self._workshop.models.accept(name)
        self._workshop.models.tasks.do(Download(name))

    def greet(self) -> None:
        """The welcome, on the very first start only."""
        if not self._workshop.preferences.get("welcomed"):
            self._workshop.preferences.set("welcomed", True)
            self.welcome(greets=True)

    @Slot(int)
    def direct(self, chunk: int) -> None:
        """Ask for the prompt from a chunk on, if that has not begun."""
        job = self._workshop.job
        if not job.can_direct or chunk > len(job.chunks):
            return
        dialog = DirectDialog(job, chunk, self._window)
        dialog.chosen.connect(self._workshop.controller.change_prompt)
        self._open(dialog)

    @Slot()
    def direct_next(self) -> None:
        """Ask for the prompt of the next chunk that has not begun."""
        chunk = self._workshop.job.first_open_chunk
        self.direct(0 if chunk is None else chunk)

    @Slot()
    def copy_diagnostics(self) -> None:
        """Put versions, devices and the end of the log on the clipboard."""
        shop = self._workshop
        if shop.findings or shop.controller.busy:  # the engine examines only between videos
            self._gather_diagnostics()
        else:
            self.said.emit(self.tr("Looking at this computer…"))
            shop.examine(self._gather_diagnostics, self._gather_diagnostics)

    def _gather_diagnostics(self, _outcome: object = None) -> None:
        background.run(self._diagnostics, then=self._copy, owner=self)

    @Slot()
    def open_videos(self) -> None:
        """Show the folder of videos."""
        self._open_folder(self._workshop.controller.output_folder)

    def set_up(self, command: list[str]) -> None:
        """Open what installed the program, and close the window: it cannot change while it runs."""
        started, _ = QProcess.startDetached(command[0], command[1:])
        if started:
            self._window.close()
            return
        self.failed.emit(
            set_up.SetUpError(
                "The set-up could not be started.", "Start Magi Desktop again from the menu."
            )
        )

    @Slot()
    def updates(self) -> None:
        """Find out whether there is a newer version, or go on with one that was found."""
        dialog = UpdatesDialog(self._workshop.updates, self._window)
        dialog.quit_wanted.connect(self._window.close)
        self._open(dialog)

    @Slot()
    def places(self) -> None:
        """Say where everything is."""
        shop = self._workshop
        kept = belongings(shop.places, shop.models.models_dir, shop.controller.output_folder)
        self._open(PlacesDialog(kept, self._open_folder, self._window))

    @Slot()
    def open_logs(self) -> None:
        """Show the folder of logs."""
        self._open_folder(self._workshop.places.logs)

    def _open(self, dialog: QDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _diagnostics(self) -> str:
        return diagnostics.describe(self._workshop.places, self._workshop.findings)

    def _copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.said.emit(self.tr("The diagnostics are on the clipboard."))

    def _open_folder(self, folder: Path) -> None:
        background.run(
            lambda: folder.mkdir(parents=True, exist_ok=True),
            then=lambda _none: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))),
            failed=self.failed.emit,
            owner=self,
        )


def _earlier(video: Path) -> Earlier:
    return Earlier.of_video(video, TakeStore(default_takes_dir()))
