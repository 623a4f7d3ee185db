"""Running out of memory anywhere in a job: the same video comes out, on a later rung."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from magi_engine.model import offload
from magi_engine.model.dit import VideoDiT
from magi_engine.model.text import TextEncoder
from magi_engine.ops.copies import host_buffer
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import (
    ChunkReady,
    Event,
    Failed,
    Finished,
    Notice,
    PromptChanged,
    Stage,
    StageStarted,
)
from magi_engine.runtime.machine.kernels import DeviceKernels
from magi_engine.runtime.models.libraries import Libraries
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.planning import placement as plans
from magi_engine.runtime.planning.placement import Placement
from magi_engine.runtime.process.control import ChangePrompt
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    SamplingOverrides,
)
from magi_engine.sampling import cache
from magi_engine.sampling.cache import RollingCache
from tests.engine.runtime.outcomes import MakeRequest, checked, finished, frames_of, of_kind
from tests.engine.sampling.test_cache import LiveBytes

WAYS = [
    Placement(4, 4),
    Placement(3, 4, part_tokens=200, tiles_at_once=2),
    Placement(2, 4, (), cache_on_host=True, part_tokens=100, tiles_at_once=1),
    Placement(1, 4, (0, 1), cache_on_host=True, part_tokens=64, tiles_at_once=1),
]
"""What a device with room for one way after another would be given."""


def generate(request: GenerationRequest, cache: Path) -> tuple[list[np.ndarray], object, int]:
    """The frames of each chunk, the last event, and how often the user was told."""
    events = list(Engine(cache_dir=cache).generate(request))
    told = sum(isinstance(e, Notice) and "too little" in str(e.message) for e in events)
    return [e.frames for e in events if isinstance(e, ChunkReady)], events[-1], told


class FailingAttention:
    """The model's attention, which now and then finds no memory for its result."""

    def __init__(self, model: LoadedModel, fails_at: set[int]) -> None:
        self.inner, self.fails_at = model.kernels.attention, fails_at
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
        self.kernels.__dict__["attention"] = FailingAttention(self, fails_at)

    monkeypatch.setattr(LoadedModel, "__init__", made)
    monkeypatch.setattr(plans, "place", lambda sizes, *free: tuple(WAYS))
    return fails_at


def test_the_same_video_comes_out(
    failing: set[int],
    make_request: MakeRequest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sampling = SamplingOverrides(num_steps=4, window_size=1)
    request = make_request(num_frames=72, sampling=sampling, output=None)
    expected, last, told = generate(request, tmp_path)
    assert isinstance(last, Finished)
    assert told == 0
    failing |= {9, 29, 31}  # in two steps, once while it tries again
    frames, last, told = generate(request, tmp_path)
    assert isinstance(last, Finished), last
    assert told == 2, "twice in one step is told once"
    assert len([r for r in caplog.records if "too little memory" in r.getMessage()]) == 3
    assert len(frames) == len(expected) == 3
    for ours, theirs in zip(frames, expected, strict=True):
        assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 1


def test_the_end_of_the_ladder_is_an_error_in_words(
    failing: set[int], make_request: MakeRequest, tmp_path: Path
) -> None:
    failing |= set(range(9, 1000))
    _, last, _ = generate(make_request(output=None), tmp_path)
    assert isinstance(last, Failed)
    assert "memory" in str(last.error)


class FailsAt(TorchDispatchMode):
    """Memory runs out in one of the operations."""

    def __init__(self, operation: int) -> None:
        super().__init__()
        self.operation = operation
        self.failed = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.operation -= 1
        if self.operation == 0:
            self.failed = True
            raise torch.OutOfMemoryError("there is no room on the device")
        return func(*args, **(kwargs or {}))


@pytest.fixture
def full_in(monkeypatch: pytest.MonkeyPatch):
    """Lets memory run out in operation ``at`` of the first ``times`` calls of a method."""
    failures: list[bool] = []

    def install(owner: type, name: str, at: int = 1, times: int = 1) -> list[bool]:
        really = getattr(owner, name)

        @functools.wraps(really)
        def call(*arguments: Any, **named: Any) -> Any:
            if len(failures) == times:
                return really(*arguments, **named)
            with FailsAt(at) as mode:
                try:
                    return really(*arguments, **named)
                finally:
                    failures.append(mode.failed)

        monkeypatch.setattr(owner, name, call)
        return failures

    return install


def steps_taken(log: pytest.LogCaptureFixture) -> int:
    return sum("too little memory: going on with" in r.getMessage() for r in log.records)


def from_image(make_request: MakeRequest, image: Path) -> GenerationRequest:
    return make_request(mode=Mode.I2V, reference=str(image), output=None)


@pytest.fixture
def ladder(monkeypatch: pytest.MonkeyPatch) -> list[Placement]:
    """The ways, on the processor."""
    ways = list(WAYS)
    monkeypatch.setattr(plans, "place", lambda sizes, *free: tuple(ways))
    monkeypatch.setattr(DeviceKernels, "compiles", True)  # so that there is every stage
    monkeypatch.setattr(Libraries, "begin", lambda _: None)  # which has memory of its own
    return ways


@pytest.mark.parametrize(
    ("owner", "name", "at", "times"),
    [
        (LoadedModel, "load_vae", 1, 1),
        (LoadedModel, "encode", 1, 1),
        (LoadedModel, "encode", 20, 2),  # the reference, in the middle
        (LoadedModel, "previewer", 5, 1),
        (LoadedModel, "load_dit", 1, 3),
        (LoadedModel, "load_dit", 10, 1),
        (RollingCache, "__init__", 1, 2),
        (LoadedModel, "decode", 3, 1),
        (VideoDiT, "velocity_of", 1, 1),  # which comes in preparing for the size
        (VideoDiT, "velocity_of", 30, 3),
    ],
)
def test_it_may_run_out_in_every_part_of_a_job(
    ladder: list[Placement],
    full_in: Callable[..., list[bool]],
    make_request: MakeRequest,
    image: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    owner: type,
    name: str,
    at: int,
    times: int,
) -> None:
    request = from_image(make_request, image)
    expected = frames_of(list(Engine(cache_dir=tmp_path / "first").generate(request, preview=True)))
    failures = full_in(owner, name, at, times)
    engine = Engine(cache_dir=tmp_path / "second")
    events = checked(list(engine.generate(request, preview=True)))
    assert failures == [True] * times, "memory has really run out"
    assert finished(events).frames == len(expected)
    assert np.abs(frames_of(events).astype(int) - expected.astype(int)).max() <= 1
    assert steps_taken(caplog) == times
    assert [n.message for n in of_kind(events, Notice) if "too little" in str(n.message)]
    model = engine._models._model
    assert model is not None
    assert model.placement == ladder[times]
    assert model.dit.offloaded == ladder[times].offloaded_layers


def test_layers_that_do_not_fit_are_offloaded_one_rung_later(
    ladder: list[Placement],
    make_request: MakeRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The host's memory runs out for some layers, and is enough for the others."""
    ladder.append(Placement(0, 4, (1,), cache_on_host=True, part_tokens=64, tiles_at_once=1))
    really, calls = offload.host_buffer, 0

    def limited(*arguments: Any) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise MemoryError
        return really(*arguments)

    monkeypatch.setattr(offload, "host_buffer", limited)
    monkeypatch.setattr(plans, "place", lambda sizes, *free: tuple(ladder[3:]))
    engine = Engine(cache_dir=tmp_path)
    finished(checked(list(engine.generate(make_request(output=None)))))
    assert steps_taken(caplog) == 1
    model = engine._models._model
    assert model is not None
    assert model.dit.offloaded == (1,)


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("later", [False, True])
def test_too_little_memory_for_the_text_encoder_slows_nothing_else(
    ladder: list[Placement],
    full_in: Callable[..., list[bool]],
    make_request: MakeRequest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    times: int,
    later: bool,
) -> None:
    """Neither for the first prompt nor for one that comes while the video is made."""

    def make(folder: str) -> list[Event]:
        engine = Engine(cache_dir=tmp_path / folder)
        events = []
        for event in engine.generate(make_request(output=None)):
            if later and event == StageStarted(Stage.SAMPLING):
                if folder == "second":
                    full_in(TextEncoder, "encode", 4, times)
                engine.control(ChangePrompt(1, "a blue square moves up"))
            events.append(event)
        engine.unload()
        return checked(events)

    expected = frames_of(make("first"))
    if not later:
        full_in(TextEncoder, "encode", 4, times)
    events = make("second")
    told = [r.getMessage() for r in caplog.records if "for the text encoder" in r.getMessage()]
    assert len(told) == times
    assert steps_taken(caplog) == 0
    assert len(of_kind(events, PromptChanged)) == later
    assert np.abs(frames_of(events).astype(int) - expected.astype(int)).max() <= 1


class SmallDevice(LiveBytes):
    """A device of some bytes, acted out on the processor; what is for the host does not count."""

    def __init__(self, limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self.limit = limit
        self._on_host = False
        for module in (cache, offload):
            monkeypatch.setattr(module, "host_buffer", self.host_buffer)

    def host_buffer(self, *arguments: Any) -> Tensor:
        self._on_host = True
        try:
            return host_buffer(*arguments)
        finally:
            self._on_host = False

    def _add(self, storage: torch.UntypedStorage) -> None:
        if self._on_host:
            self._known.setdefault(storage, 0)
            return
        super()._add(storage)
        if self.live > self.limit:
            raise torch.OutOfMemoryError(f"{self.live} bytes are more than {self.limit}")


def test_a_device_that_is_too_small_by_a_little_gets_the_next_way(
    make_request: MakeRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With no failure put anywhere: what does not fit is what is too much."""
    request = make_request(output=None, width=448, height=256, num_frames=24)
    ways = [Placement(2, 2), Placement(1, 2, tiles_at_once=1, cache_on_host=True)]
    peaks, frames = [], []
    for way in ways:
        monkeypatch.setattr(plans, "place", lambda sizes, *free, way=way: (way,))
        with SmallDevice(float("inf"), monkeypatch) as device:
            frames.append(frames_of(list(Engine(cache_dir=tmp_path).generate(request))))
        peaks.append(device.peak)
    assert peaks[1] < 0.8 * peaks[0]
    monkeypatch.setattr(plans, "place", lambda sizes, *free: tuple(ways))
    for limit, steps in ((1.05 * peaks[0], 0), ((peaks[0] + peaks[1]) / 2, 1)):
        caplog.clear()
        with SmallDevice(limit, monkeypatch):
            events = checked(list(Engine(cache_dir=tmp_path).generate(request)))
        assert steps_taken(caplog) == steps
        assert np.abs(frames_of(events).astype(int) - frames[steps].astype(int)).max() <= 1
    with SmallDevice(peaks[1] / 2, monkeypatch):
        *_, last = Engine(cache_dir=tmp_path).generate(request)
    assert isinstance(last, Failed)
