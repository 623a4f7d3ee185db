"""Waiting in the tests of windows."""

from __future__ import annotations

import pytest
import shiboken6
from PySide6.QtCore import QCoreApplication, QEvent, QThreadPool
from pytestqt.qtbot import QtBot

from magi_desktop import background

_PATIENCE_MS = 300_000


class PatientBot(QtBot):
    """Waits for a condition for as long as a busy machine may take: what never comes is a failure,
    what comes late is none."""

    def __init__(self, request: pytest.FixtureRequest) -> None:
        super().__init__(request)
        self.left = set(background._under_way)
        """What earlier tests left, which may never be done."""

    def waitUntil(self, callback, *, timeout: int = 0) -> None:
        super().waitUntil(callback, timeout=max(timeout, _PATIENCE_MS))

    def waitSignal(self, signal, *, timeout: int = 0, raising: bool | None = None, **named):
        if raising is not False:  # else nothing is expected, as in assertNotEmitted
            timeout = max(timeout, _PATIENCE_MS)
        return super().waitSignal(signal, timeout=timeout, raising=raising, **named)

    def waitSignals(self, signals, *, timeout: int = 0, **named):
        return super().waitSignals(signals, timeout=max(timeout, _PATIENCE_MS), **named)


def settle(qtbot: QtBot) -> None:
    """Until all work in the background is done and delivered, and every event has come: what has
    not happened by then has not been set off."""
    assert isinstance(qtbot, PatientBot)
    left = qtbot.left
    QThreadPool.globalInstance().waitForDone()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    qtbot.waitUntil(
        lambda: not any(shiboken6.isValid(t.owner) for t in background._under_way - left)
    )
    QCoreApplication.processEvents()
