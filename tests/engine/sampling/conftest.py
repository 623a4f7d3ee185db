"""A toy sampler: a tiny random transformer, random captions, and latents of 24 tokens a chunk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialToken, SpecialTokens
from magi_engine.sampling.events import ChunkDone, StepDone
from magi_engine.sampling.memory import Memory
from magi_engine.sampling.noise import NoiseSource, SeededNoise
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import Direction, Forward, SamplerSettings

CHANNELS = 16
HEIGHT, WIDTH = 4, 4


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Toy:
    """Everything that is needed to sample; ``caption``, ``prefix`` are made from a seed."""

    model: VideoDiT
    special_tokens: SpecialTokens

    def settings(self, **overrides: Any) -> SamplerSettings:
        """Distilled, 8 steps, window 4, chunks of 2 latent frames unless overridden."""
        usual: dict[str, Any] = {
            "num_steps": 8,
            "window_size": 4,
            "cfg_number": 1,
            "cfg_t_range": (0.0, 0.0217, 0.1, 0.3, 0.999),
            "prev_chunk_scales": (1.5, 1.5, 1.5, 1.0, 1.0),
            "text_scales": (7.5, 7.5, 7.5, 0.0, 0.0),
            "noise2clean_kvrange": (5, 4, 3, 2),
            "clean_chunk_kvrange": 1,
            "clean_t": 0.9999,
            "chunk_width": 2,
            "shortcut_mode": "8,16,16",
            "distill": True,
            "distill_nearly_clean_chunk_threshold": 0.3,
        }
        if overrides.get("cfg_number") == 3:
            usual["distill"] = False
        return SamplerSettings(**(usual | overrides))

    def caption(self, seed: int, length: int = 5) -> Tensor:
        return random(length, self.special_tokens.width, seed=seed)

    def track(self, *names: SpecialToken, seed: int = 1) -> CaptionTrack:
        return CaptionTrack(self.caption(seed), self.special_tokens, names)

    def prefix(self, frames: int) -> Tensor | None:
        return random(1, CHANNELS, frames, HEIGHT, WIDTH, seed=99) if frames else None

    def events(
        self,
        settings: SamplerSettings,
        num_chunks: int | None,
        *,
        captions: CaptionTrack | None = None,
        noise: NoiseSource | None = None,
        prefix_frames: int = 0,
        on_forward: Callable[[Forward], None] | None = None,
        memory: Memory | None = None,
        direction: Direction | None = None,
        along: Sequence[tuple[CaptionTrack, NoiseSource]] = (),
    ) -> Iterator[StepDone | ChunkDone]:
        return Sampler(self.model, settings, on_forward, memory).sample(
            height=HEIGHT,
            width=WIDTH,
            captions=captions or self.track(SpecialToken.HQ),
            noise=noise or SeededNoise(7),
            num_chunks=num_chunks,
            prefix=self.prefix(prefix_frames),
            direction=direction,
            along=along,
        )

    def chunks(self, *args: Any, **kwargs: Any) -> dict[int, Tensor]:
        """The finished chunks of a run; arguments as for :meth:`events`."""
        done = [e for e in self.events(*args, **kwargs) if isinstance(e, ChunkDone)]
        assert [e.index for e in done] == sorted({e.index for e in done})
        return {e.index: e.latents for e in done}


@pytest.fixture(scope="session")
def toy(make_dit) -> Toy:
    width = 16
    table = random(16, width, seed=3)
    names = [name for name in SpecialToken if name is not SpecialToken.DURATION]
    vectors = {name: table[i] for i, name in enumerate(names)}
    model = make_dit()
    model.requires_grad_(False)
    return Toy(model, SpecialTokens(vectors, random(8, width, seed=4)))
