"""What the window says of its own accord ends with its cause, and an error is said once."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from magi_desktop.state.jobs import Phase
from magi_desktop.state.queue import QueueState
from magi_engine.errors import EngineDiedError
from magi_engine.runtime.request.request import Mode
from tests.desktop.media_files import image_file
from tests.e2e.conftest import App


def _press(app: App, button: QPushButton) -> None:
    app.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def test_an_image_is_no_longer_asked_for_once_it_is_there(app: App, tmp_path: Path) -> None:
    app.workshop.draft.set_mode(Mode.I2V)
    app.generate()
    assert "image" in app.window.notice.text
    app.window.arrivals.open(image_file(tmp_path / "ball.png"))
    app.qtbot.waitUntil(lambda: app.workshop.draft.reference is not None)
    assert app.window.notice.text == ""


def test_what_cannot_be_used_is_forgotten_once_something_else_is(app: App, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    app.window.arrivals.open(tmp_path / "notes.png")
    app.qtbot.waitUntil(lambda: "notes.png" in app.window.notice.text)
    app.window.arrivals.open(image_file(tmp_path / "ball.png"))
    app.qtbot.waitUntil(lambda: app.workshop.draft.reference is not None)
    assert app.window.notice.text == ""


def test_the_error_of_a_model_goes_with_the_model(app: App) -> None:
    app.qtbot.waitUntil(lambda: app.workshop.models.is_missing("4.5B-distill"))
    app.short(chunks=1)
    app.workshop.draft.set(model="4.5B-distill")
    app.workshop.controller.generate(app.workshop.draft.request())
    app.qtbot.waitUntil(lambda: app.window.notice.text != "")
    app.wait_idle()
    app.workshop.draft.set(model="pocket")
    assert app.window.notice.text == ""


def test_a_queue_that_goes_on_is_not_called_held(app: App) -> None:
    app.workshop.queue.set_paused(True)
    app.short(chunks=1)
    app.generate()
    assert "held" in app.window.notice.text
    assert "held" in app.window.side.tabText(0)
    _press(app, app.window.queue.hold)
    assert app.window.notice.text == ""
    assert app.window.side.tabText(0) == "Queue"
    app.wait_for(Phase.FINISHED)


@pytest.mark.usefixtures("lent")
def test_after_a_crash_the_window_says_that_the_queue_is_held(tmp_path: Path, qtbot: QtBot) -> None:
    app = App(tmp_path / "home", qtbot)
    app.workshop.queue.set_paused(True)
    app.short(chunks=1)
    app.generate()
    (item,) = app.workshop.queue.items
    # As a kill leaves it in the file.
    app.workshop.store.write(lambda c: c.execute("UPDATE queue SET state = 'running'"))
    app.close()
    again = App(tmp_path / "home", qtbot)
    try:
        window = again.window
        window.side.setCurrentWidget(window.library)
        qtbot.waitUntil(lambda: "interrupted" in window.notice.text)
        assert "held" in window.notice.text
        window._say("Something passing.")
        window.notice.dismiss()
        assert "interrupted" in window.notice.text
        assert window.notice._button.text() == "Resume"
        _press(again, window.notice._button)
        assert window.notice.text == ""
        again.wait_for(Phase.FINISHED)
        assert again.job.request is not None
        assert again.job.request.prompt == item.request.prompt
    finally:
        again.close()


def test_a_failure_is_said_once_and_the_last_video_stays(app: App, tmp_path: Path) -> None:
    app.short(chunks=1)
    app.generate()
    app.wait_for(Phase.FINISHED)
    (video,) = app.videos()
    draft, window, queue = app.workshop.draft, app.window, app.workshop.queue
    lost = image_file(tmp_path / "lost.png")
    app.window.arrivals.open(lost)
    app.qtbot.waitUntil(lambda: draft.mode is Mode.I2V and draft.reference is not None)
    lost.unlink()
    app.generate()
    app.qtbot.waitUntil(lambda: "lost.png" in window.notice.text)
    app.wait_idle()
    app.qtbot.waitUntil(lambda: window.player.canvas.image is not None)
    assert window.player.path == video
    assert window.player.canvas.message is None
    assert not window.progress.isVisible(), "nor under the picture"
    assert window.queue.failed_button.text() == "1 failed"
    assert window.queue.model.rowCount() == 0, "the reason is shown there on demand"

    image_file(lost)
    _press(app, window.notice._button)
    assert window.notice.text == ""
    app.wait_for(Phase.FINISHED)
    app.wait_idle()
    assert not queue.items


def test_what_the_checks_say_of_the_draft_is_not_said_of_the_video_too(app: App) -> None:
    """As where the engine cannot start, which hits both."""
    error = EngineDiedError("The engine could not be started.", "Install the program again.")
    app.workshop.draft.set_plan(error)
    app.workshop.controller.failed.emit(error, "")
    assert "could not be started" in app.window.generation.checks.text
    assert app.window.notice.text == ""


def test_an_error_goes_with_the_entry_it_is_about(app: App, tmp_path: Path) -> None:
    draft, queue = app.workshop.draft, app.workshop.queue
    lost = image_file(tmp_path / "lost.png")
    app.window.arrivals.open(lost)
    app.qtbot.waitUntil(lambda: draft.reference is not None)
    lost.unlink()
    app.generate()
    app.qtbot.waitUntil(lambda: "lost.png" in app.window.notice.text)
    app.wait_idle()
    assert [item.state for item in queue.items] == [QueueState.FAILED]
    _press(app, app.window.queue.clear_button)
    assert app.window.notice.text == ""
