"""The sampler against the rules written down once more: any legal configuration is the same."""

from __future__ import annotations

import dataclasses
import math
import random
from typing import Any

import pytest
import torch

from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialToken
from magi_engine.sampling.events import ChunkDone
from magi_engine.sampling.noise import GivenNoise
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import Direction, SamplerSettings, Transition
from tests.engine.sampling.plain_form import PlainVideo, caption_of, null_caption_of

CONFIGURATIONS = 100
TOLERANCE = 1e-5
WIDTH = 2  # latent frames in a chunk


@pytest.fixture(scope="module")
def models(make_dit) -> list[VideoDiT]:
    """The 4.5B model's kind and the 24B one's."""
    doubled: dict[str, Any] = {"half_channel_vae": True, "in_channels": 32, "out_channels": 32}
    kinds = [make_dit(), make_dit(gated_linear_unit=True, x_rescale_factor=0.1, **doubled)]
    return [model.requires_grad_(False) for model in kinds]


def some_settings(toy, rng: random.Random) -> SamplerSettings:
    """Any that are legal, with few steps; 12 steps, whose intervals differ, often."""
    window = rng.randint(1, 8)
    stages = rng.choice([0, 1, 2, 3, 4] if window != 7 else [0, 1, 2])
    unit = math.lcm(window, max(1, stages))
    steps = unit * rng.randint(1, max(1, 10 // unit))
    if 12 % unit == 0 and rng.random() < 0.5:
        steps = 12
    ends = sorted(rng.sample([0.02, 0.1, 0.22, 0.3, 0.7, 0.999], rng.randint(0, 4)))
    scales = {
        "cfg_t_range": (0.0, *ends),
        "prev_chunk_scales": tuple(rng.choice([1.0, 1.5, 2.0]) for _ in range(len(ends) + 1)),
        "text_scales": tuple(rng.choice([0.0, 3.0, 7.5]) for _ in range(len(ends) + 1)),
    }
    return toy.settings(
        num_steps=steps,
        window_size=window,
        noise2clean_kvrange=tuple(rng.randint(1, 5) for _ in range(stages)),
        clean_chunk_kvrange=rng.choice([-1, 1, 1, 2, 3]),
        clean_t=rng.choice([0.9999, 0.95]),
        chunk_width=WIDTH,
        shortcut_mode=rng.choice(["8,16,16", "16,16,8"]),
        cfg_number=rng.choice([1, 3]),
        distill_nearly_clean_chunk_threshold=rng.choice([0.3, 0.3, 0.05, 0.6]),
        **scales,
    )


@pytest.mark.parametrize("seed", range(CONFIGURATIONS))
def test_the_sampler_does_what_the_rules_say(toy, models, seed: int, relative_error) -> None:
    rng = random.Random(seed)
    settings = some_settings(toy, rng)
    model = rng.choice(models)
    frames = rng.choice([0, 0, 1, *range(2, 10)])
    offset = frames // WIDTH
    count = offset + rng.randint(1, 4)
    names = set(rng.sample(list(SpecialToken)[3:], rng.randint(0, 4)))
    negative = settings.cfg_number == 3 and rng.random() < 0.3
    most = rng.choice([6, 800])
    kinds = list(Transition)
    transitions = {c: rng.choice(kinds) for c in range(offset, count) if rng.random() < 0.3}
    # A prompt for each chunk, now and then none.
    prompts = [toy.caption(seed=90 + c, length=rng.choice([0, 4, 5])) for c in range(count)]
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, 16, count * WIDTH, 4, 4, generator=generator)
    prefix = torch.randn(1, 16, frames, 4, 4, generator=generator)

    track = CaptionTrack(prompts[0], toy.special_tokens, sorted(names, key=str), most, negative)
    for chunk, prompt in enumerate(prompts[1:], 1):
        track.change(chunk, prompt)
    events = Sampler(model, settings).sample(
        height=4,
        width=4,
        captions=track,
        noise=GivenNoise(noise, skip=offset * WIDTH),
        num_chunks=count,
        prefix=prefix if frames else None,
        direction=Direction(transitions),
    )
    actual = {event.index: event.latents for event in events if isinstance(event, ChunkDone)}

    captions = [
        caption_of(prompt, toy.special_tokens, names, count - 1 - chunk, most)
        if len(prompt)
        else None
        for chunk, prompt in enumerate(prompts)
    ]
    null = null_caption_of(model, toy.special_tokens, negative)
    expected = PlainVideo(model, settings, captions, null, noise, prefix, transitions).chunks()
    assert actual.keys() == expected.keys()
    for index, latents in expected.items():
        error = relative_error(actual[index], latents)
        assert error <= TOLERANCE, (index, frames, count, dataclasses.asdict(settings))
