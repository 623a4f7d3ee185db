"""Scaled dot-product attention over grouped heads, through PyTorch's own kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(q kᵀ / sqrt(D)) v with consecutive query heads sharing a key/value group.

    Args:
        q: (N, Sq, heads, D).
        k, v: (N, Sk, groups, D), ``heads`` a multiple of ``groups``.
        mask: optional bool, broadcastable to (N, heads, Sq, Sk); True = may be seen.

    Returns:
        (N, Sq, heads, D).
    """
    out = F.scaled_dot_product_attention(
        q.transpose(1, 2),
        k.transpose(1, 2),
        v.transpose(1, 2),
        attn_mask=mask,
        enable_gqa=q.shape[2] != k.shape[2],
    )
    return out.transpose(1, 2)


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
        repeats = q.shape[2] // k.shape[2]  # masked kernels know no groups
        k, v = (x.repeat_interleave(repeats, dim=2) for x in (k, v))
        return attention(q, k, v, mask[:, None, None])
    rows = [
        attention(q[i : i + 1], k[i : i + 1, :n], v[i : i + 1, :n]) for i, n in enumerate(lengths)
    ]
    return torch.cat(rows)
