"""How far a job is and how long it will still take."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from magi_engine.runtime.events import ChunkState, ChunkStatus, Progress
from magi_engine.runtime.plan import LengthPlan

if TYPE_CHECKING:
    from torch import Tensor


class Stopwatch:
    """Seconds of work: runs from its creation, stands still while paused."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._start = clock()
        self._paused_s = 0.0
        self._paused_at: float | None = None

    def pause(self) -> None:
        """Stop counting."""
        self._paused_at = self._clock()

    def resume(self) -> None:
        """Go on counting."""
        if self._paused_at is not None:
            self._paused_s += self._clock() - self._paused_at
            self._paused_at = None

    @property
    def seconds(self) -> float:
        """Work done so far."""
        now = self._clock() if self._paused_at is None else self._paused_at
        return now - self._start - self._paused_s


class ProgressMeter:
    """Turns what the sampler reports into ``Progress`` events.

    The unit of work is one chunk taking one denoising step; the time of a step grows about
    linearly with the chunks in the window, and each chunk costs one decoding on top.

    Args:
        num_steps: denoising steps of a chunk.
        window_size: chunks denoised together; they follow each other by num_steps/window steps.
        chunk_frames: video frames of a whole chunk.
    """

    def __init__(
        self,
        plan: LengthPlan,
        num_steps: int,
        window_size: int,
        chunk_frames: int,
        stopwatch: Stopwatch,
    ) -> None:
        self._plan = plan
        self._num_steps = num_steps
        self._stride = num_steps // window_size
        self._chunk_frames = chunk_frames
        self._stopwatch = stopwatch
        self._started_s = stopwatch.seconds
        self._units = 0
        self._steps = 0
        self._sampling_s = 0.0
        self._decoding_s = 0.0
        self._chunks_done = 0
        self._frames_done = 0
        self._beside = False
        self._decoding: tuple[ChunkStatus, ...] = ()
        self._window: tuple[ChunkStatus, ...] = ()

    def step_done(
        self,
        chunks: Sequence[tuple[int, int]],
        seconds: float,
        latents: Callable[[], Tensor],
    ) -> Progress:
        """Note one step of the window.

        Args:
            chunks: (index in the result, steps it has behind it) of each chunk in the window.
            seconds: time the step took.
            latents: passed on in the event.
        """
        self._window = tuple(ChunkStatus(i, ChunkState.DENOISING, step) for i, step in chunks)
        self._units += len(chunks)
        self._steps += 1
        self._sampling_s += seconds
        return self._event(latents)

    def decoding_started(self, index: int) -> None:
        """Note that a chunk has all its steps behind it."""
        self._decoding += (ChunkStatus(index, ChunkState.DECODING, self._num_steps),)

    def chunk_done(self, frames: int, decode_s: float, beside: bool) -> None:
        """Note a finished, decoded chunk.

        Args:
            decode_s: time of decoding it.
            beside: whether others are denoised meanwhile, so that this is part of their steps.
        """
        self._chunks_done += 1
        self._frames_done += frames
        self._decoding_s += decode_s
        self._beside = beside
        self._decoding = self._decoding[1:]

    def _event(self, latents: Callable[[], Tensor]) -> Progress:
        unit_s = self._sampling_s / self._units
        see_s = self._decoding_s / self._chunks_done if self._chunks_done else 0.0
        decode_s = 0.0 if self._beside else see_s
        chunk_s = unit_s * self._num_steps + decode_s
        total = self._plan.result_chunks
        fraction = eta_s = None
        if total is not None:
            all_units = total * self._num_steps
            fraction = min(1.0, self._units / all_units)
            eta_s = unit_s * max(0, all_units - self._units)
            eta_s += max(see_s, decode_s * (total - self._chunks_done))
        return Progress(
            active=self._decoding + self._window,
            num_steps=self._num_steps,
            chunks_done=self._chunks_done,
            num_chunks=total,
            frames_done=self._frames_done,
            fraction=fraction,
            elapsed_s=self._stopwatch.seconds,
            seconds_per_step=self._sampling_s / self._steps,
            frames_per_second=self._chunk_frames / chunk_s if chunk_s > 0 else 0.0,
            eta_s=eta_s,
            next_chunk_s=see_s + (0 if self._decoding else self._next_chunk_s(unit_s, total)),
            latents=latents,
        )

    def _next_chunk_s(self, unit_s: float, total: int | None) -> float:
        """Time until the window's first chunk has taken all its steps.

        While it does, a chunk joins the window every ``stride`` steps until the window is full
        or the video ends.
        """
        first = self._window[0]
        window = self._num_steps // self._stride
        units = 0
        for step in range(first.step, self._num_steps):
            joined = min(window, step // self._stride + 1)
            units += joined if total is None else min(joined, total - first.index)
        return units * unit_s
