"""One generation from the request to the file, as a generator of events."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from magi_engine.messages import Message
from magi_engine.runtime.job.captions import Captions
from magi_engine.runtime.job.control import Events, JobControl
from magi_engine.runtime.job.denoising import Denoising
from magi_engine.runtime.job.events import (
    Cancelled,
    Event,
    Failed,
    Finished,
    Notice,
    Planned,
    Stage,
    StageStarted,
)
from magi_engine.runtime.job.latents import KeptLatents
from magi_engine.runtime.job.output import VideoOutput
from magi_engine.runtime.job.pace import PaceMeter, Preparation
from magi_engine.runtime.job.warm_up import warm_up
from magi_engine.runtime.machine.devices import choose_device, choose_dtype
from magi_engine.runtime.machine.facts import device_name
from magi_engine.runtime.machine.speeds import Speeds, several
from magi_engine.runtime.models.loaded import LoadedModel, ModelCache
from magi_engine.runtime.models.memory import PlannedMemory
from magi_engine.runtime.models.preview import Previewer
from magi_engine.runtime.models.ranks import Ranks, Team
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.planning.possible import model_of
from magi_engine.runtime.process.control import ControlBox, JobCancelled
from magi_engine.runtime.process.errors import told_error
from magi_engine.runtime.request.batch import FirstChunks
from magi_engine.runtime.request.references import Reference, read_reference
from magi_engine.takes.store import TakeStore
from magi_engine.weights.layout import FoundModel
from magi_engine.weights.read_ahead import read_ahead

_LOOK_AGAIN_S = 0.02
"""While other processes load their models."""


class Job:
    """Executes a plan. ``events`` may be called once.

    Args:
        ranks: the processes of further cards.
        cache_dir: where the map for previews and the measured speeds are kept.
        takes: where the latents of videos are kept.
        first_chunks: of videos that were sampled along with an earlier one.
        preview: whether there are to be previews.
    """

    def __init__(
        self,
        models: ModelCache,
        ranks: Ranks,
        plan: JobPlan,
        box: ControlBox,
        cache_dir: Path,
        takes: TakeStore,
        first_chunks: FirstChunks,
        preview: bool = False,
    ) -> None:
        self._models, self._ranks = models, ranks
        self._plan = plan
        self._control = JobControl(box)
        self._cache_dir = cache_dir
        self._with_previews = preview
        self._preparation = Preparation()
        self._latents, self._first_chunks = KeptLatents(plan, takes), first_chunks
        known = {
            "chunk_frames": plan.length.chunk_frames,
            "first_frames": plan.length.first_frames,
            "take": self._latents.name,
        }
        self._output = VideoOutput(replace(plan.request, along=(), **known), self._latents)

    def events(self) -> Iterator[Event]:
        """Do the work; ends with exactly one of Finished, Cancelled and Failed."""
        try:
            last = self._last_event((yield from self._attempt()))
            if problem := self._latents.take_problem():  # of the last chunk
                yield Notice(problem)
            yield last
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
        # One without an end is all there when it is stopped.
        endless = isinstance(reason, JobCancelled) and self._plan.request.num_frames is None
        try:
            path = self._output.close(whole=reason is None or endless)
        except Exception as error:
            # The first trouble is the one to report; a full disk often brings a second.
            reason = error if reason is None or isinstance(reason, JobCancelled) else reason
            path = self._output.keep()
        frames = self._output.frames_kept
        if reason is None:
            return Finished(path, frames, self._control.stopwatch.seconds)
        if isinstance(reason, JobCancelled):
            return Cancelled(path, frames)
        return Failed(told_error(reason), path, frames)

    def _run(self) -> Events:
        plan, request = self._plan, self._plan.request
        # 1. Everything that can be refused without loading anything.
        yield from self._control.checkpoint()
        yield Planned(plan)
        found = model_of(plan, self._models.models_dir)
        for sentence in plan.notices:
            yield Notice(sentence)
        reference = None
        if request.reference is not None and request.start is None:
            yield StageStarted(Stage.READING_REFERENCE)
            reference = read_reference(request, plan.fps)
            yield from self._control.checkpoint()
        self._output.open(plan.fps, reference)
        with self._ranks.of(plan) as team:
            yield from self._make(found, reference, team)

    def _make(self, found: FoundModel, reference: Reference | None, team: Team) -> Events:
        plan, request = self._plan, self._plan.request
        # 2. The prompts. They come first: a large text encoder leaves before the model comes.
        device = choose_device(plan.devices[0] if len(plan.devices) > 1 else request.device)
        if device.type == "cuda":
            torch.cuda.set_device(device)  # of this thread, for whatever does not say which
        model = self._models.model(found, device, choose_dtype(request.dtype, device))
        model.choose_attention(request.attention)
        memory = PlannedMemory(model, plan.ways)
        if not model.dit_loaded:
            read_ahead([found.files.transformer, found.files.autoencoder])
        captions = Captions(plan, model, self._output, self._control, self._preparation)
        yield from captions.encode_all()
        # 3. The models, and the reference as latents.
        prefix = yield from self._load_autoencoder(model, reference, memory)
        if (shared := self._latents.start()) is not None:
            # A copy in PyTorch's own memory: sums may depend on where numbers lie.
            prefix = torch.tensor(shared)
        elif prefix is not None:
            self._latents.prefix = prefix.float().cpu().numpy()
        previewer = None
        if self._with_previews:
            previewer = memory.run(model.previewer, self._cache_dir)
        yield from self._load_transformer(model, memory)
        while not team.there:
            yield from self._control.checkpoint()
            time.sleep(_LOOK_AGAIN_S)
        # 4. The video.
        with model.in_mesh(team.join()):
            yield from self._sample(model, memory, captions, prefix, previewer, team)

    def _sample(
        self,
        model: LoadedModel,
        memory: PlannedMemory,
        captions: Captions,
        prefix: Tensor | None,
        previewer: Previewer | None,
        team: Team,
    ) -> Events:
        plan = self._plan
        yield from self._warm_up(model, memory)
        yield from captions.apply_changes()
        yield StageStarted(Stage.SAMPLING)
        pace = PaceMeter(plan.config, model.vae.config, plan.costs)
        denoising = Denoising(
            plan,
            model,
            memory,
            captions,
            prefix,
            previewer,
            self._output,
            self._latents,
            self._first_chunks,
            self._control,
            pace,
            team,
        )
        try:
            yield from denoising.events()
        finally:
            self._note_speed(model, pace)
            model.kernels.keep_timings()

    def _note_speed(self, model: LoadedModel, pace: PaceMeter) -> None:
        """Keep what was measured for estimates, also of a job that was stopped."""
        speed = pace.speed(self._preparation)
        if speed is None:
            return
        speeds = Speeds.load(self._cache_dir)
        name = several(len(self._plan.devices), device_name(model.device))
        speeds.note(self._plan.model, name, self._plan.dtype, pace.tokens, speed)
        speeds.save(self._cache_dir)

    def _load_autoencoder(
        self, model: LoadedModel, reference: Reference | None, memory: PlannedMemory
    ) -> Generator[Event, None, Tensor | None]:
        """Load the autoencoder and encode the reference, (1, 16, T, h, w) or None."""
        if not model.vae_loaded:
            yield StageStarted(Stage.LOADING_VAE)
            with self._preparation.loading:
                memory.run(model.load_vae)
            yield from self._control.checkpoint()
        prefix = None
        if reference is not None:
            yield StageStarted(Stage.ENCODING_REFERENCE)
            prefix = memory.run(model.encode, reference.frames[None])
            yield from self._control.checkpoint()
        return prefix

    def _load_transformer(self, model: LoadedModel, memory: PlannedMemory) -> Events:
        if not model.dit_loaded:
            yield StageStarted(Stage.LOADING_MODEL)
            if (why := model.kernels.slow_because) is not None:
                slow = Message("The graphics card is slower than it could be. {why}.", why=why)
                yield Notice(slow)
            with self._preparation.loading:
                memory.run(model.load_dit)
            yield from self._control.checkpoint()

    def _warm_up(self, model: LoadedModel, memory: PlannedMemory) -> Events:
        """Have everything compiled that is computed for the first time, if anything is."""
        settings, request = self._plan.settings, self._plan.request
        height = request.height // model.pixels_per_latent
        width = request.width // model.pixels_per_latent
        chunks = min(self._plan.length.num_chunks or math.inf, settings.window_size + 1)
        way = replace(memory.placement, device_bytes=0, host_bytes=0)
        size = height, width, settings, chunks, way, request.attention
        known = self._first_chunks.holds(request)
        if known or not model.kernels.compiles or size in model.kernels.warm:
            return
        yield StageStarted(Stage.PREPARING_SIZE)
        steps = warm_up(model, memory, settings, height, width, self._plan.length.num_chunks)
        left = True
        with contextlib.closing(steps):
            while left:
                with self._preparation.warming:
                    left = next(steps, False)
                yield from self._control.checkpoint()
        model.kernels.warm.add(size)
