"""What the window says about updates unasked: one question ever, one sentence per new version."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer, Slot

from magi_desktop.settings import Preferences
from magi_desktop.state.updates import Updates
from magi_desktop.widgets.notice_bar import NoticeBar

_POLITE_MS = 30_000
"""How long to wait before saying anything, and between attempts while something else is said."""


class UpdateNotices(QObject):
    """Speaks only where the notice is free, and never during the very first session.

    Args:
        show: opens the sheet of updates.
    """

    def __init__(
        self,
        updates: Updates,
        preferences: Preferences,
        notice: NoticeBar,
        show: Callable[[], None],
        parent: QObject,
        wait_ms: int = _POLITE_MS,
    ) -> None:
        super().__init__(parent)
        self._updates, self._preferences = updates, preferences
        self._notice, self._show = notice, show
        self._next: Callable[[], None] | None = None
        self._timer = QTimer(self, interval=wait_ms)
        self._timer.timeout.connect(self._speak)
        updates.found.connect(self._found)
        settled = preferences.get("welcomed") and not preferences.get("look_for_updates")
        # Without an installer somebody else looks after updates: a package manager, or git.
        if settled and updates.kind is not None and not preferences.get("asked_about_updates"):
            self._next = self._ask
            self._timer.start()

    @Slot()
    def _found(self) -> None:
        self._next = self._tell
        self._speak()

    @Slot()
    def _speak(self) -> None:
        """Say what is to be said, or try again later."""
        if self._next is None:
            self._timer.stop()
        elif self._notice.text:
            self._timer.start()
        else:
            speak, self._next = self._next, None
            speak()

    def _ask(self) -> None:
        self._notice.say(
            self.tr("Shall Magi Desktop look once a day whether there is a newer version?"),
            action=(self.tr("Yes, look"), self._agree),
            on_hide=lambda: self._preferences.set("asked_about_updates", True),
        )

    def _agree(self) -> None:
        self._preferences.set("look_for_updates", True)
        self._updates.look_if_due()

    def _tell(self) -> None:
        release = self._updates.release
        if release is not None:
            self._notice.say(
                self.tr("Magi Desktop {} is available.").format(release.version),
                action=(self.tr("Show…"), self._show),
                on_hide=self._updates.told,
            )
