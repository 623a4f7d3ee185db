"""The player follows a job: fed with the engine's own events, with real files beside them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytestqt.qtbot import QtBot

from magi_desktop import background
from magi_desktop.player import job_link
from magi_desktop.player.player import Player
from magi_desktop.state.jobs import JobState
from magi_engine.errors import OutputError
from magi_engine.media.clips import iter_source_frames, plan_clip
from magi_engine.media.output import open_writer
from magi_engine.media.writer import FrameWriter
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    ChunkState,
    ChunkStatus,
    DecodingStarted,
    Failed,
    Finished,
    PreviewReady,
    Progress,
    PromptChanged,
    Stage,
    StageStarted,
)
from magi_engine.runtime.request.references import Reference, read_reference
from magi_engine.runtime.request.request import GenerationRequest, Mode, SamplingOverrides
from tests.desktop.machines import planned
from tests.desktop.player.clips import CHUNK, grey_frames, is_frame, write_greys


class Engine:
    """Says and writes what the engine says and writes, when a test tells it to."""

    def __init__(self, job: JobState, folder: Path) -> None:
        self.job = job
        self.folder = folder
        self.writer: FrameWriter | None = None
        self.chunks = 0

    def begin(self, num_frames: int | None = 72, **values: object) -> GenerationRequest:
        output = self.folder / "result.mp4"
        steps = SamplingOverrides(num_steps=16)
        request = GenerationRequest(
            Mode.T2V, "pocket", 64, 48, num_frames, sampling=steps, output=str(output)
        )
        request = GenerationRequest(**{**vars(request), **values})  # type: ignore[arg-type]
        self.job.begin(request)
        self.job.take(planned(request))
        self.writer = open_writer(output, 64, 48, 24)
        self.job.take(StageStarted(Stage.SAMPLING))
        return request

    def step(self, chunk: int, step: int) -> None:
        active = (ChunkStatus(chunk, ChunkState.DENOISING, step),)
        pace = (1.0, 0.1, 24.0, None, 1.0)
        self.job.take(Progress(active, 16, chunk, None, chunk * CHUNK, None, *pace, None))

    def chunk(self) -> None:
        assert self.writer is not None
        first = self.chunks * CHUNK
        frames = grey_frames(first, CHUNK)
        self.job.take(DecodingStarted(self.chunks))
        self.writer.write(frames)
        self.job.take(ChunkReady(self.chunks, first, frames, None))  # type: ignore[arg-type]
        self.chunks += 1

    def close(self) -> Path | None:
        return None if self.writer is None else self.writer.keep()

    def finish(self) -> None:
        self.job.take(Finished(self.close(), self.chunks * CHUNK, 1.0))


@pytest.fixture
def player(qtbot: QtBot) -> Player:
    player = Player()
    qtbot.addWidget(player)
    player.resize(640, 520)
    player.show()
    qtbot.waitExposed(player)
    return player


@pytest.fixture
def engine(player: Player, tmp_path: Path) -> Iterator[Engine]:
    job = JobState(player)
    player.bind(job)
    engine = Engine(job, tmp_path)
    yield engine
    engine.close()


def states(player: Player) -> list[ChunkState]:
    return [cell.state for cell in player.strip.cells]


R, D, W = ChunkState.DONE, ChunkState.DENOISING, ChunkState.WAITING


def test_a_generation_from_start_to_end(player: Player, engine: Engine, qtbot: QtBot) -> None:
    engine.begin()
    assert states(player) == [W, W, W]
    engine.step(0, 3)
    qtbot.waitUntil(
        lambda: player.canvas.accessibleDescription() == "Making second 1, step 3 of 16"
    )
    assert states(player) == [D, W, W]
    assert player.strip.cells[0].fraction == pytest.approx(3 / 16)
    assert player.strip.can_direct
    with qtbot.waitSignal(player.first_frame_shown):
        engine.chunk()
    engine.step(1, 5)
    assert states(player) == [R, D, W]
    assert player.playing
    engine.chunk()
    engine.chunk()
    engine.finish()
    assert states(player) == [R, R, R]
    assert not player.strip.can_direct
    player.seek(71)
    qtbot.waitUntil(lambda: 0 < player.position < 10)  # it loops
    qtbot.waitUntil(lambda: all(i in player.strip._thumbnails for i in range(3)))


def test_a_prompt_changed_on_the_way_shows_on_the_strip(player: Player, engine: Engine) -> None:
    engine.begin()
    engine.job.take(PromptChanged(1, "a kite"))
    assert [cell.prompt for cell in player.strip.cells] == ["", "a kite", "a kite"]


def test_previews_reach_the_canvas(player: Player, engine: Engine) -> None:
    engine.begin()
    engine.step(0, 1)
    engine.job.take(PreviewReady(0, np.full((6, 6, 8, 3), 90, np.uint8)))
    assert player.canvas.is_preview


def test_an_open_ended_job_that_is_stopped_keeps_its_frames(
    player: Player, engine: Engine, qtbot: QtBot
) -> None:
    engine.begin(None)
    engine.chunk()
    engine.step(1, 2)
    engine.job.take(Cancelled(engine.close(), CHUNK))
    assert states(player) == [R]
    assert player.buffer.end == CHUNK
    assert player.canvas.message is None


def test_a_job_stopped_before_its_first_frames_says_so(player: Player, engine: Engine) -> None:
    engine.begin()
    engine.job.take(Cancelled(None, 0))
    assert player.canvas.message is not None
    assert not player.canvas.message.is_error
    assert not player.playing


def test_a_job_that_fails_leaves_what_exists_and_the_window_says_why(
    player: Player, engine: Engine
) -> None:
    engine.begin()
    engine.chunk()
    error = OutputError("The disk is full.", "Free some space.")
    engine.job.take(Failed(error, engine.close(), CHUNK))
    assert player.canvas.message is None
    assert player.canvas.image is not None
    assert player.strip.isVisible()


@pytest.mark.parametrize("planned_first", [False, True])
@pytest.mark.parametrize("stopped", [False, True])
def test_the_last_video_comes_back_if_nothing_is_made(
    player: Player,
    engine: Engine,
    qtbot: QtBot,
    tmp_path: Path,
    planned_first: bool,
    stopped: bool,
) -> None:
    last = tmp_path / "last.mp4"
    write_greys(last, 24)
    player.open_file(last)
    qtbot.waitUntil(lambda: player.canvas.image is not None)
    for _ in range(2):  # and again, if the next one fails as well
        if planned_first:
            engine.begin()
        else:
            engine.job.begin(GenerationRequest(Mode.T2V, "pocket", 64, 48, 72))
        assert player.canvas.image is None
        error = OutputError("The disk is full.")
        engine.job.take(Cancelled(None, 0) if stopped else Failed(error, None, 0))
        qtbot.waitUntil(lambda: player.canvas.image is not None)
        assert player.path == last
        assert player.canvas.message is None
        assert player.buffer.end == 24
        engine.close()


def test_no_strip_is_left_of_a_job_that_fails_before_its_first_frames(
    player: Player, engine: Engine
) -> None:
    engine.begin()
    assert player.strip.isVisible()
    engine.job.take(Failed(OutputError("The disk is full."), engine.close(), 0))
    assert not player.strip.isVisible()
    engine.begin()
    assert player.strip.isVisible()


def test_a_file_can_be_watched_meanwhile(
    player: Player, engine: Engine, qtbot: QtBot, tmp_path: Path
) -> None:
    engine.begin()
    engine.chunk()
    other = write_greys(tmp_path / "other.mp4", 100)
    with qtbot.waitSignal(player.first_frame_shown):
        player.open_file(other)
    assert not player.showing_job
    engine.chunk()
    assert player.buffer.end == 100
    player.show_job()
    assert player.showing_job
    assert states(player) == [R, R, W]
    player.pause()
    player.seek(40)
    # What was made meanwhile is read from the file the engine is still writing.
    qtbot.waitUntil(lambda: player.buffer.has(40))
    frame = player.buffer.frame(40)
    assert frame is not None
    assert is_frame(frame, 40)
    engine.chunk()
    engine.finish()
    assert player.buffer.end == 72


def test_a_new_job_takes_the_place_of_a_file(
    player: Player, engine: Engine, qtbot: QtBot, tmp_path: Path
) -> None:
    with qtbot.waitSignal(player.first_frame_shown):
        player.open_file(write_greys(tmp_path / "other.mp4", 30))
    engine.begin()
    assert player.showing_job
    assert player.buffer.end == 0
    assert player.canvas.image is None


def test_the_image_a_video_starts_from_can_be_compared(
    player: Player, engine: Engine, qtbot: QtBot, tmp_path: Path
) -> None:
    image = tmp_path / "start.png"
    Image.new("RGB", (640, 480), (10, 200, 30)).save(image)
    engine.begin(mode=Mode.I2V, reference=str(image))
    engine.chunk()
    qtbot.waitUntil(player.commands.compare.isEnabled)
    player.commands.compare.trigger()
    assert player.canvas.comparing
    shown = player.canvas.grab().toImage()
    assert shown.pixelColor(shown.width() // 4, shown.height() // 2).getRgb() == (10, 200, 30, 255)


@pytest.mark.parametrize("then", ["file", "job"])
def test_its_image_is_no_comparison_for_what_is_shown_before_it_is_read(
    player: Player,
    engine: Engine,
    qtbot: QtBot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    then: str,
) -> None:
    opened, others = threading.Event(), set(background._under_way)

    def late(request: GenerationRequest, fps: float) -> Reference | None:
        assert opened.wait(600)
        return read_reference(request, fps)

    monkeypatch.setattr(job_link, "read_reference", late)
    image = tmp_path / "start.png"
    Image.new("RGB", (64, 48), (10, 200, 30)).save(image)
    engine.begin(mode=Mode.I2V, reference=str(image))
    if then == "file":
        with qtbot.waitSignal(player.first_frame_shown):
            player.open_file(write_greys(tmp_path / "other.mp4", 30))
    else:
        assert engine.job.request is not None
        engine.job.begin(dataclasses.replace(engine.job.request, mode=Mode.T2V, reference=None))
    opened.set()
    qtbot.waitUntil(lambda: background._under_way <= others)  # tests before leave some
    assert player.comparison.empty


def test_frames_behind_a_clip_in_front_are_found_in_the_file(
    player: Player, engine: Engine, qtbot: QtBot, tmp_path: Path
) -> None:
    source = write_greys(tmp_path / "source.mp4", 50)
    engine.begin(mode=Mode.V2V, reference=str(source), prepend_source=True)
    assert engine.writer is not None
    for batch in iter_source_frames(plan_clip(source, 24), 64, 48):
        engine.writer.write(batch)
    engine.chunk()
    qtbot.waitUntil(player.commands.compare.isEnabled)
    engine.chunk()
    engine.finish()
    player.show_job()  # nothing is in memory now
    qtbot.waitUntil(lambda: player.position > 2)
    player.pause()
    player.seek(30)
    qtbot.waitUntil(lambda: player.buffer.has(30))
    frame = player.buffer.frame(30)
    assert frame is not None
    assert is_frame(frame, 30)
