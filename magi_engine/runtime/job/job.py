"""One generation from the request to the file, as a generator of events."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import time
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

from magi_engine.errors import OutOfMemoryError
from magi_engine.messages import Message
from magi_engine.runtime.job.decoding import ChunkDecoder, DecodedChunk
from magi_engine.runtime.job.events import (
    AttentionQuantised,
    Cancelled,
    ChunkReady,
    DecodingStarted,
    Event,
    Failed,
    Finished,
    Notice,
    Paused,
    Planned,
    PreviewReady,
    PromptChanged,
    Resumed,
    Stage,
    StageStarted,
)
from magi_engine.runtime.job.output import VideoOutput
from magi_engine.runtime.job.pace import PaceMeter, Preparation
from magi_engine.runtime.job.progress import ProgressMeter, Stopwatch
from magi_engine.runtime.machine.devices import choose_device, choose_dtype
from magi_engine.runtime.machine.facts import device_name
from magi_engine.runtime.machine.speeds import Speeds
from magi_engine.runtime.machine.streams import DeviceEvent
from magi_engine.runtime.models.cache import ModelCache
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.models.memory import PlannedMemory
from magi_engine.runtime.models.preview import Previewer
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.process.control import ControlBox, JobCancelled
from magi_engine.runtime.process.errors import told_error
from magi_engine.runtime.request.references import Reference, read_reference
from magi_engine.runtime.request.request import Mode, PromptChange
from magi_engine.runtime.request.validation import prompt_warning
from magi_engine.weights.layout import find_model
from magi_engine.weights.read_ahead import read_ahead

if TYPE_CHECKING:
    from torch import Tensor

    from magi_engine.sampling.events import ChunkDone, StepDone
    from magi_engine.sampling.prompts import CaptionTrack

logger = logging.getLogger(__name__)

Events = Generator[Event, None, None]

_LOOK_AGAIN_S = 0.001
"""While a step runs, how often to see whether it, or a chunk, is done."""


@dataclass(frozen=True)
class _Step:
    """A step of the window that was queued; ``latents`` are on the host, for a preview."""

    event: StepDone
    latents: Tensor | None
    begun: DeviceEvent
    done: DeviceEvent


@dataclass
class _Making:
    """A video while it is sampled.

    Attributes:
        steps: that the device has been asked for and that nobody was told of.
        frames_begun: frames of the chunks that have all their steps.
    """

    model: LoadedModel
    prefix: Tensor | None
    pace: PaceMeter
    meter: ProgressMeter
    memory: PlannedMemory
    track: CaptionTrack
    decoder: ChunkDecoder
    steps: deque[_Step] = field(default_factory=deque)
    frames_begun: int = 0


class Job:
    """Executes a plan. ``events`` may be called once.

    Args:
        cache_dir: where the map for previews and the measured speeds are kept.
        preview: whether there are to be previews.
    """

    def __init__(
        self,
        models: ModelCache,
        plan: JobPlan,
        box: ControlBox,
        cache_dir: Path,
        preview: bool = False,
    ) -> None:
        self._models = models
        self._plan, self._request = plan, plan.request
        self._box = box
        self._cache_dir = cache_dir
        self._with_previews = preview
        self._previewer: Previewer | None = None
        self._stopwatch = Stopwatch()
        self._preparation = Preparation()
        self._output = VideoOutput(plan.request)

    def events(self) -> Iterator[Event]:
        """Do the work; ends with exactly one of Finished, Cancelled and Failed."""
        try:
            yield self._last_event((yield from self._attempt()))
        finally:
            # Also reached when the caller closes the generator.
            self._output.keep()

    def _attempt(self) -> Generator[Event, None, Exception | None]:
        """The work itself. Returns what ended it early, or None."""
        try:
            yield from self._run()
        except Exception as error:
            return error
        return None

    def _last_event(self, reason: Exception | None) -> Event:
        """Finalise the file, whatever has happened, and say how the job ended."""
        try:
            path = self._output.close()
        except Exception as error:
            # The first trouble is the one to report; a full disk often brings a second.
            reason = error if reason is None or isinstance(reason, JobCancelled) else reason
            path = self._output.keep()
        frames = self._output.frames_kept
        if reason is None:
            return Finished(path, frames, self._stopwatch.seconds)
        if isinstance(reason, JobCancelled):
            return Cancelled(path, frames)
        return Failed(told_error(reason), path, frames)

    def _run(self) -> Events:
        plan, request = self._plan, self._request
        # 1. Everything that can be refused without loading anything.
        yield from self._checkpoint()
        yield Planned(plan)
        if plan.impossible:
            raise OutOfMemoryError(plan.problem, plan.way_out)
        found = find_model(request.config_path or request.model, self._models.models_dir)
        for sentence in plan.notices:
            yield Notice(sentence)
        reference = None
        if request.reference is not None:
            yield StageStarted(Stage.READING_REFERENCE)
            reference = read_reference(request, plan.fps)
            yield from self._checkpoint()
        self._output.open(plan.fps, reference)

        # 2. The prompts. They come first: a large text encoder leaves before the model comes.
        device = choose_device(request.device)
        model = self._models.model(found, device, choose_dtype(request.dtype, device))
        model.choose_attention(request.attention)
        memory = PlannedMemory(model, plan.ways)
        if not model.dit_loaded:
            read_ahead([found.files.transformer, found.files.autoencoder])
        captions = yield from self._encode_prompts(model)
        # 3. The models, and the reference as latents.
        prefix = yield from self._load(model, reference, memory)
        # 4. The video.
        yield from self._warm_up(model, memory)
        yield from self._apply_prompt_changes(model, captions)
        yield StageStarted(Stage.SAMPLING)
        pace = PaceMeter(plan.config, model.vae.config, plan.costs)
        try:
            yield from self._sample(model, captions, prefix, pace, memory)
        finally:
            self._note_speed(model, pace)
            model.kernels.keep_timings()

    def _note_speed(self, model: LoadedModel, pace: PaceMeter) -> None:
        """Keep what was measured for estimates, also of a job that was stopped."""
        speed = pace.speed(self._preparation)
        if speed is None:
            return
        speeds = Speeds.load(self._cache_dir)
        name = device_name(model.device)
        speeds.note(self._plan.model, name, self._plan.dtype, pace.tokens, speed)
        speeds.save(self._cache_dir)

    def _checkpoint(self) -> Events:
        """Where the job may be stopped or may stand still."""
        self._box.raise_if_cancelled()
        if not self._box.paused:
            return
        self._stopwatch.pause()
        yield Paused()
        self._box.wait_while_paused()
        self._stopwatch.resume()
        self._box.raise_if_cancelled()
        yield Resumed()

    def _encode(self, model: LoadedModel, text: str) -> Generator[Event, None, Tensor]:
        """Embedding (L, C) of a prompt, on the CPU; says what of it is not read."""
        if sentence := prompt_warning(text):
            yield Notice(sentence)
        if not model.text.knows(text):
            if not model.text.loaded:
                yield StageStarted(Stage.LOADING_TEXT_ENCODER)
                with self._preparation.loading_text:
                    model.text.load()
                yield from self._checkpoint()
            yield StageStarted(Stage.ENCODING_PROMPT)
            with self._preparation.encoding:
                model.text.encode(text)  # which is known from now on
        encoded = model.text.encode(text)
        yield from self._checkpoint()
        if encoded.was_cut:
            yield Notice(
                Message(
                    "The prompt has {tokens} tokens; only the first {most} of them count.",
                    tokens=encoded.token_count,
                    most=len(encoded.embedding),
                )
            )
        return encoded.embedding

    def _encode_prompts(self, model: LoadedModel) -> Generator[Event, None, CaptionTrack]:
        track: CaptionTrack | None = None
        for change in self._request.prompts:
            caption = yield from self._encode(model, change.text)
            if track is None:
                track = model.caption_track(
                    caption, self._request.special_tokens, self._request.negative_tokens
                )
            else:
                track.change(change.chunk + self._plan.length.first_chunk, caption)
        model.text.release_if_large()
        assert track is not None  # check_prompts has seen a prompt for chunk 0
        return track

    def _load(
        self, model: LoadedModel, reference: Reference | None, memory: PlannedMemory
    ) -> Generator[Event, None, Tensor | None]:
        """Load what is not loaded yet and encode the reference, (1, 16, T, h, w) or None."""
        if not model.vae_loaded:
            yield StageStarted(Stage.LOADING_VAE)
            with self._preparation.loading:
                memory.run(model.load_vae)
            yield from self._checkpoint()
        prefix = None
        if reference is not None:
            yield StageStarted(Stage.ENCODING_REFERENCE)
            prefix = memory.run(model.encode, reference.frames[None])
            yield from self._checkpoint()
        if self._with_previews:
            self._previewer = memory.run(model.previewer, self._cache_dir)
        if not model.dit_loaded:
            yield StageStarted(Stage.LOADING_MODEL)
            if (why := model.kernels.slow_because) is not None:
                yield Notice(Message("The graphics card runs at half its speed. {why}.", why=why))
            with self._preparation.loading:
                memory.run(model.load_dit)
            yield from self._checkpoint()
        return prefix

    def _warm_up(self, model: LoadedModel, memory: PlannedMemory) -> Events:
        """Have everything compiled that is computed for the first time, if anything is."""
        from magi_engine.runtime.job.warm_up import warm_up

        settings = self._plan.settings
        height = self._request.height // model.pixels_per_latent
        width = self._request.width // model.pixels_per_latent
        size = height, width, settings, memory.placement, self._request.attention
        if not model.kernels.compiles or size in model.kernels.warm:
            return
        yield StageStarted(Stage.PREPARING_SIZE)
        chunks = self._plan.length.num_chunks
        steps = warm_up(model, memory, settings, height, width, chunks)
        left = True
        while left:
            with self._preparation.warming:
                left = next(steps, False)
            yield from self._checkpoint()
        model.kernels.warm.add(size)

    def _sample(
        self,
        model: LoadedModel,
        track: CaptionTrack,
        prefix: Tensor | None,
        pace: PaceMeter,
        memory: PlannedMemory,
    ) -> Events:
        from magi_engine.sampling.noise import SeededNoise
        from magi_engine.sampling.sampler import Sampler

        plan = self._plan
        making = _Making(
            model,
            prefix,
            pace,
            ProgressMeter(
                plan.length, plan.forwards, pace.operations, plan.num_steps, self._stopwatch
            ),
            memory,
            track,
            ChunkDecoder(model, memory),
        )
        steps = Sampler(model.dit, plan.settings, memory=memory).sample(
            height=self._request.height // model.pixels_per_latent,
            width=self._request.width // model.pixels_per_latent,
            captions=track,
            noise=SeededNoise(self._request.seed),
            num_chunks=plan.length.num_chunks,
            prefix=prefix,
        )
        with contextlib.closing(cast("Generator[StepDone | ChunkDone]", steps)) as sampling:
            # Whatever ends it, chunks that are being decoded are finished, so they are kept.
            try:
                yield from self._denoise(making, sampling)
            except GeneratorExit:
                for chunk in making.decoder.rest():
                    self._take(making, chunk)
                raise
            except JobCancelled:
                yield from self._take_all(making, making.decoder.rest())
                raise
            except Exception:
                with contextlib.suppress(Exception):
                    yield from self._take_all(making, making.decoder.rest())
                raise
            yield from self._take_all(making, making.decoder.rest())

    def _denoise(self, making: _Making, sampling: Iterator[StepDone | ChunkDone]) -> Events:
        from magi_engine.sampling.events import ChunkDone, StepDone

        while True:
            begun = making.model.kernels.streams.record()
            event = next(sampling, None)
            if isinstance(event, StepDone):
                making.steps.append(self._queued(making, event, begun))
            ahead = making.model.kernels.streams.steps_ahead if isinstance(event, StepDone) else 0
            while len(making.steps) > ahead:
                yield from self._step_done(making, making.steps.popleft())
                yield from self._between_steps(making)
            if event is None:
                return
            if isinstance(event, ChunkDone):
                yield from self._decode(making, event)
                yield from self._between_steps(making)

    def _queued(self, making: _Making, done: StepDone, begun: DeviceEvent) -> _Step:
        """A step that the device is asked for, with a picture of it if it is time for one."""
        latents = None
        if self._previewer is not None and self._previewer.due():
            latents = making.memory.run(self._preview_latents, making, done)
        return _Step(done, latents, begun, making.model.kernels.streams.record())

    def _preview_latents(self, making: _Making, done: StepDone) -> Tensor:
        oldest = self._of_result(making, done.forward.chunks[0], done.clean())
        return making.model.kernels.streams.to_host(oldest)

    def _step_done(self, making: _Making, step: _Step) -> Events:
        """Wait for a step and report it, and chunks that are decoded meanwhile."""
        while not step.done.is_done:
            yield from self._take_all(making, making.decoder.ready())
            time.sleep(_LOOK_AGAIN_S)
        event, length = step.event, self._plan.length
        took_s = step.done.seconds_since(step.begun)
        making.pace.step_done(event.forward, took_s)
        yield making.meter.step_done(event.forward, took_s, event.latents)
        yield from self._note_attention(making.model)
        if step.latents is not None and self._previewer is not None:
            frames = self._previewer.picture(step.latents)
            if length.num_frames is not None:
                left = length.num_frames - making.frames_begun
                frames = frames[: math.ceil(left / making.model.frames_per_latent)]
            yield PreviewReady(event.forward.chunks[0] - length.first_chunk, frames)
        yield from self._take_all(making, making.decoder.ready())

    def _between_steps(self, making: _Making) -> Events:
        """Obey what the job was told."""
        if self._box.paused:
            # Standing still means that the device does, too.
            while making.steps:
                yield from self._step_done(making, making.steps.popleft())
            yield from self._take_all(making, making.decoder.rest())
        if making.memory.take_news():
            slower = Message("There was too little graphics memory; the video goes on more slowly.")
            yield Notice(slower)
        self._output.check()
        yield from self._checkpoint()
        yield from self._apply_prompt_changes(making.model, making.track)

    def _decode(self, making: _Making, done: ChunkDone) -> Events:
        """Begin to decode a chunk; one at a time is under way."""
        yield from self._take_all(making, making.decoder.rest())
        index = done.index - self._plan.length.first_chunk
        latents = self._of_result(making, done.index, done.latents)
        making.meter.decoding_started(index)
        making.frames_begun += latents.shape[2] * making.model.frames_per_latent
        yield DecodingStarted(index)
        making.decoder.begin(index, latents)
        yield from self._take_all(making, making.decoder.ready())

    def _take_all(self, making: _Making, chunks: Iterator[DecodedChunk]) -> Events:
        for chunk in chunks:
            yield self._take(making, chunk)

    def _take(self, making: _Making, chunk: DecodedChunk) -> ChunkReady:
        """Put a decoded chunk into the file."""
        frames = chunk.frames()
        if self._previewer is not None:
            self._previewer.learn(chunk.latents, frames)
        first, wanted = self._output.frames, self._plan.length.num_frames
        if wanted is not None:
            frames = frames[: wanted - first]
        self._output.write(frames)
        took_s = chunk.seconds()
        if not chunk.beside:
            making.pace.chunk_done(chunk.latents.shape[2], took_s)
        making.meter.chunk_done(len(frames), took_s, chunk.beside)
        return ChunkReady(chunk.index, first, frames, chunk.latents)

    def _of_result(self, making: _Making, index: int, latents: Tensor) -> Tensor:
        """A chunk's latents as they belong into the result.

        The sampler puts an image back before every step, but its last step moves it once more;
        the result begins with the image itself.
        """
        length, prefix = self._plan.length, making.prefix
        if index != length.first_chunk:
            return latents
        if self._request.mode is Mode.I2V and prefix is not None:
            latents = latents.clone()
            latents[:, :, : prefix.shape[2]] = prefix
        return latents[:, :, length.skip_latents :]

    def _apply_prompt_changes(self, model: LoadedModel, track: CaptionTrack) -> Events:
        length = self._plan.length
        for change in self._box.take_prompts():
            caption = yield from self._encode(model, change.text)
            model.text.release_if_large()
            open_chunk = max(0, track.first_open_chunk - length.first_chunk)
            chunk = max(change.from_chunk, open_chunk)
            if length.result_chunks is not None and chunk >= length.result_chunks:
                yield Notice(
                    Message("The prompt stays as it was: no chunk is left that has not started.")
                )
                continue
            if chunk > change.from_chunk:
                yield Notice(
                    Message(
                        "That part has already started; the new prompt applies from {seconds} s "
                        "on.",
                        seconds=f"{self._plan.chunk(chunk).starts_s:.3g}",
                    )
                )
            track.change(chunk + length.first_chunk, caption)
            self._note_prompt(PromptChange(chunk, change.text))
            yield PromptChanged(chunk, change.text)

    def _note_attention(self, model: LoadedModel) -> Events:
        """Say, once and in the file too, when attention is not exact."""
        backend = model.kernels.quantised_attention
        if backend is not None and not self._request.quantised_attention:
            self._request = dataclasses.replace(self._request, quantised_attention=True)
            self._output.describe(self._request)
            yield AttentionQuantised(backend)

    def _note_prompt(self, change: PromptChange) -> None:
        """Keep the request, which ends up in the file, as the video was really made."""
        others = [p for p in self._request.prompts if p.chunk != change.chunk]
        prompts = tuple(sorted([*others, change], key=lambda p: p.chunk))
        self._request = dataclasses.replace(self._request, prompts=prompts)
        self._output.describe(self._request)
