"""Running out of memory in the middle of a video: the same video comes out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from magi_engine.errors import ModelNotFoundError
from magi_engine.runtime import plan as plan_module
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.events import ChunkReady, Failed, Finished, Notice
from magi_engine.runtime.models import LoadedModel
from magi_engine.runtime.placement import Placement
from magi_engine.runtime.request import GenerationRequest, Mode, PromptChange, SamplingOverrides
from magi_engine.weights.layout import find_model

WAYS = [
    Placement(4, 4),
    Placement(3, 4, part_tokens=200, tiles_at_once=2),
    Placement(2, 4, (), cache_on_host=True, part_tokens=100, tiles_at_once=1),
    Placement(1, 4, (0, 1, 2, 3), cache_on_host=True, part_tokens=64, tiles_at_once=1),
]


def generate(tmp_path: Path) -> tuple[list[np.ndarray], object, int]:
    """The frames of each chunk, the last event, and how often the user was told."""
    request = GenerationRequest(
        mode=Mode.T2V,
        model="pocket",
        width=128,
        height=128,
        num_frames=72,
        prompts=(PromptChange(0, "a red circle"),),
        sampling=SamplingOverrides(num_steps=4, window_size=1),
        device="cpu",
        dtype="float32",
    )
    events = list(Engine(cache_dir=tmp_path).generate(request))
    told = sum(isinstance(e, Notice) and "too little" in str(e.message) for e in events)
    return [e.frames for e in events if isinstance(e, ChunkReady)], events[-1], told


class FailingAttention:
    """The model's attention, which now and then finds no memory for its result."""

    def __init__(self, model: LoadedModel, fails_at: set[int]) -> None:
        self.inner, self.fails_at = model.attention, fails_at
        self.calls = 0

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self.calls += 1
        if self.calls in self.fails_at:
            raise torch.OutOfMemoryError("there is no room on the device")
        return self.inner(q, k, v)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Calls of attention that fail, counted from the first of a job."""
    fails_at: set[int] = set()
    really = LoadedModel.__init__

    def made(self: LoadedModel, *arguments: object) -> None:
        really(self, *arguments)  # type: ignore[arg-type]
        self.__dict__["attention"] = FailingAttention(self, fails_at)

    monkeypatch.setattr(LoadedModel, "__init__", made)
    monkeypatch.setattr(plan_module, "place", lambda sizes, *free: tuple(WAYS))
    try:
        find_model("pocket")
    except ModelNotFoundError:
        pytest.skip("the pocket model is not here")
    return fails_at


def test_the_same_video_comes_out(
    failing: set[int], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    expected, last, told = generate(tmp_path)
    assert isinstance(last, Finished)
    assert told == 0
    failing |= {30, 111, 170}  # in two steps, once while it tries again
    frames, last, told = generate(tmp_path)
    assert isinstance(last, Finished), last
    assert told == 2, "twice in one step is told once"
    assert len([r for r in caplog.records if "too little memory" in r.getMessage()]) == 3
    assert len(frames) == len(expected) == 3
    for ours, theirs in zip(frames, expected, strict=True):
        assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_too_little_memory_to_prepare_is_left_to_the_video(
    failing: set[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", logger="magi_engine")
    monkeypatch.setattr(LoadedModel, "compiles", True)
    failing |= {3}
    frames, last, told = generate(tmp_path)
    assert isinstance(last, Finished), last
    assert told == 0
    assert len(frames) == 3
    assert "too little memory to prepare for this size" in [r.getMessage() for r in caplog.records]


def test_the_end_of_the_ladder_is_an_error_in_words(failing: set[int], tmp_path: Path) -> None:
    failing |= set(range(30, 1000))
    _, last, _ = generate(tmp_path)
    assert isinstance(last, Failed)
    assert "memory" in str(last.error)
