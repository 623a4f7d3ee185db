"""Clips as the transformer itself draws them, hidden by noise so far that it has to draw outlines
again, but not so far that anything moves: with the errors that it makes."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialTokens
from magi_engine.training import pocket
from magi_engine.training.data import Clips
from magi_engine.training.layouts import streaming
from magi_engine.training.sequences import Sequence, make_batch, time_of

_FIRST_STEPS = (9, 15)
"""The transformer's first step, at random from the first to before the last, of the 16."""


@torch.no_grad()
def redraw(dit: VideoDiT, sequence: Sequence, first_step: int) -> Tensor:
    """What the distilled transformer makes of the clips' chunks from ``first_step`` on.

    Returns:
        (N, chunks, 16, 6, h, w).
    """
    steps, size = pocket.DISTILLED.runtime_config.num_steps, len(sequence.batch.clean)
    device = sequence.device
    times = time_of(torch.arange(first_step, steps + 1, device=device) / steps)
    code = torch.full((size,), steps / 2, device=device)
    everywhere = times[:, None, None].expand(-1, size, len(sequence.noisy))
    latents = sequence.noisy_latents(everywhere[0])
    for now, then in itertools.pairwise(everywhere):
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            velocity = sequence.velocity(dit, latents, now, code).float()
        step = (then - now)[:, :, None, None, None, None]
        latents = sequence.paste(latents + velocity * step)
    return latents


@torch.no_grad()
def redraw_clips(
    dit: VideoDiT, t5: nn.Module, tokens: SpecialTokens, clips: Clips, at_once: int
) -> Tensor:
    """The transformer's version of clips, like ``clips.latents``."""
    redrawn = torch.empty_like(clips.latents)
    for part in torch.arange(len(clips), device=clips.latents.device).split(at_once):
        # A sequence holds two clips or more.
        chosen = part if len(part) > 1 else part.expand(2)
        batch = make_batch(clips, t5, chosen)
        sequence = Sequence(dit, batch, streaming(clips.chunks, clips.chunks), True, tokens)
        first = int(torch.randint(*_FIRST_STEPS, ()))
        redrawn[part] = redraw(dit, sequence, first)[: len(part)].half()
    return redrawn
