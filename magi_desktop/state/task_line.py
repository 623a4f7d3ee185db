"""The line of tasks that get models onto this machine; it outlives the program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from magi_desktop.install_thread import InstallerLike, InstallThread
from magi_desktop.settings import SettingsFile
from magi_desktop.translation import translated
from magi_engine.errors import MagiError
from magi_engine.install.tasks import (
    Download,
    Import,
    Make,
    ShrinkText,
    Task,
    TaskCancelled,
    TaskDone,
    TaskEvent,
    TaskFailed,
    TaskPaused,
    TaskProgress,
    TaskResumed,
    Verify,
)
from magi_engine.runtime.process.control import Cancel, Pause, Resume

_SECTION = "installing"
_KEPT_TASKS = {kind.__name__: kind for kind in (Download, Make, ShrinkText, Verify)}
"""What goes on at the next start, by the name it is saved under."""


class TaskState(Enum):
    """Where a task of the line stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"


@dataclass(frozen=True)
class QueuedTask:
    """A task and how far it is."""

    task: Task
    state: TaskState = TaskState.WAITING
    progress: TaskProgress | None = None

    @property
    def subject(self) -> str:
        """What it is about: see ``subject_of``."""
        return subject_of(self.task)


@dataclass(frozen=True)
class Problem:
    """What went wrong with a task; doing the task again takes it away."""

    task: Task
    error: MagiError


def subject_of(task: Task) -> str:
    """What a task is about: the name of a model, or the path of an import."""
    return str(task.path) if isinstance(task, Import) else task.model


class TaskLine(QObject):
    """Tasks run one at a time, in the order in which they were asked for.

    Those not finished when the program ends go on at the next start, unless they were paused;
    an import has to be asked for again. All methods but ``close`` return at once.

    Args:
        installer: does the tasks.
        file: where the line is kept.

    Signals:
        changed: what is in line, or what went wrong.
        progressed: the running task got further.
        begun: a Task that is handed to the installer now.
        done: a Task that is finished, and the sentence about it.
        failed: a Task, and the MagiError.
        ended: a task is over, in whichever way: the disk holds something else now.
    """

    changed = Signal()
    progressed = Signal()
    begun = Signal(object)
    done = Signal(object, str)
    failed = Signal(object, object)
    ended = Signal()

    def __init__(
        self, installer: InstallerLike, file: SettingsFile, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._file = file
        self.items: tuple[QueuedTask, ...] = ()
        self.problems: dict[str, Problem] = {}
        """What went wrong last, by subject."""
        self._thread = InstallThread(installer, self)
        self._thread.happened.connect(self._take)
        self._active: str | None = None
        """Subject of the task the installer has; it can be a paused one."""
        self._closing = False

    @property
    def current(self) -> QueuedTask | None:
        """The task under way, else the next one that is in line; None: there is nothing to do."""
        if self._active is not None:
            return self.item(self._active)
        return next(iter(self.items), None)

    def item(self, subject: str) -> QueuedTask | None:
        """What is in line about a subject."""
        return next((q for q in self.items if q.subject == subject), None)

    @Slot()
    def start(self) -> None:
        """Go on with what the last session left."""
        line = self._file.section(_SECTION).get("line")
        for saved in line if isinstance(line, list) else []:
            item = _restored(saved)
            if item is not None and self.item(item.subject) is None:
                self.items += (item,)
        self._go_on()

    def do(self, task: Task) -> None:
        """Put a task in line; one about the same subject that is there already stands."""
        subject = subject_of(task)
        self.problems.pop(subject, None)
        if self.item(subject) is None:
            self.items += (QueuedTask(task),)
            if self._active is not None and self._state(self._active) is TaskState.PAUSED:
                self._thread.control(Cancel())  # what it has is kept, and the next can begin
        self._go_on()

    def pause(self, subject: str) -> None:
        """Let a task stand still. If others wait, they run meanwhile."""
        if self._state(subject) not in (TaskState.WAITING, TaskState.RUNNING):
            return
        self._replace(subject, state=TaskState.PAUSED)
        if subject == self._active:
            others = any(q.state is TaskState.WAITING for q in self.items)
            self._thread.control(Cancel() if others else Pause())
        self._go_on()

    def resume(self, subject: str) -> None:
        """Go on with a paused task; in its turn, if another runs."""
        if self._state(subject) is not TaskState.PAUSED:
            return
        # Should the installer be about to give it up, it is taken up again after that.
        self._replace(subject, state=TaskState.WAITING)
        if subject == self._active:
            self._thread.control(Resume())
        self._go_on()

    def cancel(self, subject: str) -> None:
        """Take a task out of the line; what it has downloaded stays for another time."""
        if subject == self._active:
            self._replace(subject, state=TaskState.STOPPING)
            self._thread.control(Cancel())
        else:
            self.items = tuple(q for q in self.items if q.subject != subject)
        self._go_on()

    def forget_problem(self, subject: str) -> None:
        """The user has seen what went wrong."""
        if self.problems.pop(subject, None) is not None:
            self.changed.emit()

    def close(self) -> None:
        """Stop in order: what is under way goes on at the next start. Blocks for a moment."""
        self._closing = True
        if self._active is not None:
            self._thread.control(Cancel())
        self._thread.finish()

    @Slot(object)
    def _take(self, event: TaskEvent) -> None:
        item = self.item(self._active) if self._active is not None else None
        if item is None or self._closing:
            return
        match event:
            case TaskProgress():
                first = item.progress is None or item.progress.phase is not event.phase
                self._replace(item.subject, progress=event)
                (self.changed if first else self.progressed).emit()
            case TaskPaused():
                pass  # it was shown as paused when that was asked for
            case TaskResumed():
                if item.state is TaskState.WAITING:
                    self._replace(item.subject, state=TaskState.RUNNING)
                    self.changed.emit()
            case TaskDone() | TaskCancelled() | TaskFailed():
                self._end(item, event)

    def _end(self, item: QueuedTask, event: TaskDone | TaskCancelled | TaskFailed) -> None:
        self._active = None
        if isinstance(event, TaskCancelled) and item.state is not TaskState.STOPPING:
            if item.state is TaskState.RUNNING:  # given up for another one, resumed meanwhile
                self._replace(item.subject, state=TaskState.WAITING)
        else:
            self.items = tuple(q for q in self.items if q.subject != item.subject)
        if isinstance(event, TaskFailed):
            self.problems[item.subject] = Problem(item.task, event.error)
        self._go_on()
        self.ended.emit()
        if isinstance(event, TaskDone):
            self.done.emit(item.task, translated(event.message))
        elif isinstance(event, TaskFailed):
            self.failed.emit(item.task, self.problems[item.subject].error)

    def _go_on(self) -> None:
        """Begin the next task if none is under way; keep the line, and say that it changed."""
        waiting = next((q for q in self.items if q.state is TaskState.WAITING), None)
        if self._active is None and waiting is not None and not self._closing:
            self._active = waiting.subject
            self._replace(waiting.subject, state=TaskState.RUNNING)
            self.begun.emit(waiting.task)
            self._thread.perform(waiting.task)
        kept = [_saved(q) for q in self.items if q.state is not TaskState.STOPPING]
        self._file.set_section(_SECTION, {"line": [k for k in kept if k is not None]})
        self.changed.emit()

    def _state(self, subject: str) -> TaskState | None:
        item = self.item(subject)
        return None if item is None else item.state

    def _replace(self, subject: str, **values: Any) -> None:
        self.items = tuple(replace(q, **values) if q.subject == subject else q for q in self.items)


def _saved(item: QueuedTask) -> dict[str, Any] | None:
    if isinstance(item.task, Import):
        return None
    name = type(item.task).__name__
    return {"task": name, "model": item.task.model, "paused": item.state is TaskState.PAUSED}


def _restored(saved: object) -> QueuedTask | None:
    """A task of an earlier session; None if this program does not know it."""
    if not isinstance(saved, dict) or not isinstance(saved.get("model"), str):
        return None
    name = saved.get("task")
    kind = _KEPT_TASKS.get(name) if isinstance(name, str) else None
    if kind is None:
        return None
    state = TaskState.PAUSED if saved.get("paused") else TaskState.WAITING
    return QueuedTask(kind(saved["model"]), state)
