"""How much the models have to compute for a request. Needs no PyTorch."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from magi_engine.config.official import MagiConfig, ModelConfig
from magi_engine.config.vae import Tile, VaeConfig
from magi_engine.sampling.schedule import Forward, SamplerSettings, forwards


class Counted(NamedTuple):
    """A forward in numbers, all its passes together.

    Attributes:
        chunks: that go through the layers.
        pairs: of a chunk and one that it attends to.
        finishes: whether the oldest chunk has all its steps behind it then.
    """

    chunks: int
    pairs: int
    finishes: bool

    @classmethod
    def of(cls, forward: Forward) -> Counted:
        """Counts a forward."""
        seen = forward.seen
        return cls(sum(map(len, seen)), sum(map(sum, seen)), forward.finishes)


@lru_cache(maxsize=16)
def counted(settings: SamplerSettings, num_chunks: int, prefix: int) -> tuple[Counted, ...]:
    """A whole video, as :func:`magi_engine.sampling.schedule.forwards` takes it."""
    return tuple(map(Counted.of, forwards(settings, num_chunks, prefix)))


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
    def of_model(cls, model: ModelConfig, tokens: int, attention_weight: float = 1.0) -> DitCosts:
        """Of a model, for chunks of so many tokens.

        Args:
            attention_weight: how often operations of attention count, which take longer.
        """
        size, inner = model.hidden_size, model.ffn_hidden_size
        kv = model.num_query_groups * model.kv_channels
        widened = 2 * inner if model.gated_linear_unit else inner
        layer = 2 * size * size + 2 * size * kv + 2 * size * size + size * widened + inner * size
        patch = model.patch_size**2
        ends = size * patch * (model.in_channels + model.out_channels)
        return cls(
            linear=2.0 * tokens * (model.num_layers * layer + ends),
            attention=4.0 * tokens**2 * size * model.num_layers * attention_weight,
        )

    def times(self, videos: int) -> DitCosts:
        """Of a batch."""
        return DitCosts(videos * self.linear, videos * self.attention)

    def of(self, forward: Counted) -> float:
        """Operations of all passes of a forward."""
        return forward.chunks * self.linear + forward.pairs * self.attention


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
