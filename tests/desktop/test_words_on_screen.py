"""Lines that are too long for their place, and what is said where."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow, QPushButton
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.direct import DirectDialog
from magi_desktop.menus import Menus
from magi_desktop.state.jobs import JobState
from magi_desktop.widgets.controls import ElidedLabel
from magi_engine.errors import MagiError
from magi_engine.runtime.job.events import AtOnce, ChunkState, ChunkStatus, Progress
from magi_engine.runtime.process.control import ChangePrompt
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from magi_engine.sampling.schedule import Transition
from tests.desktop.accessibility import faults
from tests.desktop.machines import planned


def test_a_line_that_is_too_long_ends_in_dots_and_is_whole_as_a_tooltip(qtbot: QtBot) -> None:
    label = ElidedLabel(None, Qt.TextElideMode.ElideRight)
    qtbot.addWidget(label)
    label.set_text("3 of 10 chunks, 2 min left, 6.0 frames/s")
    label.resize(80, 20)
    label.show()
    assert label.text().startswith("3 of")
    assert label.text().endswith("…")
    assert label.toolTip() == "3 of 10 chunks, 2 min left, 6.0 frames/s"
    label.resize(600, 20)
    assert label.text() == "3 of 10 chunks, 2 min left, 6.0 frames/s"
    assert label.toolTip() == ""


def test_the_message_of_an_error_and_its_hint_are_one_text() -> None:
    assert str(MagiError("The disk is full.", "Free some space.")) == (
        "The disk is full. Free some space."
    )
    assert str(MagiError("The disk is full.")) == "The disk is full."


def test_headings_of_menus_are_without_their_mnemonics(qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    menus = Menus(window)  # type: ignore[arg-type]  # of the window it takes the menu bar alone
    menus.add("&File", [])
    menus.add("播放器(&P)", [])
    assert list(menus.groups) == ["File", "播放器"]


def test_another_prompt_is_asked_for_with_the_primary_button_last(qtbot: QtBot) -> None:
    job = JobState()
    prompts = (PromptChange(0, "a red circle"),)
    wanted = GenerationRequest(Mode.T2V, "pocket", 128, 128, 96, prompts)
    job.begin(wanted)
    job.take(planned(wanted))
    dialog = DirectDialog(job, 2)
    qtbot.addWidget(dialog)
    dialog.show()
    cancel, at_once, accept = sorted(dialog.findChildren(QPushButton), key=lambda b: b.x())
    assert (cancel.text(), at_once.text(), accept.text()) == ("Cancel", "At once", "Next")
    assert not at_once.isEnabled()
    assert accept.property("kind") == "primary"
    assert accept.isDefault()
    assert faults(dialog) == []
    with qtbot.waitSignal(dialog.chosen) as chosen:
        accept.click()
    assert chosen.args == [ChangePrompt(2, "a red circle")]


def test_what_is_directed_follows_the_chunks_that_begin(qtbot: QtBot) -> None:
    job = JobState()
    wanted = GenerationRequest(Mode.T2V, "pocket", 128, 128, 96)
    job.begin(wanted)
    job.take(planned(wanted))
    dialog = DirectDialog(job, 1)
    qtbot.addWidget(dialog)
    assert dialog.title.text() == "From 1 s on"

    def begins(*chunks: int, at_once: AtOnce | None) -> None:
        active = tuple(ChunkStatus(c, ChunkState.DENOISING, 1) for c in chunks)
        pace = 0.1, 1.0, 0.1, 6.0, 8.0, 2.0
        job.take(Progress(active, 16, chunks[0], 4, 0, *pace, at_once=at_once))

    begins(0, 1, at_once=AtOnce(1, 12.4))
    qtbot.waitUntil(lambda: dialog.title.text() == "From 2 s on")
    assert "from 1 s on" in dialog.cost.text()
    assert "about 12 s longer" in dialog.cost.text()
    dialog.transition.setCurrentIndex(dialog.transition.findData(Transition.CUT))
    with qtbot.waitSignal(dialog.chosen) as chosen:
        dialog.at_once.click()
    assert chosen.args == [ChangePrompt(2, "", Transition.CUT, at_once=True)]
    with qtbot.waitSignal(dialog.chosen) as chosen:
        dialog.next.click()
    assert chosen.args == [ChangePrompt(2, "", Transition.CUT)]
    begins(2, 3, at_once=AtOnce(3, 0.0))
    qtbot.waitUntil(lambda: dialog.title.text().startswith("Too late"))
    assert not dialog.next.isEnabled()
    assert not dialog.at_once.isEnabled()
