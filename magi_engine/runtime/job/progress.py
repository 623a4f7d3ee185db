"""How far a job is and how long it will still take."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from magi_engine.runtime.job.control import Stopwatch
from magi_engine.runtime.job.events import AtOnce, ChunkState, ChunkStatus, Progress
from magi_engine.runtime.request.length import LengthPlan
from magi_engine.sampling.schedule import Forward

if TYPE_CHECKING:
    from torch import Tensor


class ProgressMeter:
    """Turns what the sampler reports into ``Progress`` events.

    The time of a step is expected to grow with what it computes; each chunk costs one decoding on
    top.

    Args:
        schedule: gives all that the sampler will do, from the start.
        operations: what a forward computes.
        num_steps: denoising steps of a chunk.
    """

    def __init__(
        self,
        length: LengthPlan,
        schedule: Callable[[], Iterator[Forward]],
        operations: Callable[[Forward], float],
        num_steps: int,
        stopwatch: Stopwatch,
    ) -> None:
        self._length = length
        self._operations = operations
        self._ahead: Iterator[Forward] = (f for f in schedule() if not f.fills_prefix)
        self._coming: deque[Forward] = deque()
        """What is ahead, until a chunk is finished."""
        self._all: float | None = None
        if length.num_chunks is not None:
            self._all = sum(operations(f) for f in schedule() if not f.fills_prefix)
        self._num_steps = num_steps
        self._stopwatch = stopwatch
        self._done = 0.0
        self._steps = self._units = 0
        self._sampling_s = 0.0
        self._decoding_s = 0.0
        self._chunks_done = self._decoded = 0
        self._frames_done = 0
        self._beside = False
        self._decoding: tuple[ChunkStatus, ...] = ()

    def step_done(
        self, forward: Forward, seconds: float, latents: Callable[[], Tensor]
    ) -> Progress:
        """Note one step of the window.

        Args:
            seconds: time the step took.
            latents: passed on in the event.
        """
        self._look_ahead()
        if self._coming:
            self._coming.popleft()
        self._look_ahead()
        self._done += self._operations(forward)
        self._steps += 1
        self._units += len(forward.chunks)
        self._sampling_s += seconds
        return self._event(forward, latents)

    def _look_ahead(self) -> None:
        while not (self._coming and self._coming[-1].finishes):
            forward = next(self._ahead, None)
            if forward is None:
                return
            self._coming.append(forward)

    def shared(self, chunks: int, frames: int) -> None:
        """Note chunks that were there already."""
        self._chunks_done, self._frames_done = chunks, frames

    def restarted(self, schedule: Iterator[Forward]) -> None:
        """Note that chunks start anew; ``schedule`` is what is ahead now."""
        self._coming.clear()
        ahead = (f for f in schedule if not f.fills_prefix)
        if self._all is not None:
            ahead = list(ahead)
            self._all = self._done + sum(map(self._operations, ahead))
        self._ahead = iter(ahead)

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
        self._decoded += 1
        self._frames_done += frames
        self._decoding_s += decode_s
        self._beside = beside
        self._decoding = self._decoding[1:]

    def _event(self, forward: Forward, latents: Callable[[], Tensor]) -> Progress:
        window = tuple(
            ChunkStatus(chunk - self._length.first_chunk, ChunkState.DENOISING, step + 1)
            for chunk, step in zip(forward.chunks, forward.steps, strict=True)
        )
        rate = self._sampling_s / self._done
        see_s = self._decoding_s / self._decoded if self._decoded else 0.0
        decode_s = 0.0 if self._beside else see_s
        total = self._length.result_chunks
        fraction = eta_s = None
        if total is not None and self._all is not None:
            fraction = min(1.0, self._done / self._all)
            eta_s = rate * max(0.0, self._all - self._done)
            eta_s += max(see_s, decode_s * (total - self._chunks_done))
        next_s = rate * sum(map(self._operations, self._coming))
        chunk_s = self._sampling_s / self._units * self._num_steps + decode_s
        return Progress(
            active=self._decoding + window,
            num_steps=self._num_steps,
            chunks_done=self._chunks_done,
            num_chunks=total,
            frames_done=self._frames_done,
            fraction=fraction,
            elapsed_s=self._stopwatch.seconds,
            seconds_per_step=self._sampling_s / self._steps,
            frames_per_second=self._length.chunk_frames / chunk_s if chunk_s > 0 else 0.0,
            eta_s=eta_s,
            next_chunk_s=see_s + (0 if self._decoding or forward.finishes else next_s),
            latents=latents,
            at_once=self._at_once(forward),
        )

    def _at_once(self, forward: Forward) -> AtOnce | None:
        """What starting anew behind the oldest chunk would cost when this stage is over."""
        kept = 1 + forward.finishes
        chunk = forward.chunks[0] + kept - self._length.first_chunk
        total = self._length.result_chunks
        if total is not None and chunk >= total:
            return None
        stage = itertools.takewhile(lambda ahead: ahead.chunks == forward.chunks, self._coming)
        *_, last = forward, *stage
        lost = sum(step + 1 for step in last.steps[kept:])
        return AtOnce(chunk, lost * self._sampling_s / self._units)
