"""The denoising loop (spec section 4)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from magi_engine.errors import InvalidRequestError
from magi_engine.model.captions import CaptionKeys, KnownCaptions
from magi_engine.model.dit import VideoDiT
from magi_engine.ops.backends import ChosenAttention
from magi_engine.ops.cuda_graphs import GraphRunner, Pause, capture_on
from magi_engine.ops.mesh import Exchange, Mesh
from magi_engine.sampling.cache import RollingCache, WindowAttention, attend_alone
from magi_engine.sampling.events import ChunkDone, StepDone
from magi_engine.sampling.memory import Memory, until_it_fits
from magi_engine.sampling.noise import NoiseSource
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.recorded import PausingAttention, PausingCaptions, Seen
from magi_engine.sampling.schedule import (
    CacheChunks,
    Direction,
    Forward,
    Pass,
    SamplerSettings,
    forwards,
    schedule_times,
    step_code,
)

_NEARLY_CLEAN_HISTORY_WEIGHT = 0.7
"""Share of the velocity with history for a nearly clean chunk of a distilled model."""


@dataclass(frozen=True)
class Task:
    """What all processes of a mesh know of a video before it begins.

    Attributes:
        layers: of the transformer that take part, the first ones.
        height, width, num_chunks, prefix: see :meth:`Sampler.sample`.
    """

    settings: SamplerSettings
    layers: int
    height: int
    width: int
    num_chunks: int | None
    prefix: Tensor | None


@dataclass(frozen=True)
class Decode:
    """What the leading process of a mesh tells the others to decode along, also between two
    forwards of a :class:`Task`.

    Attributes:
        latents: of a chunk, (1, 16, T, h, w), on the CPU.
        tiles_at_once: how the tiles are divided into batches.
    """

    latents: Tensor
    tiles_at_once: int


def next_task(mesh: Mesh) -> Task | Decode | None:
    """What the leading process says next; None: it has ended, as it says by calling this."""
    return mesh.agree(lambda: None)


@dataclass(frozen=True)
class _Decisions:
    """What only the leading process knows: see :meth:`Sampler.sample`."""

    videos: Sequence[tuple[CaptionTrack, NoiseSource]]
    direction: Direction | None


class Sampler:
    """Runs the transformer along the schedule.

    In a mesh of several the leading process samples, and the others follow.

    Args:
        model: the transformer, on its device.
        settings: see :class:`SamplerSettings`.
        on_forward: called before each forward of the schedule; for tracing.
        memory: what to do about memory; by default everything is on the device.
    """

    def __init__(
        self,
        model: VideoDiT,
        settings: SamplerSettings,
        on_forward: Callable[[Forward], None] | None = None,
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
        direction: Direction | None = None,
        along: Sequence[tuple[CaptionTrack, NoiseSource]] = (),
    ) -> Generator[StepDone | ChunkDone]:
        """Denoise chunk after chunk. Closing the iterator frees everything it holds.

        Args:
            height, width: of the latents; even.
            captions: a caption per chunk, may change while this runs.
            noise: starting noise of each denoised chunk.
            num_chunks: chunks in all, those of the prefix included; None = until closed.
            prefix: (1, 16, T, height, width) clean latents the video starts with; T = 1 is an
                image, which is part of the result.
            direction: what may still change; see :func:`forwards`.
            along: captions and noise of further videos with the same prefix that go through the
                transformer in one batch with the first, which is N = 1 + len(along) then. Of one
                chunk, by a single process.

        Raises:
            ValueError: a batch of more.
        """
        first = (0 if prefix is None else prefix.shape[2]) // self.settings.chunk_width
        if along and (self.model.mesh.size > 1 or num_chunks != first + 1):
            raise ValueError("a batch has one chunk and one process")
        layers = len(self.model.layers)
        task = Task(self.settings, layers, height, width, num_chunks, prefix)
        self.model.mesh.agree(
            lambda: replace(task, prefix=None if prefix is None else prefix.cpu())
        )
        yield from self._events(task, _Decisions([(captions, noise), *along], direction))

    def follow(self, task: Task, told: Callable[[Decode], None] | None = None) -> None:
        """Compute one's share of what the leading process samples, to its end.

        Args:
            told: is called with what is to be decoded between two forwards.
        """
        for _ in self._events(task, None, told):
            pass

    def _events(
        self,
        task: Task,
        decisions: _Decisions | None,
        told: Callable[[Decode], None] | None = None,
    ) -> Generator[StepDone | ChunkDone]:
        # Held by this frame alone: closing this generator ends that one and frees the run at once.
        events = self.memory.run(_Run, self, task, decisions, told).events()
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
        task: Task,
        decisions: _Decisions | None,
        told: Callable[[Decode], None] | None,
    ) -> None:
        settings, model = sampler.settings, sampler.model
        height, width = task.height, task.width
        num_chunks, prefix = task.num_chunks, task.prefix
        self.settings, self.model, self.on_forward = settings, model, sampler.on_forward
        self.memory, self.mesh = sampler.memory, model.mesh
        self.num_chunks, self._decisions, self._told = num_chunks, decisions, told
        self.device = model.device
        self.prefix = prefix  # stays where it is: only few chunks of it are looked at
        self.prefix_frames = 0 if prefix is None else prefix.shape[2]
        self.offset = self.prefix_frames // settings.chunk_width
        if num_chunks is not None and num_chunks <= self.offset:
            raise InvalidRequestError(
                "{chunks:chunk leaves|chunks leave} nothing to generate after the {given} "
                "of the clip it starts with.",
                "Ask for a longer video.",
                chunks=num_chunks,
                given=self.offset,
            )
        rest = None if prefix is None else prefix[:, :, self.offset * settings.chunk_width :]
        self.prefix_rest = rest if rest is None else rest.to(self.device, torch.float32)
        self.emit_from = 0 if self.prefix_frames == 1 else self.prefix_frames
        self.shape = (1, model.config.latent_channels, settings.chunk_width, height, width)
        self.times = schedule_times(settings.num_steps, settings.shortcut_mode)
        self.videos = 1 if decisions is None else len(decisions.videos)  # N
        self.latents: dict[int, Tensor] = {}  # chunk -> (N, 16, chunk_width, h, w), on the device
        self.noises: dict[int, Tensor] = {}  # what each chunk of the window began with
        self.chunk_captions: dict[int, list[CaptionKeys | None]] = {}
        self.cache = self._make_cache()
        # What may want more memory than there is comes before anything is agreed on.
        self._share_attention()
        plain = model.null_caption().cpu()
        null = self.mesh.agree(lambda: self.decisions.videos[0][0].null_caption(plain))
        self.null_keys = CaptionKeys(model, null.to(self.device))
        self.last_caption: tuple[Tensor, CaptionKeys] | None = None
        self.conditions: dict[tuple[float, bool, float], Tensor] = {}
        capture = capture_on(self.device) if self.memory.cuda_graphs else None
        self.graphs = GraphRunner[Seen](capture)
        self.memory.spare = self.graphs.forget
        self.bands = model.rope.bands.detach().cpu()

    @property
    def decisions(self) -> _Decisions:
        """Of the process that leads."""
        assert self._decisions is not None
        return self._decisions

    def _make_cache(self) -> RollingCache:
        chunks = CacheChunks.of(self.settings, self.num_chunks, self.prefix_frames)
        tokens = self.shape[2] * self.shape[3] * self.shape[4] // self.model.config.patch_size**2
        self.most_tokens = self.videos * chunks.forward * self.mesh.count(tokens)
        return RollingCache(
            self.model.config,
            chunks.kept,
            chunks.work,
            tokens,
            self.device,
            self.model.dtype,
            self.memory.cache_on_host,
            self.mesh,
        )

    def events(self) -> Generator[StepDone | ChunkDone]:
        with contextlib.closing(self.mesh.each(self._schedule())) as schedule:
            yield from self._executed(self._forwards_of(schedule))

    def _forwards_of(self, said: Iterator[Forward | Decode]) -> Iterator[Forward]:
        for item in said:
            if isinstance(item, Forward):
                yield item
            else:
                assert self._told is not None
                self._told(item)

    def _schedule(self) -> Iterator[Forward]:
        direction = self.decisions.direction
        yield from forwards(self.settings, self.num_chunks, self.prefix_frames, direction)

    def _executed(self, schedule: Iterator[Forward]) -> Iterator[StepDone | ChunkDone]:
        for forward in schedule:
            if self.on_forward is not None:
                self.on_forward(forward)
            # 1. What the forward is about: a chunk of the prefix, or the window with a new chunk.
            self._enter(forward)
            # 2. One step of every chunk in the window.
            moved, velocity = self._moved(forward)
            # From here on nothing computes, so that a forward is never executed twice.
            self.latents |= moved
            # A clean chunk has left its keys and values, which is all that is needed of it.
            if forward.clean is not None:
                del self.latents[forward.clean]
            if forward.fills_prefix:
                continue
            yield self._progress(forward, velocity)
            # 3. The oldest chunk leaves, if its steps are all done.
            if forward.finishes:
                yield self.memory.run(self._finished, forward.chunks[0])

    def _enter(self, forward: Forward) -> None:
        if forward.fills_prefix:
            assert self.prefix is not None
            width = self.settings.chunk_width
            frames = slice(forward.first * width, (forward.first + 1) * width)
            self.latents[forward.first] = self.prefix[:, :, frames].to(self.device, torch.float32)
        for chunk, step in zip(forward.chunks, forward.steps, strict=True):
            if step == 0:
                noise, captions = self.mesh.agree(partial(self._start_of, chunk))
                self.noises[chunk] = noise
                self.memory.run(self._begin, chunk, noise, captions)

    def _start_of(self, chunk: int) -> tuple[Tensor, list[Tensor | None]]:
        """Noise (N, 16, chunk_width, h, w) and captions that a chunk begins with."""
        noise, videos = self.noises.get(chunk), self.decisions.videos
        if noise is None:  # else it starts anew
            noise = torch.cat([source.next_chunk(self.shape) for _, source in videos])
        left = None if self.num_chunks is None else self.num_chunks - 1 - chunk
        return noise, [captions.start(chunk, left) for captions, _ in videos]

    def _begin(self, chunk: int, noise: Tensor, captions: list[Tensor | None]) -> None:
        self.chunk_captions[chunk] = [self._keys_of(caption) for caption in captions]
        if self.device.type == "cuda":
            noise = noise.pin_memory()  # so that the host need not wait for the copy
        self.latents[chunk] = noise.to(self.device, non_blocking=True)

    def _moved(self, forward: Forward) -> tuple[dict[int, Tensor], Tensor]:
        """:meth:`_step`, with less memory if it runs out; then in every process of a mesh."""
        step = lambda: self.memory.once(self._step, forward)  # noqa: E731
        return until_it_fits(
            lambda: self.mesh.attempt(step, partial(self._exchanges, forward)), self._with_less
        )

    def _with_less(self) -> bool:
        if not (self.memory.spare() or self.memory.step_down()):
            return False
        self._share_attention()  # one may have missed what was chosen in the forward
        return True

    def _share_attention(self) -> None:
        if isinstance(self.model.attention, ChosenAttention):
            self.model.attention.share(self.mesh)

    def _exchanges(self, forward: Forward) -> Iterator[Exchange]:
        config = self.model.config
        heads, kv = (
            n * config.kv_channels
            for n in (
                config.num_attention_heads // self.mesh.size,
                2 * self.mesh.groups(config.num_query_groups),
            )
        )
        tokens, dtype, device = self.cache.chunk_tokens, self.model.dtype, self.device
        pixels = config.patch_size**2 * config.out_channels
        for kind in forward.passes:
            alone = kind is Pass.ALONE
            chunks = len(forward.chunks if alone else forward.ranges)
            chunks += forward.copies_oldest and not alone
            by_chunk = not alone and self.mesh.by_chunk(chunks, tokens)
            for _ in self.model.layers:
                if by_chunk:
                    yield Exchange("to heads", chunks, tokens, kv, dtype, device)
                    yield from chunks * [Exchange("to heads", 1, tokens, heads, dtype, device)]
                    yield from chunks * [Exchange("to tokens", 1, tokens, heads, dtype, device)]
                else:
                    yield Exchange("to heads", chunks, tokens, heads + kv, dtype, device)
                    yield Exchange("to tokens", chunks, tokens, heads, dtype, device)
            yield Exchange("whole", chunks, tokens, pixels, torch.float32, device)

    def _step(self, forward: Forward) -> tuple[dict[int, Tensor], Tensor]:
        """Execute a forward: what it makes of its chunks, and the oldest denoised one's velocity,
        (N, 16, chunk_width, h, w).

        If memory runs out in it, nothing but keys and values of clean chunks has changed, and those
        come out the same again.
        """
        self._paste_prefix()
        velocity = self._velocity(forward)
        moved = {}
        for chunk, duration, v in zip(forward.chunks, forward.durations, velocity, strict=True):
            moved[chunk] = self.latents[chunk] + v * duration
        return moved, velocity[:1].flatten(0, 1)

    def _paste_prefix(self) -> None:
        rest = self.prefix_rest
        if self.offset in self.latents and rest is not None and rest.shape[2]:
            denoised = self.latents[self.offset][:, :, rest.shape[2] :]
            every = rest.expand(len(denoised), *rest.shape[1:])
            self.latents[self.offset] = torch.cat([every, denoised], dim=2)

    def _velocity(self, forward: Forward) -> Tensor:
        """Velocity of the denoised chunks, (R, N, 16, chunk_width, h, w)."""
        velocities = {
            kind: self._alone(forward) if kind is Pass.ALONE else self._together(forward, kind)
            for kind in forward.passes
        }
        if forward.scales:
            zero = torch.zeros_like(velocities[Pass.HISTORY])
            scales = torch.tensor(forward.scales).to(self.device)  # (R, 2)
            return combine(
                velocities.get(Pass.ALONE, zero),
                velocities[Pass.HISTORY],
                velocities.get(Pass.TEXT, zero),
                (scales[:, 0], scales[:, 1]),
            )
        velocity = velocities[forward.passes[0]]
        if forward.copies_oldest:
            weight = _NEARLY_CLEAN_HISTORY_WEIGHT
            velocity[0] = weight * velocity[0] + (1 - weight) * velocity[-1]
            return velocity[:-1]
        return velocity

    def _alone(self, forward: Forward) -> Tensor:
        """Velocity of each denoised chunk by itself, without caption. (R, N, 16, T, h, w)."""
        count = len(forward.chunks)
        times = torch.tensor(forward.timesteps[-count:]).repeat_interleave(self.videos)[:, None]
        velocity = self._compute(
            torch.cat([self.latents[c] for c in forward.chunks]),
            times,
            [None] * len(times),
            [0],
            None,
            self._condition(times, True, forward.interval),
        )
        return velocity.unflatten(0, (count, self.videos))

    def _together(self, forward: Forward, kind: Pass) -> Tensor:
        """Velocity of the denoised chunks, and of the copy of the oldest; (R, N, 16, T, h, w)."""
        skipped = int(forward.clean is not None)
        chunks = list(range(forward.first, forward.first + len(forward.ranges)))
        positions, times = list(chunks), list(forward.timesteps)
        ranges = list(forward.ranges)
        if forward.copies_oldest:
            behind = chunks[-1] + 1
            chunks.append(forward.chunks[0])
            positions.append(behind)
            times.append(times[skipped])
            ranges.append((behind, behind + 1))
        latents = torch.cat([self.latents[c] for c in chunks], dim=2)
        captions: list[CaptionKeys | None] = []  # of the chunks of each video in turn
        for video in range(len(latents)):
            texts = [self.chunk_captions[c][video] for c in chunks[skipped:]]
            captions += [None] * skipped
            captions += texts if kind is Pass.TEXT else [None] * len(texts)
        timesteps = torch.tensor([times] * len(latents))  # (N, R), on the CPU: the host looks
        velocity = self._compute(
            latents,
            timesteps,
            captions,
            positions,
            self._window_attention(forward.first, ranges, bool(skipped)),
            self._condition(timesteps, kind is not Pass.TEXT, forward.interval),
        )
        return velocity.unflatten(2, (len(chunks), -1)).movedim(2, 0)[skipped:]

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
        alone = partial(attend_alone, mesh=self.mesh, tokens=self.cache.chunk_tokens)
        attend = alone if attention is None else attention
        seen = Seen(attend, KnownCaptions(keys, self.model.attention))

        def velocity(
            pause: Pause[Seen] | None, x: Tensor, condition: Tensor, cos: Tensor, sin: Tensor
        ) -> Tensor:
            return self.model.velocity_of(
                x,
                seen.captions if pause is None else PausingCaptions(pause),
                condition,
                (cos, sin),
                attend if pause is None else PausingAttention(pause, seen, self._shared),
            )

        chunks, shape = times.shape[1], latents.shape
        own = self.model.own_tokens(latents, chunks)
        inputs = own, condition, *self.model.rotary(positions, shape, self.bands)
        x = self.graphs.run(attention is None, velocity, inputs, seen)
        return self.model.whole_velocity(x, shape, chunks)

    def _shared(self, name: str, shape: tuple[int, int]) -> Tensor:
        """See :class:`PausingAttention`."""
        config = self.model.config
        heads = config.num_query_groups if name in ("k", "v") else config.num_attention_heads
        room = self.graphs.shared(
            name,
            lambda: torch.empty(
                (self.most_tokens, heads, config.kv_channels),
                device=self.device,
                dtype=self.model.dtype,
            ),
        )
        return room[: shape[0] * shape[1]].unflatten(0, shape)

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

    def _progress(self, forward: Forward, velocity: Tensor) -> StepDone:
        window = [self.latents[c] for c in forward.chunks]
        left = 1 - self.times[forward.steps[0] + 1]
        skip = self._prefix_frames_of(forward.chunks[0])
        return StepDone(
            forward,
            lambda: torch.cat(window),
            lambda: (window[0] + velocity * left)[:, :, skip:],
        )

    def _finished(self, chunk: int) -> ChunkDone:
        # The chunk stays for the clean read; a copy leaves.
        copy = self.latents[chunk][:, :, self._prefix_frames_of(chunk) :].clone()
        del self.chunk_captions[chunk], self.noises[chunk]
        return ChunkDone(chunk, copy)

    def _prefix_frames_of(self, chunk: int) -> int:
        return max(0, self.emit_from - chunk * self.settings.chunk_width)


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)


def combine(
    unconditional: Tensor, history: Tensor, history_and_text: Tensor, scales: tuple[Tensor, Tensor]
) -> Tensor:
    """Guided velocity of R chunks.

    Args:
        unconditional: each chunk alone, without caption.
        history: with the chunks before it, without caption.
        history_and_text: with both. All are (R, ..., 16, chunk_width, h, w).
        scales: history and text scale, (R,) each.
    """
    ones = [1] * (history.dim() - 1)
    p, c = (scale.view(-1, *ones) for scale in scales)
    return (1 - p) * unconditional + (p - c) * history + c * history_and_text
