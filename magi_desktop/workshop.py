"""Everything behind the window, put together: state, store, engine."""

from __future__ import annotations

from magi_engine.runtime.host import EngineProcess
from PySide6.QtCore import QObject, QThreadPool, Slot

from magi_desktop.engine_thread import EngineThread
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.controller import Controller
from magi_desktop.state.draft import Draft
from magi_desktop.state.jobs import JobState
from magi_desktop.state.library import Library
from magi_desktop.state.queue import JobQueue
from magi_desktop.state.store import Store


class Workshop(QObject):
    """Owns the long-lived objects. Nothing slow happens before ``start``."""

    def __init__(self, places: Places, file: SettingsFile, preferences: Preferences) -> None:
        super().__init__()
        self.places, self.file, self.preferences = places, file, preferences
        self.draft = Draft(self)
        self.draft.restore(file.section("draft"))
        self.job = JobState(self)
        self.engine = EngineThread(EngineProcess(), self)
        self.store = Store(places.database, self)
        self.queue = JobQueue(self.store, self)
        self.library = Library(self.store, places.thumbnails, self)
        self.controller = Controller(
            self.engine, self.job, self.queue, self.library, preferences, places.videos, self
        )
        self.draft.changed.connect(self._keep_draft)

    @Slot()
    def start(self) -> None:
        """What can wait until the window is visible."""
        self.engine.start()
        self.store.open()

    def close(self) -> None:
        """End everything in order; blocks for a moment."""
        self.controller.close()
        self.engine.close()
        QThreadPool.globalInstance().waitForDone(3000)
        self.store.close()
        self.file.flush()

    @Slot(str)
    def _keep_draft(self, _name: str) -> None:
        self.file.replace_section("draft", self.draft.to_json())
