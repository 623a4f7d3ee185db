"""Where a model's weights and cache are kept while it generates, and the bytes that takes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from magi_engine.config.official import MagiConfig, ModelConfig
from magi_engine.config.sizes import (
    MORE_PART_TOKENS,
    OFFLOAD_SLOTS,
    PART_TOKENS,
    TILES_AT_ONCE,
)
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.runtime.planning.costs import chunk_tokens, tile_grid
from magi_engine.runtime.planning.footprint import (
    Decoding,
    DitWeights,
    dit_activation_bytes,
    graph_bytes,
    kept_bytes,
    vae_weight_bytes,
    work_bytes,
)
from magi_engine.sampling.schedule import CacheChunks, SamplerSettings

_PROCESS_BYTES = 700_000_000
"""Python with PyTorch, nothing loaded."""
_CUDA_PROCESS_BYTES = 2_000_000_000
"""The same with the libraries of a graphics card."""
_CUDA_LIBRARY_BYTES = 150_000_000
"""What these libraries take of its memory for themselves."""
_SIDE_STREAM_BYTES = 32 << 20
"""Workspace of cuBLAS for a second stream."""

_E4M3_BYTES = 1
_MOST_VIDEOS = 9
"""In a batch. More are no faster, and nothing is seen of any before all are done."""
_SMALL_PART, _SMALLEST_PART = 4096, 2048
_GRAPH_TOKENS = 8192
"""Forwards of at most so many tokens run as CUDA graphs: the kernels of larger ones take a card
longer than the host needs to launch them."""


@dataclass(frozen=True)
class Sizes:
    """What a request makes of a model.

    Attributes:
        config, vae: the models.
        tokens: of a chunk.
        itemsize: bytes of a number.
        chunks: that are computed together, kept clean, and seen by a layer.
        decoding: what a chunk's frames take.
        on_card: whether a graphics card computes.
        ranks: how many share the work; the bytes are those of each.
        videos: how many go through the transformer in one batch.
    """

    config: MagiConfig
    vae: VaeConfig
    tokens: int
    itemsize: int
    chunks: CacheChunks
    decoding: Decoding
    on_card: bool
    ranks: int = 1
    videos: int = 1

    @classmethod
    def of(
        cls,
        config: MagiConfig,
        vae: VaeConfig,
        num_chunks: int | None,
        prefix: int,
        itemsize: int,
        on_card: bool,
    ) -> Sizes:
        """Of a video as :func:`magi_engine.sampling.schedule.forwards` takes it, in numbers of
        ``itemsize`` bytes."""
        chunks = CacheChunks.of(SamplerSettings.from_config(config), num_chunks, prefix)
        runtime = config.runtime_config
        height, width = runtime.video_size_h, runtime.video_size_w
        tile = Tile.released(runtime.fps)
        grid = tuple(tile_grid(vae, tile, height, width))
        decoding = Decoding(vae, tile, grid, runtime.chunk_width, height, width)
        tokens = chunk_tokens(config, vae)
        return cls(config, vae, tokens, itemsize, chunks, decoding, on_card)

    @property
    def dit(self) -> DitWeights:
        """The transformer's weights."""
        fp8 = self.config.engine_config.fp8_quant
        return DitWeights.of(self.config.model_config, fp8, self.itemsize)

    @property
    def vae_weights(self) -> int:
        """Bytes of the autoencoder's weights."""
        return vae_weight_bytes(self.vae, self.itemsize)

    @property
    def own_tokens(self) -> int:
        """Tokens of a chunk that each has."""
        return -(-self.tokens // self.ranks)

    @property
    def _own_heads(self) -> ModelConfig:
        model = self.config.model_config
        groups = max(1, model.num_query_groups // self.ranks)
        return dataclasses.replace(model, num_query_groups=groups)

    def kept_bytes(self) -> int:
        """Keys and values of clean chunks."""
        return kept_bytes(self._own_heads, self.chunks.kept, self.tokens, self.itemsize)

    def caption_bytes(self) -> int:
        """Keys and values of captions that together are as long as one may be."""
        model = self.config.model_config
        return kept_bytes(model, 1, model.caption_max_length, self.itemsize)

    def graph_bytes(self, part_tokens: int) -> int:
        """What CUDA graphs take beside what the same forwards take without."""
        model = self.config.model_config
        own = graph_bytes(model, self.chunks.forward, self.videos * self.tokens)
        return own + self.denoising_bytes(part_tokens)

    def denoising_bytes(self, part_tokens: int) -> int:
        """What a forward holds beside weights, keys and values."""
        model = self.config.model_config
        tokens = self.videos * self.chunks.forward * self.own_tokens
        exchanged = 0
        if self.ranks > 1:  # what is sent, and what comes, there and back
            kv = model.num_query_groups * model.kv_channels
            exchanged = tokens * 4 * (model.hidden_size + kv) * self.itemsize
        held = functools.partial(
            dit_activation_bytes,
            model,
            tokens,
            itemsize=self.itemsize,
            fp8=self.config.engine_config.fp8_quant,
            fused=self.on_card,
            guided=self.config.runtime_config.cfg_number == 3,
        )
        # One layer attends before it goes on in parts.
        return exchanged + max(
            held(part_tokens=part_tokens), held(part_tokens=0) + self.rounded_bytes()
        )

    def decoding_bytes(self, tiles: int) -> int:
        """What decoding a chunk holds beside the weights."""
        return self.decoding.peak_bytes(tiles, self.itemsize, fused=self.on_card)

    def work_bytes(self) -> int:
        """Keys and values of one layer."""
        return work_bytes(self._own_heads, self.chunks.work, self.tokens, self.itemsize)

    def rounded_bytes(self) -> int:
        """All that the chunks of a forward see, as quantised attention rounds it on a card."""
        if not self.on_card:
            return 0
        return work_bytes(self._own_heads, self.chunks.seen, self.tokens, _E4M3_BYTES)


@dataclass(frozen=True)
class Placement:
    """One way to run a request. Sizes are in bytes.

    Attributes:
        device_bytes: predicted peak in the device's memory; what the driver takes is not in it.
        host_bytes: the same of the host's memory. If the device is the CPU, all of it is here.
        offloaded_layers: layers of the transformer that are offloaded to host memory.
        cache_on_host: whether keys and values of clean chunks do.
        part_tokens: how many tokens the transformer computes together.
        tiles_at_once: how many pieces of a picture the autoencoder decodes together.
        decodes_beside: whether a chunk is decoded while the next ones are denoised.
        cuda_graphs: whether forwards run as CUDA graphs, which have memory of their own.
    """

    device_bytes: int
    host_bytes: int
    offloaded_layers: tuple[int, ...] = ()
    cache_on_host: bool = False
    part_tokens: int = PART_TOKENS
    tiles_at_once: int = TILES_AT_ONCE
    decodes_beside: bool = False
    cuda_graphs: bool = False


def place(
    sizes: Sizes, device_free_bytes: int | None = None, host_free_bytes: int | None = None
) -> tuple[Placement, ...]:
    """The fastest way that fits and those after it; if none does, the one that takes least of the
    device.

    Args:
        device_free_bytes: room on the graphics card; None: as much as one likes.
        host_free_bytes: the same in the machine's memory.
    """
    ways = tuple(placements(sizes))
    # With too little of both, what is left to say is about the device.
    chosen = 0
    for index, way in enumerate(ways):
        if host_free_bytes is not None and way.host_bytes > host_free_bytes:
            continue
        chosen = index
        if device_free_bytes is None or way.device_bytes <= device_free_bytes:
            break
    return ways[chosen:]


def place_together(
    sizes: Sizes, others: int, device_free_bytes: int | None, host_free_bytes: int
) -> tuple[tuple[Placement, ...], int]:
    """:func:`place` for a batch of as many of ``others`` as go along without making any slower;
    and how many these are."""
    alone = place(sizes, device_free_bytes, host_free_bytes)
    for count in range(min(others, _MOST_VIDEOS - 1), 0, -1):
        batch = dataclasses.replace(sizes, videos=1 + count)
        ways = place(batch, device_free_bytes, host_free_bytes)
        device_fits = device_free_bytes is None or ways[0].device_bytes <= device_free_bytes
        fits = device_fits and ways[0].host_bytes <= host_free_bytes
        if fits and _speed(ways[0]) == _speed(alone[0]):
            return ways, count
    return alone, 0


def _speed(way: Placement) -> Placement:
    """What a way gives up for memory. A batch has no use for CUDA graphs."""
    return dataclasses.replace(way, device_bytes=0, host_bytes=0, cuda_graphs=False)


def placements(sizes: Sizes) -> Iterator[Placement]:
    """All ways to run a request, the fastest first; each takes less of the device than before."""
    last: Placement | None = None
    for step in _steps(sizes):
        counted = _counted(sizes, step)
        if last is None or counted.device_bytes < last.device_bytes:
            yield counted
            last = counted


def _steps(sizes: Sizes) -> Iterator[Placement]:
    if not sizes.on_card:
        yield Placement(0, 0)
        return
    everything = Placement(0, 0, decodes_beside=True)
    # Four cards were no faster with graphs.
    if sizes.ranks == 1 and _forward_tokens(sizes) <= _GRAPH_TOKENS:
        yield dataclasses.replace(everything, cuda_graphs=True)
    elif sizes.chunks.forward * sizes.own_tokens > PART_TOKENS:
        yield dataclasses.replace(everything, part_tokens=MORE_PART_TOKENS)
    yield everything
    smaller = dataclasses.replace(everything, part_tokens=_SMALL_PART, tiles_at_once=2)
    yield smaller
    yield dataclasses.replace(smaller, decodes_beside=False)
    on_host = dataclasses.replace(smaller, cache_on_host=sizes.chunks.kept > 0)
    yield on_host
    on_host = dataclasses.replace(on_host, decodes_beside=False)
    yield on_host
    smallest = dataclasses.replace(on_host, part_tokens=_SMALLEST_PART, tiles_at_once=1)
    count = sizes.config.model_config.num_layers
    for share in (4, 2, 1):  # every fourth layer, every second, all
        layers = tuple(range(0, count, share))
        yield dataclasses.replace(on_host, offloaded_layers=layers)
        if share == 1:
            yield dataclasses.replace(smallest, offloaded_layers=layers)


def _forward_tokens(sizes: Sizes) -> int:
    return sizes.videos * sizes.chunks.forward * sizes.tokens


def _counted(sizes: Sizes, step: Placement) -> Placement:
    """``step`` with the memory it takes."""
    weights = sizes.dit
    offloaded = [weights.layers[index] for index in step.offloaded_layers]
    slots = sum(max(offloaded[i::OFFLOAD_SLOTS], default=0) for i in range(OFFLOAD_SLOTS))
    # The encoder leaves the card when it has done its work, which is before all the rest.
    vae = sizes.vae_weights // 2 if sizes.on_card else sizes.vae_weights
    kept = sizes.kept_bytes()
    device = weights.total - sum(offloaded) + slots + vae + sizes.caption_bytes()
    device += sizes.work_bytes() * (2 if step.cache_on_host else 1)
    device += 0 if step.cache_on_host else kept
    device += sizes.graph_bytes(step.part_tokens) if step.cuda_graphs else 0
    denoising = sizes.denoising_bytes(step.part_tokens)
    decoding = sizes.decoding_bytes(step.tiles_at_once)
    if step.decodes_beside:
        device += denoising + decoding + _SIDE_STREAM_BYTES
    else:
        device += max(denoising, decoding)
    if not sizes.on_card:
        return dataclasses.replace(step, device_bytes=device, host_bytes=device + _PROCESS_BYTES)
    host = _CUDA_PROCESS_BYTES + sizes.vae_weights // 2 + sum(offloaded)
    # The cache comes after loading, during which one offloaded layer is in memory twice.
    host += max(kept if step.cache_on_host else 0, max(offloaded, default=0))
    return dataclasses.replace(step, device_bytes=device + _CUDA_LIBRARY_BYTES, host_bytes=host)
