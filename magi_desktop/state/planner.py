"""How the next video would be made, as the engine says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QTimer, Slot

from magi_desktop import background
from magi_desktop.engine_thread import EngineThread
from magi_desktop.state.draft import Draft, settings_request
from magi_engine.errors import InvalidRequestError, MagiError
from magi_engine.runtime.process.errors import named_error
from magi_engine.runtime.request.request import GenerationRequest, Mode

if TYPE_CHECKING:
    from magi_engine.runtime.planning.plan import JobPlan


class Planner(QObject):
    """Asks the engine after every change of a draft and tells the draft; one question at a time."""

    def __init__(
        self,
        draft: Draft,
        engine: EngineThread,
        output_folder: Callable[[], Path],
        computing: Callable[[], dict[str, Any]] = dict,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._draft, self._engine, self._output_folder = draft, engine, output_folder
        self._computing = computing
        self._asked: GenerationRequest | None = None
        self._again = False
        """Something has changed since."""
        self._told: GenerationRequest | None = None
        """What the draft's plan is about."""
        # Of its own: before the engine is there, an answer takes seconds.
        self._pool = background.Pool(self)
        self._timer = QTimer(self, singleShot=True, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._ask)
        draft.changed.connect(self._draft_changed)

    @Slot()
    def refresh(self) -> None:
        """Ask again: the machine is another."""
        self._timer.start(0)  # several changes come at once

    @Slot(str)
    def _draft_changed(self, name: str) -> None:
        if name not in ("plan", "editing"):
            self.refresh()

    def close(self) -> None:
        """Wait for the last answer; the engine has been closed."""
        self._timer.stop()
        self._pool.waitForDone()

    @property
    def refusal(self) -> InvalidRequestError | None:
        """Why what is composed now cannot be made, if the engine has said that."""
        plan = self._draft.plan
        return plan if isinstance(plan, InvalidRequestError) and self._is(self._told) else None

    @Slot()
    def _ask(self) -> None:
        self._timer.stop()  # an answer can come before it: what it waits to ask is asked now
        if self._asked is not None:
            self._again = True
            return
        try:
            request = self._request()
        except MagiError as error:
            self._draft.set_plan(error)
            return
        self._asked = request
        self._pool.run(self._engine.engine.plan, request, then=self._answered, failed=self._refused)

    def _request(self) -> GenerationRequest:
        draft = self._draft
        if draft.mode is Mode.T2V or draft.reference is not None:
            request = draft.request()
        else:  # that a reference is still missing is not the settings' fault
            request = settings_request(draft.settings)
        request = dataclasses.replace(request, **self._computing())
        if request.output is None:
            return request
        return dataclasses.replace(request, output=str(self._output_folder() / request.output))

    def _refused(self, error: Exception) -> None:
        self._answered(named_error(error))

    def _answered(self, outcome: JobPlan | MagiError) -> None:
        asked, self._asked = self._asked, None
        again, self._again = self._again, False
        if again or not self._is(asked):
            self._ask()
        else:
            self._told = asked
            self._draft.set_plan(outcome)

    def _is(self, request: GenerationRequest | None) -> bool:
        """Whether that is what is composed now."""
        try:
            return self._request() == request
        except MagiError:
            return False
