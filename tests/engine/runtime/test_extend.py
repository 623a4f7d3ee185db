"""A video that is extended again and again, with a tiny random model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from magi_engine.runtime.engine import Engine
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest, SamplingOverrides
from magi_engine.takes.store import TakeStore
from tests.engine.runtime.outcomes import MakeRequest, finished, run


def test_extended_ten_times_it_is_the_long_video(
    engine: Engine, store: TakeStore, tmp_path: Path, make_request: MakeRequest
) -> None:
    """One chunk at a time, and without the token that says how many chunks are left."""
    asked = {"sampling": SamplingOverrides(window_size=1, num_steps=4), "dtype": "float32"}
    asked |= {"special_tokens": ("HQ_TOKEN",)}

    def made(request: GenerationRequest) -> Earlier:
        path = finished(run(engine, request)).path
        assert path is not None
        return Earlier.of_video(path, store)

    video = made(make_request(num_frames=24, output=str(tmp_path / "0.mp4"), **asked))
    for number in range(1, 11):
        request = video.extended(1.0)
        video = made(dataclasses.replace(request, output=str(tmp_path / f"{number}.mp4")))
    whole = made(make_request(num_frames=264, output=str(tmp_path / "whole.mp4"), **asked))
    assert video.take.chunks == whole.take.chunks == 11
    for chunk in range(11):
        difference = np.abs(video.take.read(chunk) - whole.take.read(chunk)).max()
        assert difference <= 1e-4, f"chunk {chunk}"
