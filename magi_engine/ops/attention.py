"""Scaled dot-product attention over grouped heads, through PyTorch's own kernels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

_MASKED_BATCH = 16
"""From this many rows on, one masked call is cheaper than one exact call per row."""


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


def caption_attention(q: Tensor, k: Tensor, v: Tensor, lengths: Sequence[int]) -> Tensor:
    """Attention of each row to the first ``lengths[row]`` keys of that row.

    Args:
        q: (B, S, heads, D), one row per chunk.
        k, v: (B, L, groups, D), padded at the end.
        lengths: valid keys per row, 1..L.
    """
    longest = max(lengths)
    k, v = k[:, :longest], v[:, :longest]
    if min(lengths) == longest:
        return attention(q, k, v)
    if len(lengths) < _MASKED_BATCH:
        rows = [
            attention(q[i : i + 1], k[i : i + 1, :n], v[i : i + 1, :n])
            for i, n in enumerate(lengths)
        ]
        return torch.cat(rows)
    valid = torch.arange(longest, device=q.device) < torch.tensor(lengths, device=q.device)[:, None]
    return attention(q, k, v, valid[:, None, None])
