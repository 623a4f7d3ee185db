"""The measurement of this computer's speed, from the click to the text to paste."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.speed import SpeedDialog
from magi_desktop.engine_thread import EngineThread
from magi_engine.errors import MagiError
from magi_engine.runtime.speed.report import SpeedReport, VideoSpeed
from tests.desktop.engine import ScriptedEngine

REPORT = SpeedReport(
    "1", "2026-11-28", "NVIDIA RTX 4090", "Windows-11", "2.11", "4.5B-distill-fp8", True, "CUDA",
    None, "int8", 6e14, 2.5e14, 9e11,
    (VideoSpeed(720, 720, 16, 4, 96, seconds=70.0, made=0.5, floor_s=50.0, device_bytes=2**33),),
)  # fmt: skip


@pytest.fixture
def engine() -> ScriptedEngine:
    return ScriptedEngine()


@pytest.fixture
def thread(qtbot: QtBot, engine: ScriptedEngine) -> Iterator[EngineThread]:
    thread = EngineThread(engine)
    thread.start()
    yield thread
    thread.close()


def opened(qtbot: QtBot, thread: EngineThread, engine: ScriptedEngine) -> SpeedDialog:
    dialog = SpeedDialog()
    qtbot.addWidget(dialog)
    dialog.wanted.connect(thread.measure)
    dialog.stopped.connect(engine.stop_measuring)
    thread.measured.connect(dialog.told)
    dialog.show()
    return dialog


@pytest.fixture
def dialog(qtbot: QtBot, thread: EngineThread, engine: ScriptedEngine) -> SpeedDialog:
    return opened(qtbot, thread, engine)


def begin(qtbot: QtBot, dialog: SpeedDialog) -> None:
    dialog.begin.click()
    qtbot.waitUntil(lambda: dialog.state.text() == "A video")


def test_a_report_is_shown_and_can_be_copied(
    qtbot: QtBot, dialog: SpeedDialog, engine: ScriptedEngine
) -> None:
    assert not dialog.copy.isEnabled()
    begin(qtbot, dialog)
    assert dialog.begin.text() == "Cancel"
    engine.measurements.put(REPORT)
    qtbot.waitUntil(lambda: dialog.report == REPORT)
    assert dialog.begin.text() == "Measure"
    assert not dialog.bar.isVisible()
    dialog.copy.click()
    copied = QGuiApplication.clipboard().text()
    assert copied == REPORT.to_text()
    assert "720x720, 16 steps, 96 frames: ~70.0 s" in copied


def test_escape_ends_it(qtbot: QtBot, dialog: SpeedDialog, engine: ScriptedEngine) -> None:
    begin(qtbot, dialog)
    stopped: list[bool] = []
    dialog.stopped.connect(lambda: stopped.append(True))
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    engine.stop_measuring()  # whatever it is told: the thread is to end
    assert stopped == [True]


def test_it_is_cancelled_by_the_button_and_by_closing(qtbot: QtBot, dialog: SpeedDialog) -> None:
    begin(qtbot, dialog)
    dialog.begin.click()
    qtbot.waitUntil(lambda: dialog.state.text() == "Cancelled.")
    assert dialog.report is None
    begin(qtbot, dialog)
    with qtbot.waitSignal(dialog.stopped):
        dialog.close()


def test_what_goes_wrong_is_said_and_it_can_be_tried_again(
    qtbot: QtBot, dialog: SpeedDialog, engine: ScriptedEngine
) -> None:
    begin(qtbot, dialog)
    engine.measurements.put(MagiError("Another video is being generated.", "Wait."))
    qtbot.waitUntil(lambda: "Another video is being generated." in dialog.state.text())
    begin(qtbot, dialog)
    engine.measurements.put(REPORT)
    qtbot.waitUntil(lambda: dialog.report == REPORT)
    assert dialog.state.text() == ""


def test_the_end_of_an_earlier_measurement_is_not_that_of_this_one(
    qtbot: QtBot, dialog: SpeedDialog, thread: EngineThread, engine: ScriptedEngine
) -> None:
    begin(qtbot, dialog)
    dialog.close()
    another = opened(qtbot, thread, engine)
    begin(qtbot, another)  # before anybody has heard of the end
    engine.measurements.put(REPORT)
    qtbot.waitUntil(lambda: another.report == REPORT)
