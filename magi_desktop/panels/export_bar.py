"""An export under way: a bar, what it is at, and a way to stop it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QSizePolicy,
    QWidget,
)

from magi_desktop.exporting import Export, ExportJob
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.widgets.controls import icon_button, line_label, progress_bar, show_fraction
from magi_desktop.widgets.layout import hbox, vbox


class ExportBar(QFrame):
    """Hidden while nothing is exported. One export at a time; more are lined up.

    Signals:
        finished: list of the files that were made.
        failed: the MagiError that ended it.
    """

    finished = Signal(list)
    failed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._export: Export | None = None
        self._waiting: list[Sequence[ExportJob]] = []
        self._text = line_label("", "", self)
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
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
        """Whether something is being exported."""
        return self._export is not None

    def start(self, jobs: Sequence[ExportJob]) -> None:
        """Export these videos, after those that are being exported."""
        self._waiting.append(jobs)
        self._next()

    @Slot()
    def cancel(self) -> None:
        """Stop the export under way; others that wait go on."""
        if self._export is not None:
            self._text.setText(self.tr("Cancelling"))
            self._export.cancel()

    def _next(self) -> None:
        if self._export is not None or not self._waiting:
            return
        jobs = self._waiting.pop(0)
        self._export = Export(jobs, self)
        self._export.progressed.connect(self._show_progress)
        self._export.finished.connect(self._finish)
        self._export.failed.connect(self._fail)
        self._export.cancelled.connect(self._end)
        self._text.setText(self.tr("Exporting {name}").format(name=jobs[0].target.name))
        show_fraction(self._bar, 0.0)
        self.show()
        self._export.start()

    @Slot(float)
    def _show_progress(self, done: float) -> None:
        show_fraction(self._bar, done)
        export = self._export
        if export is not None and len(export.jobs) > 1:
            number = min(int(done * len(export.jobs)) + 1, len(export.jobs))
            text = self.tr("Exporting {number} of {total}")
            self._text.setText(text.format(number=number, total=len(export.jobs)))

    @Slot(list)
    def _finish(self, made: list) -> None:
        self._end()
        self.finished.emit(made)

    @Slot(object)
    def _fail(self, error: object) -> None:
        self._end()
        self.failed.emit(error)

    @Slot()
    def _end(self) -> None:
        if self._export is not None:
            self._export.deleteLater()
            self._export = None
        self.hide()
        self._next()
