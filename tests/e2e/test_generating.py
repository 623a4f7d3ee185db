"""From a sentence, a picture or a clip to a video in the library, through the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QMessageBox

from magi_desktop import background
from magi_desktop.dialogs.licence import LicenceDialog
from magi_desktop.state.jobs import Phase
from magi_engine.media.frames import decode_frames
from magi_engine.media.output import open_writer
from magi_engine.runtime.job.events import ChunkReady, ChunkState
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import Mode
from magi_engine.sampling.schedule import Transition
from tests.e2e.conftest import ENDLESS, App


def decoded(path: Path) -> np.ndarray:
    return np.stack([f.picture.to_ndarray(format="rgb24") for f in decode_frames(path)])


def picture(path: Path) -> Path:
    image = np.full((160, 200, 3), (235, 235, 235), np.uint8)
    y, x = np.mgrid[:160, :200]
    image[(x - 90) ** 2 + (y - 80) ** 2 < 35**2] = (220, 40, 40)
    Image.fromarray(image).save(path)
    return path


def clip(path: Path) -> Path:
    y, x = np.mgrid[:128, :128]
    frames = np.full((30, 128, 128, 3), (235, 235, 235), np.uint8)
    for n, frame in enumerate(frames):
        frame[(x - 30 - n) ** 2 + (y - 64) ** 2 < 22**2] = (40, 60, 220)
    with open_writer(path, 128, 128, 24) as writer:
        writer.write(frames)
    return path


def test_text_to_video_appears_chunk_by_chunk_and_lands_in_the_library(app: App) -> None:
    app.short(chunks=3)
    shown_when: list[list[ChunkState]] = []
    app.window.player.first_frame_shown.connect(
        lambda: shown_when.append([c.state for c in app.job.chunks])
    )
    app.generate()
    app.wait_for(Phase.FINISHED)
    assert shown_when
    assert shown_when[0][1:] != [ChunkState.DONE] * 2, "shown only when all was done"
    assert shown_when[0][1] is not ChunkState.DONE, "shown after the second chunk"

    (video,) = app.videos()
    assert video.name == "a red circle moves right 3.mp4"
    assert decoded(video).shape[0] == 72
    request = read_request(video)
    assert (request.prompt, request.seed) == ("a red circle moves right", 3)
    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    (item,) = app.workshop.library.items
    assert (item.path, item.frames, item.complete) == (video, 72, True)


def test_an_image_becomes_the_first_frame(app: App, tmp_path: Path) -> None:
    app.window.arrivals.open(picture(tmp_path / "ball.png"))
    app.qtbot.waitUntil(lambda: app.workshop.draft.reference is not None)
    assert app.workshop.draft.mode is Mode.I2V
    app.short("it moves right", chunks=1)
    app.generate()
    app.wait_for(Phase.FINISHED)
    first = decoded(app.videos()[0])[0].astype(float)
    assert first[64, 58, 0] > 150 > first[64, 58, 2], "the ball is red and where it was"
    assert first[5, 5].min() > 190, "on the light ground"


def test_a_clip_is_continued(app: App, tmp_path: Path) -> None:
    app.window.arrivals.open(clip(tmp_path / "clip.mp4"))
    app.qtbot.waitUntil(lambda: app.workshop.draft.reference is not None)
    assert app.workshop.draft.mode is Mode.V2V
    app.short("a blue circle moves right", chunks=1)
    app.generate()
    app.wait_for(Phase.FINISHED)
    assert len(decoded(app.videos()[0])) == 24


def test_stop_keeps_a_playable_video_and_the_next_one_runs(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magi_desktop.making._MOMENT_S", float("inf"))  # on a busy machine
    app.short(chunks=ENDLESS)
    app.generate()
    app.qtbot.waitUntil(lambda: app.job.frames_done >= 24)
    app.qtbot.keyClick(app.window, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    app.wait_for(Phase.CANCELLED)
    (video,) = app.videos()
    assert len(decoded(video)) == app.job.frames_done >= 24
    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    assert not app.workshop.library.items[0].complete
    app.short(chunks=1)
    app.generate()
    app.wait_for(Phase.FINISHED)
    assert len(app.videos()) == 2


def test_esc_belongs_to_what_has_the_focus_and_ends_no_video(app: App) -> None:
    app.short()
    app.workshop.draft.set(seconds=None)
    app.generate()
    app.qtbot.waitUntil(lambda: app.job.frames_done >= 24)
    window, search = app.window, app.window.library.search
    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 0)
    window.search_library()
    search.setText("circle")
    for field in (search, window.prompt.field, window.generate_bar.button, window.player.canvas):
        field.setFocus()
        app.qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert search.text() == ""
    before = app.job.frames_done
    app.qtbot.waitUntil(lambda: app.job.frames_done > before)
    assert app.job.phase is Phase.RUNNING
    window.making.stop()
    app.wait_for(Phase.CANCELLED)


def test_stopping_before_anything_is_finished_says_so_and_offers_it_again(app: App) -> None:
    app.short()
    app.generate()
    app.qtbot.waitUntil(lambda: app.job.phase.active)
    app.window.making.stop()
    app.wait_for(Phase.CANCELLED)
    assert not app.videos()
    assert "before anything of it was finished" in app.window.notice.text
    app.wait_idle()
    asked = app.job.request
    app.qtbot.mouseClick(app.window.notice._button, Qt.MouseButton.LeftButton)
    app.wait_for(Phase.FINISHED)
    (video,) = app.videos()
    assert asked is not None
    assert read_request(video).seed == asked.seed


def test_stopping_a_video_that_took_some_time_is_asked_about(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magi_desktop.making._MOMENT_S", 0.0)
    app.short(chunks=ENDLESS)
    app.generate()
    app.qtbot.waitUntil(lambda: app.job.frames_done >= 24)

    def asked() -> QMessageBox:
        app.qtbot.mouseClick(app.window.progress.stop_button, Qt.MouseButton.LeftButton)
        # One that was answered is deleted only when the event loop comes to it.
        (box,) = [b for b in app.window.findChildren(QMessageBox) if b.isVisible()]
        return box

    box = asked()
    app.qtbot.keyClick(box, Qt.Key.Key_Escape)
    before = app.job.frames_done
    app.qtbot.waitUntil(lambda: app.job.frames_done > before)
    box = asked()
    (stop,) = [b for b in box.buttons() if b.text() == "Stop"]
    app.qtbot.mouseClick(stop, Qt.MouseButton.LeftButton)
    app.wait_for(Phase.CANCELLED)


def test_a_double_click_makes_one_video(app: App) -> None:
    app.workshop.queue.set_paused(True)
    app.short(chunks=1)
    button = app.window.generate_bar.button
    app.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    app.qtbot.mouseDClick(button, Qt.MouseButton.LeftButton)
    # A whole double click: the first click, and the second press with its release.
    assert len(app.workshop.queue.items) == 1
    app.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert len(app.workshop.queue.items) == 2


def test_pause_stands_still_and_resume_goes_on(app: App) -> None:
    app.short(chunks=ENDLESS)
    app.generate()
    app.wait_for(Phase.RUNNING)
    app.qtbot.keyClick(app.window, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    app.wait_for(Phase.PAUSED)
    before = [c.step for c in app.job.chunks]
    answers: list[object] = []
    for count in range(1, 4):  # the engine does other things meanwhile, each longer than a step
        background.run(app.workshop.engine.engine.prospects, then=answers.append, owner=app.window)
        app.qtbot.waitUntil(lambda count=count: len(answers) == count)
    assert [c.step for c in app.job.chunks] == before
    done = app.job.frames_done
    app.qtbot.keyClick(app.window, Qt.Key.Key_P, Qt.KeyboardModifier.ControlModifier)
    app.qtbot.waitUntil(lambda: app.job.frames_done > done)
    app.workshop.controller.stop()
    app.wait_for(Phase.CANCELLED)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_video_can_be_directed_while_it_runs(app: App, at_once: bool) -> None:
    app.short()
    app.workshop.draft.set(seconds=None, window_size=4)
    app.generate()
    app.qtbot.waitUntil(lambda: app.job.at_once is not None and app.job.at_once.lost_s > 0)
    app.workshop.controller.pause()
    app.wait_for(Phase.PAUSED)
    cost, open_chunk = app.job.at_once, app.job.first_open_chunk
    assert cost is not None
    assert open_chunk is not None
    assert cost.chunk < open_chunk
    direct = app.window.progress.direct
    app.to_front()
    app.qtbot.keyClick(app.window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    app.qtbot.waitUntil(direct.text.hasFocus)
    app.qtbot.keyClicks(direct.text, "a blue circle moves left")
    direct.transition.setCurrentIndex(direct.transition.findData(Transition.CUT))
    button = direct.at_once if at_once else direct.next
    app.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    app.workshop.controller.resume()
    wanted = cost.chunk if at_once else open_chunk

    def made() -> bool:
        chunks = app.job.chunks
        return len(chunks) > wanted and chunks[wanted].state is ChunkState.DONE

    app.qtbot.waitUntil(made)
    assert app.job.chunks[wanted].prompt == "a blue circle moves left"
    app.workshop.controller.stop()
    app.wait_for(Phase.CANCELLED)
    assert not direct.text.isEnabled()
    change = read_request(app.videos()[0]).prompts[-1]
    assert (change.chunk, change.text) == (wanted, "a blue circle moves left")
    assert change.transition is Transition.CUT


def test_an_open_ended_video_runs_until_it_is_stopped(app: App) -> None:
    app.short()
    app.workshop.draft.set(seconds=None)
    app.generate()
    app.qtbot.waitUntil(lambda: app.job.frames_done >= 48)
    app.workshop.controller.stop()
    app.wait_for(Phase.CANCELLED)
    assert len(decoded(app.videos()[0])) >= 48
    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    assert app.workshop.library.items[0].complete, "it ran as long as it was wanted"


def test_several_variations_are_lined_up_and_made_one_after_the_other(app: App) -> None:
    app.short(chunks=1)
    app.window.making.generate(3)
    app.qtbot.waitUntil(lambda: len(app.videos()) == 3 and not app.workshop.controller.busy)
    seeds = {read_request(video).seed for video in app.videos()}
    assert len(seeds) == 3
    assert 3 in seeds


@pytest.mark.parametrize("breaks", ["gone", "read_only"])
def test_trouble_is_one_sentence_and_the_next_job_runs(
    app: App, tmp_path: Path, breaks: str
) -> None:
    app.short(chunks=1)
    if breaks == "gone":
        path = picture(tmp_path / "ball.png")
        app.window.arrivals.open(path)
        app.qtbot.waitUntil(lambda: app.workshop.draft.reference is not None)
        app.short("it moves", chunks=1)
        path.unlink()
    else:
        blocked = tmp_path / "blocked"
        blocked.write_text("a file, not a folder")
        app.workshop.preferences.set("output_folder", str(blocked / "videos"))
    app.generate()
    app.qtbot.waitUntil(lambda: app.window.notice.text != "")
    assert "Traceback" not in app.window.notice.text
    assert app.window.notice.text.count(".") >= 1
    app.wait_idle()
    app.workshop.preferences.set("output_folder", "")
    app.workshop.draft.set_mode(Mode.T2V)
    app.short(chunks=1)
    app.generate()
    app.wait_for(Phase.FINISHED)


def test_a_model_that_is_not_here_leads_to_its_download(app: App) -> None:
    app.qtbot.waitUntil(lambda: app.workshop.models.is_missing("4.5B-distill"))
    app.short(chunks=1)
    app.workshop.draft.set(model="4.5B-distill")
    assert app.window.generate_bar.button.text() == "Download model (31 GB)"
    app.generate()
    app.qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), LicenceDialog))
    sheet = QApplication.activeModalWidget()
    assert isinstance(sheet, LicenceDialog)
    sheet.reject()
    assert not app.workshop.queue.items, "nothing runs into a failure"


@pytest.mark.parametrize("answer", ["Write a prompt", "Use an example", "Generate without"])
def test_an_empty_prompt_is_asked_about(app: App, answer: str) -> None:
    app.short("", chunks=1)
    app.qtbot.waitUntil(lambda: bool(app.window.prompt._examples))
    app.generate()
    box = app.window.findChild(QMessageBox)
    assert box is not None
    button = next(b for b in box.buttons() if b.text() == answer)
    app.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    if answer == "Generate without":
        app.wait_for(Phase.FINISHED)
    else:
        assert not app.workshop.controller.busy
        assert bool(app.workshop.draft.prompt) == (answer == "Use an example")
        app.qtbot.waitUntil(app.window.prompt.field.hasFocus)


def test_a_dead_engine_leaves_the_video_so_far_and_comes_back(app: App) -> None:
    app.short(chunks=ENDLESS)
    app.generate()
    # One chunk may be on its way into the file, not more: the first one is there now.
    app.qtbot.waitUntil(lambda: app.job.frames_done >= 48)
    for child in psutil.Process().children():
        if "python" in child.name():
            child.kill()
    app.wait_for(Phase.FAILED)
    assert app.window.notice.text
    (video,) = app.videos()
    assert len(decoded(video)) >= 24
    app.short(chunks=1)
    app.generate()
    app.wait_for(Phase.FINISHED)


def test_events_reach_the_window_as_they_were_sent(app: App) -> None:
    """Frames cross from the engine's process to the screen untouched."""
    app.short(chunks=1)
    chunks: list[ChunkReady] = []
    app.workshop.engine.progressed.connect(
        lambda event: chunks.append(event) if isinstance(event, ChunkReady) else None
    )
    app.generate()
    app.wait_for(Phase.FINISHED)
    (event,) = chunks
    assert event.frames.shape == (24, 128, 128, 3)
    error = np.abs(decoded(app.videos()[0]).astype(int) - event.frames.astype(int)).mean()
    assert error < 3


def test_an_edited_video_goes_back_to_its_place_in_the_queue(app: App) -> None:
    app.workshop.queue.set_paused(True)
    app.short("first", chunks=1)
    app.generate()
    assert "held" in app.window.notice.text
    app.short("second", chunks=1)
    app.generate()
    first = app.workshop.queue.items[0]
    app.window.queue.edit_requested.emit(first)
    app.qtbot.waitUntil(lambda: app.workshop.draft.prompt == "first")
    app.workshop.draft.set_prompt("a green square moves up")
    app.generate()
    prompts = [item.request.prompt for item in app.workshop.queue.items]
    assert prompts == ["a green square moves up", "second"]


@pytest.mark.parametrize("way", ["dismiss", "leave"])
def test_a_queued_video_that_is_left_as_it_was_is_not_replaced(app: App, way: str) -> None:
    app.workshop.queue.set_paused(True)
    app.short("first", chunks=1)
    app.generate()
    app.window.queue.edit_requested.emit(app.workshop.queue.items[0])
    app.qtbot.waitUntil(lambda: "editing" in app.window.notice.text)
    assert "queue" in app.window.generate_bar.button.text()
    if way == "dismiss":
        app.qtbot.mouseClick(app.window.notice._close, Qt.MouseButton.LeftButton)
    else:
        app.qtbot.mouseClick(app.window.generate_bar.leave_button, Qt.MouseButton.LeftButton)
    assert "editing" not in app.window.notice.text
    assert app.window.generate_bar.button.text() == "Generate"
    app.workshop.draft.set_prompt("second")
    app.generate()
    prompts = [item.request.prompt for item in app.workshop.queue.items]
    assert prompts == ["first", "second"]


def test_a_finished_video_can_be_watched_while_the_next_is_made(app: App) -> None:
    app.short(chunks=1)
    app.generate()
    app.wait_for(Phase.FINISHED)
    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    app.short(chunks=ENDLESS)
    app.generate()
    app.wait_for(Phase.RUNNING)
    app.window.videos.play(app.workshop.library.items)
    app.qtbot.waitUntil(lambda: not app.window.player.showing_job)
    app.qtbot.mouseClick(app.window.video_bar.back, Qt.MouseButton.LeftButton)
    app.qtbot.waitUntil(lambda: app.window.player.showing_job)
    app.workshop.controller.stop()
    app.wait_for(Phase.CANCELLED)
