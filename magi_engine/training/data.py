"""Clips of the procedural world as latents and caption tokens, made once and kept on the device."""

from __future__ import annotations

import dataclasses
import hashlib
import multiprocessing
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import torch
from torch import Tensor, nn

from magi_engine.model.vae import ViTVAE
from magi_engine.training import pocket
from magi_engine.training.captions import caption, scene_facts
from magi_engine.training.scenes import MAX_OBJECTS
from magi_engine.training.tokenizer import encode_corpus
from magi_engine.training.train_vae import PIECE, pixels_to_video
from magi_engine.training.world import (
    NO_EVENT,
    STRAIGHT_MOTIONS,
    Motion,
    SceneBatch,
    SceneOptions,
    render,
    sample_scenes,
    simulate,
)

NOT_SAID = -100
"""Stands for a shape or a motion that a caption does not tell."""

CHUNKS = 5
"""Chunks of a long clip: the longest history (4) and one more."""

_CHUNKS_AT_ONCE = 640
_MOTIONS = (
    *STRAIGHT_MOTIONS * 4,
    *(Motion.STILL,) * 4,
    *(Motion.BOUNCE,) * 16,
    *(Motion.CIRCLE_CLOCKWISE, Motion.CIRCLE_COUNTERCLOCKWISE) * 16,
    *(Motion.SPIN,) * 22,
    *(Motion.GROW, Motion.SHRINK) * 10,
)
"""More of what is hard to learn than the world has by itself."""

BEGINNINGS = SceneOptions(
    num_chunks=1, two_objects=0.55, events=0.0, held_starts=0.35, motions=_MOTIONS
)
"""Which word belongs to which object is learned where nothing but the caption tells: in pairs."""

CLIPS = SceneOptions(
    num_chunks=CHUNKS,
    two_objects=0.4,
    events=0.4,
    background_events=0.4,
    held_starts=0.35,
    wrong_sizes=0.5,
    # Where it goes on to is told by a clip alone, and so is how large it was.
    motions=_MOTIONS + (Motion.BOUNCE,) * 20 + (Motion.STILL,) * 50,
)
"""With what only a history teaches."""

EVERYTHING = SceneOptions(
    num_chunks=3, two_objects=0.2, events=0.0, held_starts=0.1, motions=tuple(Motion)
)
"""Every motion as often as the others, as long as it is one: what a decoder has to draw."""

_SCENES_AT_ONCE = 2500
_MOST_WRITERS = 16
"""Scenes that one process describes, and processes."""


@dataclass(frozen=True)
class Clips:
    """N training clips.

    Attributes:
        latents: (N, R, 16, 6, 16, 16) float16, R chunks, scaled; where ``held``, latent frame 0
            is the image's own encoding.
        held: (N,) bool: the clip starts from a still image.
        event_chunk: (N,) int64, first chunk described by the second caption; a chunk beyond the
            end if there is none.
        tokens: (N, V, 2, L) int16, V wordings of the caption before and after the event, padded
            with 0.
        objects: (N, 2, 3) int64, what the caption before the event says of each object: colour,
            shape and motion. Where there is no object, or where the image tells, -100 for the
            latter two.
        given: (N,) int64, so many chunks are nothing to make, only to go on from.
    """

    latents: Tensor
    held: Tensor
    event_chunk: Tensor
    tokens: Tensor
    objects: Tensor
    given: Tensor

    def __len__(self) -> int:
        return len(self.latents)

    @property
    def chunks(self) -> int:
        """Length of each clip."""
        return self.latents.shape[1]


@dataclass(frozen=True)
class Script:
    """Scenes and their captions as tokens; see :class:`Clips` for the shapes."""

    scenes: SceneBatch
    tokens: Tensor


def write_script(
    t5_dir: Path, count: int, seed: int, options: SceneOptions = CLIPS, wordings: int = 2
) -> Script:
    """Draw ``count`` random scenes and describe them."""
    scenes = sample_scenes(count, torch.Generator().manual_seed(seed), options)
    dice = random.Random(seed)
    facts = [scene_facts(scenes, segment) for segment in (0, 1)]
    changed = (scenes.event_frame != NO_EVENT).tolist()
    held = (scenes.hold_frames > 0).tolist()
    right = (scenes.wrong_chunks == 0).tolist()  # else nothing but a caption tells the sizes
    captions: list[str] = []
    for _ in range(wordings):
        before = [
            caption(f, dice, seen=f if still else None, sizes_seen=sizes)
            for f, still, sizes in zip(facts[0], held, right, strict=True)
        ]
        after = [
            caption(f, dice, seen=seen, sizes_seen=sizes) if event else same
            for f, seen, sizes, event, same in zip(
                facts[1], facts[0], right, changed, before, strict=True
            )
        ]
        captions += before + after
    tokens = encode_corpus(t5_dir, captions).short().unflatten(0, (wordings, 2, count))
    return Script(scenes, tokens.movedim(2, 0).contiguous())


def cached_script(
    folder: Path, t5_dir: Path, count: int, seed: int, options: SceneOptions = CLIPS
) -> Script:
    """:func:`write_script` in several processes, kept in ``folder``.

    It needs no GPU, so it can be written elsewhere.
    """
    kind = hashlib.sha256((t5_dir / "spiece.model").read_bytes() + repr(options).encode())
    path = folder / f"script-{options.num_chunks}-{count}-{seed}-{kind.hexdigest()[:8]}.pt"
    if not path.exists():
        script = _write_in_parts(t5_dir, count, seed, options)
        fields = {f.name: getattr(script.scenes, f.name) for f in dataclasses.fields(SceneBatch)}
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        torch.save({"scenes": fields, "tokens": script.tokens}, unfinished)
        unfinished.replace(path)
    saved = torch.load(path, weights_only=True)
    return Script(SceneBatch(**saved["scenes"]), saved["tokens"])


def _write_in_parts(t5_dir: Path, count: int, seed: int, options: SceneOptions) -> Script:
    counts = [min(_SCENES_AT_ONCE, count - first) for first in range(0, count, _SCENES_AT_ONCE)]
    seeds = [
        random.Random(f"{seed} {options.num_chunks} {n}").getrandbits(62)
        for n in range(len(counts))
    ]
    if len(counts) == 1:
        return write_script(t5_dir, count, seeds[0], options)
    writers = ProcessPoolExecutor(
        min(len(counts), _MOST_WRITERS),
        multiprocessing.get_context("spawn"),  # CUDA does not survive a fork
        torch.set_num_threads,
        (1,),
    )
    with writers:
        parts = writers.map(write_script, repeat(t5_dir), counts, seeds, repeat(options))
        return _joined(list(parts))


def _joined(parts: Sequence[Script]) -> Script:
    """Several scripts as one."""
    fields = [f.name for f in dataclasses.fields(SceneBatch)]
    scenes = {name: torch.cat([getattr(part.scenes, name) for part in parts]) for name in fields}
    longest = max(part.tokens.shape[-1] for part in parts)
    tokens = [nn.functional.pad(p.tokens, (0, longest - p.tokens.shape[-1])) for p in parts]
    return Script(SceneBatch(**scenes), torch.cat(tokens))


def make_clips(vae: ViTVAE, script: Script, device: torch.device, chunks: int = CHUNKS) -> Clips:
    """Render and encode the scenes of a script."""
    scenes = script.scenes
    latents = torch.empty(
        (len(scenes), chunks, 16, pocket.CHUNK_WIDTH, 16, 16), dtype=torch.float16, device=device
    )
    at_once = _CHUNKS_AT_ONCE // chunks
    for first in range(0, len(scenes), at_once):
        part = scenes[first : first + at_once].to(device)
        encoded = encode_clips(vae, part, chunks)
        latents[first : first + len(part)] = encoded.unflatten(2, (chunks, -1)).transpose(1, 2)
    return Clips(
        latents,
        (scenes.hold_frames > 0).to(device),
        (scenes.event_frame // pocket.CHUNK_FRAMES).clamp(max=CHUNKS).to(device),
        script.tokens.to(device),
        objects_of(scenes, unless=scenes.hold_frames > 0).to(device),
        scenes.wrong_chunks.to(device),
    )


def objects_of(scenes: SceneBatch, unless: Tensor | None = None) -> Tensor:
    """Colour, shape and motion (N, 2, 3) of the objects before the event; see :class:`Clips`.

    Args:
        unless: (N,) bool, the scenes whose caption need not say it.
    """
    there = torch.arange(MAX_OBJECTS) < scenes.count[:, None]
    if unless is not None:
        there &= ~unless[:, None]
    colours = scenes.colour[:, :, 0]
    answers = [values.where(there, NOT_SAID) for values in (scenes.shape, scenes.motion[:, :, 0])]
    return torch.stack([colours, *answers], -1)


@torch.no_grad()
def encode_clips(vae: ViTVAE, scenes: SceneBatch, chunks: int = CHUNKS) -> Tensor:
    """Scaled latents (N, 16, 6 * chunks, 16, 16) of rendered scenes, in half-second pieces."""
    frames = render(scenes, simulate(scenes, chunks * pocket.CHUNK_FRAMES))  # (N, T, 3, H, W)
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
