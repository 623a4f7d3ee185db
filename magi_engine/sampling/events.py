"""What the sampler says while it works."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ChunkStep:
    """Chunk ``index`` has ``step`` of the steps behind it."""

    index: int
    step: int


@dataclass(frozen=True)
class StepDone:
    """One denoising step of the whole window is done.

    Attributes:
        chunks: the window.
        num_steps: steps each chunk needs in all.
        latents: gives the window's current, still noisy latents (R, 16, chunk_width, h, w).
        clean: gives the oldest chunk's latents (1, 16, T, h, w) as they would be if it went on
            straight to the end; frames of a prefix are cut off as in :class:`ChunkDone`.
    """

    chunks: tuple[ChunkStep, ...]
    num_steps: int
    latents: Callable[[], Tensor]
    clean: Callable[[], Tensor]


@dataclass(frozen=True)
class ChunkDone:
    """A chunk is finished.

    Attributes:
        index: its number, prefix chunks counted.
        latents: (1, 16, T, h, w) float32; frames of a prefix are cut off, except an image's.
    """

    index: int
    latents: Tensor


class Pass(enum.Enum):
    """What a forward of the transformer is given. A distilled model only has ``TEXT``."""

    TEXT = "history and caption"
    HISTORY = "history"
    ALONE = "neither"


@dataclass(frozen=True)
class ForwardTrace:
    """What one forward of the transformer is about, in chunks.

    Attributes:
        kind: which of the passes of a step it is.
        timesteps: one per chunk, the nearly clean copy left out.
        first: first chunk of the forward.
        ranges: chunks [from, to) each chunk attends to.
        rereads_clean, nearly_clean, fills_prefix: the flags of the spec's traces.
        interval: relative step length.
    """

    kind: Pass
    timesteps: tuple[float, ...]
    first: int
    ranges: tuple[tuple[int, int], ...]
    rereads_clean: bool
    nearly_clean: bool
    fills_prefix: bool
    interval: float
