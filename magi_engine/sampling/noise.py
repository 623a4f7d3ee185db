"""The noise a video starts from, chunk by chunk."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor


class NoiseSource(Protocol):
    """Gives the starting noise of chunk after chunk."""

    def next_chunk(self, shape: tuple[int, ...]) -> Tensor:
        """Standard normal noise of ``shape``, float32 on the CPU."""
        ...


class SeededNoise:
    """Standard normal noise that depends on nothing but the seed.

    ``torch.randn`` differs in the last bits between CPUs (its vectorised form rounds
    differently). Uniform doubles are exact integers scaled, and the inverse error function in
    double precision agrees everywhere once rounded to float32.

    Args:
        skip: chunks at the beginning whose noise is not wanted: the others get the same as ever.
    """

    def __init__(self, seed: int, skip: int = 0) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._skip = skip

    def next_chunk(self, shape: tuple[int, ...]) -> Tensor:
        """See :class:`NoiseSource`."""
        for _ in range(self._skip):
            torch.rand(shape, generator=self._generator, dtype=torch.float64)
        self._skip = 0
        uniform = torch.rand(shape, generator=self._generator, dtype=torch.float64)
        # rand() may return exactly 0, whose quantile is infinite.
        centred = (2 * uniform - 1).clamp_(min=-1 + 2**-53)
        return (torch.erfinv(centred) * math.sqrt(2)).float()


class GivenNoise:
    """Noise handed in whole, (1, C, T, h, w); for replaying a recorded case.

    Args:
        skip: latent frames at its start that belong to clean chunks and are never used.
    """

    def __init__(self, noise: Tensor, skip: int = 0) -> None:
        self._rest = noise[:, :, skip:]

    def next_chunk(self, shape: tuple[int, ...]) -> Tensor:
        """See :class:`NoiseSource`."""
        frames = shape[2]
        chunk, self._rest = self._rest[:, :, :frames], self._rest[:, :, frames:]
        return chunk.float()
