"""Work off the UI thread comes back on it, once, and to living owners only."""

from __future__ import annotations

import threading

from PySide6.QtCore import QCoreApplication, QEvent, QObject
from pytestqt.qtbot import QtBot

from magi_desktop import background
from tests.patience import settle


def test_results_and_errors_arrive_on_the_ui_thread(qtbot: QtBot) -> None:
    owner, got, threads = QObject(), [], []

    def work(x: int) -> int:
        threads.append(threading.current_thread())
        return 10 // x

    def note(value: object) -> None:
        assert threading.current_thread() is threading.main_thread()
        got.append(value)

    background.run(work, 5, then=note, owner=owner)
    background.run(work, 0, then=note, failed=note, owner=owner)
    qtbot.waitUntil(lambda: len(got) == 2)
    assert 2 in got
    assert any(isinstance(value, ZeroDivisionError) for value in got)
    assert threading.main_thread() not in threads


def test_nothing_arrives_after_cancel_or_for_an_owner_that_is_gone(qtbot: QtBot) -> None:
    go, got = threading.Event(), []
    owner, doomed = QObject(), QObject()
    background.run(go.wait, then=got.append, owner=owner).cancel()
    background.run(go.wait, then=got.append, owner=doomed)
    last = []
    doomed.deleteLater()
    QCoreApplication.sendPostedEvents(doomed, QEvent.Type.DeferredDelete)
    go.set()
    background.run(go.wait, then=last.append, owner=owner)
    qtbot.waitUntil(lambda: bool(last))
    settle(qtbot)
    assert got == []
