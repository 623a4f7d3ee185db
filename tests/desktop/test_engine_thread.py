"""The thread that iterates the engine: whatever happens in there, it goes on, and it ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.engine_thread import EngineThread
from magi_engine.errors import DiskFullError
from magi_engine.runtime.job.events import Cancelled, Event, Failed, Finished, Stage, StageStarted
from magi_engine.runtime.process.control import Cancel
from magi_engine.runtime.process.errors import UnexpectedError
from tests.desktop.engine import ScriptedEngine
from tests.desktop.state.helpers import request

DONE = Finished(Path("a.mp4"), 24, 1.0)


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def thread(qtbot: QtBot, engine: ScriptedEngine) -> Iterator[EngineThread]:
    thread = EngineThread(engine)
    thread.start()
    yield thread
    thread.close()
    assert thread.isFinished()


def last(qtbot: QtBot, thread: EngineThread, engine: ScriptedEngine, *says: Event) -> Event:
    """How a job ends in which the engine says this."""
    with qtbot.waitSignal(thread.ended) as ended:
        thread.generate(request(), preview=False)
        for event in says:
            engine.say(event)
    assert ended.args is not None
    return ended.args[0]


def test_events_come_in_order_and_the_last_one_apart(
    qtbot: QtBot, thread: EngineThread, engine: ScriptedEngine
) -> None:
    seen: list[Event] = []
    thread.progressed.connect(seen.append)
    begun = StageStarted(Stage.SAMPLING)
    assert last(qtbot, thread, engine, begun, DONE) == DONE
    assert seen == [begun]


@pytest.mark.parametrize(
    ("error", "kind"),
    [(RuntimeError("broken"), UnexpectedError), (DiskFullError("Full."), DiskFullError)],
)
def test_a_job_whose_iteration_raises_has_failed_and_the_next_one_runs(
    qtbot: QtBot, thread: EngineThread, engine: ScriptedEngine, error: Exception, kind: type
) -> None:
    with qtbot.waitSignal(thread.ended) as ended:
        thread.generate(request(), preview=False)
        engine.say(StageStarted(Stage.SAMPLING))
        engine.say(error)
    assert ended.args is not None
    assert isinstance(ended.args[0], Failed)
    assert type(ended.args[0].error) is kind
    assert last(qtbot, thread, engine, DONE) == DONE


def test_whatever_else_raises_does_not_end_the_thread(
    qtbot: QtBot, thread: EngineThread, engine: ScriptedEngine
) -> None:
    engine.broken = True
    thread.unload()
    for signal, ask in ((thread.examined, thread.examine), (thread.looked, thread.look_around)):
        with qtbot.waitSignal(signal) as answered:
            ask()
        assert answered.args is not None
        assert isinstance(answered.args[0], RuntimeError)
    assert last(qtbot, thread, engine, DONE) == DONE


def test_closing_ends_a_job_that_does_not_obey(qtbot: QtBot, engine: ScriptedEngine) -> None:
    engine.stuck = True
    thread = EngineThread(engine)
    ended: list[Event] = []
    thread.ended.connect(ended.append)
    thread.start()
    with qtbot.waitSignal(thread.progressed):
        thread.generate(request(), preview=False)
        engine.say(StageStarted(Stage.SAMPLING))
    thread.control(Cancel())
    thread.close()
    assert engine.closed
    assert thread.isFinished()
    qtbot.waitUntil(lambda: ended == [Cancelled(None, 0)])


def test_a_thread_that_never_started_closes_the_engine(qtbot: QtBot) -> None:
    engine = ScriptedEngine()
    EngineThread(engine).close()
    assert engine.closed
