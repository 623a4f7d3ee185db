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
    axes = rotary_places(chunk_positions, chunk_width, height, width)
    table = _table(axes, bands.double().cpu())
    if device.type == "cuda" and not table.requires_grad:
        table = table.pin_memory()  # so that the host need not wait for the copy
    return _spread(table.to(device, non_blocking=True), axes)


def rotary_angles_at(places: tuple[Tensor, ...], bands: Tensor) -> tuple[Tensor, Tensor]:
    """:func:`rotary_angles` without any copy, for training: ``bands`` may be learned.

    Args:
        places: of :func:`rotary_places`, on the device of ``bands``.
    """
    return _spread(_table(places, bands.double()), places)


def rotary_places(
    chunk_positions: Sequence[int], chunk_width: int, height: int, width: int
) -> tuple[Tensor, ...]:
    """Where frames (T,), rows (H,) and columns (W,) stand: float64, on the CPU."""
    starts = torch.tensor(chunk_positions, dtype=torch.float64)[:, None] * chunk_width
    rescale = math.sqrt(height * width / 256)
    return (
        (starts + torch.arange(chunk_width)).flatten(),
        _centred_positions(height, rescale),
        _centred_positions(width, rescale),
    )


def _table(places: tuple[Tensor, ...], bands: Tensor) -> Tensor:
    """Cosines and sines of every place, (2, T + H + W, bands) float32."""
    angles = torch.cat(places)[:, None] * bands
    return torch.stack([angles.cos(), angles.sin()]).float()


def _spread(table: Tensor, places: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Of a table, what every token needs, (tokens, 3 * bands) each."""
    frames, rows, columns = table.split([len(axis) for axis in places], dim=1)
    shape = (2, frames.shape[1], rows.shape[1], columns.shape[1], table.shape[2])
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
