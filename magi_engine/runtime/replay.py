"""Replay a recorded sampling case: the tool for checking numerics on any machine."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from magi_engine.config.official import MagiConfig
from magi_engine.errors import ConfigError, WeightsError
from magi_engine.json_text import read_json
from magi_engine.model.dit import VideoDiT
from magi_engine.model.special_tokens import DEFAULT_TOKENS, SpecialToken, SpecialTokens
from magi_engine.ops.attention import Attention
from magi_engine.ops.backends import EXACT, attention_for, fused_kernels
from magi_engine.ops.mesh import ALONE, Mesh
from magi_engine.runtime.request.validation import check_negative_tokens
from magi_engine.sampling.events import ChunkDone
from magi_engine.sampling.noise import GivenNoise
from magi_engine.sampling.prompts import CaptionTrack
from magi_engine.sampling.sampler import Sampler, Task, next_task
from magi_engine.sampling.schedule import Forward, SamplerSettings
from magi_engine.weights.checkpoint import load_weights, read_state_dict

logger = logging.getLogger(__name__)


def replay_case(
    case: Path,
    weights: Path,
    tensors: Path,
    special_tokens: Path,
    *,
    device: torch.device,
    dtype: torch.dtype | None = None,
    attention: Attention | None = None,
    negative_tokens: bool = False,
    on_forward: Callable[[Forward], None] | None = None,
    trace: list[dict[str, Any]] | None = None,
    mesh: Mesh = ALONE,
) -> dict[str, Tensor]:
    """Sample from a case's own noise, caption and prefix.

    Args:
        case: JSON with ``config`` (official format) and ``special_tokens``.
        weights: transformer weights with official names.
        tensors: ``noise`` (1, 16, T, h, w), ``caption`` (L, C), ``caption_mask`` (800,) and
            optionally ``prefix`` (1, 16, P, h, w).
        special_tokens: the ``.npz`` of special tokens.
        dtype: of the blocks; None = the case's own ``params_dtype``.
        attention: None = the fastest exact one of the device.
        negative_tokens: whether the case was made with ``NEG_PROMPT=1``.
        on_forward: called before each forward of the transformer.
        trace: gets what each forward was about, in the terms of the case's own trace.
        mesh: who replays it together; only the leading process gets a result.

    Returns:
        ``chunk.0``, ``chunk.1``, ...: emitted latents (1, 16, T, h, w), float32 on the CPU,
        numbered in order of emission.

    Raises:
        InvalidRequestError: ``negative_tokens`` would do nothing: the case is a distilled model's.
        ConfigError, WeightsError: a file is not what it has to be.
    """
    try:
        data = read_json(case)
    except (OSError, ValueError) as error:
        raise ConfigError(
            "{path} cannot be read.", "Give the JSON file of a case.", path=case
        ) from error
    if not isinstance(data, dict) or "config" not in data:
        raise ConfigError("{case} is not a sampling case: it has no config.", case=case)
    config = MagiConfig.from_dict(data["config"], source=str(case))
    check_negative_tokens(negative_tokens, config.engine_config)
    names = _special_tokens(data, case)
    if dtype is not None:
        model_config = dataclasses.replace(config.model_config, params_dtype=str(dtype))
        config = dataclasses.replace(config, model_config=model_config)
    with torch.device("meta"):
        model = VideoDiT(config.model_config, fp8=config.engine_config.fp8_quant)
    load_weights(model, weights, device=device)
    kernels, reason = fused_kernels(device)
    if reason is not None:
        logger.warning("these are the plain steps' numbers, not the card's kernels': %s", reason)
    model.speed_up(kernels, attention or attention_for(device, EXACT))
    model.mesh = mesh

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
        names,
        max_length=config.model_config.caption_max_length,
        negative=negative_tokens,
    )
    width = settings.chunk_width
    chunk_tokens = width * noise[0, 0, 0].numel() // config.model_config.patch_size**2

    def note(forward: Forward) -> None:
        if on_forward is not None:
            on_forward(forward)
        if trace is not None:
            trace.append(_trace_entry(forward, chunk_tokens))

    sampler = Sampler(model, settings, note)
    if not mesh.leads:
        if isinstance(task := next_task(mesh), Task):
            sampler.follow(task)
        return {}
    events = sampler.sample(
        height=noise.shape[3],
        width=noise.shape[4],
        captions=track,
        noise=GivenNoise(noise, skip=prefix_frames // width * width),
        num_chunks=-(-noise.shape[2] // width),
        prefix=prefix,
    )
    done = [event for event in events if isinstance(event, ChunkDone)]
    return {f"chunk.{i}": event.latents.cpu() for i, event in enumerate(done)}


def _special_tokens(data: dict[str, Any], case: Path) -> tuple[SpecialToken, ...]:
    """The special tokens a case names; those of a usual generation if it names none."""
    try:
        return tuple(map(SpecialToken, data["special_tokens"]))
    except KeyError:
        return DEFAULT_TOKENS
    except (TypeError, ValueError) as error:
        raise ConfigError(
            "{case}: the field special_tokens is {tokens}.",
            "List some of {known}.",
            case=case,
            tokens=repr(data["special_tokens"]),
            known=[token.value for token in SpecialToken],
        ) from error


def _trace_entry(forward: Forward, chunk_tokens: int) -> dict[str, Any]:
    return {
        "passes": [kind.name for kind in forward.passes],
        "t": list(forward.timesteps),
        "kv_range": [[first * chunk_tokens, last * chunk_tokens] for first, last in forward.ranges],
        "slice_point": forward.first,
        "range_num": forward.first + len(forward.ranges),
        "denoising_range_num": len(forward.ranges),
        "fwd_extra_1st_chunk": forward.clean is not None and not forward.fills_prefix,
        "distill_nearly_clean_chunk": forward.copies_oldest,
        "extract_prefix_video_feature": forward.fills_prefix,
        "distill_interval": forward.interval,
    }
