"""What the engine says of the draft is what it says now."""

from __future__ import annotations

import queue
from pathlib import Path

from pytestqt.qtbot import QtBot

from magi_desktop.engine_thread import EngineThread
from magi_desktop.state.draft import Draft
from magi_desktop.state.planner import Planner
from magi_engine.errors import InvalidRequestError, MagiError
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.request.request import GenerationRequest
from tests.desktop.engine import ScriptedEngine, planned


class ThinkingEngine(ScriptedEngine):
    """It has to be told what to answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[GenerationRequest] = []
        self.answers = queue.SimpleQueue[JobPlan | MagiError]()

    def plan(self, request: GenerationRequest) -> JobPlan:
        self.asked.append(request)
        answer = self.answers.get()
        if isinstance(answer, MagiError):
            raise answer
        return answer


def test_an_answer_from_before_the_machine_was_another_is_not_the_last(
    qtbot: QtBot, tmp_path: Path
) -> None:
    engine, draft = ThinkingEngine(), Draft()
    planner = Planner(draft, EngineThread(engine, draft), lambda: tmp_path, parent=draft)
    planner.refresh()
    qtbot.waitUntil(lambda: len(engine.asked) == 1)
    planner.refresh()  # as when the model that was missing has come
    qtbot.waitUntil(lambda: not planner._timer.isActive())
    plan = planned(engine.asked[0]).plan
    engine.answers.put(InvalidRequestError("The model is not here."))
    engine.answers.put(plan)
    qtbot.waitUntil(lambda: draft.plan == plan)
    planner.close()
