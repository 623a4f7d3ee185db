"""The line of tasks, with an installer that does what it is told step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.settings import SettingsFile
from magi_desktop.state.task_line import QueuedTask, TaskLine, TaskState
from magi_engine.errors import DownloadError
from magi_engine.install.tasks import (
    Download,
    Import,
    Make,
    Phase,
    TaskDone,
    TaskFailed,
    TaskProgress,
    Verify,
)
from magi_engine.messages import Message
from tests.desktop.installer import Installer

A, B = Download("4.5B-base"), Download("24B-base")


class Line(TaskLine):
    """A line with such an installer."""

    def __init__(self, path: Path) -> None:
        self.installer = Installer()
        self.kept = SettingsFile(path)
        super().__init__(self.installer, self.kept)

    def states(self) -> dict[str, TaskState]:
        return {item.subject: item.state for item in self.items}


@pytest.fixture
def begin(qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[[], Line]]:
    """Starts the program once more, with what was kept."""
    lines: list[Line] = []

    def make() -> Line:
        if lines:
            lines[-1].close()
            lines[-1].kept.flush()
        lines.append(Line(tmp_path / "settings.json"))
        lines[-1].start()
        return lines[-1]

    yield make
    lines[-1].close()
    lines[-1].kept.flush()


def test_one_at_a_time_in_the_order_asked_for(qtbot: QtBot, begin: Callable[[], Line]) -> None:
    line = begin()
    for task in (A, B, A):
        line.do(task)
    assert [item.task for item in line.items] == [A, B], "the same thing is done once"
    assert line.installer.begun == [A]
    with qtbot.waitSignal(line.done) as done:
        line.installer.end(TaskDone(Message("It is here.")))
    assert done.args == [A, "It is here."]
    assert line.installer.begun == [A, B]
    with qtbot.waitSignal(line.done):
        line.installer.end(TaskDone(Message("")))
    assert line.items == ()
    assert line.current is None


def test_progress_is_told(qtbot: QtBot, begin: Callable[[], Line]) -> None:
    line = begin()
    line.do(A)
    first = TaskProgress(Phase.DOWNLOADING, 1, 10)
    with qtbot.waitSignal(line.changed):
        line.installer.task.events.put(first)
    with qtbot.waitSignal(line.progressed):
        line.installer.task.events.put(TaskProgress(Phase.DOWNLOADING, 5, 10))
    assert line.current is not None
    assert line.current.progress == TaskProgress(Phase.DOWNLOADING, 5, 10)


def test_a_paused_task_stands_still_and_goes_on(qtbot: QtBot, begin: Callable[[], Line]) -> None:
    line = begin()
    line.do(A)
    line.pause(A.model)
    assert line.states() == {A.model: TaskState.PAUSED}
    line.resume(A.model)
    qtbot.waitUntil(lambda: line.states() == {A.model: TaskState.RUNNING})
    assert line.installer.begun == [A]


def test_while_one_is_paused_the_next_runs(qtbot: QtBot, begin: Callable[[], Line]) -> None:
    line = begin()
    line.do(A)
    line.pause(A.model)
    line.do(B)
    qtbot.waitUntil(lambda: line.installer.begun == [A, B])
    line.resume(A.model)
    assert line.states() == {A.model: TaskState.WAITING, B.model: TaskState.RUNNING}
    line.pause(B.model)
    qtbot.waitUntil(lambda: line.installer.begun == [A, B, A])
    assert line.states() == {A.model: TaskState.RUNNING, B.model: TaskState.PAUSED}


def test_a_cancelled_task_is_gone_whether_it_runs_or_waits(
    qtbot: QtBot, begin: Callable[[], Line]
) -> None:
    line = begin()
    line.do(A)
    line.do(B)
    line.cancel(B.model)
    assert line.states() == {A.model: TaskState.RUNNING}
    line.cancel(A.model)
    assert line.states() == {A.model: TaskState.STOPPING}
    with qtbot.waitSignal(line.ended):
        pass
    assert line.items == ()


def test_what_went_wrong_stays_until_it_is_tried_again(
    qtbot: QtBot, begin: Callable[[], Line]
) -> None:
    line = begin()
    line.do(A)
    error = DownloadError("The hub does not answer.", "Check the network.")
    with qtbot.waitSignal(line.failed):
        line.installer.end(TaskFailed(error))
    assert line.items == ()
    assert str(line.problems[A.model].error) == str(error)
    line.do(line.problems[A.model].task)
    assert line.problems == {}
    assert line.installer.begun == [A, A]


def test_the_line_goes_on_at_the_next_start(begin: Callable[[], Line]) -> None:
    line = begin()
    for task in (A, B, Verify("pocket"), Make("pocket-fp8"), Import(Path("x"))):
        line.do(task)
    line.pause(B.model)
    line.cancel("pocket")
    again = begin()
    assert again.items == (
        QueuedTask(A, TaskState.RUNNING),
        QueuedTask(B, TaskState.PAUSED),
        QueuedTask(Make("pocket-fp8"), TaskState.WAITING),
    )
    assert again.installer.begun == [A]


def test_what_was_being_cancelled_does_not_come_back(begin: Callable[[], Line]) -> None:
    line = begin()
    line.do(A)
    line.cancel(A.model)
    assert begin().items == ()


def test_a_line_that_is_not_understood_is_left_out(begin: Callable[[], Line]) -> None:
    line = begin()
    saved = [{"task": "Teleport", "model": "x"}, "?", {"task": "Verify", "model": 3}]
    line.kept.set_section("installing", {"line": saved})
    assert begin().items == ()


@pytest.mark.parametrize("kept", [None, 3, [{"model": "4.5B-base", "task": ["Download"]}, 5]])
def test_nonsense_in_the_file_is_left_out(begin: Callable[[], Line], kept: object) -> None:
    line = begin()
    line.kept.set_section("installing", {"line": kept})
    line.start()
    assert line.items == ()
