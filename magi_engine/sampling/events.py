"""What the sampler says while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from magi_engine.sampling.schedule import Forward


@dataclass(frozen=True)
class StepDone:
    """One denoising step of the whole window is done.

    Attributes:
        forward: the step.
        latents: gives the window's current, still noisy latents (R * N, 16, chunk_width, h, w).
        clean: gives the oldest chunk's latents (N, 16, T, h, w) as they would be if it went on
            straight to the end; frames of a prefix are cut off as in :class:`ChunkDone`.
    """

    forward: Forward
    latents: Callable[[], Tensor]
    clean: Callable[[], Tensor]


@dataclass(frozen=True)
class ChunkDone:
    """A chunk is finished.

    Attributes:
        index: its number, prefix chunks counted.
        latents: (N, 16, T, h, w) float32, N = 1 but in a batch; frames of a prefix are cut
            off, except an image's.
    """

    index: int
    latents: Tensor
