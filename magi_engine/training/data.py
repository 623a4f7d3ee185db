"""Clips of the procedural world as latents and caption tokens, made once and kept on the device."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from magi_engine.model.vae import ViTVAE
from magi_engine.training import pocket
from magi_engine.training.captions import caption, scene_facts
from magi_engine.training.tokenizer import encode_corpus
from magi_engine.training.train_vae import PIECE, pixels_to_video
from magi_engine.training.world import (
    NO_EVENT,
    SceneBatch,
    SceneOptions,
    render,
    sample_scenes,
    simulate,
)

CHUNKS = 5
"""Chunks per clip: the longest history (4) and one more."""

_FRAMES = CHUNKS * pocket.CHUNK_FRAMES
_RENDERED_AT_ONCE = 128
_HELD_SHARE = 0.3


@dataclass(frozen=True)
class Clips:
    """N training clips.

    Attributes:
        latents: (N, 16, 30, 16, 16) float16, scaled; where ``held``, latent frame 0 is the
            image's own encoding.
        held: (N,) bool: the clip starts from a still image.
        event_chunk: (N,) int64 **on the CPU**, first chunk described by the second caption;
            CHUNKS if there is none.
        tokens: (V, 2, N, L) int16, V wordings of the caption before and after the event.
        lengths: (V, 2, N) int64 **on the CPU**, valid tokens.
    """

    latents: Tensor
    held: Tensor
    event_chunk: Tensor
    tokens: Tensor
    lengths: Tensor

    def __len__(self) -> int:
        return len(self.latents)


@dataclass(frozen=True)
class Script:
    """Scenes and their captions as tokens; see :class:`Clips` for the shapes."""

    scenes: SceneBatch
    tokens: Tensor
    lengths: Tensor


def write_script(t5_dir: Path, count: int, seed: int, wordings: int = 2) -> Script:
    """Draw ``count`` random scenes and describe them."""
    options = SceneOptions(num_chunks=CHUNKS, held_starts=_HELD_SHARE)
    scenes = sample_scenes(count, torch.Generator().manual_seed(seed), options)
    dice = random.Random(seed)
    facts = [scene_facts(scenes, segment) for segment in (0, 1)]
    changed = (scenes.event_frame != NO_EVENT).tolist()
    captions: list[str] = []
    for _ in range(wordings):
        before = [caption(f, dice) for f in facts[0]]
        after = [
            caption(f, dice) if event else same
            for f, event, same in zip(facts[1], changed, before, strict=True)
        ]
        captions += before + after
    tokens = encode_corpus(t5_dir, captions)
    shape = (wordings, 2, count)
    return Script(
        scenes, tokens.short().unflatten(0, shape), (tokens != 0).sum(1).unflatten(0, shape)
    )


def cached_script(path: Path, t5_dir: Path, count: int, seed: int) -> Script:
    """:func:`write_script`, kept in a file: it needs no GPU, so it can be written elsewhere."""
    if not path.exists():
        script = write_script(t5_dir, count, seed)
        fields = {f.name: getattr(script.scenes, f.name) for f in dataclasses.fields(SceneBatch)}
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"scenes": fields, "tokens": script.tokens, "lengths": script.lengths}, path)
    saved = torch.load(path, weights_only=True)
    return Script(SceneBatch(**saved["scenes"]), saved["tokens"], saved["lengths"])


def make_clips(vae: ViTVAE, script: Script, device: torch.device) -> Clips:
    """Render and encode the scenes of a script."""
    scenes = script.scenes
    latents = torch.empty(
        (len(scenes), 16, CHUNKS * pocket.CHUNK_WIDTH, 16, 16), dtype=torch.float16, device=device
    )
    for first in range(0, len(scenes), _RENDERED_AT_ONCE):
        part = scenes[first : first + _RENDERED_AT_ONCE].to(device)
        latents[first : first + len(part)] = encode_clips(vae, part)
    return Clips(
        latents,
        (scenes.hold_frames > 0).to(device),
        (scenes.event_frame // pocket.CHUNK_FRAMES).clamp(max=CHUNKS),
        script.tokens.to(device),
        script.lengths,
    )


@torch.no_grad()
def encode_clips(vae: ViTVAE, scenes: SceneBatch) -> Tensor:
    """Scaled latents (N, 16, 30, 16, 16) of rendered scenes, in half-second pieces."""
    frames = render(scenes, simulate(scenes, _FRAMES))  # (N, 120, 3, H, W)
    count = len(frames)
    pieces = frames.unflatten(1, (-1, PIECE)).flatten(0, 1)
    on_gpu = frames.device.type == "cuda"
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=on_gpu):
        latents = torch.cat([vae.encode(pixels_to_video(p)).float() for p in pieces.split(320)])
        images = vae.encode(pixels_to_video(frames[:, :1])).float()
    latents = latents.unflatten(0, (count, -1)).transpose(1, 2).flatten(2, 3)
    held = scenes.hold_frames > 0
    latents[held, :, :1] = images[held]
    return latents * pocket.SCALE_FACTOR
