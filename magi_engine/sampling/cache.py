"""The rolling key/value cache: room for the window and the history it needs, never more."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from magi_engine.config.official import ModelConfig
from magi_engine.ops.attention import Attention, attention


class RollingCache:
    """Keys (already rotated) and values of consecutive chunks, for all layers.

    Chunk ``i`` lives at slot ``i - base``. Every forward writes the chunks it is given, so what
    was noisy is overwritten until the clean read; :meth:`slide` drops chunks nobody will look
    at again. Ranges of chunks are contiguous views, so attention copies nothing.

    Args:
        capacity: chunks the buffer holds.
        chunk_tokens: tokens per chunk.
    """

    def __init__(
        self,
        config: ModelConfig,
        capacity: int,
        chunk_tokens: int,
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        shape = (
            config.num_layers,
            2,
            capacity * chunk_tokens,
            config.num_query_groups,
            config.kv_channels,
        )
        self.buffer = torch.zeros(shape, device=device, dtype=dtype)
        self.capacity = capacity
        self.chunk_tokens = chunk_tokens
        self.base = 0

    def slide(self, base: int, kept_until: int) -> None:
        """Make ``base`` the first chunk, keeping what is stored of chunks before ``kept_until``."""
        tokens, shift = self.chunk_tokens, base - self.base
        if shift <= 0:
            return
        for chunk in range(base, kept_until):  # one at a time: source and target never overlap
            source = (chunk - self.base) * tokens
            target = source - shift * tokens
            self.buffer[:, :, target : target + tokens].copy_(
                self.buffer[:, :, source : source + tokens]
            )
        self.base = base

    def store(self, layer: int, chunk: int, k: Tensor, v: Tensor) -> None:
        """Write consecutive chunks from ``chunk`` on; k, v are (tokens, groups, head_dim)."""
        start = (chunk - self.base) * self.chunk_tokens
        self.buffer[layer, 0, start : start + len(k)] = k
        self.buffer[layer, 1, start : start + len(v)] = v

    def read(self, layer: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Keys and values of chunks ``first .. last - 1``: views (1, tokens, groups, head_dim)."""
        tokens = self.chunk_tokens
        span = slice((first - self.base) * tokens, (last - self.base) * tokens)
        return self.buffer[layer, 0, span][None], self.buffer[layer, 1, span][None]


class WindowAttention:
    """Self-attention of consecutive chunks over the cache; an ``Attend`` for one forward.

    Args:
        cache: where keys and values go and come from.
        first: the first chunk of the forward.
        ranges: per chunk of the forward, the chunks [first, last) it attends to.
        attention: the kernel.
    """

    def __init__(
        self,
        cache: RollingCache,
        first: int,
        ranges: Sequence[tuple[int, int]],
        attention: Attention = attention,
    ) -> None:
        self.cache, self.first, self.ranges = cache, first, ranges
        self.attention = attention

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self.cache.store(layer, self.first, k[0], v[0])
        queries = q.split(self.cache.chunk_tokens, dim=1)
        outputs = [
            self.attention(own, *self.cache.read(layer, first, last))
            for own, (first, last) in zip(queries, self.ranges, strict=True)
        ]
        return outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=1)


def attend_alone(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Self-attention of a batch of single chunks, each only to itself; an ``Attend``."""
    del layer
    return attention(q, k, v)
