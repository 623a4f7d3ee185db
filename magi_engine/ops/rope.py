"""Rotary position embedding over time, height and width (spec section 2, step 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def rotary_angles(
    bands: Tensor,
    chunk_positions: Sequence[int],
    chunk_width: int,
    height: int,
    width: int,
    device: torch.device | None = None,
) -> tuple[Tensor, Tensor]:
    """Cosines and sines for the tokens of some chunks, in (T H W) order.

    They are computed in float64 on the CPU and rounded once: in float32, the angles of chunk
    10,000 are off by 1e-3.

    Args:
        bands: (head_dim/8,) frequencies, the same for each axis. Reading them from a GPU makes
            the host wait.
        chunk_positions: where each chunk stands in the video, counted in chunks.
        chunk_width: latent frames per chunk.
        height, width: token grid of one latent frame.
        device: of the result; None: that of ``bands``.

    Returns:
        ``(cos, sin)``, each (tokens, 3 * head_dim/8) in float32.
    """
    device = bands.device if device is None else device
    starts = torch.tensor(chunk_positions, dtype=torch.float64)[:, None] * chunk_width
    rescale = math.sqrt(height * width / 256)
    axes = (
        (starts + torch.arange(chunk_width)).flatten(),
        _centred_positions(height, rescale),
        _centred_positions(width, rescale),
    )
    angles = torch.cat(axes)[:, None] * bands.double().cpu()  # (T + H + W, bands)
    table = torch.stack([angles.cos(), angles.sin()]).float()
    if device.type == "cuda" and not table.requires_grad:
        table = table.pin_memory()  # so that the host need not wait for the copy
    frames, rows, columns = table.to(device, non_blocking=True).split([len(a) for a in axes], dim=1)
    shape = (2, len(axes[0]), height, width, len(bands))
    cos, sin = torch.cat(
        [
            frames[:, :, None, None].expand(shape),
            rows[:, None, :, None].expand(shape),
            columns[:, None, None].expand(shape),
        ],
        dim=-1,
    ).flatten(1, 3)
    return cos, sin


def _centred_positions(count: int, rescale: float) -> Tensor:
    positions = torch.arange(count, dtype=torch.float64) - (count - 1) / 2
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
