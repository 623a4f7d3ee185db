"""How long a video is: frames asked for -> chunks to sample, and back (spec section 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from magi_engine.config.official import RuntimeConfig
from magi_engine.errors import InvalidRequestError
from magi_engine.runtime.request import Mode


def frames_for(seconds: float, fps: int) -> int:
    """Frames of a video of that length.

    Raises:
        InvalidRequestError: the length is not a positive number, or less than one frame.
    """
    if not math.isfinite(seconds) or seconds <= 0:
        raise InvalidRequestError(
            "A video cannot be {seconds:g} seconds long.",
            "Ask for more than 0 seconds.",
            seconds=seconds,
        )
    frames = round(seconds * fps)
    if frames == 0:
        raise InvalidRequestError(
            "{seconds:g} seconds are less than one frame.",
            "Ask for at least {least:.2f} seconds.",
            seconds=seconds,
            least=1 / fps,
        )
    return frames


@dataclass(frozen=True)
class LengthPlan:
    """Chunks as the sampler counts them, and what of them is the result.

    The sampler counts chunks from the start of the prefix. ``first_chunk`` of them are nothing
    but prefix and are never emitted; users count from the first emitted one.
    """

    num_chunks: int | None
    """All chunks, prefix included; None: open-ended."""
    prefix_latents: int
    """Clean latent frames that the sampler starts with."""
    first_chunk: int
    num_frames: int | None
    """Frames of the result; what the last chunk has beyond them is cut off."""
    skip_latents: int = 0
    """Latent frames of the first emitted chunk that are not part of the result."""

    @property
    def result_chunks(self) -> int | None:
        """Chunks of the result, or None if open-ended."""
        return None if self.num_chunks is None else self.num_chunks - self.first_chunk


def plan_length(
    mode: Mode, num_frames: int | None, prefix_latents: int, runtime: RuntimeConfig
) -> LengthPlan:
    """Plan a job whose prefix has ``prefix_latents`` latent frames.

    The image of i2v is part of the result: its chunk is emitted whole. The clip of v2v comes
    before the result.
    """
    before = prefix_latents if mode is Mode.V2V else 0
    chunks = None
    if num_frames is not None:
        latents = math.ceil(num_frames / runtime.temporal_downsample_factor) + before
        chunks = math.ceil(latents / runtime.chunk_width)
    # The sampler takes a prefix of one latent frame for an image and emits its chunk whole; a
    # clip that short is no part of the result all the same.
    skip = 1 if before == 1 else 0
    return LengthPlan(chunks, prefix_latents, before // runtime.chunk_width, num_frames, skip)
