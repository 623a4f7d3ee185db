"""The pipeline of chunks: order, counts, causality, captions, prefixes."""

from __future__ import annotations

import copy
import gc
import itertools
import weakref
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from magi_engine.config.official import MagiConfig, ModelConfig, RuntimeConfig
from magi_engine.errors import InvalidRequestError
from magi_engine.model.captions import CaptionKeys
from magi_engine.model.special_tokens import SpecialToken
from magi_engine.sampling.cache import RollingCache
from magi_engine.sampling.events import ChunkDone, StepDone
from magi_engine.sampling.memory import Memory
from magi_engine.sampling.noise import GivenNoise, SeededNoise
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import Direction, Forward, SamplerSettings, schedule_times
from tests.engine.ops.cpu_graph import CpuCapture
from tests.engine.sampling.conftest import random

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")

WINDOWS = range(1, 9)
STEPS = {1: 4, 2: 8, 3: 12, 4: 8, 5: 20, 6: 12, 7: 28, 8: 8}
"""Few legal steps for each window."""


def run(toy, settings: SamplerSettings, num_chunks: int | None, **kwargs: Any) -> list:
    return list(toy.events(settings, num_chunks, **kwargs))


@pytest.mark.parametrize("prefix_frames", [0, 1, 5])
@pytest.mark.parametrize("cfg_number", [1, 3])
@pytest.mark.parametrize("window", WINDOWS)
def test_every_chunk_gets_all_its_steps_in_order(
    toy, window: int, cfg_number: int, prefix_frames: int
) -> None:
    settings = toy.settings(window_size=window, num_steps=STEPS[window], cfg_number=cfg_number)
    num_chunks, offset = 5, prefix_frames // 2
    steps: dict[int, list[int]] = defaultdict(list)
    finished: list[int] = []
    for event in toy.events(settings, num_chunks, prefix_frames=prefix_frames):
        if isinstance(event, ChunkDone):
            finished.append(event.index)
            assert steps[event.index] == list(range(1, settings.num_steps + 1))
            continue
        indices = list(event.forward.chunks)
        assert len(indices) <= window
        assert indices == list(range(indices[0], indices[0] + len(indices)))
        assert indices[0] == offset + len(finished), "the window begins where emission is"
        assert event.latents().shape == (len(indices), 16, 2, 4, 4)
        for chunk, step in zip(indices, event.forward.steps, strict=True):
            steps[chunk].append(step + 1)
    assert finished == list(range(offset, num_chunks))
    assert all(steps[i] == list(range(1, settings.num_steps + 1)) for i in finished)
    assert set(steps) == set(finished)


@pytest.mark.parametrize("window", WINDOWS)
def test_windows_reach_their_size(toy, window: int) -> None:
    settings = toy.settings(window_size=window, num_steps=STEPS[window])
    events = run(toy, settings, window + 1)
    sizes = [len(event.forward.chunks) for event in events if isinstance(event, StepDone)]
    assert max(sizes) == window


@pytest.mark.parametrize("mode", ["8,16,16", "16,16,8"])
def test_twelve_steps_in_both_shortcut_modes(toy, mode: str) -> None:
    settings = toy.settings(num_steps=12, shortcut_mode=mode)
    chunks = toy.chunks(settings, 3)
    assert len(chunks) == 3
    assert all(latents.isfinite().all() for latents in chunks.values())
    other = toy.settings(num_steps=12, shortcut_mode="16,16,8" if mode == "8,16,16" else "8,16,16")
    assert not torch.equal(toy.chunks(other, 3)[0], chunks[0])


@pytest.mark.parametrize("cfg_number", [1, 3])
@pytest.mark.parametrize("window", [1, 3, 4, 8])
def test_a_video_without_end_begins_like_one_with_an_end(toy, window: int, cfg_number: int) -> None:
    # Without DURATION, the only thing that knows how many chunks are left.
    settings = toy.settings(window_size=window, num_steps=STEPS[window], cfg_number=cfg_number)
    planned = toy.chunks(settings, 6)
    endless = toy.events(settings, None)
    done = (event for event in endless if isinstance(event, ChunkDone))
    for event in itertools.islice(done, 6):
        torch.testing.assert_close(event.latents, planned[event.index], rtol=1e-4, atol=1e-5)


def test_the_last_progress_shows_what_is_then_finished(toy) -> None:
    events = run(toy, toy.settings(), 3)
    for before, event in itertools.pairwise(events):
        if isinstance(event, ChunkDone):
            assert isinstance(before, StepDone)
            assert torch.equal(before.latents()[:1], event.latents)


def test_progress_keeps_the_latents_of_its_own_step(toy) -> None:
    """Asking late gives the same as asking at once."""
    at_once, late = [], []
    for event in toy.events(toy.settings(), 3, prefix_frames=3):
        if isinstance(event, StepDone):
            at_once.append(event.latents().clone())
            late.append(event.latents)
    assert all(torch.equal(now, ask()) for now, ask in zip(at_once, late, strict=True))


@pytest.mark.parametrize("prefix_frames", [0, 3])
def test_the_clean_picture_is_where_the_last_step_was_heading(toy, prefix_frames: int) -> None:
    settings = toy.settings(window_size=1, num_steps=4, noise2clean_kvrange=(2,))
    times = schedule_times(4, settings.shortcut_mode)
    events = run(toy, settings, 3, prefix_frames=prefix_frames)
    for before, event in itertools.pairwise(events):
        if isinstance(event, ChunkDone):
            assert isinstance(before, StepDone)
            torch.testing.assert_close(before.clean(), event.latents)
        elif isinstance(before, StepDone) and event.forward.chunks[0] == 2:
            step = event.forward.steps[0] + 1
            moved = (event.latents() - before.latents()) / (times[step] - times[step - 1])
            expected = event.latents() + moved * (1 - times[step])
            torch.testing.assert_close(event.clean(), expected, rtol=1e-3, atol=1e-4)


def test_results_do_not_need_inference_mode_and_leave_gradients_on(toy) -> None:
    for event in toy.events(toy.settings(), 2):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        if isinstance(event, ChunkDone):
            assert event.latents.dtype is torch.float32


# --- causality and determinism -----------------------------------------------------------------


class OtherNoiseFrom(SeededNoise):
    """The noise of a seed, but different from the n-th chunk on."""

    def __init__(self, seed: int, changed: int) -> None:
        super().__init__(seed)
        self.left = changed

    def next_chunk(self, shape: tuple[int, ...]) -> Tensor:
        noise = super().next_chunk(shape)
        self.left -= 1
        return noise if self.left >= 0 else -noise


@pytest.mark.parametrize("cfg_number", [1, 3])
@pytest.mark.parametrize("window", [1, 4, 8])
@pytest.mark.parametrize("changed", [1, 3])
def test_later_noise_never_changes_an_earlier_chunk(
    toy, changed: int, window: int, cfg_number: int
) -> None:
    settings = toy.settings(window_size=window, cfg_number=cfg_number)
    usual = toy.chunks(settings, 5)
    other = toy.chunks(settings, 5, noise=OtherNoiseFrom(7, changed))
    for index in range(5):
        same = torch.equal(other[index], usual[index])
        assert same is (index < changed), index


@pytest.mark.parametrize("cfg_number", [1, 3])
@pytest.mark.parametrize("window", [1, 4, 8])
@pytest.mark.parametrize("changed", [1, 3])
def test_a_later_caption_never_changes_an_earlier_chunk(
    toy, changed: int, window: int, cfg_number: int
) -> None:
    settings = toy.settings(window_size=window, cfg_number=cfg_number)
    usual = toy.chunks(settings, 5)
    captions = toy.track(SpecialToken.HQ)
    captions.change(changed, toy.caption(seed=50, length=9))
    other = toy.chunks(settings, 5, captions=captions)
    for index in range(changed):
        # The longer caption pads the others, so that last bits may differ.
        torch.testing.assert_close(other[index], usual[index], rtol=1e-5, atol=1e-6)
    for index in range(changed, 5):
        assert (other[index] - usual[index]).norm() > 1e-4 * usual[index].norm()


def test_history_matters(toy) -> None:
    """Otherwise the tests of causality would pass for chunks that know nothing of each other."""
    for cfg_number in (1, 3):
        settings = toy.settings(cfg_number=cfg_number)
        usual = toy.chunks(settings, 3)

        class OtherFirst(SeededNoise):
            count = 0

            def next_chunk(self, shape: tuple[int, ...]) -> Tensor:
                self.count += 1
                noise = super().next_chunk(shape)
                return -noise if self.count == 1 else noise

        other = toy.chunks(settings, 3, noise=OtherFirst(7))
        for index in (1, 2):
            assert (other[index] - usual[index]).norm() > 1e-4 * usual[index].norm()


def test_the_same_seed_gives_the_same_video(toy) -> None:
    settings = toy.settings()
    first, second = (toy.chunks(settings, 4, noise=SeededNoise(11)) for _ in range(2))
    assert all(torch.equal(first[i], second[i]) for i in range(4))
    other = toy.chunks(settings, 4, noise=SeededNoise(12))
    assert not torch.equal(other[0], first[0])


# --- captions ----------------------------------------------------------------------------------


def test_a_caption_changed_while_running_is_the_caption_given_beforehand(toy) -> None:
    settings = toy.settings(window_size=2, num_steps=8)
    planned = toy.track(SpecialToken.HQ)
    planned.change(3, toy.caption(seed=60))
    expected = toy.chunks(settings, 5, captions=planned)

    captions = toy.track(SpecialToken.HQ)
    found = {}
    for event in toy.events(settings, 5, captions=captions):
        if isinstance(event, ChunkDone):
            found[event.index] = event.latents
            if event.index == 1:  # chunk 2 is in the window, 3 is not
                assert captions.first_open_chunk == 3
                with pytest.raises(InvalidRequestError) as caught:
                    captions.change(2, toy.caption(seed=61))
                assert "from chunk 3 on" in str(caught.value.hint)
                captions.change(3, toy.caption(seed=60))
    for index in range(5):
        torch.testing.assert_close(found[index], expected[index], rtol=1e-5, atol=1e-6)


def test_no_caption_is_the_null_caption_without_special_tokens(
    toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = CaptionTrack(toy.caption(seed=1)[:0], toy.special_tokens)
    lengths: list[tuple[int, ...]] = []
    velocity_of = toy.model.velocity_of

    def noted(patches, captions, *rest):
        lengths.append(captions.lengths)
        return velocity_of(patches, captions, *rest)

    monkeypatch.setattr(toy.model, "velocity_of", noted)
    toy.chunks(toy.settings(), 2, captions=empty)
    assert {length for row in lengths for length in row} == {50}


# --- prefixes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cfg_number", [1, 3])
def test_an_image_is_part_of_the_video(toy, cfg_number: int) -> None:
    settings = toy.settings(cfg_number=cfg_number)
    chunks = toy.chunks(settings, 3, prefix_frames=1)
    assert [chunks[i].shape[2] for i in range(3)] == [2, 2, 2]
    other = toy.chunks(settings, 3)
    assert all(not torch.equal(chunks[i], other[i]) for i in range(3))


@pytest.mark.parametrize("window", [1, 2, 4])
@pytest.mark.parametrize("cfg_number", [1, 3])
@pytest.mark.parametrize("frames", [2, 3, 5, 12])
def test_frames_of_a_clip_are_not_part_of_the_video(
    toy, frames: int, cfg_number: int, window: int
) -> None:
    settings = toy.settings(cfg_number=cfg_number, window_size=window)
    num_chunks = frames // 2 + 3
    chunks = toy.chunks(settings, num_chunks, prefix_frames=frames)
    offset = frames // 2
    assert list(chunks) == list(range(offset, num_chunks))
    total = sum(latents.shape[2] for latents in chunks.values())
    assert total == 2 * num_chunks - frames
    assert all(latents.isfinite().all() for latents in chunks.values())


def test_a_prefix_reaches_into_the_forwards(toy) -> None:
    """A changed last frame of a prefix changes the video, a long gone one does not."""
    settings = toy.settings(noise2clean_kvrange=(2, 2, 2, 2))
    usual = toy.chunks(settings, 8, prefix_frames=10)

    def with_changed(frame: int) -> dict[int, Tensor]:
        prefix = toy.prefix(10)
        prefix[:, :, frame] += 1
        events = Sampler(toy.model, settings).sample(
            height=4,
            width=4,
            captions=toy.track(SpecialToken.HQ),
            noise=SeededNoise(7),
            num_chunks=8,
            prefix=prefix,
        )
        return {e.index: e.latents for e in events if isinstance(e, ChunkDone)}

    assert not torch.equal(with_changed(9)[5], usual[5])
    assert torch.equal(with_changed(7)[5], usual[5]), "chunk 5 sees only chunk 4 before it"


@pytest.mark.parametrize("frames", [1, 3])
def test_what_is_given_is_not_written_to(toy, frames: int) -> None:
    noise = SeededNoise(7).next_chunk((1, 16, 6, 4, 4))
    kept = noise.clone()
    toy.chunks(toy.settings(), 3, noise=GivenNoise(noise), prefix_frames=frames)
    assert torch.equal(noise, kept)


@pytest.mark.parametrize(("mode", "first"), [("8,16,16", 2.0), ("16,16,8", 1.0)])
def test_a_prefix_is_read_with_the_first_interval_of_the_schedule(
    toy, mode: str, first: float
) -> None:
    traces: list[Forward] = []
    settings = toy.settings(num_steps=12, shortcut_mode=mode)
    toy.chunks(settings, 4, prefix_frames=4, on_forward=traces.append)
    assert {trace.interval for trace in traces if trace.fills_prefix} == {first}


@pytest.mark.parametrize("clean", [-1, 1, 2, 3])
@pytest.mark.parametrize("ranges", [(), (2, 2, 2, 2), (5, 4, 3, 2), (1, 1, 1, 1), (2, 5, 2, 5)])
@pytest.mark.parametrize("frames", [0, 9, 16])
def test_any_history_range_works_with_any_prefix(
    toy, frames: int, ranges: tuple[int, ...], clean: int
) -> None:
    for window in (1, 4):
        settings = toy.settings(
            noise2clean_kvrange=ranges, clean_chunk_kvrange=clean, window_size=window
        )
        # As many as the longest range looks back at, and at least three of the video's own.
        chunks = toy.chunks(settings, max(6, frames // 2 + 3), prefix_frames=frames)
        assert all(latents.isfinite().all() for latents in chunks.values())


# --- settings ----------------------------------------------------------------------------------


def test_settings_are_those_of_the_configuration() -> None:
    config = MagiConfig(
        ModelConfig(1, 8, 8, 1, 1, 8),
        RuntimeConfig(num_steps=20, window_size=5, cfg_number=3, clean_t=0.9),
    )
    settings = SamplerSettings.from_config(config)
    assert (settings.num_steps, settings.window_size, settings.cfg_number) == (20, 5, 3)
    assert settings.clean_t == 0.9
    assert settings.noise2clean_kvrange == (5, 4, 3, 2)


def test_impossible_steps_are_refused(toy) -> None:
    with pytest.raises(InvalidRequestError):
        toy.settings(num_steps=10)


def test_guidance_off_on_a_base_model_runs(toy) -> None:
    """cfg_number alone decides about the nearly clean copy, as in the release."""
    chunks = toy.chunks(toy.settings(cfg_number=1, distill=False), 6)
    assert len(chunks) == 6


def test_an_endless_video_needs_a_bounded_history(toy) -> None:
    with pytest.raises(InvalidRequestError):
        next(toy.events(toy.settings(noise2clean_kvrange=()), None))


@pytest.mark.parametrize(("num_chunks", "prefix_frames"), [(0, 0), (-1, 0), (2, 4), (1, 5)])
def test_a_video_needs_a_chunk_of_its_own(toy, num_chunks: int, prefix_frames: int) -> None:
    with pytest.raises(InvalidRequestError):
        next(toy.events(toy.settings(), num_chunks, prefix_frames=prefix_frames))


def test_a_model_of_doubled_channels_samples_plain_latents(toy, make_dit) -> None:
    model = make_dit(half_channel_vae=True, x_rescale_factor=0.1, in_channels=32, out_channels=32)
    chunks = replace(toy, model=model).chunks(toy.settings(cfg_number=3), 2)
    assert [latents.shape for latents in chunks.values()] == [(1, 16, 2, 4, 4)] * 2


class Graphs(Memory):
    """Forwards run as graphs from the second time on."""

    @property
    def cuda_graphs(self) -> bool:
        return True


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=needs_cuda)])
def toy_with_graphs(request: pytest.FixtureRequest, toy, monkeypatch: pytest.MonkeyPatch):
    if request.param == "cpu":
        monkeypatch.setattr("magi_engine.sampling.sampler.capture_on", lambda _device: CpuCapture())
    return replace(toy, model=copy.deepcopy(toy.model).to(request.param))


@pytest.mark.parametrize("prefix_frames", [0, 3])
@pytest.mark.parametrize(("window", "cfg"), [(1, 1), (4, 1), (2, 3)])
def test_forwards_as_graphs_give_the_same_video(
    toy_with_graphs, window: int, cfg: int, prefix_frames: int
) -> None:
    toy = toy_with_graphs
    settings = toy.settings(window_size=window, cfg_number=cfg)
    expected = toy.chunks(settings, 14, prefix_frames=prefix_frames)
    actual = toy.chunks(settings, 14, prefix_frames=prefix_frames, memory=Graphs())
    for index, latents in expected.items():
        torch.testing.assert_close(actual[index], latents, rtol=1e-4, atol=1e-5)


def test_captions_go_with_their_chunks(toy_with_graphs, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the prompt changes, no more captions are in memory than chunks are denoised."""
    toy = toy_with_graphs
    made: list[weakref.ref[CaptionKeys]] = []

    def keys(*arguments: Any) -> CaptionKeys:
        caption = CaptionKeys(*arguments)
        made.append(weakref.ref(caption))
        return caption

    monkeypatch.setattr("magi_engine.sampling.sampler.CaptionKeys", keys)
    settings, window = toy.settings(window_size=2), 2
    toy.chunks(settings, 3, memory=Graphs())  # libraries keep frames of their first call
    made.clear()
    track = toy.track()
    for chunk in range(1, 16):
        track.change(chunk, random(5, 16, seed=100 + chunk))
    gc.disable()
    try:
        sampler = Sampler(toy.model, settings, memory=Graphs())
        for _ in sampler.sample(
            height=4, width=4, captions=track, noise=SeededNoise(1), num_chunks=16
        ):
            # Those of the window, and that of nothing.
            assert sum(ref() is not None for ref in made) <= window + 1
    finally:
        gc.enable()
    assert len(made) == 17


class Shrinking(Memory):
    """One way after another, each with the cache where the next entry says."""

    def __init__(self, *on_host: bool) -> None:
        super().__init__()
        self.left = list(on_host)

    @property
    def cache_on_host(self) -> bool:
        return self.left[0]

    def step_down(self) -> bool:
        if len(self.left) == 1:
            return False
        del self.left[0]
        return True


def test_a_cache_too_large_for_the_device_goes_to_the_host(
    toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = toy.chunks(toy.settings(), 6)

    def cache(*arguments: Any) -> RollingCache:
        *_, on_host, _ = arguments
        if not on_host:
            raise torch.OutOfMemoryError("the device is full")
        return RollingCache(*arguments)

    monkeypatch.setattr("magi_engine.sampling.sampler.RollingCache", cache)
    memory = Shrinking(False, False, True)
    actual = toy.chunks(toy.settings(), 6, memory=memory)
    assert memory.left == [True]
    for index, latents in expected.items():
        assert torch.equal(actual[index], latents)
    with pytest.raises(torch.OutOfMemoryError):
        toy.chunks(toy.settings(), 6, memory=Shrinking(False))


class FailsAt(TorchDispatchMode):
    """Runs out of memory in some operations, counted from the first one on."""

    def __init__(self, operations: Iterable[int]) -> None:
        super().__init__()
        self.fails_at = set(operations)
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        if self.count in self.fails_at:
            raise torch.OutOfMemoryError("the device is full")
        return func(*args, **(kwargs or {}))


class Failing(Shrinking):
    """Runs what it is given with some operations that fail."""

    def __init__(self, on_host: bool, operations: Iterable[int]) -> None:
        super().__init__(*[on_host] * 1000)
        self.operations = FailsAt(operations)

    def run(self, call: Any, *arguments: Any) -> Any:  # type: ignore[override]
        def failing() -> Any:
            with self.operations:
                return call(*arguments)

        return super().run(failing)


@pytest.mark.parametrize("cfg", [1, 3])
@pytest.mark.parametrize("on_host", [False, True])
def test_memory_may_run_out_anywhere(toy, cfg: int, on_host: bool) -> None:
    settings = toy.settings(cfg_number=cfg, window_size=2, num_steps=4)
    whole = Failing(on_host, ())
    expected = toy.chunks(settings, 6, prefix_frames=5, memory=whole)
    count = whole.operations.count
    for first in range(1, 1000, 239):
        failing = Failing(on_host, range(first, count, 1000))  # a step has fewer operations
        actual = toy.chunks(settings, 6, prefix_frames=5, memory=failing)
        assert len(failing.left) == 1000 - len(range(first, count, 1000))
        for index, latents in expected.items():
            assert torch.equal(actual[index], latents)


@pytest.mark.parametrize("window", [1, 2, 4])
def test_chunks_that_start_anew_follow_the_new_prompt(toy, window: int, relative_error) -> None:
    settings = toy.settings(window_size=window, num_steps=STEPS[window])
    plain = toy.chunks(settings, 6)
    direction, track = Direction(), toy.track(SpecialToken.HQ)
    done: dict[int, Tensor] = {}
    for event in toy.events(settings, 6, captions=track, direction=direction):
        if isinstance(event, ChunkDone):
            done[event.index] = event.latents
            if event.index == 1:
                track.reopen(3)
                track.change(3, toy.caption(seed=5))
                direction.restart_from = 3
    assert list(done) == list(range(6))
    for chunk in range(3):
        assert relative_error(done[chunk], plain[chunk]) < 1e-5, "it looks back, never ahead"
    for chunk in range(3, 6):
        assert relative_error(done[chunk], plain[chunk]) > 1e-3


@pytest.mark.parametrize("window", [1, 2])
def test_a_video_that_starts_anew_is_the_same_one(toy, window: int, relative_error) -> None:
    settings = toy.settings(window_size=window, num_steps=STEPS[window])
    plain, direction = toy.chunks(settings, 3), Direction()
    done: dict[int, Tensor] = {}
    restarts = 0
    for event in toy.events(settings, 3, direction=direction):
        if isinstance(event, ChunkDone):
            done[event.index] = event.latents
        elif event.forward.steps[0] == 1 and not restarts:
            direction.restart_from = 0
            restarts += 1
    for chunk in range(3):
        assert relative_error(done[chunk], plain[chunk]) < 1e-5, "each keeps its noise"
