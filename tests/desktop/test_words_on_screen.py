"""Lines that are too long for their place, and what is said where."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMainWindow
from pytestqt.qtbot import QtBot

from magi_desktop.menus import Menus
from magi_desktop.panels.direct import DirectLine
from magi_desktop.state.jobs import JobState
from magi_desktop.widgets.controls import ElidedLabel
from magi_engine.errors import MagiError
from magi_engine.runtime.job.events import AtOnce, ChunkState, ChunkStatus, Finished, Progress
from magi_engine.runtime.process.control import ChangePrompt
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from magi_engine.sampling.schedule import Transition
from tests.desktop.accessibility import faults
from tests.desktop.machines import planned
from tests.desktop.media_files import video_file


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


def test_what_is_directed_follows_the_chunks_that_begin(qtbot: QtBot) -> None:
    job = JobState()
    line = DirectLine(job)
    qtbot.addWidget(line)
    line.resize(380, line.sizeHint().height())
    line.show()
    assert not any(w.isEnabled() for w in (line.text, line.transition, line.next, line.at_once))
    prompts = (PromptChange(0, "a red circle"), PromptChange(3, "a blue  square"))
    wanted = GenerationRequest(Mode.T2V, "pocket", 128, 128, 96, prompts)
    job.begin(wanted)
    job.take(planned(wanted))
    qtbot.waitUntil(line.next.isEnabled)
    assert faults(line) == []
    line.ask(3)
    assert (line.title.text(), line.text.text()) == ("From 0:03 on:", "a blue square")
    with qtbot.waitSignal(line.chosen) as chosen:
        qtbot.keyClick(line.text, Qt.Key.Key_Return)
    assert chosen.args == [ChangePrompt(3, "a blue square")]

    def begins(*chunks: int, at_once: AtOnce | None) -> None:
        active = tuple(ChunkStatus(c, ChunkState.DENOISING, 1) for c in chunks)
        pace = 0.1, 1.0, 0.1, 6.0, 8.0, 2.0
        job.take(Progress(active, 16, chunks[0], 4, 0, *pace, at_once=at_once))

    begins(0, 1, at_once=AtOnce(1, 12.4))
    qtbot.waitUntil(lambda: line.title.text() == "From 0:02 on:")
    assert line.text.text() == "a red circle"
    assert line.at_once.text() == "At once +12 s"
    assert "from 0:01 on" in line.at_once.toolTip()
    qtbot.keyClicks(line.text, " turns")
    line.transition.setCurrentIndex(line.transition.findData(Transition.CUT))
    begins(1, 2, at_once=AtOnce(2, 12.4))
    qtbot.waitUntil(lambda: line.title.text() == "From 0:03 on:")
    assert line.text.isModified(), "what is being typed stays"
    typed = line.text.text().strip()
    with qtbot.waitSignal(line.chosen) as chosen:
        line.at_once.click()
    assert chosen.args == [ChangePrompt(3, typed, Transition.CUT, at_once=True)]
    assert line.text.text() == "a blue square", "the next one begins with what counts there"
    qtbot.keyClicks(line.text, "x")
    qtbot.keyClick(line.text, Qt.Key.Key_Escape)
    assert line.text.text() == "a blue square"
    begins(2, 3, at_once=AtOnce(3, 0.0))
    qtbot.waitUntil(lambda: not line.next.isEnabled())
    assert not line.at_once.isEnabled()


def test_it_says_when_a_part_behind_a_clip_begins_as_the_strip_does(
    qtbot: QtBot, tmp_path: Path
) -> None:
    job = JobState()
    line = DirectLine(job)
    qtbot.addWidget(line)
    clip = str(video_file(tmp_path / "clip.mp4", seconds=1.3))
    wanted = GenerationRequest(
        Mode.V2V, "pocket", 128, 128, 96, (PromptChange(0, "a kite"),), reference=clip
    )
    job.begin(wanted)
    job.take(planned(wanted))
    qtbot.waitUntil(line.next.isEnabled)
    line.ask(1)
    assert line.title.text() == f"From 0:00.{job.chunks[1].first_frame * 10 // 24} on:"


def test_what_was_typed_for_later_is_still_there_when_the_next_video_begins(qtbot: QtBot) -> None:
    job = JobState()
    line = DirectLine(job)
    qtbot.addWidget(line)
    line.show()
    prompts = (PromptChange(0, "a red circle"),)
    wanted = GenerationRequest(Mode.T2V, "pocket", 128, 128, 96, prompts)

    def begin() -> None:
        job.begin(wanted)
        job.take(planned(wanted))
        qtbot.waitUntil(line.next.isEnabled)

    begin()
    line.ask(3)
    qtbot.keyClicks(line.text, "a blue square")
    line.transition.setCurrentIndex(line.transition.findData(Transition.CUT))
    job.take(Finished(Path("one.mp4"), 96, 1.0))
    begin()
    assert (line.title.text(), line.text.text()) == ("From 0:00 on:", "a blue square")
    with qtbot.waitSignal(line.chosen) as chosen:
        qtbot.keyClick(line.text, Qt.Key.Key_Return)
    assert chosen.args == [ChangePrompt(0, "a blue square", Transition.CUT)]
    begin()
    assert line.text.text() == "a red circle", "it was used"
