"""Sampling a video: its steps, its previews, and its chunks as frames in the file."""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from magi_engine.errors import MagiError
from magi_engine.media.clips import plan_clip
from magi_engine.messages import Message
from magi_engine.runtime.job.captions import Captions
from magi_engine.runtime.job.control import Events, JobControl
from magi_engine.runtime.job.decoding import ChunkDecoder, DecodedChunk
from magi_engine.runtime.job.events import (
    AttentionQuantised,
    ChunkReady,
    ChunksShared,
    DecodingStarted,
    Notice,
    PreviewReady,
)
from magi_engine.runtime.job.latents import KeptLatents
from magi_engine.runtime.job.output import VideoOutput
from magi_engine.runtime.job.pace import PaceMeter
from magi_engine.runtime.job.progress import ProgressMeter
from magi_engine.runtime.machine.streams import DeviceEvent
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.models.memory import PlannedMemory
from magi_engine.runtime.models.preview import Previewer
from magi_engine.runtime.models.ranks import Team
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.process.control import JobCancelled
from magi_engine.runtime.request.batch import FirstChunks
from magi_engine.runtime.request.request import Along, Mode
from magi_engine.sampling.events import ChunkDone, StepDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.sampler import Sampler
from magi_engine.takes.store import Take

logger = logging.getLogger(__name__)

_PATIENCE = 3.0
"""How many times as long as the longest one so far a step may take where cards wait for others."""
_LOOK_AGAIN_S = 0.001
"""While a step runs, how often to see whether it, or a chunk, is done."""


@dataclass(frozen=True)
class _Step:
    """A step of the window that was queued; ``latents`` are on the host, for a preview."""

    event: StepDone
    latents: Tensor | None
    begun: DeviceEvent
    done: DeviceEvent


class Denoising:
    """Samples what was prepared.

    Args:
        prefix: the reference as latents (1, 16, T, h, w), or None.
        pace: takes the measured times.
        previewer: None: there are to be no previews.
        first_chunks: of videos that were sampled along with an earlier one.
        team: who computes along.
    """

    def __init__(
        self,
        plan: JobPlan,
        model: LoadedModel,
        memory: PlannedMemory,
        captions: Captions,
        prefix: Tensor | None,
        previewer: Previewer | None,
        output: VideoOutput,
        latents: KeptLatents,
        first_chunks: FirstChunks,
        control: JobControl,
        pace: PaceMeter,
        team: Team,
    ) -> None:
        self._plan, self._model, self._memory = plan, model, memory
        self._captions, self._prefix, self._previewer = captions, prefix, previewer
        self._output, self._latents, self._first_chunks = output, latents, first_chunks
        self._control, self._pace, self._team = control, pace, team
        self._longest_s = plan.times.denoise_s / plan.num_steps  # at least that of a step
        self._meter = ProgressMeter(
            plan.length, plan.forwards, pace.operations, plan.num_steps, control.stopwatch
        )
        self._decoder = ChunkDecoder(model, memory, team)
        self._streams = model.kernels.streams
        self._steps: deque[_Step] = deque()
        """Steps that the device has been asked for and that nobody was told of."""
        self._frames_begun = 0
        """Frames of the chunks that have all their steps."""

    def events(self) -> Events:
        """Sample the whole video, behind what it shares with an earlier one."""
        if self._latents.earlier is not None:
            yield from self._share(self._latents.earlier)
        sampling = self._sampled()
        with contextlib.closing(sampling):
            # Whatever ends it, chunks that are being decoded are finished, so they are kept.
            try:
                yield from self._denoise(sampling)
            except GeneratorExit:
                for chunk in self._decoder.rest():
                    self._take(chunk)
                raise
            except JobCancelled:
                yield from self._take_all(self._decoder.rest())
                raise
            except Exception:
                with contextlib.suppress(Exception):
                    yield from self._take_all(self._decoder.rest())
                raise
            yield from self._take_all(self._decoder.rest())

    def _sampled(self) -> Generator[StepDone | ChunkDone]:
        """What the sampler says; nothing but its end where this was sampled along with another."""
        chunk = self._first_chunks.take(self._plan.request, self._prefix)
        if chunk is not None:
            yield ChunkDone(self._captions.oldest, chunk.to(self._model.device))
            return
        if self._plan.along:
            self._memory.steady = True
            try:
                for event in self._sampler(self._plan.along):
                    if isinstance(event, ChunkDone):
                        self._memory.steady = False
                        others = event.latents[1:]
                        self._first_chunks.keep(
                            self._plan.request, self._plan.along, others, self._prefix
                        )
                        event = ChunkDone(event.index, event.latents[:1])
                    yield event
                return
            except (torch.OutOfMemoryError, MemoryError):
                logger.warning("too little memory for a batch: going on with one video")
                self._pace.alone_after_all(1 + len(self._plan.along))
            finally:
                self._memory.steady = False
        yield from self._sampler(())

    def _sampler(self, along: Sequence[Along]) -> Generator[StepDone | ChunkDone]:
        plan, model, captions = self._plan, self._model, self._captions
        others = zip(captions.along, along, strict=False)
        return Sampler(model.dit, plan.settings, memory=self._memory).sample(
            height=plan.request.height // model.pixels_per_latent,
            width=plan.request.width // model.pixels_per_latent,
            captions=captions.track,
            noise=SeededNoise(plan.request.seed, skip=plan.length.shared_chunks),
            num_chunks=plan.length.num_chunks,
            prefix=self._prefix,
            direction=captions.direction,
            along=[(track, SeededNoise(other.seed)) for track, other in others],
        )

    def _share(self, earlier: Take) -> Events:
        """Put the chunks that are there already into the file: their packets, or, where these are
        not to be had, their frames decoded once more."""
        start, wanted = self._plan.request.start, self._plan.length.shared_chunks
        copied = 0
        if start is not None and start.video is not None:
            copied = self._output.share(earlier, Path(start.video), wanted)
        if copied:
            self._meter.shared(copied, self._output.frames)
            yield ChunksShared(copied, self._output.frames)
        else:
            yield from self._put_source_in_front()
        for index in range(copied, wanted):
            latents = torch.tensor(earlier.read(index), device=self._model.device)
            yield from self._decode(index, latents)
            yield from self._control.checkpoint()
        yield from self._take_all(self._decoder.rest())
        self._frames_begun = self._output.frames

    def _put_source_in_front(self) -> Events:
        """As it was in the earlier video; where it is gone, that is said."""
        request = self._plan.request
        if not request.prepend_source or request.reference is None:
            return
        try:
            self._output.put_in_front(plan_clip(request.reference, self._plan.fps, request.clip))
        except MagiError as error:
            self._output.made_with(prepend_source=False)
            yield Notice(error.whole)

    def _denoise(self, sampling: Iterator[StepDone | ChunkDone]) -> Events:
        while True:
            begun = self._streams.record()
            self._team.expect_within(_PATIENCE * self._longest_s)
            event = next(sampling, None)
            self._team.expect_within(None)
            if isinstance(event, StepDone):
                self._captions.oldest = event.forward.chunks[0]
                self._steps.append(self._queued(event, begun))
            ahead = self._streams.steps_ahead if isinstance(event, StepDone) else 0
            while len(self._steps) > ahead:
                yield from self._step_done(self._steps.popleft())
                yield from self._between_steps()
            if event is None:
                return
            if isinstance(event, ChunkDone):
                yield from self._note_attention()
                self._captions.oldest = event.index + 1
                index = event.index - self._plan.length.first_chunk
                yield from self._decode(index, self._of_result(event.index, event.latents))
                yield from self._between_steps()

    def _queued(self, done: StepDone, begun: DeviceEvent) -> _Step:
        """A step that the device is asked for, with a picture of it if it is time for one."""
        latents = None
        if self._previewer is not None and self._previewer.due():
            latents = self._memory.run(self._preview_latents, done)
        return _Step(done, latents, begun, self._streams.record())

    def _preview_latents(self, done: StepDone) -> Tensor:
        oldest = self._of_result(done.forward.chunks[0], done.clean()[:1])
        return self._streams.to_host(oldest)

    def _step_done(self, step: _Step) -> Events:
        """Wait for a step and report it, and chunks that are decoded meanwhile."""
        self._team.expect_within(_PATIENCE * self._longest_s)
        while not step.done.is_done:
            for chunk in self._decoder.ready():
                self._team.expect_within(None)
                yield self._take(chunk)
                self._team.expect_within(_PATIENCE * self._longest_s)
            self._team.check()
            time.sleep(_LOOK_AGAIN_S)
        self._team.expect_within(None)
        self._team.check()
        event, length = step.event, self._plan.length
        took_s = step.done.seconds_since(step.begun)
        self._longest_s = max(self._longest_s, took_s)
        self._pace.step_done(event.forward, took_s)
        yield self._meter.step_done(event.forward, took_s, event.latents)
        yield from self._note_attention()
        if step.latents is not None and self._previewer is not None:
            frames = self._previewer.picture(step.latents)
            if length.num_frames is not None:
                left = length.num_frames - self._frames_begun
                frames = frames[: math.ceil(left / self._model.frames_per_latent)]
            yield PreviewReady(event.forward.chunks[0] - length.first_chunk, frames)
        yield from self._take_all(self._decoder.ready())

    def _between_steps(self) -> Events:
        """Obey what the job was told."""
        if self._control.box.paused:
            # Standing still means that the device does, too.
            while self._steps:
                yield from self._step_done(self._steps.popleft())
            yield from self._take_all(self._decoder.rest())
        if self._memory.take_news():
            slower = Message("There was too little graphics memory; the video goes on more slowly.")
            yield Notice(slower)
        if problem := self._latents.take_problem():
            yield Notice(problem)
        self._output.check()
        yield from self._control.checkpoint()
        yield from self._captions.apply_changes()
        if (chunk := self._captions.take_restart()) is not None:
            self._meter.restarted(self._plan.forwards(chunk))

    def _decode(self, index: int, latents: Tensor) -> Events:
        """Begin to decode a chunk of the result; one at a time is under way."""
        yield from self._take_all(self._decoder.rest())
        self._meter.decoding_started(index)
        self._frames_begun += latents.shape[2] * self._model.frames_per_latent
        yield DecodingStarted(index)
        self._team.expect_within(_PATIENCE * self._longest_s)
        self._decoder.begin(index, latents)
        self._team.expect_within(None)
        yield from self._take_all(self._decoder.ready())

    def _take_all(self, chunks: Iterator[DecodedChunk]) -> Events:
        for chunk in chunks:
            yield self._take(chunk)

    def _take(self, chunk: DecodedChunk) -> ChunkReady:
        """Put a decoded chunk into the file."""
        frames = chunk.frames()
        if self._previewer is not None:
            self._previewer.learn(chunk.latents, frames)
        first, wanted = self._output.frames, self._plan.length.num_frames
        if wanted is not None:
            frames = frames[: wanted - first]
        is_new = chunk.index >= self._plan.length.shared_chunks
        self._output.write(frames, chunk.latents.numpy() if is_new else None)
        took_s = chunk.seconds()
        if not chunk.beside:
            self._pace.chunk_done(chunk.latents.shape[2], took_s)
        self._meter.chunk_done(len(frames), took_s, chunk.beside)
        return ChunkReady(chunk.index, first, frames, chunk.latents)

    def _of_result(self, index: int, latents: Tensor) -> Tensor:
        """A chunk's latents as they belong into the result.

        The sampler puts an image back before every step, but its last step moves it once more;
        the result begins with the image itself.
        """
        length, prefix = self._plan.length, self._prefix
        if index != length.first_chunk:
            return latents
        if self._plan.request.mode is Mode.I2V and prefix is not None:
            latents = latents.clone()
            latents[:, :, : prefix.shape[2]] = prefix
        return latents[:, :, length.skip_latents :]

    def _note_attention(self) -> Events:
        """Say, once and in the file too, when attention is not exact."""
        backend = self._model.kernels.quantised_attention
        if backend is not None and not self._output.request.quantised_attention:
            self._output.made_with(quantised_attention=True)
            yield AttentionQuantised(backend)
