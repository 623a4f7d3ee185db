"""How fast this computer is: measured on request, to be read and to be passed on."""

from __future__ import annotations

from PySide6.QtCore import Signal, Slot
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import (
    CopyButton,
    name_control,
    progress_bar,
    push_button,
    set_role,
    show_fraction,
    text_label,
)
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, hbox, vbox
from magi_engine.errors import MagiError
from magi_engine.runtime.speed.report import Measuring, SpeedReport

_WIDTH = 620


class SpeedDialog(Sheet):
    """Begins at a click; closing it ends the measurement.

    Signals:
        wanted: a measurement is to begin.
        stopped: it is to end.
    """

    wanted = Signal()
    stopped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._running = False
        self.report: SpeedReport | None = None
        self.setWindowTitle(self.tr("How fast is this computer?"))
        self.setMinimumWidth(_WIDTH)
        self.about = text_label(
            self.tr(
                "Makes videos of four seconds, which are not kept, with a model of full size that "
                "is made for this, or without an NVIDIA graphics card with the pocket model. That "
                "takes about a minute, and nothing is downloaded. Loaded models are put away."
            ),
            "muted",
            self,
        )
        self.bar = progress_bar(self.tr("Progress of the measurement"), self)
        self.state = text_label("", "muted", self)
        self.text = QPlainTextEdit(self)
        self.text.setReadOnly(True)
        self.text.setTabChangesFocus(True)
        self.text.setPlaceholderText(self.tr("The result will be here."))
        self.text.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.text.setMinimumHeight(230)
        name_control(self.text, self.tr("Result"), self.tr("What was measured."))
        self.copy = CopyButton(self.tr("Copy"), self.tr("Put all of it on the clipboard."), self)
        self.copy.clicked.connect(lambda: self.copy.copy(self.text.toPlainText()))
        self.begin = push_button(
            self.tr("Measure"), self.tr("Begin; it can be cancelled."), self, "primary"
        )
        self.begin.clicked.connect(self._begin_or_stop)
        self.close_button = push_button(self.tr("Close"), self.tr("Back to the window."), self)
        self.close_button.clicked.connect(self.close)
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            text_label(self.tr("How fast is this computer?"), "title", self),
            self.about,
            self.bar,
            self.state,
            self.text,
            STRETCH,
            hbox().add(STRETCH, self.copy, self.begin, self.close_button),
        )
        self._show()

    @Slot(object)
    def told(self, event: Measuring | SpeedReport | Exception | None) -> None:
        """What the engine says; None: it was cancelled."""
        if not self._running:
            return
        if isinstance(event, Measuring):
            show_fraction(self.bar, event.share)
            self.state.setText(translated(event.doing))
            return
        self._running = False
        self.state.setText("" if event is not None else self.tr("Cancelled."))
        set_role(self.state, "error" if isinstance(event, Exception) else "muted")
        if isinstance(event, SpeedReport):
            self.report = event
            self.text.setPlainText(event.to_text())
        elif isinstance(event, MagiError):
            self.state.setText(translated(event))
        elif event is not None:
            self.state.setText(self.tr("It could not be measured; the log says why."))
        self._show()

    @Slot()
    def _begin_or_stop(self) -> None:
        if self._running:
            self.state.setText(self.tr("Ending…"))
            self.begin.setEnabled(False)
            self.stopped.emit()
            return
        self._running = True
        set_role(self.state, "muted")
        self.state.setText(self.tr("Waiting for the engine…"))
        show_fraction(self.bar, None)
        self._show()
        self.wanted.emit()

    def _show(self) -> None:
        self.begin.setText(self.tr("Cancel") if self._running else self.tr("Measure"))
        self.begin.setEnabled(True)
        self.bar.setVisible(self._running)
        self.copy.setEnabled(self.report is not None)

    def done(self, result: int) -> None:
        """Close, by whatever means; what is under way ends."""
        if self._running:
            self.stopped.emit()
        super().done(result)
