"""Replay a recorded sampling case: the tool for checking numerics on any machine."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from magi_engine.config.official import MagiConfig
from magi_engine.errors import ConfigError, WeightsError
from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import SpecialTokens
from magi_engine.ops.attention import Attention
from magi_engine.ops.backends import EXACT, attention_for, kernels_for
from magi_engine.sampling.noise import GivenNoise
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import ChunkDone, ForwardTrace, Sampler, SamplerSettings
from magi_engine.weights.checkpoint import load_weights, read_state_dict


def replay_case(
    case: Path,
    weights: Path,
    tensors: Path,
    special_tokens: Path,
    *,
    device: torch.device,
    dtype: torch.dtype | None = None,
    attention: Attention | None = None,
    on_forward: Callable[[ForwardTrace], None] | None = None,
) -> dict[str, Tensor]:
    """Sample from a case's own noise, caption and prefix.

    Args:
        case: JSON with ``config`` (official format) and ``prefix_latent_frames``.
        weights: transformer weights with official names.
        tensors: ``noise`` (1, 16, T, h, w), ``caption`` (L, C), ``caption_mask`` (800,) and
            optionally ``prefix`` (1, 16, P, h, w).
        special_tokens: the ``.npz`` of special tokens.
        dtype: of the blocks; None = the case's own ``params_dtype``.
        attention: None = the fastest exact one of the device.
        on_forward: called before each forward of the transformer.

    Returns:
        ``chunk.0``, ``chunk.1``, ...: emitted latents (1, 16, T, h, w), float32 on the CPU,
        numbered in order of emission.
    """
    try:
        data = json.loads(case.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            "{path} cannot be read.", "Give the JSON file of a case.", path=case
        ) from error
    if not isinstance(data, dict) or "config" not in data:
        raise ConfigError("{case} is not a sampling case: it has no config.", case=case)
    config = MagiConfig.from_dict(data["config"], source=str(case))
    if dtype is not None:
        model_config = dataclasses.replace(config.model_config, params_dtype=str(dtype))
        config = dataclasses.replace(config, model_config=model_config)
    with torch.device("meta"):
        model = VideoDiT(config.model_config, fp8=config.engine_config.fp8_quant)
    load_weights(model, weights, device=device)
    model.speed_up(kernels_for(device), attention or attention_for(device, EXACT))

    given = read_state_dict(tensors)
    for name in ("noise", "caption"):
        if name not in given:
            raise WeightsError(
                "{tensors} lacks the tensor {name}.",
                "Use the case's own tensors.",
                tensors=tensors,
                name=name,
            )
    settings = SamplerSettings.from_config(config)
    prefix = given.get("prefix")
    prefix_frames = 0 if prefix is None else prefix.shape[2]
    noise = given["noise"]
    valid_tokens = int(given["caption_mask"].sum())
    caption = given["caption"].flatten(0, -2)[:valid_tokens].to(device)
    track = CaptionTrack(
        caption,
        SpecialTokens.load(special_tokens),
        max_length=config.model_config.caption_max_length,
    )
    width = settings.chunk_width
    events = Sampler(model, settings, on_forward).sample(
        height=noise.shape[3],
        width=noise.shape[4],
        captions=track,
        noise=GivenNoise(noise, skip=prefix_frames // width * width),
        num_chunks=-(-noise.shape[2] // width),
        prefix=prefix,
    )
    done = [event for event in events if isinstance(event, ChunkDone)]
    return {f"chunk.{i}": event.latents.cpu() for i, event in enumerate(done)}
