"""What can be done with the second that the player shows, also while the video is being made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QPoint, Qt, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from magi_desktop.engine_thread import EngineThread
from magi_desktop.player.player import Player
from magi_desktop.state.jobs import JobState
from magi_desktop.theme.icons import bind_icon
from magi_desktop.video_actions import VARIATIONS, VideoCommands
from magi_desktop.window_dialogs import WindowDialogs, earlier_of
from magi_engine.errors import TakeError
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.sampling.schedule import Transition


class FromHere(QMenu):
    """The actions, for the menu bar and the strip; a new video waits in the queue."""

    def __init__(
        self,
        player: Player,
        job: JobState,
        engine: EngineThread,
        dialogs: WindowDialogs,
        videos: VideoCommands,
        parent: QWidget,
    ) -> None:
        super().__init__(self.tr("This second"), parent)
        self._player, self._job, self._engine = player, job, engine
        self._dialogs, self._videos = dialogs, videos
        cut = partial(self._redo, transition=Transition.CUT)
        rows = (
            ("history", self.tr("Redo from here…"), "Ctrl+Shift+R", self._redo),
            ("dice", self.tr("%n variation(s) from here", None, VARIATIONS), "", self._vary),
            ("continue", self.tr("Go on behind it…"), "", partial(self._redo, behind=True)),
            ("crop", self.tr("Cut here…"), "Ctrl+Shift+X", cut),
            ("export", self.tr("Export this part…"), "", self._export),
        )
        for symbol, text, key, do in rows:
            action = QAction(text, self)
            bind_icon(action, symbol)
            action.setShortcut(QKeySequence(key))
            action.setAutoRepeat(False)
            action.triggered.connect(lambda _checked=False, do=do: do())
            self.addAction(action)
        self._own = self.actions()
        player.shown_changed.connect(self._follow)
        player.frame_changed.connect(self._follow)
        player.strip.menu_wanted.connect(self.show_at)
        self._plays_on = False
        """Whether the video goes on playing when the menu is closed."""
        self.aboutToShow.connect(self._stand_still)
        self.aboutToHide.connect(self._play_on, Qt.ConnectionType.QueuedConnection)
        self._follow()

    @property
    def _running(self) -> GenerationRequest | None:
        """The video that is shown, if it is being made."""
        return self._job.request if self._player.showing_job and self._job.phase.active else None

    @Slot()
    def _follow(self) -> None:
        there = self._player.part_shown is not None
        for action in self._own:
            action.setEnabled(there)
        self._own[-1].setEnabled(there and self._running is None)

    @Slot()
    def _stand_still(self) -> None:
        """The second that the menu is about stays the one that is shown."""
        if self._player.playing:
            self._plays_on = True
            self._player.pause()

    @Slot()
    def _play_on(self) -> None:
        """Queued, so that what was chosen in the menu is done before."""
        if self._plays_on:
            self._plays_on = False
            self._player.play()

    @Slot(QPoint)
    def show_at(self, place: QPoint) -> None:
        """Open the menu at a place on the screen."""
        self._follow()
        self.popup(place)

    def _find(self) -> Callable[[], Earlier]:
        running, path = self._running, self._player.path
        if running is not None:
            return partial(_being_made, self._engine, running)
        assert path is not None  # something is shown
        return partial(earlier_of, path, self._engine.engine.takes)

    def _redo(self, behind: bool = False, transition: Transition | None = None) -> None:
        self._dialogs.redo(self._find(), self._player.second_in_file, behind, transition)

    def _vary(self) -> None:
        self._dialogs.vary(self._find(), self._player.second_in_file)

    def _export(self) -> None:
        path, part = self._player.path, self._player.part_shown
        if path is not None and part is not None:
            self._videos.export_parts([(path, part)])


def _being_made(engine: EngineThread, request: GenerationRequest) -> Earlier:
    earlier = engine.engine.unfinished(request)
    if earlier is None:
        raise TakeError(
            "What it takes to redo this video is not kept.",
            "Wait until it is there, then continue it.",
        )
    return earlier
