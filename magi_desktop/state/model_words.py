"""Models and what is done about them, in words."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QLocale

from magi_desktop.state.job_words import duration, percent_text
from magi_desktop.state.models import Models
from magi_desktop.state.task_line import QueuedTask, TaskState
from magi_engine.install.tasks import (
    Download,
    Import,
    Make,
    Phase,
    ShrinkText,
    Task,
    TaskProgress,
    Verify,
)

translate = QCoreApplication.translate

_SEPARATOR = "  ·  "
_ROUGH_S = 600
"""From here on a time is told in minutes: seconds would only flicker."""


def size_text(size_bytes: float) -> str:
    """A size for people: 12 GB, 9.1 GB, 340 MB, 12 kB."""
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if size_bytes >= unit * 0.9995:
            value = size_bytes / unit
            digits = 1 if value < 9.95 else 0
            return f"{QLocale().toString(value, 'f', digits)} {name}"
    return f"{round(size_bytes)} B"


def phase_text(phase: Phase) -> str:
    """What a task does now."""
    return {
        Phase.ASKING: translate("ModelWords", "Asking what there is to download"),
        Phase.DOWNLOADING: translate("ModelWords", "Downloading"),
        Phase.VERIFYING: translate("ModelWords", "Checking the files"),
        Phase.CONVERTING: translate("ModelWords", "Making the text encoder small"),
        Phase.READING: translate("ModelWords", "Reading the weights"),
        Phase.CALIBRATING: translate("ModelWords", "Calibrating"),
        Phase.QUANTISING: translate("ModelWords", "Quantising"),
    }[phase]


def task_text(task: Task) -> str:
    """What kind of task it is, for as long as nothing more precise is known."""
    match task:
        case Download():
            return translate("ModelWords", "Downloading")
        case Verify():
            return translate("ModelWords", "Checking the files")
        case Make():
            return translate("ModelWords", "Quantising")
        case ShrinkText():
            return translate("ModelWords", "Making the text encoder small")
        case Import():
            return translate("ModelWords", "Looking for models")


def headline(item: QueuedTask) -> str:
    """Where a task of the line stands."""
    match item.state:
        case TaskState.WAITING:
            return translate("ModelWords", "Waiting in line")
        case TaskState.PAUSED:
            return translate("ModelWords", "Paused")
        case TaskState.STOPPING:
            return translate("ModelWords", "Stopping")
    return task_text(item.task) if item.progress is None else phase_text(item.progress.phase)


def figures(item: QueuedTask) -> str:
    """Amount, speed and time left, as far as they are known."""
    progress = item.progress
    if progress is None or not progress.total_bytes:
        return ""
    parts = [_amount(progress)]
    if item.state is TaskState.RUNNING:
        if progress.bytes_per_s is not None:
            speed = size_text(progress.bytes_per_s)
            parts.append(translate("ModelWords", "{}/s").format(speed))
        parts += _time_left(progress)
    return _SEPARATOR.join(parts)


def fraction(progress: TaskProgress | None) -> float | None:
    """How much of a phase is done, 0 to 1; None: unknown."""
    if progress is None or not progress.total_bytes:
        return None
    return min(1.0, progress.done_bytes / progress.total_bytes)


def files_text(item: QueuedTask) -> str:
    """The files under way, with how far each is."""
    if item.progress is None or item.state is not TaskState.RUNNING:
        return ""
    return _SEPARATOR.join(
        f"{file.name.rpartition('/')[2]} "
        + percent_text(100 * file.done_bytes // max(file.total_bytes, 1))
        for file in item.progress.files
    )


def short_figures(item: QueuedTask) -> str:
    """How far and how long, in the fewest words."""
    parts = []
    done = fraction(item.progress)
    if done is not None:
        parts.append(percent_text(int(done * 100)))
    if item.state is TaskState.RUNNING and item.progress is not None:
        parts += _time_left(item.progress)
    return _SEPARATOR.join(parts)


def subject_title(models: Models, task: Task) -> str:
    """What a task is about, for people."""
    if isinstance(task, Import):
        return task.path.name
    status = models.status(task.model)
    return task.model if status is None else status.entry.title


def _amount(progress: TaskProgress) -> str:
    if not progress.phase.in_bytes:
        return percent_text(100 * progress.done_bytes // progress.total_bytes)
    return translate("ModelWords", "{done} of {total}").format(
        done=size_text(progress.done_bytes), total=size_text(progress.total_bytes)
    )


def _time_left(progress: TaskProgress) -> list[str]:
    seconds = progress.seconds_left
    if seconds is None:
        return []
    if seconds < _ROUGH_S:
        return [translate("Progress", "{} left").format(duration(seconds))]
    minutes = round(seconds / 60)
    if minutes < 60:
        return [translate("ModelWords", "{} min left").format(minutes)]
    return [translate("Progress", "{} left").format(duration(60 * minutes))]
