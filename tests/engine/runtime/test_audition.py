"""The first second alone, to be resumed if it is worth it, with a tiny random model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from magi_engine.media.info import probe
from magi_engine.media.writer import WriteOptions
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import Progress
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import SamplingOverrides
from magi_engine.takes.store import Take, TakeStore
from tests.engine.runtime.outcomes import MakeRequest, finished, of_kind, run

OVERWRITE = WriteOptions(overwrite=True)


def _take(store: TakeStore, path: Path | None) -> Take:
    assert path is not None
    return store.find(read_request(path).take or "")


@pytest.mark.parametrize("window", [1, 4])
def test_the_first_second_is_that_of_the_whole_video(
    engine: Engine, store: TakeStore, make_request: MakeRequest, window: int
) -> None:
    sampling = SamplingOverrides(window_size=window, num_steps=4)
    request = make_request(num_frames=90, sampling=sampling, dtype="float32", writing=OVERWRITE)
    whole = _take(store, finished(run(engine, request)).path)
    events = run(engine, dataclasses.replace(request, only_chunks=1))
    end = finished(events)
    assert end.frames == 24
    assert [e.fraction for e in of_kind(events, Progress)][-1] == 1
    assert sum(len(e.active) for e in of_kind(events, Progress)) == 4, "no other chunk is begun"
    take = _take(store, end.path)
    assert (take.chunks, take.about.num_frames, take.finished) == (1, 90, False)
    assert np.abs(take.read(0) - whole.read(0)).max() <= 1e-4
    # It goes on; one chunk at a time, to the very same video.
    rest = Earlier.of_take(take, end.path).resumed()
    made = finished(run(engine, rest))
    assert made.frames == 90
    assert made.path is not None
    assert probe(made.path).frame_count == 90
    resumed = _take(store, made.path)
    assert resumed.finished
    assert np.array_equal(resumed.read(0), take.read(0))
    if window == 1:
        for chunk in range(1, 4):
            assert np.abs(resumed.read(chunk) - whole.read(chunk)).max() <= 1e-4


def test_of_a_video_without_end_and_of_one_that_is_short_enough(
    engine: Engine, store: TakeStore, make_request: MakeRequest
) -> None:
    endless = make_request(num_frames=None, only_chunks=2, writing=OVERWRITE)
    end = finished(run(engine, endless))
    assert (end.frames, _take(store, end.path).about.num_frames) == (48, None)
    short = make_request(num_frames=20, only_chunks=2, writing=OVERWRITE)
    end = finished(run(engine, short))
    assert end.frames == 20
    assert _take(store, end.path).finished
