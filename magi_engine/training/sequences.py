"""From clips to what the transformer is trained on: noise levels, prefixes, captions, targets."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from magi_engine.model.dit import NULL_CAPTION_TOKENS, CaptionBatch, VideoDiT
from magi_engine.model.special_tokens import SpecialToken, SpecialTokens
from magi_engine.training import pocket
from magi_engine.training.data import CHUNKS, Clips
from magi_engine.training.layouts import Layout, LayoutAttention, pipeline, streaming

CLEAN_T = 0.9999
_CLEAN_NOISE = 0.05
"""Clean chunks get up to this share of noise in training (paper 2.2.3)."""

_STREAMING_SHARE = 0.75
_ALONE_SHARE = 0.1
_PASTED_IMAGE_SHARE = 0.85
_PASTED_VIDEO_SHARE = 0.15
_FROM_START_SHARE = 0.6
"""Share of the short clips that are the beginning of a long one: where only the caption says what
there is. The others may be cut from anywhere."""

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
        lengths: (N, 2) int64 on the CPU.
        event_chunk: (N,) int64 on the CPU, counted from the first of the R chunks.
    """

    clean: Tensor
    noise: Tensor
    pasted: Tensor
    captions: Tensor
    lengths: Tensor
    event_chunk: Tensor


def draw_batch(clips: Clips, t5: nn.Module, size: int, chunks: int = CHUNKS) -> Batch:
    """``size`` random clips, captions embedded by the text encoder (which may be learning).

    Args:
        chunks: length of the clips; short ones are cut from the long ones.
    """
    device = clips.latents.device
    rows_cpu = torch.randint(len(clips), (size,))
    rows = rows_cpu.to(device, non_blocking=True)
    wording = int(torch.randint(len(clips.tokens), ()))
    first = int(torch.randint(CHUNKS - chunks + 1, ()))
    if float(torch.rand(())) < _FROM_START_SHARE:
        first = 0
    clean = clips.latents[rows].float().unflatten(2, (CHUNKS, -1)).transpose(1, 2)
    clean = clean[:, first : first + chunks]

    frames = torch.arange(pocket.CHUNK_WIDTH, device=device)
    counts = torch.randint(1, pocket.CHUNK_WIDTH, (size, chunks), device=device)
    video = torch.rand(size, chunks, device=device) < _PASTED_VIDEO_SHARE
    counts = torch.where(video, counts, 0)
    if first == 0:
        held = clips.held[rows]
        image = held & (torch.rand(size, device=device) < _PASTED_IMAGE_SHARE)
        counts[:, 0] = torch.where(image, 1, torch.where(held, 0, counts[:, 0]))
    pasted = frames < counts[..., None]

    tokens = clips.tokens[wording][:, rows].transpose(0, 1).long()  # (N, 2, L)
    flat = tokens.flatten(0, 1)
    embedded = t5(input_ids=flat, attention_mask=(flat != 0).long()).last_hidden_state
    return Batch(
        clean,
        torch.randn_like(clean),
        pasted,
        embedded.unflatten(0, (size, 2)),
        clips.lengths[wording][:, rows_cpu].T,
        clips.event_chunk[rows_cpu] - first,
    )


@dataclass(frozen=True)
class Plan:
    """Which chunks a training step is about.

    Attributes:
        layout: who sees whom.
        fractions: (N, noisy chunks) share of the steps done, in [0, 1).
        conditional: whether captions are given.
    """

    layout: Layout
    fractions: Tensor
    conditional: bool


def draw_layout(chunks: int = CHUNKS) -> Layout:
    """A random layout; ranges vary so that any KV range works at any noise level."""
    if chunks == 1:
        return streaming(1, 1)
    kv_range = int(torch.randint(2, chunks + 1, ()))
    if float(torch.rand(())) < _STREAMING_SHARE:
        if float(torch.rand(())) < _ALONE_SHARE:
            return streaming(chunks, 1)  # each chunk alone, as in the nearly clean copy
        return streaming(chunks, kv_range)
    return pipeline(chunks, int(torch.randint(0, min(3, chunks), ())), kv_range)


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
        times: (N, noisy chunks) t of each noisy chunk.
        noisy: (N, noisy chunks, 16, 6, h, w) latents at those times.
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
        self.positions = torch.tensor(layout.positions, device=self.device)
        self.noisy = torch.tensor(layout.noisy_indices, device=self.device)
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
            attend=LayoutAttention(self.layout),
            unconditional=not self.conditional,
            step_code=step_code,
        )
        out = out.unflatten(2, (len(self.positions), -1)).transpose(1, 2)
        return out[:, self.noisy]

    def loss(self, velocity: Tensor, target: Tensor) -> Tensor:
        """Mean squared error over the frames that are not given."""
        error = (velocity.float() - target).square().mean((2, 4, 5))  # (N, chunks, frames)
        free = ~self.pasted
        return (error * free).sum() / free.sum()

    def _caption_batch(self, model: VideoDiT, special_tokens: SpecialTokens) -> CaptionBatch:
        """Captions of the noisy chunks, special tokens in front; null captions elsewhere."""
        batch, count = self.batch, len(self.batch.clean)
        length = -(-max(NULL_CAPTION_TOKENS, 2 + batch.captions.shape[2]) // 8) * 8
        null = model.null_caption()
        channels = null.shape[1]
        rows = nn.functional.pad(null, (0, 0, 0, length - len(null))).expand(
            count, len(self.positions), length, channels
        )
        lengths = torch.full((count, len(self.positions)), NULL_CAPTION_TOKENS)
        if self.conditional:
            positions = torch.tensor(self.layout.positions)[self.layout.noisy_indices]
            after = (positions >= batch.event_chunk[:, None]).long()  # (N, chunks)
            clip = torch.arange(count, device=self.device)[:, None]
            text = batch.captions[clip, after.to(self.device, non_blocking=True)]
            front = self._special(special_tokens, count)
            text = torch.cat([front, text], dim=2)
            text = nn.functional.pad(text, (0, 0, 0, length - text.shape[2]))
            rows = rows.index_copy(1, self.noisy, text.to(rows.dtype))
            lengths[:, self.layout.noisy_indices] = 2 + batch.lengths.gather(1, after)
        return CaptionBatch(rows.flatten(0, 1), tuple(lengths.flatten().tolist()))

    def _special(self, special_tokens: SpecialTokens, count: int) -> Tensor:
        """(N, chunks, 2, C): DURATION and HQ, for clips that end at random."""
        left = torch.randint(0, 8, (count, 1), device=self.device)
        last = self.batch.clean.shape[1] - 1
        left = (left + last - self.noisy_positions).clamp(0, 7)
        duration = special_tokens.durations.to(self.device)[left]
        quality = special_tokens.vector(SpecialToken.HQ).to(self.device)
        return torch.stack([duration, quality.expand_as(duration)], dim=2)
