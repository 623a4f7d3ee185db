"""The rolling cache against one that keeps everything, and what it costs."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from magi_engine.config.official import ModelConfig
from magi_engine.ops.attention import Prepared, attention
from magi_engine.ops.lanes import Lanes
from magi_engine.ops.mesh import ALONE
from magi_engine.sampling import sampler as sampler_module
from magi_engine.sampling.cache import RollingCache, WindowAttention
from magi_engine.sampling.events import ChunkDone
from magi_engine.sampling.memory import Memory
from magi_engine.sampling.schedule import Forward

STEPS = {1: 4, 2: 8, 3: 12, 4: 8, 8: 8}


class KeepsEverything:
    """The slow, obvious cache: every chunk of every layer in a dictionary, nothing forgotten."""

    mesh, lanes = ALONE, Lanes(torch.device("cpu"))

    def __init__(
        self, config: ModelConfig, kept: int, work: int, chunk_tokens: int, *where: object
    ) -> None:
        self.kept, self.chunk_tokens = kept, chunk_tokens
        self.heads = config.num_query_groups, config.kv_channels
        self.stored: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def begin(self, oldest: int, first: int, last: int) -> None:
        self.first, self.last = first, last

    def room(self, layer: int) -> tuple[Tensor, Tensor]:
        tokens = (self.last - self.first) * self.chunk_tokens
        k, v = torch.empty(2, 1, tokens, *self.heads)
        parts = zip(
            k.split(self.chunk_tokens, dim=1), v.split(self.chunk_tokens, dim=1), strict=True
        )
        for number, part in enumerate(parts):
            self.stored[layer, self.first + number] = part
        return k, v

    def keep(self, layer: int, chunk: int) -> None:
        pass

    arrive = release = lambda self, layer: None

    def read(self, layer: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        k, v = zip(*(self.stored[layer, chunk] for chunk in range(first, last)), strict=True)
        return torch.cat(k, dim=1), torch.cat(v, dim=1)


@pytest.mark.parametrize("prefix_frames", [0, 1, 9])
@pytest.mark.parametrize("cfg_number", [1, 3])
@pytest.mark.parametrize("window", STEPS)
def test_rolling_changes_nothing(
    toy, window: int, cfg_number: int, prefix_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = toy.settings(window_size=window, num_steps=STEPS[window], cfg_number=cfg_number)
    assert_as_if_everything_were_kept(toy, settings, prefix_frames, monkeypatch)


@pytest.mark.parametrize("clean", [1, 3])
@pytest.mark.parametrize("ranges", [(1, 1, 1, 1), (2, 5, 3, 4), (8,), ()])
@pytest.mark.parametrize("window", [1, 4])
def test_rolling_changes_nothing_for_any_history_range(
    toy, window: int, ranges: tuple[int, ...], clean: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = toy.settings(
        window_size=window, noise2clean_kvrange=ranges, clean_chunk_kvrange=clean
    )
    assert_as_if_everything_were_kept(toy, settings, 9, monkeypatch)


def assert_as_if_everything_were_kept(
    toy, settings: Any, prefix_frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    num_chunks = prefix_frames // 2 + 10
    on_host = prefix_frames == 9  # the same for all would only take longer
    memory = OnHost() if on_host else None
    rolled = toy.chunks(settings, num_chunks, prefix_frames=prefix_frames, memory=memory)
    monkeypatch.setattr(sampler_module, "RollingCache", KeepsEverything)
    expected = toy.chunks(settings, num_chunks, prefix_frames=prefix_frames)
    assert rolled.keys() == expected.keys()
    for index, latents in expected.items():
        torch.testing.assert_close(rolled[index], latents, rtol=1e-4, atol=1e-5)


class OnHost(Memory):
    """Keys and values of clean chunks as they are kept where graphics memory is short."""

    @property
    def cache_on_host(self) -> bool:
        return True


def tiny_cache(kept: int, work: int, on_host: bool = False) -> RollingCache:
    config = ModelConfig(3, 32, 32, 4, 2, 8, params_dtype="torch.float32")
    cpu = torch.device("cpu")
    return RollingCache(config, kept, work, 3, cpu, torch.float32, on_host)


@pytest.mark.parametrize("on_host", [False, True])
def test_clean_chunks_are_seen_until_others_take_their_place(on_host: bool) -> None:
    cache = tiny_cache(kept=2, work=4, on_host=on_host)
    k, v = torch.randn(2, 3, 5, 3, 2, 8, generator=torch.Generator().manual_seed(0))

    def forward(chunk: int, oldest: int, keep: bool) -> None:
        cache.begin(oldest, chunk, chunk + 1)
        for layer in range(3):
            keys, values = cache.room(layer)
            keys[0], values[0] = k[layer, chunk], v[layer, chunk]
            cache.arrive(layer)
            if keep:
                cache.keep(layer, chunk)
            seen, also = cache.read(layer, oldest, chunk + 1)
            assert torch.equal(seen[0], k[layer, oldest : chunk + 1].flatten(0, 1))
            assert torch.equal(also[0], v[layer, oldest : chunk + 1].flatten(0, 1))
            cache.release(layer)

    forward(0, 0, keep=True)
    forward(1, 0, keep=True)
    forward(2, 0, keep=False)  # noisy, twice
    forward(2, 0, keep=False)
    cache.move_to_host()
    forward(2, 0, keep=True)
    forward(3, 1, keep=True)
    forward(4, 2, keep=False)


def test_what_is_seen_is_one_piece_of_memory() -> None:
    cache = tiny_cache(kept=2, work=4)
    cache.begin(0, 2, 4)
    own, _ = cache.room(0)
    keys, values = cache.read(0, 0, 4)
    assert keys.shape == (1, 12, 2, 8)
    assert keys.data_ptr() + 6 * 16 * 4 == own.data_ptr()
    assert values.is_contiguous()
    assert keys.is_contiguous()


class Noting(Prepared):
    """Attention that leaves its result where its queries are."""

    def __init__(self) -> None:
        self.prepared: list[int] = []
        self.attended: list[int] = []

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.prepare([q], k, v, [k.shape[1]])[0]()

    def prepare(
        self, queries: Sequence[Tensor], k: Tensor, v: Tensor, counts: Sequence[int]
    ) -> list[Callable[[], Tensor]]:
        self.prepared.append(k.shape[1])
        return [
            partial(self._attend, q, k[:, :n], v[:, :n])
            for q, n in zip(queries, counts, strict=True)
        ]

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        assert self.prepared == [6, 6, 3], "all is prepared before, once for each beginning"
        self.attended.append(k.shape[1])
        return q.copy_(attention(q, k, v))


def test_all_is_prepared_before_any_chunk_attends_and_the_longest_is_the_first() -> None:
    q = torch.randn(1, 12, 4, 8, generator=torch.Generator().manual_seed(0))
    k, v = torch.randn(2, 1, 12, 2, 8, generator=torch.Generator().manual_seed(1))
    ranges = [(0, 1), (0, 2), (1, 3), (3, 4)]
    noting, cache = Noting(), tiny_cache(kept=0, work=4)
    results = []
    for kernel in (attention, noting):
        attend = WindowAttention(cache, 0, ranges, kernel)
        for room, x in zip(attend.room(0, (1, 12)), (None, k, v, None), strict=True):
            if room is not None and x is not None:
                room.copy_(x)
        queries = q.clone()
        result = attend(0, queries, k, v)
        assert result.data_ptr() == queries.data_ptr()
        results.append(result)
    torch.testing.assert_close(results[1], results[0])
    assert noting.attended == [6, 6, 3, 3]
    for chunk, (first, last) in enumerate(ranges):
        own, seen = slice(3 * chunk, 3 * chunk + 3), slice(3 * first, 3 * last)
        torch.testing.assert_close(
            results[0][:, own], attention(q[:, own], k[:, seen], v[:, seen]), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(("window", "kept", "work"), [(1, 4, 5), (4, 1, 6)])
def test_only_clean_chunks_are_kept(
    toy, window: int, kept: int, work: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[RollingCache] = []

    class Noted(RollingCache):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(sampler_module, "RollingCache", Noted)
    settings = toy.settings(window_size=window)
    for num_chunks in (12, None):
        next(toy.events(settings, num_chunks))
    config = toy.model.config
    tokens = 2 * 2 * 2
    chunk_bytes = 2 * tokens * config.num_query_groups * config.kv_channels * 4
    assert len(made) == 2
    for cache in made:
        assert cache.nbytes == (config.num_layers * kept + work) * chunk_bytes


# --- memory and time ---------------------------------------------------------------------------


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensor storages made under it that are still alive."""

    def __init__(self) -> None:
        super().__init__()
        self.live = 0
        self.peak = 0
        self._known: weakref.WeakKeyDictionary[torch.UntypedStorage, int]
        self._known = weakref.WeakKeyDictionary()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # Looked at before: an operation may put what it has made in the place of what it was given.
        given = {tensor.untyped_storage() for tensor in tensors_in(*args, *kwargs.values())}
        out = func(*args, **kwargs)
        for tensor in tensors_in(out):
            if (storage := tensor.untyped_storage()) not in given:
                self._add(storage)
        return out

    def _add(self, storage: torch.UntypedStorage) -> None:
        if storage in self._known:
            return
        size = storage.nbytes()
        self._known[storage] = size
        self.live += size
        self.peak = max(self.peak, self.live)
        weakref.finalize(storage, self._release, size)

    def _release(self, size: int) -> None:
        self.live -= size


def tensors_in(*values: Any) -> Iterator[Tensor]:
    """Those that an operation takes or gives, also in lists; PyTorch's own walk is slow."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors_in(*value)


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    """What is only freed by the collector counts as kept: on a GPU it fills the memory."""
    gc.disable()
    yield
    gc.enable()


def test_the_counter_counts() -> None:
    with LiveBytes() as memory:
        a = torch.zeros(1000)
        b = a[10:].view(-1)  # no memory of its own
        assert memory.live == 4000
        c = a + 1
        assert memory.live == memory.peak == 8000
        del a, c
        assert memory.live == 4000, "b keeps a's memory"
        del b
        assert (memory.live, memory.peak) == (0, 8000)


def peaks_of(toy, settings: Any, num_chunks: int | None, chunks: int, **kwargs: Any) -> list[int]:
    """Peak bytes up to and including each finished chunk."""
    peaks = []
    with LiveBytes() as memory:
        events = toy.events(settings, num_chunks, **kwargs)
        for event in events:
            if isinstance(event, ChunkDone):
                peaks.append(memory.peak)
            del event
            if len(peaks) == chunks:
                break
        events.close()
    return peaks


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("cfg_number", [1, 3])
@pytest.mark.parametrize("window", [1, 4])
def test_twenty_chunks_need_no_more_memory_than_eight(toy, window: int, cfg_number: int) -> None:
    settings = toy.settings(window_size=window, cfg_number=cfg_number)
    peaks = peaks_of(toy, settings, 20, 20)
    assert len(peaks) == 20
    assert peaks[7] > 100_000, "there must be something to measure"
    assert peaks[19] <= 1.02 * peaks[7]


@pytest.mark.usefixtures("no_garbage_collection")
def test_a_video_without_end_needs_no_more_memory_than_a_short_one(toy) -> None:
    endless = peaks_of(toy, toy.settings(), None, 30)
    planned = peaks_of(toy, toy.settings(), 8, 8)
    assert endless[29] <= 1.02 * planned[7]


@pytest.mark.usefixtures("no_garbage_collection")
def test_a_history_without_limit_would_be_noticed(toy) -> None:
    """The same measure does grow where it must: a run that may see everything keeps everything."""
    unlimited = toy.settings(noise2clean_kvrange=())
    assert peaks_of(toy, unlimited, 30, 8)[7] > 1.1 * peaks_of(toy, unlimited, 8, 8)[7]


@pytest.mark.parametrize("window", STEPS)
def test_the_cache_is_as_large_for_any_length(
    toy, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    class Noted(RollingCache):
        def __init__(self, config: Any, kept: int, work: int, *rest: Any) -> None:
            sizes.append((kept, work))
            super().__init__(config, kept, work, *rest)

    monkeypatch.setattr(sampler_module, "RollingCache", Noted)
    settings = toy.settings(window_size=window, num_steps=STEPS[window])
    for num_chunks in (12, 40, None):
        next(toy.events(settings, num_chunks))
    assert len(set(sizes)) == 1


def test_the_work_for_a_chunk_does_not_grow(toy) -> None:
    traces: list[Forward] = []
    work = []
    events = toy.events(toy.settings(), None, on_forward=traces.append)
    for event in events:
        if isinstance(event, ChunkDone):
            work.append(sum(last - first for t in traces for first, last in t.ranges))
            traces.clear()
            if len(work) == 30:
                break
    assert len(set(work[6:])) == 1


# --- stopping ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("num_chunks", [None, 5])
@pytest.mark.parametrize("cfg_number", [1, 3])
@pytest.mark.parametrize("stop_after", [0, 1, 2, 7, 8, 9, 12])
def test_closing_frees_everything_at_once(
    toy, stop_after: int, cfg_number: int, num_chunks: int | None
) -> None:
    with LiveBytes() as memory:
        events = toy.events(toy.settings(cfg_number=cfg_number), num_chunks, prefix_frames=3)
        assert sum(1 for _ in itertools.islice(events, stop_after)) == stop_after
        if stop_after:
            assert memory.live > 10_000
        events.close()
        del events
        assert memory.live == 0
