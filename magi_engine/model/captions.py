"""The captions of chunks as the layers of the transformer see them (spec section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from magi_engine.ops.attention import Attention, attention


class CaptionLayer(Protocol):
    """A layer that looks at captions."""

    def caption_keys(self, captions: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L, D) -> keys and values (B, L, groups, head_dim)."""
        ...


class CaptionProjection(Protocol):
    """A model that projects captions for all its layers."""

    def project_captions(self, embeddings: Tensor) -> Tensor:
        """(B, L, caption_channels) -> (B, L, D)."""
        ...


class SeenCaptions(Protocol):
    """What the blocks see of captions, one for each of N * R chunks."""

    def attend(self, index: int, layer: CaptionLayer, qx: Tensor, which: slice) -> Tensor:
        """Attention of chunks to their captions.

        Args:
            index: of the layer.
            qx: (N, S, heads, head_dim), queries of some of the chunks.
            which: the captions of these chunks.

        Returns:
            The shape of qx.
        """
        ...


class Captions(Protocol):
    """What a forward is given."""

    def seen_by(self, model: CaptionProjection, videos: int) -> SeenCaptions:
        """As the blocks of ``model`` see them in a forward of so many videos."""
        ...


class CaptionKeys:
    """One caption as every layer sees it; computed at the first look and kept.

    Args:
        model: whose projections are used.
        embedding: (L, caption_channels).
    """

    def __init__(self, model: CaptionProjection, embedding: Tensor) -> None:
        self._tokens = model.project_captions(embedding[None])  # (1, L, D)
        self._known: dict[int, tuple[Tensor, Tensor]] = {}
        self.length = len(embedding)

    def of(self, index: int, layer: CaptionLayer) -> tuple[Tensor, Tensor]:
        """Keys and values in layer ``index``, each (1, L, groups, head_dim)."""
        if index not in self._known:
            k, v = layer.caption_keys(self._tokens)
            self._known[index] = k.contiguous(), v.contiguous()
        return self._known[index]


class KnownCaptions:
    """One caption per chunk, of captions that are seen more than once; inference only.

    Args:
        captions: of the N * R chunks.
        attention: the kernel that looks at them.
    """

    def __init__(self, captions: Sequence[CaptionKeys], attention: Attention = attention) -> None:
        self.captions = captions
        self.attention = attention

    @property
    def lengths(self) -> tuple[int, ...]:
        """Valid tokens of each caption."""
        return tuple(caption.length for caption in self.captions)

    def seen_by(self, model: CaptionProjection, videos: int) -> KnownCaptions:
        """They are seen already."""
        del model, videos
        return self

    def attend(self, index: int, layer: CaptionLayer, qx: Tensor, which: slice) -> Tensor:
        """As of SeenCaptions; neighbouring chunks with one caption go together."""
        captions = self.captions[which]
        videos, chunks = len(qx), len(captions)
        # Attention to a caption knows no order: a batch is as good as a longer row.
        rows = qx.reshape(1, -1, *qx.shape[2:])
        tokens = rows.shape[1] // chunks
        seen = []
        first = 0
        while first < chunks:
            caption, last = captions[first], first + 1
            while last < chunks and captions[last] is caption:
                last += 1
            k, v = caption.of(index, layer)
            seen.append(self.attention(rows[:, first * tokens : last * tokens], k, v))
            first = last
        joined = seen[0] if len(seen) == 1 else torch.cat(seen, dim=1)
        return joined.reshape(videos, -1, *qx.shape[2:])
