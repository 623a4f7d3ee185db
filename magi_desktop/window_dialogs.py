"""Opens the window's dialogs and folders."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QLocale, QObject, QProcess, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from magi_desktop import background, set_up
from magi_desktop.belongings import belongings
from magi_desktop.menus import Menus
from magi_desktop.state.library import LibraryItem
from magi_desktop.video_actions import VARIATIONS
from magi_desktop.workshop import Workshop
from magi_engine.install.tasks import Download
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.sampling.schedule import Transition

if TYPE_CHECKING:
    from magi_engine.takes.store import Takes

logger = logging.getLogger(__name__)


_FIRST_OPENED = (
    *("magi_desktop.audition", "magi_desktop.panels.advanced", "magi_desktop.panels.reference"),
    *("magi_desktop.dialogs.models", "magi_desktop.dialogs.preferences"),
    *("magi_desktop.dialogs.welcome", "magi_desktop.dialogs.redo"),
)
"""What takes long to import, and is then opened at once."""


class WindowDialogs(QObject):
    """All of them, as slots. Each is imported when it is opened: the first picture needs none.

    Signals:
        said: a sentence for the window's notice.
        failed: an exception: a folder could not be opened.
        restart_wanted: the program is to end and begin again.
        file_wanted: path of a video and its GenerationRequest, to be gone on with from its file.
        wanted: a GenerationRequest, and how many videos of it are to be made.
        variations_wanted: a GenerationRequest, of which so many more are to be made.
        started: the user begins with a model that the welcome offers.
    """

    said = Signal(str)
    failed = Signal(object)
    restart_wanted = Signal()
    file_wanted = Signal(object, object)
    wanted = Signal(object, int)
    variations_wanted = Signal(object, int)
    started = Signal()

    def __init__(self, workshop: Workshop, window: QWidget) -> None:
        super().__init__(window)
        self._workshop, self._window = workshop, window

    def import_all(self, then: Callable[[], object]) -> None:
        """Import beside the window what would hold it up when first opened, then call ``then``."""
        background.run(
            lambda: [import_module(name) for name in _FIRST_OPENED],
            then=lambda _modules: then(),
            owner=self,
        )

    @Slot()
    def preferences(self) -> None:
        from magi_desktop.dialogs.preferences import PreferencesDialog

        shop = self._workshop
        facts = shop.machine.facts
        cards = () if facts is None else facts.cards
        dialog = PreferencesDialog(shop.preferences, shop.places, self._window, cards)
        dialog.restart_wanted.connect(self.restart_wanted)
        self._open(dialog)

    def shortcuts(self, menus: Menus) -> None:
        from magi_desktop.dialogs.help import HelpSheet

        self._open(HelpSheet(menus.groups, self._window))

    @Slot()
    def guide(self) -> None:
        from magi_desktop.dialogs.guide import GuideDialog

        self._open(GuideDialog(QLocale().name(), self._window))

    @Slot(object, object)
    def details(self, item: LibraryItem, request: GenerationRequest) -> None:
        """Open how a video was made."""
        from magi_desktop.dialogs.details import DetailsDialog

        self._open(DetailsDialog(item, request, self._window))

    def redo(
        self,
        find: Callable[[], Earlier],
        second: float,
        behind: bool = False,
        transition: Transition | None = None,
    ) -> None:
        """Ask how a video is to be made anew.

        Args:
            find: gives the video; in the background.
            second: of the part that is to be made anew, in the file.
            behind: that part stays, and all behind it is made anew.
        """

        def place() -> tuple[Earlier, int]:
            earlier = find()
            chunk = min(earlier.chunk_at(second) + behind, earlier.chunks)
            earlier.check_kept(chunk)
            return earlier, chunk

        background.run(
            place,
            then=lambda found: self._open_redo(*found, transition),
            failed=self.failed.emit,
            owner=self,
        )

    @Slot()
    def audition(self) -> None:
        """Show the first seconds there are, to choose among."""
        from magi_desktop.audition import AuditionDialog

        shop = self._workshop
        dialog = AuditionDialog(shop.library, shop.queue, shop.undo, self._window)
        dialog.keep_wanted.connect(self.resume)
        self._open(dialog)

    def vary(self, find: Callable[[], Earlier], second: float) -> None:
        """Make a video anew from a second on, several times."""

        def varied() -> GenerationRequest:
            earlier = find()
            return earlier.redone(earlier.chunk_at(second))

        background.run(
            varied,
            then=lambda request: self.variations_wanted.emit(request, VARIATIONS),
            failed=self.failed.emit,
            owner=self,
        )

    @Slot(object, object)
    def go_on(self, path: Path, request: GenerationRequest) -> None:
        """Ask how a video goes on behind its end; from its file where its latents are gone."""

        def whole() -> Earlier:
            earlier = earlier_of(path, self._workshop.engine.engine.takes)
            earlier.check_kept(earlier.chunks)
            return earlier

        def from_file(error: Exception) -> None:
            logger.info("%s goes on from its file: %s", path, error)
            self.file_wanted.emit(path, request)
            self.said.emit(self.tr("Nothing more was kept of it: it goes on from its file."))

        background.run(
            whole,
            then=lambda earlier: self._open_redo(earlier, earlier.chunks),
            failed=from_file,
            owner=self,
        )

    @Slot(object)
    def resume(self, item: LibraryItem) -> None:
        """Make what is missing of a video that was stopped."""
        background.run(
            lambda: earlier_of(item.path, self._workshop.engine.engine.takes).resumed(),
            then=lambda request: self.wanted.emit(request, 1),
            failed=self.failed.emit,
            owner=self,
        )

    def _open_redo(
        self, earlier: Earlier, chunk: int, transition: Transition | None = None
    ) -> None:
        from magi_desktop.dialogs.redo import RedoDialog

        dialog = RedoDialog(earlier, chunk, VARIATIONS, self._window, transition)
        dialog.chosen.connect(self.wanted)
        self._open(dialog)

    @Slot()
    def about(self) -> None:
        """Open version and licences."""
        from magi_desktop.dialogs.about import AboutDialog

        self._open(AboutDialog(self._diagnostics, self._window))

    def welcome(self, greets: bool = False) -> None:
        """Say what this computer can run and offer the models; ``greets``: on the first start."""
        from magi_desktop.dialogs.welcome import WelcomeDialog

        shop = self._workshop
        dialog = WelcomeDialog(shop.machine, shop.models, self._window, greets=greets)
        dialog.start_wanted.connect(self.use_model)
        dialog.start_wanted.connect(self.started)
        dialog.download_wanted.connect(self.download)
        self._open(dialog)

    @Slot()
    def speed(self) -> None:
        """Offer to measure how fast this computer is."""
        from magi_desktop.dialogs.speed import SpeedDialog

        engine = self._workshop.engine
        dialog = SpeedDialog(self._window)
        dialog.wanted.connect(engine.measure)
        dialog.stopped.connect(engine.engine.stop_measuring)
        engine.measured.connect(dialog.told)
        self._open(dialog)

    @Slot()
    @Slot(str)
    def models(self, name: str = "") -> None:
        """Open the list of models, where ``name`` is."""
        from magi_desktop.dialogs.models import ModelsDialog

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
        self._workshop.draft.choose_model(name)

    @Slot(str)
    def download(self, name: str) -> None:
        """Get what is missing of a model; shows its licence if that has not been accepted."""
        from magi_desktop.dialogs.licence import LicenceDialog

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

    @Slot()
    def copy_diagnostics(self) -> None:
        """Put versions, devices and the end of the log on the clipboard."""
        shop = self._workshop
        if shop.findings or shop.controller.busy:  # the engine examines only between videos
            self._gather_diagnostics()
        else:
            self.said.emit(self.tr("Looking at this computer…"))
            once = Qt.ConnectionType.SingleShotConnection
            shop.engine.examined.connect(self._gather_diagnostics, once)
            shop.engine.examine()

    @Slot(object)
    def _gather_diagnostics(self, _outcome: object = None) -> None:
        background.run(self._diagnostics, then=self._copy, owner=self)

    @Slot()
    def open_videos(self) -> None:
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
        from magi_desktop.dialogs.updates import UpdatesDialog

        dialog = UpdatesDialog(self._workshop.updates, self._window)
        dialog.quit_wanted.connect(self._window.close)
        self._open(dialog)

    @Slot()
    def places(self) -> None:
        """Say where everything is."""
        from magi_desktop.dialogs.places import PlacesDialog

        shop = self._workshop
        kept = belongings(shop.places, shop.models.models_dir, shop.controller.output_folder)
        self._open(PlacesDialog(kept, self._open_folder, self._window))

    @Slot()
    def open_logs(self) -> None:
        self._open_folder(self._workshop.places.logs)

    def _open(self, dialog: QDialog) -> None:
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _diagnostics(self) -> str:
        from magi_desktop import diagnostics

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


def earlier_of(video: Path, takes: Takes) -> Earlier:
    """The video of a file.

    Raises:
        MagiError: it is none of ours, or its latents are not kept.
    """
    return Earlier.of_video(video, takes)
