"""From clips to what the transformer is trained on: noise levels, prefixes, captions, targets."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from magi_engine.model.dit import NULL_CAPTION_TOKENS, VideoDiT
from magi_engine.model.special_tokens import SpecialToken, SpecialTokens
from magi_engine.ops.rope import rotary_angles_at, rotary_places
from magi_engine.training import pocket
from magi_engine.training.caption_batches import CaptionBatch
from magi_engine.training.data import Clips
from magi_engine.training.layouts import Layout, LayoutAttention

CLEAN_T = 0.9999
_CLEAN_NOISE = 0.05
"""Clean chunks get up to this share of noise in training (paper 2.2.3)."""

_PASTED_IMAGE_SHARE = 0.85
_PASTED_VIDEO_SHARE = 0.15

_CHANGE_WEIGHT = 1.0
"""Of errors in how latent frames differ from those before them, against errors of the frames:
the eye sees a beat in what is wrong in each frame anew."""

_BORDER_WEIGHT = 4.0
"""Of errors in the first frame of a chunk, besides: it has to go on from the chunk before."""

_SHIFT = 1 / 3


def time_of(fraction: Tensor) -> Tensor:
    """The sampler's schedule as a function: share of the steps done -> t (spec section 4)."""
    squared = fraction**2
    return squared * _SHIFT / (1 + (_SHIFT - 1) * squared)


@dataclass(frozen=True)
class Batch:
    """Clips with the noise and the captions drawn for them.

    Attributes:
        clean: (N, R, 16, 6, h, w), R consecutive chunks.
        noise: the same shape.
        pasted: (N, R, 6) bool: latent frames given as a prefix inside a noisy chunk.
        captions: (N, 2, L, C) embeddings before and after the event.
        lengths: (N, 2) int64, valid tokens.
        event_chunk: (N,) int64, the first chunk that the second caption describes.
        objects: (N, 2, 3) int64, what the first caption says of each; see Clips.
    """

    clean: Tensor
    noise: Tensor
    pasted: Tensor
    captions: Tensor
    lengths: Tensor
    event_chunk: Tensor
    objects: Tensor


@dataclass(frozen=True)
class _MaskedCaptions(CaptionBatch):
    """Captions whose lengths only the device knows: a CUDA graph has no way to tell them."""

    valid: Tensor

    def mask(self) -> Tensor:
        return self.valid


def draw_batch(clips: Clips, t5: nn.Module, size: int) -> Batch:
    """``size`` random clips; see :func:`make_batch`."""
    return make_batch(clips, t5, torch.randint(len(clips), (size,), device=clips.latents.device))


def make_batch(clips: Clips, t5: nn.Module, rows: Tensor) -> Batch:
    """The clips ``rows`` (N,), captions embedded by the text encoder (which may be learning).

    Everything is drawn on the device of the clips.
    """
    size, device = len(rows), clips.latents.device
    wording = torch.randint(clips.tokens.shape[1], (size,), device=device)
    clean = clips.latents[rows].float()

    frames = torch.arange(pocket.CHUNK_WIDTH, device=device)
    counts = torch.randint(1, pocket.CHUNK_WIDTH, (size, clips.chunks), device=device)
    video = torch.rand(size, clips.chunks, device=device) < _PASTED_VIDEO_SHARE
    counts = torch.where(video, counts, 0)
    held = clips.held[rows]
    image = held & (torch.rand(size, device=device) < _PASTED_IMAGE_SHARE)
    counts[:, 0] = torch.where(image, 1, torch.where(held, 0, counts[:, 0]))
    given = torch.arange(clips.chunks, device=device) < clips.given[rows, None]
    counts = torch.where(given, pocket.CHUNK_WIDTH, counts)

    tokens = clips.tokens[rows, wording].long()  # (N, 2, L)
    valid = (tokens != 0).flatten(0, 1)
    unseen = torch.zeros_like(valid, dtype=torch.float32).masked_fill(~valid, -1e9)
    # As (N * 2, 1, L, L): a mask of fewer axes would be looked into, on the CPU.
    mask = unseen[:, None, None].expand(-1, -1, tokens.shape[2], -1)
    embedded = t5(input_ids=tokens.flatten(0, 1), attention_mask=mask).last_hidden_state
    return Batch(
        clean,
        torch.randn_like(clean),
        frames < counts[..., None],
        embedded.unflatten(0, (size, 2)),
        (tokens != 0).sum(-1),
        clips.event_chunk[rows],
        clips.objects[rows],
    )


def draw_fractions(layout: Layout, size: int, device: torch.device) -> Tensor:
    """Random noise levels: independent when streaming, falling along time in a pipeline."""
    chunks = len(layout.noisy_indices)
    fractions = torch.rand(size, chunks, device=device)
    if not any(i in sees for i in layout.noisy_indices for sees in layout.sees[i + 1 :]):
        return fractions
    ordered = fractions.sort(dim=1, descending=True).values
    window = torch.randint(2, chunks + 1, (size, 1), device=device)
    phase = torch.rand(size, 1, device=device)
    stage = window - 1 - torch.arange(chunks, device=device)
    spaced = ((stage + phase) / window).clamp(min=0)
    return torch.where(torch.rand(size, 1, device=device) < 0.6, spaced, ordered)


class Sequence:
    """The transformer's input for one batch and plan.

    Args:
        model: whose null caption stands where there is no caption.
        batch: at least two clips.
        conditional: whether the captions are given.
        special_tokens: on the device of the batch.
    """

    def __init__(
        self,
        model: VideoDiT,
        batch: Batch,
        layout: Layout,
        conditional: bool,
        special_tokens: SpecialTokens,
    ) -> None:
        self.layout = layout
        self.conditional = conditional
        self.batch = batch
        self.device = batch.clean.device
        self.positions = numbers_on(self.device, layout.positions)
        self.noisy = numbers_on(self.device, tuple(layout.noisy_indices))
        self.noisy_positions = self.positions[self.noisy]
        self.pasted = batch.pasted[:, self.noisy_positions]
        self.captions = self._caption_batch(model, special_tokens)
        share = torch.rand(len(batch.clean), 1, 1, 1, 1, 1, device=self.device)
        share = (share * 2 - 1).clamp(min=0) * _CLEAN_NOISE  # half of the clips stay clean
        clean = batch.clean[:, self.positions]
        self._clean = clean + share * (torch.randn_like(clean) - clean)

    def share_clean(self, other: Sequence) -> None:
        """Use exactly the clean chunks of ``other``, their noise included."""
        self._clean = other._clean

    def noisy_latents(self, times: Tensor) -> Tensor:
        """The noisy chunks at ``times`` (N, chunks), prefix frames pasted in."""
        t = times[:, :, None, None, None, None]
        clean = self.batch.clean[:, self.noisy_positions]
        return self.paste(t * clean + (1 - t) * self.batch.noise[:, self.noisy_positions])

    def paste(self, latents: Tensor) -> Tensor:
        """Overwrite prefix frames by clean ones."""
        clean = self.batch.clean[:, self.noisy_positions]
        return torch.where(self.pasted[:, :, None, :, None, None], clean, latents)

    def velocity(
        self, model: VideoDiT, noisy: Tensor, times: Tensor, step_code: Tensor | None
    ) -> Tensor:
        """The model's velocity of the noisy chunks, (N, chunks, 16, 6, h, w)."""
        all_times = torch.full(
            (len(noisy), len(self.positions)), CLEAN_T, device=self.device
        ).index_copy(1, self.noisy, times)
        latents = self._clean.index_copy(1, self.noisy, noisy)
        out = model(
            latents.transpose(1, 2).flatten(2, 3),
            all_times,
            self.captions,
            chunk_positions=self.layout.positions,
            rotary=rotary_angles_at(self._places(model, noisy), model.rope.bands),
            attend=LayoutAttention(self.layout),
            unconditional=not self.conditional,
            step_code=step_code,
        )
        out = out.unflatten(2, (len(self.positions), -1)).transpose(1, 2)
        return out[:, self.noisy]

    def _places(self, model: VideoDiT, latents: Tensor) -> tuple[Tensor, ...]:
        patch = model.config.patch_size
        height, width = latents.shape[-2] // patch, latents.shape[-1] // patch
        return _places_on(self.device, self.layout.positions, height, width)

    def loss(self, velocity: Tensor, target: Tensor) -> Tensor:
        """Mean squared error over the frames that are not given, and of how each differs from the
        one before it; given frames and the chunk before count as right."""
        free = ~self.pasted
        error = (velocity.float() - target) * free[:, :, None, :, None, None]
        change = nn.functional.pad(error, (0, 0, 0, 0, 1, 0)).diff(dim=3)
        squared = error.square() + _CHANGE_WEIGHT * change.square()
        first = _BORDER_WEIGHT * error[:, :, :, 0].square()
        total = squared.mean((2, 4, 5)).sum() + first.mean((2, 3, 4)).sum()
        # Of errors that have nothing to do with each other the mean stays what it was.
        return total / (free.sum() * (1 + 2 * _CHANGE_WEIGHT))

    def _caption_batch(self, model: VideoDiT, special_tokens: SpecialTokens) -> CaptionBatch:
        """Captions of the noisy chunks, special tokens in front; null captions elsewhere."""
        batch, count = self.batch, len(self.batch.clean)
        length = -(-max(NULL_CAPTION_TOKENS, 2 + batch.captions.shape[2]) // 8) * 8
        null = model.null_caption()
        rows = nn.functional.pad(null, (0, 0, 0, length - len(null))).expand(
            count, len(self.positions), length, null.shape[1]
        )
        lengths = torch.full((count, len(self.positions)), NULL_CAPTION_TOKENS, device=self.device)
        if self.conditional:
            after = (self.noisy_positions >= batch.event_chunk[:, None]).long()  # (N, chunks)
            clip = torch.arange(count, device=self.device)[:, None]
            text = batch.captions[clip, after]
            front = self._special(special_tokens, count)
            text = torch.cat([front, text], dim=2)
            text = nn.functional.pad(text, (0, 0, 0, length - text.shape[2]))
            rows = rows.index_copy(1, self.noisy, text.to(rows.dtype))
            lengths = lengths.index_copy(1, self.noisy, 2 + batch.lengths.gather(1, after))
        valid = torch.arange(length, device=self.device) < lengths.flatten()[:, None]
        return _MaskedCaptions(rows.flatten(0, 1), (0,) * len(valid), valid)

    def _special(self, special_tokens: SpecialTokens, count: int) -> Tensor:
        """(N, chunks, 2, C): DURATION and HQ, for clips that end at random."""
        left = torch.randint(0, 8, (count, 1), device=self.device)
        last = self.batch.clean.shape[1] - 1
        left = (left + last - self.noisy_positions).clamp(0, 7)
        duration = special_tokens.durations[left]
        quality = special_tokens.vector(SpecialToken.HQ)
        return torch.stack([duration, quality.expand_as(duration)], dim=2)


def load_tokens(folder: Path, device: torch.device) -> SpecialTokens:
    """The pocket model's special tokens, on a device."""
    tokens = SpecialTokens.load(folder / pocket.SPECIAL_TOKENS_FILE)
    vectors = {token: vector.to(device) for token, vector in tokens.vectors.items()}
    return dataclasses.replace(tokens, vectors=vectors, durations=tokens.durations.to(device))


@functools.cache
def numbers_on(device: torch.device, numbers: tuple[float, ...]) -> Tensor:
    """Copied to the device once: a CUDA graph must not hold a copy from the CPU."""
    return torch.tensor(numbers, device=device)


@functools.cache
def _places_on(
    device: torch.device, positions: tuple[int, ...], height: int, width: int
) -> tuple[Tensor, ...]:
    """Of tokens, for the rotary embedding; likewise."""
    places = rotary_places(positions, pocket.CHUNK_WIDTH, height, width)
    return tuple(axis.to(device) for axis in places)
