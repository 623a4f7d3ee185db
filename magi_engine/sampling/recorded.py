"""Forwards of the transformer that can be recorded once and run for every chunk.

What differs from chunk to chunk, which chunks are seen and which caption, is left to attention.
A forward pauses for it, see :mod:`magi_engine.ops.cuda_graphs`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from magi_engine.model.block import Attend, KeyRoom, Rooms
from magi_engine.model.captions import CaptionLayer, CaptionProjection, KnownCaptions
from magi_engine.ops.cuda_graphs import Pause


@dataclass(frozen=True)
class Seen:
    """What a forward attends to."""

    attend: Attend | KeyRoom
    captions: KnownCaptions


@dataclass(frozen=True)
class PausingAttention(KeyRoom):
    """Self-attention for which a forward pauses.

    Attributes:
        seen: of the first forward that runs so; those after it have the same rooms.
        shared: memory for one of :class:`Rooms`, of (N, S) tokens, that is used by every layer.
    """

    pause: Pause[Seen]
    seen: Seen
    shared: Callable[[str, tuple[int, int]], Tensor]

    def room(self, layer: int, shape: tuple[int, int]) -> Rooms:
        """See :class:`KeyRoom`."""
        attend = self.seen.attend
        wanted = attend.room(layer, shape) if isinstance(attend, KeyRoom) else Rooms()
        rooms = wanted._asdict().items()
        return Rooms(*(self.shared(name, shape) if x is None else x for name, x in rooms))

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.pause(q, lambda seen: seen.attend(layer, q, k, v))


@dataclass(frozen=True)
class PausingCaptions:
    """Captions for which a forward pauses."""

    pause: Pause[Seen]

    def seen_by(self, model: CaptionProjection, videos: int) -> PausingCaptions:
        """They are seen already."""
        del model, videos
        return self

    def attend(self, index: int, layer: CaptionLayer, qx: Tensor, which: slice) -> Tensor:
        """As of SeenCaptions."""
        return self.pause(qx, lambda seen: seen.captions.attend(index, layer, qx, which))
