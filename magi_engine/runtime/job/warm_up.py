"""What a device does before it computes a size for the first time: compiling, choosing kernels."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Generator

import torch

from magi_engine.model.dit import VideoDiT
from magi_engine.model.vae import ViTVAE
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.models.memory import PlannedMemory
from magi_engine.sampling.events import ChunkDone
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.sampler import Sampler
from magi_engine.sampling.schedule import SamplerSettings, legal_steps

_CAPTION_TOKENS = 64
_LAYERS = 2
"""The first one is never quantised, the second one is if any is."""
_BLOCKS = 1
"""Of the decoder: they are all alike."""
_STEPS = 4
"""With fewer, a chunk is never so clean that a forward reads the one before it once more."""


def warm_up(
    model: LoadedModel,
    memory: PlannedMemory,
    settings: SamplerSettings,
    height: int,
    width: int,
    num_chunks: int | None,
) -> Generator[bool]:
    """Go through the forwards of a first chunk with the first layers and as few steps as there can
    be, and decode it with the first block.

    That is every kind of shape there will be. Nothing that a video depends on changes. Yields True
    after each step, so that the caller may stop.

    Args:
        height, width: of the latents.
        num_chunks: of the video; None: it has no end.
    """
    chunks = settings.window_size + 1 if num_chunks is None else num_chunks
    caption = torch.zeros(_CAPTION_TOKENS, model.dit.config.caption_channels)
    legal = legal_steps(settings.window_size, len(settings.noise2clean_kvrange))
    few = next(steps for steps in legal if steps >= min(_STEPS, settings.num_steps))
    settings = dataclasses.replace(settings, num_steps=few)
    steps = Sampler(first_layers(model.dit, _LAYERS), settings, memory=memory).sample(
        height=height,
        width=width,
        captions=model.caption_track(caption, ()),
        noise=SeededNoise(0),
        num_chunks=min(chunks, settings.window_size + 1),
    )
    finished = False
    with contextlib.closing(steps):
        for event in steps:
            yield True
            if finished:
                break  # the step after a chunk reads it once more
            if isinstance(event, ChunkDone):
                memory.run(model.decode, event.latents, first_blocks(model.vae, _BLOCKS))
                finished = True
    model.kernels.streams.record().wait()


def first_layers(dit: VideoDiT, count: int) -> VideoDiT:
    """The model with nothing but its first layers; shares all its weights."""
    short, blocks = copy.copy(dit), copy.copy(dit.videodit_blocks)
    blocks._modules = {**blocks._modules, "layers": torch.nn.ModuleList(dit.layers[:count])}
    short._modules = {**short._modules, "videodit_blocks": blocks}
    short.config = dataclasses.replace(dit.config, num_layers=min(count, dit.config.num_layers))
    return short


def first_blocks(vae: ViTVAE, count: int) -> ViTVAE:
    """The autoencoder with nothing but the first blocks of its decoder; shares all its weights."""
    short, decoder = copy.copy(vae), copy.copy(vae.decoder)
    blocks = torch.nn.ModuleList(list(vae.decoder.blocks)[:count])
    decoder._modules = {**decoder._modules, "blocks": blocks}
    short._modules = {**short._modules, "decoder": decoder}
    return short
