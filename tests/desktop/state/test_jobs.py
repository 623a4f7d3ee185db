"""The state of a job, fed with the events of the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.state.job_words import duration, figures, job_sentence
from magi_desktop.state.jobs import JobState, Phase
from magi_engine.errors import MagiError
from magi_engine.runtime.job.events import (
    AttentionQuantised,
    Cancelled,
    ChunkReady,
    ChunkState,
    ChunkStatus,
    DecodingStarted,
    Failed,
    Finished,
    Paused,
    Planned,
    Progress,
    PromptChanged,
    Resumed,
    Stage,
    StageStarted,
)
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from tests.desktop.machines import planned
from tests.desktop.media_files import video_file


@pytest.fixture
def job(qtbot: QtBot) -> JobState:
    job = JobState()
    job.begin(request(60))
    job.take(planned(request(60)))
    return job


def request(num_frames: int | None) -> GenerationRequest:
    prompts = (PromptChange(0, "first"), PromptChange(2, "last"))
    steps = SamplingOverrides(num_steps=16)
    return GenerationRequest(Mode.T2V, "pocket", 128, 128, num_frames, prompts, sampling=steps)


def progress(chunk: int, step: int, num_chunks: int | None = 3) -> Progress:
    return Progress(
        active=(ChunkStatus(chunk, ChunkState.DENOISING, step),),
        num_steps=16,
        chunks_done=chunk,
        num_chunks=num_chunks,
        frames_done=chunk * 24,
        fraction=None if num_chunks is None else 0.25,
        elapsed_s=1.0,
        seconds_per_step=0.1,
        frames_per_second=6.0,
        eta_s=None if num_chunks is None else 8.0,
        next_chunk_s=2.0,
        latents=None,
    )


def ready(chunk: int, first_frame: int, count: int) -> ChunkReady:
    return ChunkReady(chunk, first_frame, np.zeros((count, 8, 8, 3), np.uint8), None)


def test_chunks_that_start_anew_wait_again(job: JobState) -> None:
    job.take(progress(1, 8))
    job.take(progress(2, 4))
    assert job.chunks[2].state is ChunkState.DENOISING
    job.take(progress(1, 9))
    assert (job.chunks[2].state, job.chunks[2].step) == (ChunkState.WAITING, 0)


def test_chunks_are_known_from_the_start_with_their_frames_and_prompts(job: JobState) -> None:
    assert [(c.first_frame, c.num_frames) for c in job.chunks] == [(0, 24), (24, 24), (48, 12)]
    assert [c.prompt for c in job.chunks] == ["first", "first", "last"]
    assert job.phase is Phase.PREPARING
    job.take(StageStarted(Stage.LOADING_MODEL))
    assert job_sentence(job) == "Loading the model"


def test_a_chunk_goes_from_waiting_to_ready(job: JobState, qtbot: QtBot) -> None:
    changed: list[int] = []
    job.chunk_changed.connect(changed.append)
    job.take(StageStarted(Stage.SAMPLING))
    job.take(progress(0, 9))
    assert job_sentence(job) == "Making second 1, step 9 of 16"
    assert figures(job) == "Ready: 0 s of 2.5 s  ·  8 s left  ·  6.0 frames/s  ·  more in 2 s"
    job.take(DecodingStarted(0))
    assert job.chunks[0].state is ChunkState.DECODING
    assert job_sentence(job) == "Finishing second 1"
    with qtbot.waitSignal(job.frames_ready) as frames:
        job.take(ready(0, 0, 24))
    assert frames.args is not None
    assert frames.args[0] == 0
    assert job.chunks[0].state is ChunkState.DONE
    assert job.frames_done == 24
    assert set(changed) == {0}


def test_behind_a_clip_the_chunks_are_parts_and_no_seconds(qtbot: QtBot, tmp_path: Path) -> None:
    clip = video_file(tmp_path / "clip.mp4", seconds=1.3)
    asked = replace(request(48), mode=Mode.V2V, reference=str(clip))
    job = JobState()
    job.begin(asked)
    job.take(planned(asked))
    job.take(StageStarted(Stage.SAMPLING))
    job.take(progress(1, 9))
    assert job.chunks[1].first_frame % 24
    assert job_sentence(job) == "Making part 2, step 9 of 16"


def test_from_one_chunk_to_the_next_it_does_not_say_that_it_starts(job: JobState) -> None:
    job.take(StageStarted(Stage.SAMPLING))
    assert job_sentence(job) == "Starting"
    job.take(ready(0, 0, 24))
    assert job_sentence(job) == "Beginning second 2"
    job.take(ready(1, 24, 24))
    job.take(ready(2, 48, 12))
    assert job_sentence(job) == "Completing the video"


def test_a_chunk_is_decoded_while_the_next_one_is_denoised(job: JobState) -> None:
    job.take(StageStarted(Stage.SAMPLING))
    job.take(ready(0, 0, 24))
    job.take(DecodingStarted(1))
    step = progress(2, 3)
    job.take(replace(step, active=(ChunkStatus(1, ChunkState.DECODING, 16), *step.active)))
    assert [c.state for c in job.chunks] == [
        ChunkState.DONE,
        ChunkState.DECODING,
        ChunkState.DENOISING,
    ]
    assert job_sentence(job) == "Making second 3, step 3 of 16"
    job.take(ready(1, 24, 24))
    assert job.chunks[1].state is ChunkState.DONE


def test_an_engine_elsewhere_that_does_not_answer_is_waited_for(job: JobState) -> None:
    for before in (None, progress(0, 1)):
        if before is not None:
            job.take(StageStarted(Stage.SAMPLING))
            job.take(before)
        job.take(StageStarted(Stage.CONNECTING))
        assert job_sentence(job) == "Waiting for the other computer"
    job.take(StageStarted(Stage.SAMPLING))
    assert job_sentence(job) == "Making second 1, step 1 of 16"


def test_quantised_attention_is_said_and_goes_into_the_library(job: JobState) -> None:
    job.take(StageStarted(Stage.PREPARING_SIZE))
    assert job_sentence(job) == "Preparing for this size"
    job.take(StageStarted(Stage.SAMPLING))
    job.take(progress(0, 1))
    assert "8-bit" not in figures(job)
    job.take(AttentionQuantised("int8"))
    assert figures(job).endswith("8-bit arithmetic")
    assert job.request is not None
    assert job.request.quantised_attention


def test_chunks_are_those_of_the_plan(job: JobState, qtbot: QtBot) -> None:
    job.begin(request(60))
    assert job.chunks == [], "nobody has counted yet"
    found = planned(request(60)).plan
    with qtbot.waitSignal(job.planned):
        job.take(Planned(replace(found, length=replace(found.length, first_frames=20))))
    assert [(c.first_frame, c.num_frames) for c in job.chunks] == [(0, 20), (20, 24), (44, 16)]


def test_an_open_ended_job_grows(qtbot: QtBot) -> None:
    job = JobState()
    job.begin(request(None))
    job.take(planned(request(None)))
    for chunk in range(3):
        job.take(progress(chunk, 1, None))
    assert [c.index for c in job.chunks] == [0, 1, 2]
    assert job.fraction is None
    assert figures(job).startswith("Ready: 0 s  ·"), "right for one, too"
    assert "left" not in figures(job)
    job.frames_done = 30_012
    assert figures(job).startswith("Ready: 1250 s  ·")


def test_a_new_prompt_shows_on_the_chunks_it_is_for(job: JobState) -> None:
    job.take(PromptChanged(1, "other"))
    assert [c.prompt for c in job.chunks] == ["first", "other", "last"]


def test_pause_resume_and_stop(job: JobState) -> None:
    job.take(Paused())
    assert job.phase is Phase.PAUSED
    job.take(Resumed())
    assert job.phase is Phase.RUNNING
    job.stopping()
    job.take(progress(1, 2))  # one more step is reported before the engine obeys
    assert job.phase is Phase.STOPPING
    job.take(ready(0, 0, 24))
    job.take(Cancelled(Path("x.mp4"), 24))
    assert job.phase is Phase.CANCELLED
    assert [c.index for c in job.chunks] == [0]
    assert job_sentence(job) == "Stopped; the video so far is kept"


def test_the_last_event_is_passed_on_once(job: JobState, qtbot: QtBot) -> None:
    with qtbot.waitSignal(job.ended):
        job.take(Finished(Path("x.mp4"), 60, 75.0))
    assert (job.phase, job.fraction, job.path) == (Phase.FINISHED, 1.0, Path("x.mp4"))
    assert job_sentence(job) == "Done in 1 min 15 s"
    job.begin(request(24))
    job.take(Failed(MagiError("It broke.", "Mend it."), None, 0))
    assert job_sentence(job) == "It broke."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (3599, "59 min 59 s"), (4800, "1 h 20 min")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
