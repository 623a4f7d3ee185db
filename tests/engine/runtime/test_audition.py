"""The first second alone, to be resumed if it is worth it, with a tiny random model."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from magi_engine.media.clips import ClipPart
from magi_engine.media.info import probe
from magi_engine.media.writer import WriteOptions
from magi_engine.model.dit import VideoDiT
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import Cancelled, Notice, Progress, Stage
from magi_engine.runtime.job.pace import PaceMeter
from magi_engine.runtime.machine.kernels import DeviceKernels
from magi_engine.runtime.planning import plan
from magi_engine.runtime.process.control import Cancel
from magi_engine.runtime.request.batch import with_along
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import (
    Along,
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from magi_engine.takes.store import Take, TakeStore
from tests.engine.runtime.outcomes import MakeRequest, finished, of_kind, run, stages_of


@pytest.fixture(autouse=True)
def _batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor stands in for a card, which computes the same."""
    monkeypatch.setattr(plan, "BATCHING", ("cuda", "cpu"))


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


def _seeds(make_request: MakeRequest, folder: Path, **changes: object) -> list[GenerationRequest]:
    usual = {
        "only_chunks": 1,
        "num_frames": 90,
        "dtype": "float32",
        "sampling": SamplingOverrides(window_size=4, num_steps=4),
        "writing": OVERWRITE,
    }
    return [
        make_request(**{**usual, **changes}, seed=seed, output=str(folder / f"{seed}.mp4"))
        for seed in (1, 2, 3)
    ]


@pytest.mark.parametrize("kind", ["text", "image", "clip", "prompts"])
def test_several_are_sampled_in_one_batch_and_each_is_as_it_is_alone(
    engine: Engine,
    store: TakeStore,
    make_request: MakeRequest,
    tmp_path: Path,
    kind: str,
    image: Path,
    clip: Path,
) -> None:
    given: dict[str, object] = {}
    if kind == "image":
        given = {"mode": Mode.I2V, "reference": str(image)}
    elif kind == "clip":
        given = {"mode": Mode.V2V, "reference": str(clip), "clip": ClipPart()}
    requests = _seeds(make_request, tmp_path, **given)
    if kind == "prompts":
        last = (PromptChange(0, "a blue square"), PromptChange(1, "it turns"))
        requests[2] = dataclasses.replace(requests[2], prompts=last)
    alone = [_take(store, finished(run(engine, request)).path).read(0) for request in requests]
    made: list[Path] = []
    for index, request in enumerate(requests):
        together = with_along(request, requests[index + 1 :])
        assert len(together.along) == 2 - index
        events = run(engine, together)
        assert bool(of_kind(events, Progress)) == (index == 0), "the others are there already"
        assert [e.fraction for e in of_kind(events, Progress)][-1:] in ([1], [])
        end = finished(events)
        assert end.path is not None
        made.append(end.path)
        assert np.abs(_take(store, end.path).read(0) - alone[index]).max() <= 1e-5
        assert read_request(end.path).along == ()
    rest = Earlier.of_video(made[-1], store).resumed()
    assert finished(run(engine, rest)).frames == 90


def test_a_size_is_prepared_once_for_all_batches(
    engine: Engine, make_request: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DeviceKernels, "compiles", True)
    first, second, third = _seeds(make_request, tmp_path, width=64)
    for request, others in ((first, [second, third]), (second, [third]), (first, [third])):
        events = run(engine, with_along(request, others))
        assert (Stage.PREPARING_SIZE in stages_of(events)) is (others == [second, third])


def test_what_was_sampled_along_is_taken_once_and_only_for_the_same(
    engine: Engine, make_request: MakeRequest, tmp_path: Path
) -> None:
    first, second, third = _seeds(make_request, tmp_path)
    finished(run(engine, with_along(first, [second, third])))
    other = dataclasses.replace(second, sampling=SamplingOverrides(num_steps=8))
    assert of_kind(run(engine, other), Progress)
    assert not of_kind(run(engine, second), Progress)
    assert of_kind(run(engine, second), Progress)


def test_a_stopped_batch_leaves_nothing_and_the_next_makes_the_rest(
    engine: Engine, make_request: MakeRequest, tmp_path: Path
) -> None:
    first, second, third = _seeds(make_request, tmp_path)
    events = engine.generate(with_along(first, [second, third]))
    for _ in itertools.takewhile(lambda event: not isinstance(event, Progress), events):
        pass
    engine.control(Cancel())
    assert isinstance(list(events)[-1], Cancelled)
    events = run(engine, with_along(second, [third]))
    assert of_kind(events, Progress)
    assert not of_kind(run(engine, third), Progress)


def test_without_memory_for_a_batch_they_are_made_in_turn(
    engine: Engine, make_request: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = VideoDiT.velocity_of

    def small(model: VideoDiT, patches: torch.Tensor, *args: object) -> object:
        if len(patches) > 1:
            raise torch.OutOfMemoryError("a batch")
        return computed(model, patches, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(VideoDiT, "velocity_of", small)
    alone_after: list[int] = []
    monkeypatch.setattr(PaceMeter, "alone_after_all", lambda _pace, n: alone_after.append(n))
    requests = _seeds(make_request, tmp_path)
    for index, request in enumerate(requests):
        events = run(engine, with_along(request, requests[index + 1 :]))
        assert finished(events).frames == 24
        assert [e.fraction for e in of_kind(events, Progress)][-1] == 1
        assert not of_kind(events, Notice)
    assert alone_after == [3, 2], "so that the next ones are not expected to be faster"


def test_only_first_chunks_of_the_same_video_go_together(
    make_request: MakeRequest, tmp_path: Path
) -> None:
    first, second, third = _seeds(make_request, tmp_path)
    others = [
        second,
        dataclasses.replace(second, only_chunks=None),
        dataclasses.replace(third, width=64),
        first,
        third,
        second,
    ]
    assert with_along(first, others).along == (
        Along(2, first.prompt),
        Along(3, first.prompt),
    )
    whole = dataclasses.replace(first, only_chunks=None)
    assert with_along(whole, [dataclasses.replace(whole, seed=4)]).along == ()
