"""Rotary position embedding over time, height and width (spec section 2, step 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def rotary_angles(
    bands: Tensor, chunk_positions: Sequence[int], chunk_width: int, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Cosines and sines for the tokens of some chunks, in (T H W) order.

    Args:
        bands: (head_dim/8,) frequencies, the same for each axis.
        chunk_positions: where each chunk stands in the video, counted in chunks.
        chunk_width: latent frames per chunk.
        height, width: token grid of one latent frame.

    Returns:
        ``(cos, sin)``, each (tokens, 3 * head_dim/8) in float32.
    """
    device = bands.device
    starts = [position * chunk_width for position in chunk_positions]
    # No copy from the CPU: none may be in what a CUDA graph records.
    time = torch.cat(
        [
            torch.arange(start, start + chunk_width, device=device, dtype=torch.float32)
            for start in starts
        ]
    )
    rescale = math.sqrt(height * width / 256)
    rows = _centred_positions(height, rescale, device)
    columns = _centred_positions(width, rescale, device)
    bands = bands.float()
    shape = (len(time), height, width, len(bands))
    angles = torch.cat(
        [
            (time[:, None] * bands)[:, None, None].expand(shape),
            (rows[:, None] * bands)[None, :, None].expand(shape),
            (columns[:, None] * bands)[None, None].expand(shape),
        ],
        dim=-1,
    ).flatten(0, 2)  # (T*H*W, 3 * head_dim/8)
    return angles.cos(), angles.sin()


def _centred_positions(count: int, rescale: float, device: torch.device) -> Tensor:
    positions = torch.arange(count, device=device, dtype=torch.float32) - (count - 1) / 2
    if count > 1:
        positions = positions / (count - 1) * (count / rescale - 1)
    return positions


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the first 2 * cos.shape[-1] features of each head; the rest pass through.

    Args:
        x: (N, S, heads, head_dim) float32.
        cos, sin: (S, angles) from :func:`rotary_angles`. Pairs are the two halves of the
            rotated part, not neighbours.
    """
    half = cos.shape[-1]
    cos, sin = cos[:, None], sin[:, None]
    first, second, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    turned = (
        torch.addcmul(first * cos, second, sin, value=-1),
        torch.addcmul(second * cos, first, sin),
    )
    return torch.cat([*turned, rest], dim=-1)
