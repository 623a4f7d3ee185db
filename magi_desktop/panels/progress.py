"""How far the running video is, with pause and stop."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Signal, Slot
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from magi_desktop.state.jobs import ChunkInfo, ChunkPhase, JobState, Phase
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_engine.runtime.events import Stage

_BAR_STEPS = 1000

translate = QCoreApplication.translate


class ProgressPanel(QWidget):
    """A bar, a line of figures and two buttons; lies still while nothing runs."""

    pause_toggled = Signal()
    stop_clicked = Signal()

    def __init__(self, job: JobState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._job = job
        self._headline = QLabel(self)
        self._headline.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._figures = QLabel(self)
        self._figures.setProperty("role", "muted")
        self._bar = QProgressBar(self)
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(self.tr("Progress of the video"))
        self._pause = QPushButton(self)
        self._pause.clicked.connect(self.pause_toggled)
        self._stop = QPushButton(self.tr("Stop"), self)
        self._stop.setToolTip(self.tr("Stop here and keep the video made so far (Esc)."))
        self._stop.setAccessibleName(self.tr("Stop the video"))
        self._stop.clicked.connect(self.stop_clicked)
        bind_icon(self._stop, "stop")

        texts = QHBoxLayout()
        texts.setSpacing(t.SPACE_3)
        texts.addWidget(self._headline, 1)
        texts.addWidget(self._figures)
        left = QVBoxLayout()
        left.setSpacing(t.SPACE_2)
        left.addLayout(texts)
        left.addWidget(self._bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(t.SPACE_3)
        row.addLayout(left, 1)
        row.addWidget(self._pause)
        row.addWidget(self._stop)
        job.changed.connect(self._show)
        self._show()

    @Slot()
    def _show(self) -> None:
        job = self._job
        headline = job_sentence(job)
        self._headline.setText(headline)
        self._headline.setToolTip(headline)
        self._figures.setText(figures(job))
        busy = job.phase.active
        unknown = busy and job.fraction is None
        self._bar.setRange(0, 0 if unknown else _BAR_STEPS)
        self._bar.setValue(round((job.fraction or 0.0) * _BAR_STEPS))
        self._bar.setVisible(busy)
        self._pause.setVisible(busy)
        self._stop.setVisible(busy)
        self._stop.setEnabled(job.phase is not Phase.STOPPING)
        self._pause.setEnabled(job.phase is not Phase.STOPPING)
        paused = job.phase is Phase.PAUSED
        self._pause.setText(self.tr("Resume") if paused else self.tr("Pause"))
        self._pause.setAccessibleName(self._pause.text())
        self._pause.setToolTip(
            self.tr("Go on with the video.")
            if paused
            else self.tr("Stand still after the current step; nothing is lost.")
        )
        bind_icon(self._pause, "play" if paused else "pause")


def job_sentence(job: JobState) -> str:
    """What the job does now, in words."""
    match job.phase:
        case Phase.IDLE:
            return ""
        case Phase.PREPARING:
            return stage_sentence(job.stage)
        case Phase.PAUSED:
            return translate("Progress", "Paused")
        case Phase.STOPPING:
            return translate("Progress", "Stopping after this step")
        case Phase.FINISHED:
            return translate("Progress", "Done in {}").format(duration(job.elapsed_s))
        case Phase.CANCELLED:
            return (
                translate("Progress", "Stopped; the video so far is kept")
                if job.path
                else translate("Progress", "Stopped")
            )
        case Phase.FAILED:
            return "" if job.error is None else job.error.message
        case Phase.RUNNING:
            return running_sentence(job)


def running_sentence(job: JobState) -> str:
    """Which chunk is at which step."""
    chunk = current_chunk(job)
    if chunk is None:
        return translate("Progress", "Starting")
    if chunk.state is ChunkPhase.DECODING:
        return translate("Progress", "Decoding chunk {}").format(chunk.index + 1)
    return translate("Progress", "Denoising chunk {chunk}, step {step} of {steps}").format(
        chunk=chunk.index + 1, step=chunk.step, steps=job.num_steps
    )


def current_chunk(job: JobState) -> ChunkInfo | None:
    """The first chunk that is in work, or None."""
    busy = (ChunkPhase.DENOISING, ChunkPhase.DECODING)
    return next((c for c in job.chunks if c.state in busy), None)


def stage_sentence(stage: Stage | None) -> str:
    """What is being prepared."""
    sentences = {
        None: translate("Progress", "Starting the engine"),
        Stage.READING_REFERENCE: translate("Progress", "Reading the reference"),
        Stage.LOADING_TEXT_ENCODER: translate("Progress", "Loading the text encoder"),
        Stage.ENCODING_PROMPT: translate("Progress", "Reading the prompt"),
        Stage.LOADING_VAE: translate("Progress", "Loading the autoencoder"),
        Stage.ENCODING_REFERENCE: translate("Progress", "Encoding the reference"),
        Stage.LOADING_MODEL: translate("Progress", "Loading the model"),
        Stage.SAMPLING: translate("Progress", "Generating"),
    }
    return sentences[stage]


def figures(job: JobState) -> str:
    """Chunks, pace and time left, as far as they are known."""
    if not job.phase.active or job.phase is Phase.PREPARING:
        return ""
    ready = sum(c.state is ChunkPhase.READY for c in job.chunks)
    parts = [
        translate("Progress", "{} chunks").format(ready)
        if job.open_ended
        else translate("Progress", "{ready} of {all} chunks").format(
            ready=ready, all=len(job.chunks)
        )
    ]
    if job.frames_per_second > 0:
        parts.append(translate("Progress", "{:.1f} frames/s").format(job.frames_per_second))
    if job.phase is Phase.RUNNING and job.next_chunk_s is not None:
        parts.append(translate("Progress", "next chunk in {}").format(duration(job.next_chunk_s)))
    if job.eta_s is not None:
        parts.append(translate("Progress", "{} left").format(duration(job.eta_s)))
    return "  ·  ".join(parts)


def duration(seconds: float) -> str:
    """A time span for people: 8 s, 2 min 05 s, 1 h 20 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return translate("Progress", "{} s").format(whole)
    if whole < 3600:
        return translate("Progress", "{m} min {s:02d} s").format(m=whole // 60, s=whole % 60)
    return translate("Progress", "{h} h {m:02d} min").format(h=whole // 3600, m=whole % 3600 // 60)
