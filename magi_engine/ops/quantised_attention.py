"""Attention whose matrix products are between 8-bit numbers.

Half the bytes and twice the rate of bfloat16 products, for an error of some percent. There are two
recipes, for what cards multiply fastest. What keeps the error there (all of it exact but the
rounding):

- Keys lose their mean: a softmax does not see what all scores have in common.
- Values lose theirs, which comes back at the end: weights add up to one.
- A query and head has a scale of its own, a channel of values one.
- In e4m3 (Hopper), a group of keys has one scale. It and those of values are powers of two times a
  constant: then what is seen along with other keys is rounded as it is alone, but for what is
  below normal. Not powers of two themselves: numbers in bfloat16 would often lie half-way, and a
  small mean would decide for all of them alike (an error of 0.087 instead of 0.056).
  Queries that see the same keys and then more of them may share all: means are those of the keys
  that all see, so that what some see does not depend on what only others do. Weights are rounded
  after times 2^8, where e4m3 reaches 14 binary orders below the largest.
- In int8 (all others), a tile of 128 keys has a scale of its own. Weights are rounded to 255 steps
  of the largest of their query in the tile, and are added up as rounded.

This module is the recipes in plain PyTorch, for any device; the kernels that are fast hold to them
(:mod:`magi_engine.ops.quantised_kernels`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from magi_engine.ops.fp8 import E4M3, E4M3_MAX
from magi_engine.ops.int8 import INT8_MAX

WEIGHT_BITS = 8
"""Weights of the softmax are rounded to e4m3 times two to this power: the largest is 256 of 448."""

WEIGHT_STEPS = 255
"""Weights of the softmax as unsigned bytes: the largest in a tile."""

KEYS_PER_TILE = 128
"""Keys and values lie in tiles of so many; the last is filled up with zeros."""

SMALLEST = 1e-6
"""What scales are made of at least, so that nothing is divided by zero."""

_ROOT = 2**0.5
"""That times powers of two are the scales of keys and values in e4m3."""


def averaged_keys(count: int, least: int) -> int:
    """Of how many keys the mean is taken off: whole tiles of those that all queries see, which are
    the first ``least`` of ``count``."""
    tiles = count if least == count else max(KEYS_PER_TILE, least // KEYS_PER_TILE * KEYS_PER_TILE)
    return min(count, tiles)


def e4m3_attention(
    q: Tensor, k: Tensor, v: Tensor, count: int | None = None, least: int | None = None
) -> Tensor:
    """:func:`magi_engine.ops.attention.attention` with its products in e4m3, as above.

    Args:
        count: of the keys, the first ones, that these queries see; all by default.
        least: the fewest that any query sees for which these are rounded; ``count`` by default.
    """
    count = k.shape[1] if count is None else count
    averaged = averaged_keys(k.shape[1], count if least is None else least)
    queries, keys, values, mean = _prepared(q, k, v, averaged)
    queries = _rounded(queries, _scale(queries, (3,)))
    repeats = q.shape[2] // k.shape[2]
    keys, values = (
        _rounded(x, _in_octaves(_scale(x, shared)))[:, :, :count].repeat_interleave(repeats, 1)
        for x, shared in ((keys, (2, 3)), (values, (2,)))
    )
    scores = queries @ keys.transpose(2, 3) * q.shape[3] ** -0.5
    weights = torch.exp(scores - scores.amax(dim=3, keepdim=True)) * 2**WEIGHT_BITS
    out = weights.to(E4M3).float() @ values / weights.sum(dim=3, keepdim=True)
    return (out + mean).transpose(1, 2).to(q.dtype)


def int8_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """:func:`magi_engine.ops.attention.attention` with its products in int8, as above."""
    queries, keys, values, mean = _prepared(q, k, v)
    repeats = q.shape[2] // k.shape[2]
    missing = -keys.shape[2] % KEYS_PER_TILE
    queries = _in_steps(queries, (3,))
    tiles = F.pad(keys, (0, 0, 0, missing)).unflatten(2, (-1, KEYS_PER_TILE))
    keys = _in_steps(tiles, (3, 4)).flatten(2, 3).repeat_interleave(repeats, dim=1)
    values = F.pad(_in_steps(values, (2,)), (0, 0, 0, missing))
    values = values.unflatten(2, (-1, KEYS_PER_TILE)).repeat_interleave(repeats, dim=1)
    scores = queries @ keys.transpose(2, 3) * q.shape[3] ** -0.5
    scores[..., k.shape[1] :] = -torch.inf
    scores = scores.unflatten(3, (-1, KEYS_PER_TILE)).transpose(2, 3)  # (N, heads, tiles, Sq, 128)
    most = scores.amax(dim=4, keepdim=True)
    weights = (torch.exp(scores - most) * WEIGHT_STEPS).round()
    share = torch.exp(most - most.amax(dim=2, keepdim=True))
    out = (share * (weights @ values)).sum(dim=2)
    out = out / (share * weights.sum(dim=4, keepdim=True)).sum(dim=2)
    return (out + mean).transpose(1, 2).to(q.dtype)


def _prepared(
    q: Tensor, k: Tensor, v: Tensor, averaged: int | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries, keys and values as float32 (N, heads, S, D), the last two without the means of the
    first ``averaged``, and the mean of the values for each query's head."""
    queries, keys, values = (x.float().transpose(1, 2) for x in (q, k, v))
    mean = values[:, :, :averaged].mean(dim=2, keepdim=True)
    return (
        queries,
        keys - keys[:, :, :averaged].mean(dim=2, keepdim=True),
        values - mean,
        mean.repeat_interleave(q.shape[2] // k.shape[2], dim=1),
    )


def _scale(x: Tensor, shared: tuple[int, ...]) -> Tensor:
    """With which e4m3 can say ``x``, one for all that lies along the dimensions given."""
    return x.abs().amax(dim=shared, keepdim=True).clamp_min(SMALLEST) / E4M3_MAX


def _in_octaves(scale: Tensor) -> Tensor:
    """The next power of two, times the constant, that is not smaller."""
    part, exponent = torch.frexp(scale / _ROOT)
    return torch.ldexp(torch.full_like(scale, _ROOT), exponent - (part == 0.5).int())


def _rounded(x: Tensor, scale: Tensor) -> Tensor:
    """``x`` as e4m3 can say it."""
    return (x / scale).to(E4M3).float() * scale


def _in_steps(x: Tensor, shared: tuple[int, ...]) -> Tensor:
    """The same as int8 can say it."""
    scale = x.abs().amax(dim=shared, keepdim=True).clamp_min(SMALLEST) / INT8_MAX
    return (x / scale).round() * scale
