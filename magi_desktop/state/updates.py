"""Newer versions of the program: looked for when the user agreed, fetched when the user says so."""

from __future__ import annotations

import threading
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from magi_desktop import background
from magi_desktop.publication import FEED_URL
from magi_desktop.settings import Preferences, SettingsFile
from magi_engine.late import Late

if TYPE_CHECKING:
    from magi_desktop import release_feed
    from magi_desktop.release_feed import Installer, Release
    from magi_engine.fetching import Received
else:
    release_feed = Late("magi_desktop.release_feed")

_SECTION = "updates"
_DAY_S = 24 * 3600
_LOOK_EVERY_MS = 3_600_000
"""How often to find out whether a day has gone by."""
_FIRST_LOOK_MS = 20_000
_TOLD_EVERY_S = 0.1


class UpdatePhase(Enum):
    """How far the user is with an update."""

    UNKNOWN = "unknown"
    LOOKING = "looking"
    CURRENT = "current"
    """There is nothing newer."""
    AVAILABLE = "available"
    FETCHING = "fetching"
    FETCHED = "fetched"
    """The installer is here and right."""


class Updates(QObject):
    """What is known of newer versions. All methods return at once.

    Args:
        folder: for installers.
        kind: of installer that fits this computer, see ``publication.INSTALLERS``; None: none.
        url: of the list of versions.

    Signals:
        changed: phase, problem or progress is another.
        found: a newer version that the user was not told of yet, by a look nobody asked for.
        prepared: path of the installer, which is the one that was announced.
    """

    changed = Signal()
    found = Signal()
    prepared = Signal(object)
    _received = Signal(int)

    def __init__(
        self,
        file: SettingsFile,
        preferences: Preferences,
        folder: Path,
        kind: str | None,
        url: str = FEED_URL,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.folder, self.kind = folder, kind
        self.phase = UpdatePhase.UNKNOWN
        self.release: Release | None = None
        """The newest version, once it is known."""
        self.problem: Exception | None = None
        """Why the latest attempt at something failed."""
        self.received_bytes = 0
        """Of the installer."""
        self.preparing = False
        """Whether the installer is being hashed before it is handed out."""
        self._file, self._preferences, self._url = file, preferences, url
        self._cancelled = threading.Event()
        self._pool = background.Pool(self, 4)  # a server that dawdles holds up nothing else
        self._received.connect(self._progressed)
        self._timer = QTimer(self, interval=_LOOK_EVERY_MS)
        self._timer.timeout.connect(self.look_if_due)

    @property
    def installer(self) -> Installer | None:
        """The newest version's installer for this computer."""
        if self.release is None or self.kind is None:
            return None
        return self.release.installers.get(self.kind)

    def start(self) -> None:
        """Look once a day from now on, if the user agreed or agrees later."""
        self._pool.run(lambda: release_feed.clear_fetched(self.folder))  # imports it there
        self._timer.start()
        QTimer.singleShot(_FIRST_LOOK_MS, self.look_if_due)

    @Slot()
    def look(self) -> None:
        """Find out now whether there is a newer version: the user asked."""
        if self.phase not in (UpdatePhase.LOOKING, UpdatePhase.FETCHING):
            self._look(asked=True)

    @Slot()
    def fetch(self) -> None:
        """Bring the installer; what an earlier attempt left counts."""
        installer = self.installer
        if installer is None or self.phase is not UpdatePhase.AVAILABLE:
            return
        self._cancelled.clear()
        self.received_bytes = release_feed.fetched_bytes(installer, self.folder)
        self._set(UpdatePhase.FETCHING)
        self._pool.run(
            release_feed.fetch,
            installer,
            self.folder,
            self._reporter(),
            then=lambda _path: self._set(UpdatePhase.FETCHED),
            failed=self._not_fetched,
        )

    @Slot()
    def cancel(self) -> None:
        """Stop fetching; what has come is kept."""
        self._cancelled.set()

    def told(self) -> None:
        """The user has seen that there is a newer version."""
        if self.release is not None:
            self._file.set_section(_SECTION, {"told": str(self.release.version)})

    @Slot()
    def prepare(self) -> None:
        """Hash the installer again, which lay on the disk for a while, and hand it out."""
        installer = self.installer
        if installer is None or self.phase is not UpdatePhase.FETCHED or self.preparing:
            return

        def hashed(right: bool) -> None:
            self.preparing = False
            if right:
                self.changed.emit()
                self.prepared.emit(installer.place_in(self.folder))
            else:
                self._set(UpdatePhase.AVAILABLE, release_feed.changed_on_disk())

        self.preparing = True
        self.changed.emit()
        self._pool.run(release_feed.is_fetched, installer, self.folder, then=hashed)

    def close(self) -> None:
        self._timer.stop()
        self._cancelled.set()
        self._pool.waitForDone()

    @Slot()
    def look_if_due(self) -> None:
        """Look if the user agreed and has not been served for a day."""
        if not self._preferences.get("look_for_updates"):
            return
        if self.phase in (UpdatePhase.UNKNOWN, UpdatePhase.CURRENT):
            last = self._file.section(_SECTION).get("looked")
            # A time in the future is one of a clock that was wrong.
            if not isinstance(last, int | float) or not 0 <= time.time() - last < _DAY_S:
                self._look(asked=False)

    def _look(self, asked: bool) -> None:
        self._set(UpdatePhase.LOOKING)
        self._pool.run(
            release_feed.latest_release,
            self._url,
            then=lambda release: self._looked(release, asked),
            failed=lambda error: self._set(UpdatePhase.UNKNOWN, error),
        )

    def _looked(self, release: Release, asked: bool) -> None:
        self._file.set_section(_SECTION, {"looked": time.time()})
        self.release = release
        if not release.is_newer:
            self._set(UpdatePhase.CURRENT)
            return
        self._set(UpdatePhase.AVAILABLE)
        if not asked and self._file.section(_SECTION).get("told") != str(release.version):
            self.found.emit()

    def _reporter(self) -> Received:
        """Called in the thread that fetches, for every piece."""
        waiting, told = 0, 0.0

        def report(count: int) -> None:
            nonlocal waiting, told
            if self._cancelled.is_set():
                raise release_feed.FetchCancelled
            waiting += count
            if time.monotonic() - told > _TOLD_EVERY_S:
                self._received.emit(waiting)
                waiting, told = 0, time.monotonic()

        return report

    @Slot(int)
    def _progressed(self, count: int) -> None:
        if self.phase is UpdatePhase.FETCHING:
            self.received_bytes += count
            self.changed.emit()

    def _not_fetched(self, error: Exception) -> None:
        stopped = isinstance(error, release_feed.FetchCancelled)
        self._set(UpdatePhase.AVAILABLE, None if stopped else error)

    def _set(self, phase: UpdatePhase, problem: Exception | None = None) -> None:
        self.phase, self.problem = phase, problem
        self.changed.emit()
