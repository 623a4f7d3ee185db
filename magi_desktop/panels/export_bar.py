"""An export under way: a bar, what it is at, and a way to stop it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QFrame, QWidget

from magi_desktop import background
from magi_desktop.exporting import ExportJob, ExportStopped, export_all
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.widgets.controls import ElidedLabel, icon_button, progress_bar, show_fraction
from magi_desktop.widgets.layout import hbox, vbox


class ExportBar(QFrame):
    """Hidden while nothing is exported. One export at a time; more are lined up.

    Signals:
        finished: list of the files that were made.
        failed: the MagiError that ended it.
        ended: the ExportJobs that are over, in whichever way.
        idle: no others wait behind them.
    """

    finished = Signal(list)
    failed = Signal(object)
    ended = Signal(object)
    idle = Signal()
    _progressed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._jobs: Sequence[ExportJob] = ()
        """Under way."""
        self._stop = threading.Event()
        self._progressed.connect(self._show_progress)
        self._waiting: list[Sequence[ExportJob]] = []
        self._text = ElidedLabel(self)
        self._bar = progress_bar(self.tr("Progress of the export"), self)
        hint = self.tr("Cancel the export; nothing of it is kept.")
        self.stop = icon_button("close", self.tr("Cancel the export"), hint, self)
        bind_icon(self.stop, "close", "text_muted")
        self.stop.clicked.connect(self.cancel)
        hbox(self, margins=(t.SPACE_3, t.SPACE_2, t.SPACE_1, t.SPACE_2)).add(
            (vbox(spacing=t.SPACE_1).add(self._text, self._bar), 1), self.stop
        )
        self.hide()

    @property
    def busy(self) -> bool:
        """Whether something is being exported, or waits for that, and is still wanted."""
        return bool(self._waiting) or (bool(self._jobs) and not self._stop.is_set())

    def start(self, jobs: Sequence[ExportJob]) -> None:
        """Export these videos, after those that are being exported."""
        self._waiting.append(jobs)
        self._next()

    @Slot()
    def cancel(self) -> None:
        """Stop the export under way; others that wait go on."""
        if self._jobs:
            self._text.set_text(self.tr("Cancelling"))
            self._stop.set()

    def cancel_all(self) -> None:
        """Stop the export under way, and begin no other."""
        self._waiting.clear()
        self.cancel()

    def _next(self) -> None:
        if self._jobs or not self._waiting:
            return
        self._jobs = jobs = self._waiting.pop(0)
        self._stop.clear()
        self._text.set_text(self.tr("Exporting {name}").format(name=jobs[0].target.name))
        show_fraction(self._bar, 0.0)
        self.show()
        background.run(
            *(export_all, jobs, self._report),
            then=self._finish,
            failed=self._fail,
            owner=self,
        )

    def _report(self, done: float) -> None:
        """Called in the thread that exports."""
        if self._stop.is_set():
            raise ExportStopped
        self._progressed.emit(done)

    @Slot(float)
    def _show_progress(self, done: float) -> None:
        show_fraction(self._bar, done)
        total = len(self._jobs)
        if total > 1:
            number = min(int(done * total) + 1, total)
            text = self.tr("Exporting {number} of {total}")
            self._text.set_text(text.format(number=number, total=total))

    def _finish(self, made: list[Path]) -> None:
        self._end()
        self.finished.emit(made)

    def _fail(self, error: Exception) -> None:
        self._end()
        if not isinstance(error, ExportStopped):
            self.failed.emit(error)

    def _end(self) -> None:
        jobs, self._jobs = self._jobs, ()
        self.hide()
        self.ended.emit(jobs)
        if not self._waiting:
            self.idle.emit()
        self._next()
