"""Linear layers whose weights are 8-bit integers and whose arithmetic is float32.

Only the weights are rounded: groups of up to 128 of a row share one scale, so that a single loud
weight coarsens its neighbours and not its whole row. Weights are expanded a few rows at a time
into memory that stays in the processor's cache, which costs next to nothing beside the product.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INT8_MAX = 127

_GROUP = 128
_ROWS_AT_ONCE = 1024


def group_size(in_features: int) -> int:
    """How many weights of a row share a scale: the largest divisor of both 128 and the row."""
    return math.gcd(in_features, _GROUP)


def quantise_int8(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Round rows of weights to the nearest 8-bit integers.

    Args:
        weight: (rows, in), finite.

    Returns:
        int8 (rows, in) and float32 (rows, in / group): the value is their product.
    """
    groups = weight.float().unflatten(1, (-1, group_size(weight.shape[1])))  # (rows, n, group)
    scale = groups.abs().amax(dim=2) / INT8_MAX
    # A group so quiet that its scale is zero or below float32's normal range is nothing.
    scale = torch.where(scale < torch.finfo(torch.float32).tiny, 1.0, scale)
    rounded = (groups / scale[..., None]).round().clamp(-INT8_MAX, INT8_MAX)
    return rounded.to(torch.int8).flatten(1), scale


class Int8Linear(nn.Module):
    """A linear layer without bias; see module."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        groups = in_features // group_size(in_features)
        self.register_buffer("weight", torch.zeros(out_features, in_features, dtype=torch.int8))
        self.register_buffer("weight_scale", torch.ones(out_features, groups))
        self.weight: Tensor
        self.weight_scale: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) -> (..., out), float32."""
        x = x.float()
        rows, in_features = self.weight.shape
        expanded = x.new_empty(min(rows, _ROWS_AT_ONCE), in_features)
        return torch.cat(
            [F.linear(x, self._expand(first, expanded)) for first in range(0, rows, _ROWS_AT_ONCE)],
            dim=-1,
        )

    def _expand(self, first: int, out: Tensor) -> Tensor:
        weight = self.weight[first : first + _ROWS_AT_ONCE]
        scale = self.weight_scale[first : first + _ROWS_AT_ONCE]
        out = out[: len(weight)]
        out.copy_(weight).unflatten(1, (scale.shape[1], -1)).mul_(scale[..., None])
        return out
