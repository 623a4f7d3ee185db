"""From the queue through the engine into the library."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.engine_thread import EngineThread
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.controller import Controller
from magi_desktop.state.draft import Draft
from magi_desktop.state.jobs import JobState, Phase
from magi_desktop.state.library import Library
from magi_desktop.state.queue import JobQueue, QueueState
from magi_desktop.state.undo import Undo
from magi_desktop.state.videos import describe
from magi_engine.errors import MagiError, OutOfMemoryError
from magi_engine.media.output import open_writer
from magi_engine.runtime.job.events import (
    Cancelled,
    Failed,
    Finished,
    Paused,
    Stage,
    StageStarted,
)
from magi_engine.runtime.process.control import Cancel, ChangePrompt, Pause, Resume
from tests.desktop.engine import ScriptedEngine
from tests.desktop.state.conftest import MakeStore
from tests.desktop.state.helpers import request, settle
from tests.desktop.state.videos import make_video, ramp

BEGUN = StageStarted(Stage.SAMPLING)


@dataclass
class Desk:
    """A controller with all it drives; the engine is a script."""

    controller: Controller
    engine: ScriptedEngine
    queue: JobQueue
    library: Library
    preferences: Preferences
    qtbot: QtBot

    def wait_begun(self, count: int) -> None:
        self.qtbot.waitUntil(lambda: len(self.engine.begun) == count)

    def states(self) -> list[QueueState]:
        return [item.state for item in self.queue.items]


@pytest.fixture
def desk(make_store: MakeStore, qtbot: QtBot, tmp_path: Path) -> Iterator[Desk]:
    store, file = make_store(), SettingsFile(tmp_path / "settings.json")
    engine, preferences = ScriptedEngine(), Preferences(file)
    thread = EngineThread(engine, store)
    queue, library = JobQueue(store, store), Library(store, tmp_path / "thumbnails", store)
    videos = tmp_path / "videos"
    controller = Controller(thread, JobState(store), queue, library, preferences, videos, store)
    thread.start()
    settle(qtbot, store)
    yield Desk(controller, engine, queue, library, preferences, qtbot)
    controller.close()
    thread.close()
    library.close()
    file.flush()


def test_videos_are_made_one_after_the_other_and_come_into_the_library(
    desk: Desk, qtbot: QtBot, tmp_path: Path
) -> None:
    desk.controller.generate(request("one"), copies=2)
    desk.wait_begun(1)
    assert desk.states() == [QueueState.RUNNING, QueueState.WAITING]
    first = desk.engine.begun[0]
    assert first.output is not None
    assert Path(first.output).parent == tmp_path / "videos"
    made = Path(first.output)
    make_video(made, "one")
    desk.engine.say(BEGUN)
    desk.engine.say(Finished(made, 24, 1.0))
    desk.wait_begun(2)
    assert desk.engine.begun[1].seed != first.seed, "a copy has a seed of its own"
    with qtbot.waitSignal(desk.controller.idle):
        desk.engine.say(Cancelled(None, 0))
    assert desk.states() == []
    qtbot.waitUntil(lambda: [item.path for item in desk.library.items] == [made])
    assert not desk.controller.busy


@pytest.mark.parametrize("whole", [True, False])
def test_a_video_that_was_finished_when_the_program_was_killed_is_not_made_twice(
    desk: Desk, make_store: MakeStore, qtbot: QtBot, tmp_path: Path, whole: bool
) -> None:
    desk.controller.generate(request("one"))
    desk.wait_begun(1)
    begun = desk.engine.begun[0]
    assert begun.output is not None
    made = Path(begun.output)
    with open_writer(made, begun.width, begun.height, 24, begun.to_json()) as writer:
        writer.write(ramp(24 if whole else 8))
    # The engine has renamed the file; nobody has taken that in. The next start:
    store = make_store()
    queue, library = JobQueue(store, store), Library(store, tmp_path / "thumbnails", store)
    controller = Controller(
        EngineThread(ScriptedEngine(), store),
        JobState(store),
        queue,
        library,
        desk.preferences,
        tmp_path / "videos",
        store,
    )
    settle(qtbot, store)
    library.recover(tmp_path / "videos")
    qtbot.waitUntil(lambda: [item.path for item in library.items] == [made])
    assert [item.interrupted for item in queue.items] == ([] if whole else [True])
    # It is written down: the start after that finds the same.
    again = JobQueue(make_store(), None)
    with qtbot.waitSignal(again.loaded):
        pass
    assert len(again.items) == (0 if whole else 1)
    controller.close()
    library.close()


def test_what_was_finished_elsewhere_is_not_made_again_before_the_library_knows_it(
    desk: Desk, make_store: MakeStore, qtbot: QtBot, tmp_path: Path
) -> None:
    desk.controller.generate(request("one"))
    desk.wait_begun(1)
    begun = desk.engine.begun[0]
    made = Path(begun.output or "")
    there = dataclasses.replace(begun, output="jobs/3f9a/video.mp4")
    with open_writer(made, begun.width, begun.height, 24, there.to_json()) as writer:
        writer.write(ramp(24))
    # Killed in this moment; the next start goes on unasked.
    store, engine = make_store(), ScriptedEngine()
    thread = EngineThread(engine, store)
    queue, library = JobQueue(store, store, True), Library(store, tmp_path / "thumbnails", store)
    folder = tmp_path / "videos"
    controller = Controller(
        thread, JobState(store), queue, library, desk.preferences, folder, store
    )
    thread.start()
    with qtbot.waitSignal(controller.idle):
        settle(qtbot, store)
    qtbot.waitUntil(lambda: [item.path for item in library.items] == [made])
    assert not queue.items
    assert engine.begun == []
    controller.close()
    thread.close()
    library.close()


@pytest.mark.parametrize("how", ["reported", "raised"])
def test_a_video_that_fails_stays_with_the_reason_and_the_next_gets_its_turn(
    desk: Desk, qtbot: QtBot, how: str
) -> None:
    desk.queue.add_many([request("one"), request("two")])
    desk.wait_begun(1)
    error = OutOfMemoryError("There is not enough memory for this video.")
    with qtbot.waitSignal(desk.controller.failed) as failed:
        desk.engine.say(Failed(error, None, 0) if how == "reported" else RuntimeError("broken"))
    assert failed.args is not None
    desk.wait_begun(2)
    assert desk.engine.begun[1].prompt == "two"
    states = {item.request.prompt: item for item in desk.queue.items}
    assert states["one"].state is QueueState.FAILED
    assert str(states["one"].error) == str(failed.args[0])
    assert states["two"].state is QueueState.RUNNING


def test_commands_reach_the_job(desk: Desk, qtbot: QtBot) -> None:
    desk.controller.generate(request())
    desk.wait_begun(1)
    job = desk.controller.job
    desk.engine.say(BEGUN)
    qtbot.waitUntil(lambda: job.phase is Phase.RUNNING)
    desk.controller.change_prompt(ChangePrompt(1, "a blue square"))
    desk.controller.toggle_pause()
    desk.engine.say(Paused())
    qtbot.waitUntil(lambda: job.phase is Phase.PAUSED)
    desk.controller.toggle_pause()
    with qtbot.waitSignal(desk.controller.idle):
        desk.controller.stop()
    assert job.phase is Phase.CANCELLED
    assert desk.engine.commands == [
        ChangePrompt(1, "a blue square"),
        Pause(),
        Resume(),
        Cancel(),
    ]


def test_how_to_compute_is_a_matter_of_this_computer(desk: Desk) -> None:
    desk.preferences.set("attention", "sdpa")
    desk.preferences.set("cards", 2)
    desk.preferences.set("card", "cuda:1")
    desk.controller.generate(request(attention="triton", quantised_attention=True))
    desk.wait_begun(1)
    begun = desk.engine.begun[0]
    assert (begun.attention, begun.cards, begun.device) == ("sdpa", 2, "cuda:1")
    assert not desk.engine.begun[0].quantised_attention


def test_a_folder_that_cannot_be_made_fails_the_video(
    desk: Desk, qtbot: QtBot, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    desk.preferences.set("output_folder", str(tmp_path / "file" / "videos"))
    with qtbot.waitSignal(desk.controller.failed) as failed:
        desk.controller.generate(request())
    assert failed.args is not None
    assert isinstance(failed.args[0], MagiError)
    assert desk.states() == [QueueState.FAILED]
    assert not desk.controller.busy
    assert desk.engine.begun == []


def test_nothing_begins_once_the_program_closes(desk: Desk, qtbot: QtBot) -> None:
    desk.controller.generate(request())  # its folder is still being looked for
    with qtbot.waitSignal(desk.controller.idle):  # a window that waits to be closed hears of it
        desk.controller.close()
    assert not desk.controller.busy
    desk.queue.add_many([request("later")])
    desk.controller.advance()
    assert not desk.controller.busy
    assert desk.engine.begun == []


@pytest.fixture
def undo(desk: Desk) -> Undo:
    undo = Undo(desk.library, desk.queue, desk.controller, Draft(), desk.controller)
    undo.stop_wanted.connect(desk.controller.stop)
    return undo


def test_deleting_and_removing_are_undone_in_order(
    desk: Desk, undo: Undo, qtbot: QtBot, tmp_path: Path
) -> None:
    path = tmp_path / "gone.mp4"  # else it would go to the trash of this computer
    desk.library._put([describe(path, make_video(path), None)])
    path.unlink()
    desk.queue.set_paused(True)
    ids = desk.controller.generate(request("one"), copies=3)
    with qtbot.waitSignal(desk.library.deleted):
        desk.library.delete([desk.library.items[0].id])
    desk.queue.remove(ids[1])
    assert undo.undoText() == "removing 1 video(s) from the queue"
    undo.undo()
    assert [item.id for item in desk.queue.items] == ids
    assert not desk.library.items
    undo.undo()
    undo.redo()  # at once, while the first is under way
    undo.redo()
    assert not undo.canRedo()
    qtbot.waitUntil(lambda: desk.library._pool.waitForDone(0))
    settle(qtbot, desk.library._store)
    assert not desk.library.items
    assert [item.id for item in desk.queue.items] == [ids[0], ids[2]]
    undo.undo()
    undo.undo()
    qtbot.waitUntil(lambda: [item.path for item in desk.library.items] == [path])
    assert [item.id for item in desk.queue.items] == ids


def test_another_model_is_undone_with_all_its_settings(desk: Desk, qtbot: QtBot) -> None:
    draft = Draft()
    undo = Undo(desk.library, desk.queue, desk.controller, draft, desk.controller)
    draft.set(model="4.5B-base", width=480, num_steps=20)
    before = draft.settings
    draft.choose_model("pocket")
    after = draft.settings
    draft.set(num_steps=4)
    assert undo.undoText() == "choosing another model"
    undo.undo()
    assert draft.settings == before
    undo.redo()
    assert draft.settings == dataclasses.replace(after, num_steps=4)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a trash of one's own")
def test_takes_that_were_asked_for_go_and_come_back(
    desk: Desk, undo: Undo, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    ids = desk.controller.generate(request("one"), copies=3)
    undo.lined_up(ids)
    assert undo.undoText() == "making 3 video(s)"
    desk.wait_begun(1)
    made = Path(desk.engine.begun[0].output or "")
    make_video(made, "one")
    desk.engine.say(Finished(made, 24, 1.0))
    desk.wait_begun(2)
    qtbot.waitUntil(lambda: len(desk.library.items) == 1)
    with qtbot.waitSignal(desk.library.settled):
        desk.library.rename(desk.library.items[0].id, "of another name")
    made = made.with_name("of another name.mp4")
    # One is made, one is being made, one waits.
    undo.undo()
    assert any(isinstance(command, Cancel) for command in desk.engine.commands)
    qtbot.waitUntil(lambda: not desk.library.items and not desk.controller.busy)
    assert not made.exists()
    assert not desk.queue.items
    desk.queue.set_paused(True)
    undo.redo()
    qtbot.waitUntil(lambda: [item.path for item in desk.library.items] == [made])
    assert made.exists()
    assert [item.id for item in desk.queue.items] == ids[2:]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a trash of one's own")
def test_what_is_done_again_and_undone_is_as_it_was_last(
    desk: Desk, undo: Undo, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    first = tmp_path / "first.mp4"
    library, queue = desk.library, desk.queue
    library.add(first, make_video(first))
    qtbot.waitUntil(lambda: len(library.items) == 1)
    video = library.items[0].id
    with qtbot.waitSignal(library.deleted):
        library.delete([video])
    undo.undo()
    qtbot.waitUntil(lambda: len(library.items) == 1)
    with qtbot.waitSignal(library.settled):
        library.rename(video, "second")
    library.set_favourite([video], True)
    library.add(first, make_video(first, "of the name that has become free"))
    qtbot.waitUntil(lambda: len(library.items) == 2)
    undo.redo()
    qtbot.waitUntil(lambda: library.item(video) is None)
    assert first.exists(), "the video that is there now was never deleted"
    assert not (tmp_path / "second.mp4").exists()
    undo.undo()
    qtbot.waitUntil(lambda: library.item(video) is not None)
    item = library.item(video)
    assert item is not None
    assert (item.path, item.favourite) == (tmp_path / "second.mp4", True)
    assert item.path.exists()

    queue.set_paused(True)
    [waiting] = queue.add_many([request("as it was asked for")])
    queue.remove(waiting)
    undo.undo()
    queue.replace(waiting, request("as it was changed"))
    undo.redo()
    assert not queue.items
    undo.undo()
    assert [item.request.prompt for item in queue.items] == ["as it was changed"]
