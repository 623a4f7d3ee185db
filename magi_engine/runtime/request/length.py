"""How long a video is: frames asked for, and the chunks that they take (spec section 4)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from magi_engine.config.official import RuntimeConfig
from magi_engine.errors import InvalidRequestError
from magi_engine.runtime.request.request import Mode


def frames_for(seconds: float, fps: int) -> int:
    """Frames of a video of that length.

    Raises:
        InvalidRequestError: the length is not a positive number, or less than one frame.
    """
    if not math.isfinite(seconds * fps) or seconds <= 0:
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

    Attributes:
        num_chunks: all chunks, prefix included; None: open-ended.
        prefix_latents: clean latent frames that the sampler starts with.
        first_chunk: the first one of the result.
        shared_chunks: of the result, that are there already: they are part of the prefix.
        num_frames: of the result; what the last chunk has beyond them is cut off.
        chunk_frames: of a whole chunk.
        first_frames: of the first emitted chunk, which a prefix may have a part of.
        skip_latents: latent frames of the first emitted chunk that are not part of the result.
        later_chunks: of the video that this job does not make; None: without end.
    """

    num_chunks: int | None
    prefix_latents: int
    first_chunk: int
    shared_chunks: int
    num_frames: int | None
    chunk_frames: int
    first_frames: int
    skip_latents: int
    later_chunks: int | None = 0

    @classmethod
    def of(
        cls,
        mode: Mode,
        num_frames: int | None,
        prefix_latents: int,
        runtime: RuntimeConfig,
        shared_chunks: int = 0,
        only_chunks: int | None = None,
    ) -> LengthPlan:
        """Of a job whose reference has ``prefix_latents`` latent frames.

        Args:
            only_chunks: how many of the result are made now; None: all.

        The image of i2v is part of the result: its chunk is emitted whole. The clip of v2v comes
        before the result.
        """
        before = prefix_latents if mode is Mode.V2V else 0
        width, frames = runtime.chunk_width, runtime.temporal_downsample_factor
        chunks = None
        if num_frames is not None:
            chunks = math.ceil((math.ceil(num_frames / frames) + before) / width)
        first_frames, later = (width - before % width) * frames, 0
        if only_chunks is not None and (chunks is None or chunks > before // width + only_chunks):
            now = before // width + only_chunks
            later = None if chunks is None else chunks - now
            chunks, num_frames = now, first_frames + (only_chunks - 1) * width * frames
        shared = (before // width + shared_chunks) * width
        return cls(
            num_chunks=chunks,
            prefix_latents=shared if shared_chunks else prefix_latents,
            first_chunk=before // width,
            shared_chunks=shared_chunks,
            num_frames=num_frames,
            chunk_frames=width * frames,
            first_frames=first_frames,
            # The sampler takes a prefix of one latent frame for an image and emits its chunk
            # whole; a clip that short is no part of the result all the same.
            skip_latents=1 if before == 1 else 0,
            later_chunks=later,
        )

    @property
    def result_chunks(self) -> int | None:
        """Chunks of the result, or None if open-ended."""
        return None if self.num_chunks is None else self.num_chunks - self.first_chunk

    def frames_of(self, chunk: int) -> range:
        """The frames of the result that a chunk of it holds."""
        first = self.first_frames + (chunk - 1) * self.chunk_frames if chunk else 0
        end = self.first_frames + chunk * self.chunk_frames
        return range(first, end if self.num_frames is None else min(end, self.num_frames))

    def chunk_near(self, frame: int) -> int:
        """The chunk that begins nearest to a frame of the result."""
        if frame <= self.first_frames / 2:
            return 0
        return 1 + max(0, round((frame - self.first_frames) / self.chunk_frames))
