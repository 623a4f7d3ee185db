"""What people see of a running generation."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from magi_engine.cli.bar import progress_bar
from magi_engine.cli.display import (
    JsonDisplay,
    LiveDisplay,
    PlainDisplay,
    closing_text,
)
from magi_engine.errors import MagiError
from magi_engine.messages import Message
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    ChunkState,
    ChunkStatus,
    DecodingStarted,
    Event,
    Failed,
    Finished,
    Notice,
    Paused,
    Progress,
    PromptChanged,
    Resumed,
    Stage,
    StageStarted,
)


def progress(num_chunks: int | None = 5) -> Progress:
    return Progress(
        active=(
            ChunkStatus(1, ChunkState.DENOISING, 12),
            ChunkStatus(2, ChunkState.DENOISING, 8),
        ),
        num_steps=16,
        chunks_done=1,
        num_chunks=num_chunks,
        frames_done=24,
        fraction=0.42 if num_chunks else None,
        elapsed_s=20.0,
        seconds_per_step=0.7,
        frames_per_second=4.25,
        eta_s=185.0 if num_chunks else None,
        next_chunk_s=3.2,
        latents=lambda: torch.zeros(1),
    )


CHUNK = ChunkReady(1, 24, np.zeros((24, 4, 4, 3), np.uint8), torch.zeros(1))
STORY: list[Event] = [
    StageStarted(Stage.LOADING_MODEL),
    StageStarted(Stage.SAMPLING),
    Notice(Message("8 steps are noisy [really].")),
    progress(),
    Paused(),
    Resumed(),
    PromptChanged(3, "a blue square"),
    DecodingStarted(1),
    CHUNK,
]


def test_plain_lines() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        for event in [*STORY, Finished(Path("x.mp4"), 120, 61.0)]:
            display.show(event)
    assert stream.getvalue().splitlines() == [
        "Loading the model ...",
        "Generating ...",
        "Note: 8 steps are noisy [really].",
        "Paused.",
        "Going on.",
        "From chunk 4 on: a blue square",
        "Chunk 2 of 5 is ready, 48 frames, 4.2 frames/s, about 3:05 min left.",
        "Saved x.mp4 (120 frames in 1:01 min).",
    ]


def test_a_task_says_its_stages_where_no_bar_can_be(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar() as show:
        show("asking", 0.0, None, "")
        show("downloading", 1.0, 8.0, "1 MB of 8 MB")
        assert capsys.readouterr().err == "Downloading ...\n", "while it is under way"
        for done in range(2, 9):
            show("downloading", float(done), 8.0, f"{done} MB of 8 MB")
            show("verifying", float(done), None, "")
    assert capsys.readouterr().err == "Verifying ...\n"


def test_of_the_last_chunk_no_time_is_left() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        display.show(dataclasses.replace(progress(), eta_s=0.0))
        display.show(CHUNK)
    assert stream.getvalue() == "Chunk 2 of 5 is ready, 48 frames, 4.2 frames/s.\n"


def test_quiet_says_only_what_matters() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream, quiet=True) as display:
        for event in [*STORY, Cancelled(Path("x.mp4"), 48)]:
            display.show(event)
    assert stream.getvalue().splitlines() == [
        "Note: 8 steps are noisy [really].",
        "Stopped. The 48 frames finished so far are in x.mp4.",
    ]
    assert closing_text(Cancelled(Path("x.gif"), 1)) == (
        "Stopped. The 1 frame finished so far is in x.gif."
    )


def test_stopping_before_the_first_chunk_has_an_end_too() -> None:
    stream = io.StringIO()
    PlainDisplay(stream).show(Cancelled(None, 0))
    assert "nothing to keep" in stream.getvalue()


@pytest.mark.parametrize("num_chunks", [5, None])
def test_the_live_display_fits_a_terminal(num_chunks: int | None) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    with LiveDisplay(console) as display:
        for event in STORY[:3]:
            display.show(event)
        display.show(progress(num_chunks))
        display._live.refresh()
    text = stream.getvalue()
    assert "Note: 8 steps are noisy [really]." in text
    expected = [
        "42% · 1 of 5 chunks" if num_chunks else "1 chunk",
        "4.2 frames/s · next chunk in 3 s" + (" · 3:05 min left" if num_chunks else ""),
        "chunk 2: 12/16  chunk 3: 8/16",
    ]
    for line in expected:
        assert any(line in shown for shown in text.splitlines()), text


def test_the_live_display_says_that_a_chunk_is_being_decoded() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    with LiveDisplay(console) as display:
        display.show(progress())
        display.show(DecodingStarted(1))
        display._live.refresh()
    assert "chunk 2: decoding  chunk 3: 8/16" in stream.getvalue()


@pytest.mark.parametrize("live", [False, True])
def test_the_next_video_begins_with_nothing_of_the_one_before(live: bool) -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    display = LiveDisplay(console) if live else PlainDisplay(stream)
    with display:
        for event in STORY:
            display.show(event)
    stream.truncate(0)
    with display:
        display.show(StageStarted(Stage.WAITING))
        display.show(Notice(Message("1 video is made before this one.")))
        display.show(CHUNK)
    text = stream.getvalue()
    assert "Waiting for its turn" in text
    assert "Note: 1 video is made before this one." in text
    for old in ("Generating", "42%", "4.2 frames/s", "of 5"):
        assert old not in text


def test_json_lines_for_other_programs() -> None:
    stream = io.StringIO()
    display = JsonDisplay(stream)
    error = MagiError("It broke.", "Mend it.")
    for event in [*STORY, Failed(error, Path("x.mp4"), 24)]:
        display.show(event)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == [
        *["stage", "stage", "notice", "progress", "paused", "resumed", "prompt_changed"],
        *["decoding", "chunk"],
        "failed",
    ]
    assert lines[3]["active"] == [
        {"index": 1, "state": "denoising", "step": 12},
        {"index": 2, "state": "denoising", "step": 8},
    ]
    assert lines[-1] == {
        "event": "failed",
        "error": "MagiError",
        "message": "It broke.",
        "hint": "Mend it.",
        "path": "x.mp4",
        "frames": 24,
    }
