"""Everything behind the window, put together: state, store, engine."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QThreadPool, Slot

from magi_desktop import background, set_up
from magi_desktop.engine_thread import EngineThread
from magi_desktop.engines import chosen_engine, host_of, models_of
from magi_desktop.panels.preset_list import PresetList
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.controller import Controller
from magi_desktop.state.draft import Draft
from magi_desktop.state.jobs import JobState
from magi_desktop.state.library import Library
from magi_desktop.state.machine import MachineState
from magi_desktop.state.models import Models
from magi_desktop.state.planner import Planner
from magi_desktop.state.prompt_history import PromptHistory
from magi_desktop.state.queue import JobQueue
from magi_desktop.state.store import Store
from magi_desktop.state.undo import Undo
from magi_desktop.state.updates import Updates
from magi_engine.install.process import InstallProcess
from magi_engine.install.tasks import Download, Make, Task
from magi_engine.media.info import probe
from magi_engine.weights.layout import default_models_dir

if TYPE_CHECKING:
    from magi_engine.runtime.machine.facts import Finding

logger = logging.getLogger(__name__)


class Workshop(QObject):
    """Owns the long-lived objects. Nothing slow happens before ``start``."""

    def __init__(self, places: Places, file: SettingsFile, preferences: Preferences) -> None:
        super().__init__()
        self.places, self.file, self.preferences = places, file, preferences
        self.draft = Draft(self)
        self.draft.restore(file.section("draft"))
        self.prompt_history = PromptHistory(file)
        self.presets = PresetList(file, self)
        self.job = JobState(self)
        folder = preferences.get("models_folder")
        models_dir = Path(folder) if folder else default_models_dir()
        engine = chosen_engine(preferences, places, models_dir)
        there = models_of(engine)
        installer = there or InstallProcess(models_dir, log_file=places.install_log)
        self.models = Models(installer, file, models_dir, parent=self, elsewhere=there)
        self.engine = EngineThread(engine, self)
        self.machine = MachineState(self.engine, self, host_of(engine))
        self.store = Store(places.database, self)
        self.queue = JobQueue(self.store, self, engine.outlives)
        self.library = Library(self.store, places.thumbnails, self)
        self.controller = Controller(
            *(self.engine, self.job, self.queue, self.library, preferences, places.videos),
            self,
            self.computing,
        )
        self.undo = Undo(self.library, self.queue, self.controller, self.draft, self)
        self.undo.draft_changed.connect(self.read_references)
        self.planner = Planner(
            self.draft,
            self.engine,
            lambda: self.controller.output_folder,
            self.computing,
            self,
        )
        preferences.changed.connect(self.planner.refresh)
        self.updates = Updates(
            file, preferences, places.installers, set_up.installer_kind(), parent=self
        )
        self.findings: list[Finding] = []
        """What the engine found out about this machine; empty until it was asked."""
        self.engine.examined.connect(self._examined)
        self.models.leaving.connect(self.engine.unload)
        self.draft.changed.connect(self._keep_draft)

    @Slot()
    def start(self) -> None:
        """What can wait until the window is visible."""
        self.engine.start()
        self.machine.refresh()
        self.planner.refresh()
        self.engine.ended.connect(self.machine.refresh)  # what is free has changed
        self.machine.changed.connect(self.planner.refresh)
        self.models.tasks.ended.connect(self.machine.refresh)
        self.models.tasks.begun.connect(self._make_room)
        self.models.refresh()
        self.models.tasks.start()
        self.store.open()
        self.library.recover(self.controller.output_folder)
        self.library.check_files()
        self.updates.start()
        self.read_references()

    @Slot()
    def read_references(self) -> None:
        """Look at those the draft awaits, in the background."""
        for request in self.draft.awaited.values():
            background.run(
                probe,
                request.reference,
                then=partial(self.draft.reference_came, request),
                failed=lambda error: logger.info("a reference is gone: %s", error),
                owner=self,
            )

    def computing(self) -> dict[str, Any]:
        """How videos are computed here, as fields of a request."""
        return self.preferences.computing(self.machine.cards)

    def close(self) -> None:
        """End everything in order; blocks for a moment."""
        self.controller.close()
        self.engine.close()
        self.planner.close()
        self.models.close()
        self.updates.close()
        self.library.close()
        QThreadPool.globalInstance().waitForDone(3000)
        self.store.close()
        self.file.flush()

    @Slot(object)
    def _examined(self, outcome: list[Finding] | Exception) -> None:
        if not isinstance(outcome, Exception):
            self.findings = outcome

    @Slot(object)
    def _make_room(self, task: Task) -> None:
        # One loads a model itself; the other replaces files, which may not be in use on Windows.
        if isinstance(task, Make) or (
            isinstance(task, Download) and self.models.is_damaged(task.model)
        ):
            self.engine.unload()

    @Slot(str)
    def _keep_draft(self, name: str) -> None:
        if name in ("plan", "editing"):
            return
        self.file.replace_section("draft", self.draft.to_json())
