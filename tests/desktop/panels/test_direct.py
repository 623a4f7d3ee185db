"""The line that directs a video while it is made."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from magi_desktop.panels.direct import DirectLine
from magi_desktop.panels.progress import ProgressPanel
from magi_desktop.state.jobs import JobState
from magi_engine.runtime.job.events import (
    ChunkState,
    ChunkStatus,
    DecodingStarted,
    Finished,
    Progress,
)
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from tests.desktop.machines import planned


@pytest.fixture
def job(qtbot: QtBot) -> JobState:
    """Two chunks, of which the first is being made."""
    request = GenerationRequest(Mode.T2V, "pocket", 128, 128, 48, (PromptChange(0, "a ball"),))
    job = JobState()
    job.begin(request)
    job.take(planned(request))
    begin(job, 0)
    return job


def begin(job: JobState, chunk: int) -> None:
    for before in range(chunk):
        job.take(DecodingStarted(before))
    active = (ChunkStatus(chunk, ChunkState.DENOISING, 1),)
    job.take(Progress(active, 16, chunk, 2, 24 * chunk, 0.25, 1.0, 0.1, 6.0, 8.0, 2.0))


@pytest.fixture
def panel(qtbot: QtBot, job: JobState) -> ProgressPanel:
    panel = ProgressPanel(job)
    qtbot.addWidget(panel)
    panel.show()
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    return panel


def typed_in(qtbot: QtBot, panel: ProgressPanel) -> DirectLine:
    line = panel.direct
    line.ask()
    qtbot.keyClicks(line.text, "a star")
    return line


def test_who_is_typing_goes_on_when_the_last_chunk_begins(
    qtbot: QtBot, job: JobState, panel: ProgressPanel
) -> None:
    line = typed_in(qtbot, panel)
    begin(job, 1)
    qtbot.waitUntil(lambda: not line.next.isEnabled())
    assert QApplication.focusWidget() is line.text
    qtbot.keyClicks(line.text, " that spins")
    assert line.text.text() == "a star that spins"
    with qtbot.waitSignal(line.left):
        panel.stop_button.setFocus()
    assert not line.text.isEnabled()


def test_who_is_not_typing_has_nothing_to_direct_then(
    qtbot: QtBot, job: JobState, panel: ProgressPanel
) -> None:
    panel.direct.ask()
    begin(job, 1)
    qtbot.waitUntil(lambda: not panel.direct.text.isEnabled())


def test_typing_outlasts_the_video_and_esc_ends_it(
    qtbot: QtBot, job: JobState, panel: ProgressPanel
) -> None:
    line = typed_in(qtbot, panel)
    begin(job, 1)
    job.take(Finished(path=None, frames=48, elapsed_s=1.0))
    qtbot.waitUntil(lambda: not panel.stop_button.isEnabled())
    assert line.is_typing
    with qtbot.waitSignal(line.left):
        qtbot.keyClick(line.text, Qt.Key.Key_Escape)
    assert not line.is_typing
