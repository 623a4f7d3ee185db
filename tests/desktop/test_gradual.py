"""Work in small steps."""

from __future__ import annotations

from PySide6.QtCore import QObject, QTimer
from pytestqt.qtbot import QtBot

from magi_desktop.widgets.gradual import Gradually


def test_the_window_has_its_turn_between_two_steps(qtbot: QtBot) -> None:
    owner, told = QObject(), []

    def step() -> bool:
        told.append("step")
        QTimer.singleShot(0, owner, lambda: told.append("window"))
        return told.count("step") < 3

    work = Gradually(step, owner)
    work.start()
    work.start()
    assert not told, "not at once"
    qtbot.waitUntil(lambda: told.count("window") == 3)
    assert told == ["step", "window"] * 3
