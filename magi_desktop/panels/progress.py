"""How far the running video is, with direct, pause and stop."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QProgressBar,
    QPushButton,
    QWidget,
)

from magi_desktop.panels.direct import DirectLine
from magi_desktop.state.job_words import figures, job_sentence
from magi_desktop.state.jobs import JobState, Phase
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.widgets.controls import ElidedLabel
from magi_desktop.widgets.layout import hbox, vbox

_BAR_STEPS = 1000


class ProgressPanel(QWidget):
    """A bar, a line of figures and three buttons; to be shown while something runs."""

    pause_toggled = Signal()
    stop_clicked = Signal()

    def __init__(self, job: JobState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job = job
        self._headline = ElidedLabel(self, Qt.TextElideMode.ElideRight)
        self._figures = ElidedLabel(self, Qt.TextElideMode.ElideRight)
        self._figures.setProperty("role", "caption")
        self._bar = QProgressBar(self)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress of the video"))
        self.direct = DirectLine(job, self)
        self._pause = QPushButton(self)
        self._pause.clicked.connect(self.pause_toggled)
        self.stop_button = QPushButton(self.tr("Stop"), self)
        self.stop_button.setToolTip(self.tr("Stop here and keep the video made so far (Ctrl+.)."))
        self.stop_button.setAccessibleName(self.tr("Stop the video"))
        self.stop_button.clicked.connect(self.stop_clicked)
        bind_icon(self.stop_button, "stop")

        vbox(self, t.SPACE_1).add(
            hbox(spacing=t.SPACE_3).add(
                (vbox(spacing=t.SPACE_1).add(self._headline, self._bar, self._figures), 1),
                self._pause,
                self.stop_button,
            ),
            self.direct,
        )
        job.changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        job = self._job
        self._headline.set_text(job_sentence(job))
        self._figures.set_text(figures(job))
        busy = job.phase.active
        unknown = busy and job.fraction is None
        self._bar.setRange(0, 0 if unknown else _BAR_STEPS)
        self._bar.setValue(round((job.fraction or 0.0) * _BAR_STEPS))
        for button in (self.stop_button, self._pause):
            button.setEnabled(busy and job.phase is not Phase.STOPPING)
        paused = job.phase is Phase.PAUSED
        self._pause.setText(self.tr("Resume") if paused else self.tr("Pause"))
        self._pause.setAccessibleName(self._pause.text())
        self._pause.setToolTip(
            self.tr("Go on with the video.")
            if paused
            else self.tr("Stand still after the current step; nothing is lost.")
        )
        symbol = "play" if paused else "pause"
        if self._pause.property("iconName") != symbol:
            bind_icon(self._pause, symbol)
