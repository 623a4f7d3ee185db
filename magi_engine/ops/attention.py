"""Scaled dot-product attention over grouped heads, through PyTorch's own kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]
"""A function that computes what :func:`attention` does."""

_EXTRA_FEATURES = 8
_SCORES_AT_ONCE = 1 << 20
"""So many stay in a processor's cache."""
_FAR_BELOW = 1e4
"""A score this far below the others has no weight in any float format."""


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / sqrt(D)) v with consecutive query heads sharing a key/value group.

    Args:
        q: (N, Sq, heads, D).
        k, v: (N, Sk, groups, D), ``heads`` a multiple of ``groups``.

    Returns:
        (N, Sq, heads, D).
    """
    out = F.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.transpose(1, 2),
        v.transpose(1, 2),
        enable_gqa=q.shape[2] != k.shape[2],
    )
    return out.transpose(1, 2)


def attention_by_products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """:func:`attention` as two matrix products, some queries at a time; inference only.

    On a processor that multiplies bfloat16 in hardware, whose flash kernel does not, this takes
    half the time. Scores and weights are rounded to the dtype of the inputs.
    """
    videos, length, _, head_dim = q.shape
    groups = k.shape[2]
    keys = k.permute(0, 2, 3, 1).flatten(0, 1).contiguous()  # (N * groups, D, Sk)
    values = v.transpose(1, 2).flatten(0, 1).contiguous()  # (N * groups, Sk, D)
    per_group = q.unflatten(2, (groups, -1)).transpose(1, 2)  # (N, groups, Sq, repeats, D)
    rows = per_group.flatten(2, 3).flatten(0, 1) * head_dim**-0.5
    out = torch.empty_like(rows)
    at_once = max(1, _SCORES_AT_ONCE // (videos * groups * k.shape[1]))
    for first in range(0, rows.shape[1], at_once):
        some = slice(first, first + at_once)
        weights = torch.softmax(torch.bmm(rows[:, some], keys), dim=-1)
        out[:, some] = torch.bmm(weights, values)
    by_head = out.unflatten(0, (videos, groups)).unflatten(2, (length, -1)).transpose(1, 2)
    return by_head.flatten(2, 3)


def caption_attention(
    q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int], mask: Tensor | None = None
) -> Tensor:
    """Attention of each row to the first ``lengths[row]`` keys of that row.

    Args:
        q: (B, S, heads, D), one row per chunk.
        k, v: (B, L, groups, D), padded at the end.
        lengths: valid keys per row, 1..L.
        mask: the same as a bool (B, L); given, all rows go in one masked call, which pays for
            many short rows. Without it rows go one by one and padding costs nothing.
    """
    if min(lengths) == k.shape[1]:
        return attention(q, k, v)
    if mask is not None:
        return _masked_attention(q, k, v, mask)
    rows = [
        attention(q[i : i + 1], k[i : i + 1, :n], v[i : i + 1, :n]) for i, n in enumerate(lengths)
    ]
    return torch.cat(rows)


def _masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Attention that leaves out keys whose mask (B, L) is False.

    Flash kernels take no mask, so it travels as eight more features: queries hold a one in the
    first, keys a large negative number where they do not count. (Eight, because the kernels want
    multiples of eight.)
    """
    head_dim = q.shape[3]
    repeats = q.shape[2] // k.shape[2]
    k, v = (x.repeat_interleave(repeats, dim=2) for x in (k, v))
    scale = head_dim**-0.5
    ignored = torch.where(mask, 0.0, -_FAR_BELOW / scale).to(k.dtype)[:, :, None, None]
    ones = torch.ones((1, 1, 1, 1), dtype=q.dtype, device=q.device)
    q, k = (
        torch.cat([x, F.pad(extra.expand(*x.shape[:3], 1), (0, _EXTRA_FEATURES - 1))], dim=-1)
        for x, extra in ((q, ones), (k, ignored))
    )
    v = F.pad(v, (0, _EXTRA_FEATURES))
    out = F.scaled_dot_product_attention(
        q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), scale=scale
    )
    return out.transpose(1, 2)[..., :head_dim]
