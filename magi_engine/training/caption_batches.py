"""Batches of captions that change with every forward, as training has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from magi_engine.model.captions import CaptionLayer, CaptionProjection, SeenCaptions
from magi_engine.ops.attention import attention

_EXTRA_FEATURES = 8
_FAR_BELOW = 1e4
"""A score this far below the others has no weight in any float format."""


@dataclass(frozen=True)
class CaptionBatch:
    """One caption per chunk.

    Attributes:
        embeddings: (N * R, L, caption_channels) float32, padded at the end.
        lengths: valid tokens of each row.
    """

    embeddings: Tensor
    lengths: tuple[int, ...]

    def mask(self) -> Tensor:
        """Which positions are valid: bool (N * R, L)."""
        positions = torch.arange(self.embeddings.shape[1])
        mask = positions < torch.tensor(self.lengths)[:, None]
        return mask.to(self.embeddings.device, non_blocking=True)

    def seen_by(self, model: CaptionProjection, videos: int) -> SeenCaptions:
        """As the blocks of ``model`` see them; several videos are masked."""
        mask = self.mask() if videos > 1 else None
        return _Seen(model.project_captions(self.embeddings), self.lengths, mask)


@dataclass(frozen=True)
class _Seen:
    """What the blocks see of a CaptionBatch: projected tokens (N * R, L, D)."""

    tokens: Tensor
    lengths: tuple[int, ...]
    mask: Tensor | None

    def attend(self, index: int, layer: CaptionLayer, qx: Tensor, which: slice) -> Tensor:
        """As of SeenCaptions."""
        del index
        k, v = layer.caption_keys(self.tokens[which])
        lengths = self.lengths[which]
        mask = None if self.mask is None else self.mask[which]
        rows = len(lengths) // len(qx)
        rows_of_q = rearrange(qx, "n (r s) h d -> (n r) s h d", r=rows)
        seen = caption_attention(rows_of_q, k, v, lengths, mask)
        return rearrange(seen, "(n r) s h d -> n (r s) h d", r=rows)


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
