"""What this machine has to offer, as the engine last found it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from magi_desktop import background
from magi_desktop.engine_thread import EngineThread

if TYPE_CHECKING:
    from magi_engine.runtime.machine.facts import MachineFacts
    from magi_engine.runtime.planning.prospects import Prospect

logger = logging.getLogger(__name__)


class MachineState(QObject):
    """The facts in numbers; they come late, since the engine has to be there first.

    Args:
        host: the name of the other computer that makes the videos; empty: it is this one.

    Signals:
        changed: there are facts, newer ones, or it is clear that none can be had.
    """

    changed = Signal()

    def __init__(self, engine: EngineThread, parent: QObject | None = None, host: str = "") -> None:
        super().__init__(parent)
        self._engine, self.host = engine, host
        self.facts: MachineFacts | None = None
        self.failed = False
        """Whether the latest look failed."""
        engine.looked.connect(self._looked)

    @property
    def cards(self) -> Collection[str] | None:
        """Devices of the graphics cards that can be chosen; None: not known."""
        return None if self.facts is None else dict(self.facts.cards)

    @Slot()
    def refresh(self) -> None:
        """Look again, as soon as no video is being made."""
        self._engine.look_around()

    def judge(self, then: Callable[[dict[str, Prospect]], None], owner: QObject) -> None:
        """Hand how each known model would run here to ``then``, if the engine says."""
        background.run(self._engine.engine.prospects, then=then, failed=_left_out, owner=owner)

    @Slot(object)
    def _looked(self, outcome: MachineFacts | Exception) -> None:
        self.failed = isinstance(outcome, Exception)
        if not isinstance(outcome, Exception):
            self.facts = outcome
        self.changed.emit()


def _left_out(error: Exception) -> None:
    logger.info("nothing is known of the models' needs: %s", error)
