"""The denoising loop (spec section 4)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from magi_engine.config.official import MagiConfig
from magi_engine.errors import InvalidRequestError
from magi_engine.model.captions import CaptionKeys, KnownCaptions
from magi_engine.model.dit import VideoDiT
from magi_engine.ops.cuda_graphs import GraphRunner, capture_on
from magi_engine.sampling.cache import RollingCache, WindowAttention, attend_alone
from magi_engine.sampling.events import (
    ChunkDone,
    ChunkStep,
    ForwardTrace,
    Pass,
    StepDone,
)
from magi_engine.sampling.guidance import GuidanceScales, combine
from magi_engine.sampling.memory import Memory
from magi_engine.sampling.noise import NoiseSource
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.schedule import (
    check_steps,
    step_code,
    step_intervals,
    timestep_schedule,
)
from magi_engine.sampling.window import CacheChunks, HistoryRule, Stage, stages

_NEARLY_CLEAN_HISTORY_WEIGHT = 0.7
"""Share of the velocity with history for a nearly clean chunk of a distilled model."""


@dataclass(frozen=True)
class SamplerSettings:
    """Everything that decides how latents are made; names are the official configuration's."""

    num_steps: int
    window_size: int
    cfg_number: int
    cfg_t_range: tuple[float, ...]
    prev_chunk_scales: tuple[float, ...]
    text_scales: tuple[float, ...]
    noise2clean_kvrange: tuple[int, ...]
    clean_chunk_kvrange: int
    clean_t: float
    chunk_width: int
    shortcut_mode: str
    distill: bool
    distill_nearly_clean_chunk_threshold: float

    def __post_init__(self) -> None:
        check_steps(self.num_steps, self.window_size, max(1, len(self.noise2clean_kvrange)))

    @classmethod
    def from_config(cls, config: MagiConfig) -> SamplerSettings:
        """The settings an official configuration asks for."""
        runtime, engine = config.runtime_config, config.engine_config
        return cls(
            num_steps=runtime.num_steps,
            window_size=runtime.window_size,
            cfg_number=runtime.cfg_number,
            cfg_t_range=tuple(runtime.cfg_t_range),
            prev_chunk_scales=tuple(runtime.prev_chunk_scales),
            text_scales=tuple(runtime.text_scales),
            noise2clean_kvrange=tuple(runtime.noise2clean_kvrange),
            clean_chunk_kvrange=runtime.clean_chunk_kvrange,
            clean_t=runtime.clean_t,
            chunk_width=runtime.chunk_width,
            shortcut_mode=engine.shortcut_mode,
            distill=engine.distill,
            distill_nearly_clean_chunk_threshold=engine.distill_nearly_clean_chunk_threshold,
        )


class Sampler:
    """Runs the transformer along the schedule.

    Args:
        model: the transformer, on its device.
        settings: see :class:`SamplerSettings`.
        on_forward: called before each forward of the transformer; for tracing.
        memory: what to do about memory; by default everything is on the device.
    """

    def __init__(
        self,
        model: VideoDiT,
        settings: SamplerSettings,
        on_forward: Callable[[ForwardTrace], None] | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.model = model
        self.settings = settings
        self.on_forward = on_forward
        self.memory = memory or Memory()

    def sample(
        self,
        *,
        height: int,
        width: int,
        captions: CaptionTrack,
        noise: NoiseSource,
        num_chunks: int | None,
        prefix: Tensor | None = None,
    ) -> Iterator[StepDone | ChunkDone]:
        """Denoise chunk after chunk. Closing the iterator frees everything it holds.

        Args:
            height, width: of the latents; even.
            captions: a caption per chunk, may change while this runs.
            noise: starting noise of each denoised chunk.
            num_chunks: chunks in all, those of the prefix included; None = until closed.
            prefix: (1, 16, T, height, width) clean latents the video starts with; T = 1 is an
                image, which is part of the result.
        """
        # Held by this frame alone: closing this generator ends that one and frees the run at once.
        run = self.memory.run
        events = run(_Run, self, height, width, captions, noise, num_chunks, prefix).events()
        # Not a decorator: a generator must not leave inference mode switched on between steps.
        while True:
            with torch.inference_mode():
                event = next(events, None)
            if event is None:
                return
            yield event


class _Run:
    """The state of one video in the making."""

    def __init__(
        self,
        sampler: Sampler,
        height: int,
        width: int,
        captions: CaptionTrack,
        noise: NoiseSource,
        num_chunks: int | None,
        prefix: Tensor | None,
    ) -> None:
        settings, model = sampler.settings, sampler.model
        self.settings, self.model, self.on_forward = settings, model, sampler.on_forward
        self.memory = sampler.memory
        self.captions, self.noise, self.num_chunks = captions, noise, num_chunks
        self.device = model.device
        self.prefix = None if prefix is None else prefix.to(self.device, torch.float32)
        prefix_frames = 0 if prefix is None else prefix.shape[2]
        self.offset = prefix_frames // settings.chunk_width
        if num_chunks is not None and num_chunks <= self.offset:
            raise InvalidRequestError(
                "{chunks} chunks leave nothing to generate after the {given} of the clip it "
                "starts with.",
                "Ask for a longer video.",
                chunks=num_chunks,
                given=self.offset,
            )
        self.emit_from = 0 if prefix_frames == 1 else prefix_frames
        self.shape = (1, model.config.latent_channels, settings.chunk_width, height, width)
        self.times = timestep_schedule(settings.num_steps, settings.shortcut_mode)
        self.intervals = step_intervals(
            settings.num_steps, settings.window_size, settings.shortcut_mode
        )
        self.scales = GuidanceScales(
            settings.cfg_t_range, settings.prev_chunk_scales, settings.text_scales
        )
        self.rule = HistoryRule(
            settings.noise2clean_kvrange, settings.clean_chunk_kvrange, settings.num_steps
        )
        self.latents: dict[int, Tensor] = {}  # chunk -> (1, 16, chunk_width, h, w), on the device
        self.chunk_captions: dict[int, CaptionKeys | None] = {}
        self.null_keys = CaptionKeys(model, captions.null_caption(model.null_caption()))
        self.last_caption: tuple[Tensor, CaptionKeys] | None = None
        self.conditions: dict[tuple[float, bool, float], Tensor] = {}
        self.cache = self._make_cache()
        self.graphs = GraphRunner(capture_on(self.device) if self.memory.cuda_graphs else None)
        self.memory.spare = self.graphs.forget
        self.bands = model.rope.bands.detach().cpu()

    def _stages(self) -> Iterator[Stage]:
        s = self.settings
        return stages(self.num_chunks, s.num_steps, s.window_size, self.offset)

    def _make_cache(self) -> RollingCache:
        s = self.settings
        if self.num_chunks is None and not s.noise2clean_kvrange:
            raise InvalidRequestError(
                "A video without end cannot look back to its beginning.",
                "Give a number of chunks, or limit the KV range.",
            )
        chunks = CacheChunks.of(
            self.rule, s.window_size, self.num_chunks, self.offset, copies=s.cfg_number == 1
        )
        tokens = s.chunk_width * self.shape[3] * self.shape[4] // self.model.config.patch_size**2
        return RollingCache(
            self.model.config,
            chunks.kept,
            chunks.work,
            tokens,
            self.device,
            self.model.dtype,
            self.memory.cache_on_host,
        )

    def events(self) -> Iterator[StepDone | ChunkDone]:
        # 1. Whole chunks of the prefix only fill the cache.
        self.memory.run(self._read_prefix)
        for stage in self._stages():
            # 2. The window moves on: let a new chunk in.
            self._enter(stage)
            for index in range(stage.length):
                # 3. One step of every chunk in the window.
                velocity = self.memory.run(self._step, stage, index)
                yield self._progress(stage, index, velocity)
            # 4. The oldest chunk leaves, if its steps are all done.
            if stage.steps[0] + stage.length == self.settings.num_steps:
                yield self.memory.run(self._finished, stage.first)

    def _read_prefix(self) -> None:
        # Clean chunks see nothing that comes after them, so they can go one by one.
        width = self.settings.chunk_width
        interval = self.intervals[0]
        for chunk in self.rule.prefix_read(next(self._stages())):
            assert self.prefix is not None
            clean = self.prefix[:, :, chunk * width : (chunk + 1) * width]
            ranges = [(self.rule.first_seen_in_prefix(chunk), chunk + 1)]
            time = torch.tensor([[self.settings.clean_t]])
            kind = Pass.HISTORY if self.settings.cfg_number == 3 else Pass.TEXT
            self._trace(kind, time, chunk, ranges, fills_prefix=True, interval=interval)
            self._compute(
                clean,
                time,
                [None],
                [chunk],
                self._window_attention(chunk, ranges, True),
                self._condition(time, self.settings.cfg_number == 3, interval),
            )

    def _enter(self, stage: Stage) -> None:
        for chunk in stage.chunks:
            if chunk not in self.latents:
                noise = self.noise.next_chunk(self.shape)
                left = None if self.num_chunks is None else self.num_chunks - 1 - chunk
                caption = self.captions.start(chunk, left)
                self.memory.run(self._begin, chunk, noise, caption)

    def _begin(self, chunk: int, noise: Tensor, caption: Tensor | None) -> None:
        self.chunk_captions[chunk] = self._keys_of(caption)
        if self.device.type == "cuda":
            noise = noise.pin_memory()  # so that the host need not wait for the copy
        self.latents[chunk] = noise.to(self.device, non_blocking=True)

    def _step(self, stage: Stage, index: int) -> Tensor:
        """One step of the window; the oldest chunk's velocity, (1, 16, chunk_width, h, w).

        If memory runs out in it, nothing but keys and values of clean chunks has changed, and those
        come out the same again.
        """
        self._paste_prefix()
        reread = stage.rereads_clean and index == 0
        velocity = self._velocity(stage, index, reread)
        moved = {}
        for chunk, start, v in zip(stage.chunks, stage.steps, velocity, strict=True):
            duration = self.times[start + index + 1] - self.times[start + index]
            moved[chunk] = self.latents[chunk] + v[None] * duration.item()
        self.latents |= moved
        if reread:
            del self.latents[stage.first - 1]
        return velocity[:1]

    def _paste_prefix(self) -> None:
        if self.prefix is None:
            return
        width = self.settings.chunk_width
        rest = self.prefix[:, :, self.offset * width :]
        if self.offset in self.latents and rest.shape[2]:
            denoised = self.latents[self.offset][:, :, rest.shape[2] :]
            self.latents[self.offset] = torch.cat([rest, denoised], dim=2)

    def _velocity(self, stage: Stage, index: int, reread: bool) -> Tensor:
        """Velocity of the window's chunks, (R, 16, chunk_width, h, w)."""
        steps = [start + index for start in stage.steps]
        times = self.times[steps][None]  # (1, R), on the CPU: the host looks at them
        ranges = [
            (self.rule.first_seen(c, s), c + 1) for c, s in zip(stage.chunks, steps, strict=True)
        ]
        captions = [self.chunk_captions[c] for c in stage.chunks]
        first = stage.first
        if reread:
            first -= 1
            clean_time = torch.full((1, 1), self.settings.clean_t)
            times = torch.cat([clean_time, times], dim=1)
            ranges.insert(0, (self.rule.first_seen_clean(first), first + 1))
            captions.insert(0, None)
        window = _Window(first, stage.last, times, ranges, captions, reread)
        interval = self.intervals[index]
        if self.settings.cfg_number == 3:
            return self._guided(window, interval)
        return self._distilled(window, interval)

    def _guided(self, window: _Window, interval: float) -> Tensor:
        times = window.times[0, int(window.reread) :]
        history_scale, text_scale = self.scales.at(times)
        # A pass whose weight is zero for every chunk changes nothing and is left out: towards
        # the end of the schedule the released scales need one pass of the three.
        with_text = alone = None
        if bool((text_scale != 0).any()):
            with_text = self._forward(window, interval, unconditional=False)
        # This pass comes second: its keys and values are the ones that stay in the cache.
        no_text = dataclasses.replace(window, captions=[None] * len(window.captions))
        with_history = self._forward(no_text, interval, unconditional=True)
        if bool((history_scale != 1).any()):
            alone = self._alone(window, times, interval)
        zero = torch.zeros_like(with_history)
        return combine(
            zero if alone is None else alone,
            with_history,
            zero if with_text is None else with_text,
            (history_scale.to(self.device), text_scale.to(self.device)),
        )

    def _alone(self, window: _Window, times: Tensor, interval: float) -> Tensor:
        """Velocity of each noisy chunk by itself, without caption. (R, 16, T, h, w)."""
        chunks = range(window.first + window.reread, window.last)
        ranges = [(c, c + 1) for c in chunks]
        self._trace(Pass.ALONE, times[None], chunks[0], ranges, interval=interval)
        return self._compute(
            torch.cat([self.latents[c] for c in chunks]),
            times[:, None],
            [None] * len(chunks),
            [0],
            None,
            self._condition(times[:, None], True, interval),
        )

    def _distilled(self, window: _Window, interval: float) -> Tensor:
        oldest_time = window.times[0, int(window.reread)].item()
        if oldest_time <= self.settings.distill_nearly_clean_chunk_threshold:
            return self._forward(window, interval, unconditional=False)
        velocity = self._forward(window, interval, unconditional=False, nearly_clean_copy=True)
        weight = _NEARLY_CLEAN_HISTORY_WEIGHT
        velocity[0] = weight * velocity[0] + (1 - weight) * velocity[-1]
        return velocity[:-1]

    def _forward(
        self,
        window: _Window,
        interval: float,
        *,
        unconditional: bool,
        nearly_clean_copy: bool = False,
    ) -> Tensor:
        """One pass over the window; the clean chunk's velocity is dropped. (R, 16, T, h, w)."""
        chunks = list(range(window.first, window.last))
        positions, times = list(chunks), window.times
        ranges, captions = list(window.ranges), list(window.captions)
        self._trace(
            Pass.HISTORY if unconditional else Pass.TEXT,
            times,
            window.first,
            ranges,
            window.reread,
            nearly_clean_copy,
            interval=interval,
        )
        if nearly_clean_copy:
            oldest = int(window.reread)
            chunks.append(chunks[oldest])
            positions.append(window.last)
            times = torch.cat([times, times[:, oldest : oldest + 1]], dim=1)
            ranges.append((window.last, window.last + 1))
            captions.append(captions[oldest])
        velocity = self._compute(
            torch.cat([self.latents[c] for c in chunks], dim=2),
            times,
            captions,
            positions,
            self._window_attention(window.first, ranges, window.reread),
            self._condition(times, unconditional, interval),
        )
        by_chunk = velocity[0].unflatten(1, (len(chunks), -1)).transpose(0, 1)
        return by_chunk[int(window.reread) :]

    def _window_attention(
        self, first: int, ranges: list[tuple[int, int]], keeps_first: bool
    ) -> WindowAttention:
        if self.memory.cache_on_host:
            self.cache.move_to_host()
        return WindowAttention(self.cache, first, ranges, self.model.attention, keeps_first)

    def _compute(
        self,
        latents: Tensor,
        times: Tensor,
        captions: list[CaptionKeys | None],
        positions: list[int],
        attention: WindowAttention | None,
        condition: Tensor,
    ) -> Tensor:
        """A forward of the transformer.

        Args:
            attention: None: each video attends to itself.
        """
        keys = [self.null_keys if c is None else c for c in captions]
        attend = attend_alone if attention is None else attention

        def forward(x: Tensor, condition: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
            return self.model(
                x,
                times,
                KnownCaptions(keys, self.model.attention),
                chunk_positions=positions,
                attend=attend,
                condition=condition,
                rotary=(cos, sin),
            )

        rotary = self.model.rotary(positions, latents.shape, self.bands)
        pattern = None if attention is None else attention.pattern
        return self.graphs.run(pattern, keys, forward, (latents, condition, *rotary))

    def _keys_of(self, caption: Tensor | None) -> CaptionKeys | None:
        """A caption's keys; those of the chunk before, if it had the same one."""
        if caption is None:
            return None
        if self.last_caption is None or not _equal(self.last_caption[0], caption):
            embedding = caption.to(self.device, torch.float32)
            self.last_caption = caption, CaptionKeys(self.model, embedding)
        return self.last_caption[1]

    def _condition(self, times: Tensor, unconditional: bool, interval: float) -> Tensor:
        """The embedded times (N, R, D/4); each is computed once in a run."""
        rows = []
        for time in times.flatten().tolist():
            key = (time, unconditional, interval)
            if key not in self.conditions:
                step = torch.tensor([[time]], device=self.device)
                code = self._step_code(interval)
                self.conditions[key] = self.model.condition(step, unconditional, code)[0, 0]
            rows.append(self.conditions[key])
        return torch.stack(rows).unflatten(0, times.shape)

    def _step_code(self, interval: float) -> Tensor | None:
        if not self.settings.distill:
            return None
        code = step_code(self.settings.num_steps, interval)
        return torch.tensor(code, device=self.device, dtype=torch.float32)

    def _trace(
        self,
        kind: Pass,
        times: Tensor,
        first: int,
        ranges: list[tuple[int, int]],
        rereads_clean: bool = False,
        nearly_clean: bool = False,
        fills_prefix: bool = False,
        interval: float = 1.0,
    ) -> None:
        if self.on_forward is not None:
            self.on_forward(
                ForwardTrace(
                    kind,
                    tuple(times[0].tolist()),
                    first,
                    tuple(ranges),
                    rereads_clean,
                    nearly_clean,
                    fills_prefix,
                    interval,
                )
            )

    def _progress(self, stage: Stage, index: int, velocity: Tensor) -> StepDone:
        chunks = tuple(
            ChunkStep(c, s + index + 1) for c, s in zip(stage.chunks, stage.steps, strict=True)
        )
        window = [self.latents[c] for c in stage.chunks]
        left = (1 - self.times[chunks[0].step]).item()
        skip = self._prefix_frames_of(stage.first)
        return StepDone(
            chunks,
            self.settings.num_steps,
            lambda: torch.cat(window),
            lambda: (window[0] + velocity * left)[:, :, skip:],
        )

    def _finished(self, chunk: int) -> ChunkDone:
        del self.chunk_captions[chunk]
        # The chunk stays for the clean read; a copy leaves.
        return ChunkDone(chunk, self.latents[chunk][:, :, self._prefix_frames_of(chunk) :].clone())

    def _prefix_frames_of(self, chunk: int) -> int:
        return max(0, self.emit_from - chunk * self.settings.chunk_width)


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)


@dataclass(frozen=True)
class _Window:
    """The input of one step: chunks ``first .. last - 1`` (with the clean one, if re-read)."""

    first: int
    last: int
    times: Tensor
    ranges: list[tuple[int, int]]
    captions: list[CaptionKeys | None]
    reread: bool
