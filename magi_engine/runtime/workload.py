"""How much the models have to compute for a request, counted along the schedule.

Needs no PyTorch. The sampler's own stages and ranges are walked through, so that the count of
forwards is exact (spec sections 3 and 4).
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from magi_engine.config.official import MagiConfig, ModelConfig
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.sampling.times import schedule_times
from magi_engine.sampling.window import CacheChunks, HistoryRule, Stage, stages


@dataclass(frozen=True)
class Forward:
    """One forward of the transformer: for each chunk in it, how many chunks it attends to."""

    seen: tuple[int, ...]


@dataclass(frozen=True)
class Step:
    """One step of the window.

    Attributes:
        forwards: what the transformer is asked.
        finishes: whether the oldest chunk is done after it.
    """

    forwards: tuple[Forward, ...]
    finishes: bool


class Schedule:
    """What the sampler will do for some settings, as counts.

    Args:
        config: what the job runs with.
        num_chunks: all chunks, those of the prefix included; None: open-ended.
        offset: whole chunks of the prefix.
    """

    def __init__(self, config: MagiConfig, num_chunks: int | None, offset: int = 0) -> None:
        runtime, engine = config.runtime_config, config.engine_config
        self._runtime = runtime
        self._threshold = engine.distill_nearly_clean_chunk_threshold
        self._num_chunks, self._offset = num_chunks, offset
        self._times = schedule_times(runtime.num_steps, engine.shortcut_mode)
        self._rule = HistoryRule(
            tuple(runtime.noise2clean_kvrange), runtime.clean_chunk_kvrange, runtime.num_steps
        )

    def steps(self) -> Iterator[Step]:
        """Every step in turn; without end if the video has none."""
        prefix = self._prefix()
        for stage in self._stages():
            last = stage.steps[0] + stage.length == self._runtime.num_steps
            for index in range(stage.length):
                forwards = (*prefix, *self._forwards(stage, index))
                prefix = ()
                yield Step(forwards, last and index == stage.length - 1)

    def cache_chunks(self) -> CacheChunks:
        """Chunks whose keys and values are there at once."""
        runtime = self._runtime
        return CacheChunks.of(
            self._rule,
            runtime.window_size,
            self._num_chunks or (None if self._rule.noisy else 1),
            self._offset,
            copies=runtime.cfg_number == 1,
        )

    def widest_forward(self) -> int:
        """The most chunks that go through the transformer together."""
        stages_ahead = 3 * self._runtime.window_size + 2
        steps = itertools.islice(self.steps(), stages_ahead * self._runtime.num_steps)
        return max(len(forward.seen) for step in steps for forward in step.forwards)

    def _stages(self) -> Iterator[Stage]:
        runtime = self._runtime
        return stages(self._num_chunks, runtime.num_steps, runtime.window_size, self._offset)

    def _prefix(self) -> tuple[Forward, ...]:
        return tuple(
            Forward((chunk + 1 - self._rule.first_seen_in_prefix(chunk),))
            for chunk in self._rule.prefix_read(next(self._stages()))
        )

    def _forwards(self, stage: Stage, index: int) -> Iterator[Forward]:
        steps = [start + index for start in stage.steps]
        noisy = tuple(
            chunk + 1 - self._rule.first_seen(chunk, step)
            for chunk, step in zip(stage.chunks, steps, strict=True)
        )
        reread: tuple[int, ...] = ()
        if stage.rereads_clean and index == 0:
            clean = stage.first - 1
            reread = (clean + 1 - self._rule.first_seen_clean(clean),)
        times = [self._times[step] for step in steps]
        if self._runtime.cfg_number == 1:
            copy = (1,) if times[0] > self._threshold else ()
            yield Forward((*reread, *noisy, *copy))
            return
        # A pass whose weight is zero for every chunk is left out.
        if any(self._scale(self._runtime.text_scales, t) != 0 for t in times):
            yield Forward((*reread, *noisy))
        yield Forward((*reread, *noisy))
        if any(self._scale(self._runtime.prev_chunk_scales, t) != 1 for t in times):
            yield Forward((1,) * len(noisy))

    def _scale(self, scales: list[float], time: float) -> float:
        starts = [start - 1e-7 for start in self._runtime.cfg_t_range]
        return scales[bisect.bisect_left(starts, time) - 1]


@dataclass(frozen=True)
class DitCosts:
    """Floating-point operations of the transformer (a multiplication and an addition are two).

    Attributes:
        linear: matrix products for one chunk in one forward.
        attention: one chunk attending to one chunk, all layers.
    """

    linear: float
    attention: float

    @classmethod
    def of(cls, model: ModelConfig, tokens: int) -> DitCosts:
        """Of a model, for chunks of so many tokens."""
        size, inner = model.hidden_size, model.ffn_hidden_size
        kv = model.num_query_groups * model.kv_channels
        widened = 2 * inner if model.gated_linear_unit else inner
        layer = 2 * size * size + 2 * size * kv + 2 * size * size + size * widened + inner * size
        patch = model.patch_size**2
        ends = size * patch * (model.in_channels + model.out_channels)
        return cls(
            linear=2.0 * tokens * (model.num_layers * layer + ends),
            attention=4.0 * tokens**2 * size * model.num_layers,
        )

    def of_forward(self, forward: Forward, attention_weight: float) -> float:
        """Operations of a forward, those of attention counted ``attention_weight`` times."""
        return len(forward.seen) * self.linear + sum(forward.seen) * (
            self.attention * attention_weight
        )


def chunk_tokens(config: MagiConfig, vae: VaeConfig) -> int:
    """Tokens of one chunk at the configured size."""
    runtime = config.runtime_config
    side = vae.patch_size * config.model_config.patch_size
    rows, columns = runtime.video_size_h // side, runtime.video_size_w // side
    return rows * columns * runtime.chunk_width


def tile_grid(vae: VaeConfig, tile: Tile, height: int, width: int) -> list[tuple[int, int]]:
    """Height and width, in latents, of each tile that a picture of that many pixels takes."""
    size = tile.size // vae.patch_size
    stride = int(size * (1 - tile.overlap))

    def extents(pixels: int) -> list[int]:
        latents = pixels // vae.patch_size
        return [min(size, latents - start) for start in range(0, latents, stride)]

    return list(itertools.product(extents(height), extents(width)))


def decode_flops(vae: VaeConfig, tile: Tile, latent_frames: int, height: int, width: int) -> float:
    """Operations for decoding so many latent frames; encoding them takes nearly as many."""
    depth = tile.frames // vae.patch_length
    total = 0.0
    for first in range(0, latent_frames, depth):
        frames = min(depth, latent_frames - first)
        for h, w in tile_grid(vae, tile, height, width):
            tokens = frames * h * w + 1
            size = vae.embed_dim
            block = 2 * tokens * size * size * (4 + 2 * vae.mlp_ratio) + 4 * tokens**2 * size
            total += vae.depth * block
    return total
