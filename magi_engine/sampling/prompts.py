"""A caption per chunk (spec section 4, "Captions per chunk"; paper 2.6)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from magi_engine.config.official import ModelConfig
from magi_engine.errors import InvalidRequestError
from magi_engine.model.special_tokens import (
    DEFAULT_TOKENS,
    NEGATIVE_TOKENS,
    SpecialToken,
    SpecialTokens,
    reading_order,
)


class CaptionTrack:
    """Which caption each chunk is denoised with; may change while the video is made.

    Args:
        caption: (L, C) embedding of the first prompt's valid tokens; L = 0 for "no prompt".
        special_tokens: the table of special tokens.
        names: which of them to put in front, in any order.
        max_length: captions are cut to this many positions, special tokens included.
        negative: whether :data:`NEGATIVE_TOKENS` stand in front of the null caption.

    Attributes:
        later_chunks: of the video, which are made another time; None: nobody knows how many.
    """

    def __init__(
        self,
        caption: Tensor,
        special_tokens: SpecialTokens,
        names: Sequence[SpecialToken] = DEFAULT_TOKENS,
        max_length: int = ModelConfig.caption_max_length,
        negative: bool = False,
    ) -> None:
        self._changes: dict[int, Tensor] = {0: caption}
        self._special_tokens = special_tokens
        self._names = reading_order(names)
        self._max_length = max_length
        self._null_names = reading_order(NEGATIVE_TOKENS) if negative else ()
        self._started = -1
        self.later_chunks: int | None = 0

    @property
    def first_open_chunk(self) -> int:
        """The earliest chunk whose caption can still be changed."""
        return self._started + 1

    def change(self, from_chunk: int, caption: Tensor) -> None:
        """Use ``caption`` (L, C) from chunk ``from_chunk`` on, until the next change after it.

        Raises:
            InvalidRequestError: that chunk is already being denoised.
        """
        if from_chunk < self.first_open_chunk:
            raise InvalidRequestError(
                "Chunk {chunk} has already started.",
                "Change the prompt from chunk {first} on.",
                chunk=from_chunk,
                first=self.first_open_chunk,
            )
        self._changes[from_chunk] = caption

    def reopen(self, from_chunk: int) -> None:
        """Chunks from ``from_chunk`` on that have started will start anew."""
        self._started = min(self._started, from_chunk - 1)

    def start(self, chunk: int, chunks_left: int | None) -> Tensor | None:
        """The caption of a chunk that starts now; from here on it is fixed.

        Args:
            chunks_left: chunks after this one that are made now; None: without a planned end.

        Returns:
            (L, C), special tokens in front, or None for "no prompt".
        """
        self._started = max(self._started, chunk)
        caption = self._changes[max(c for c in self._changes if c <= chunk)]
        if len(caption) == 0:
            return None
        later = self.later_chunks
        left = None if chunks_left is None or later is None else chunks_left + later
        return self._with_tokens(self._names, caption, left)[: self._max_length]

    def null_caption(self, plain: Tensor) -> Tensor:
        """What stands for "no caption": ``plain`` (L, C), or as much of it behind the negative
        tokens as is left of L positions."""
        return self._with_tokens(self._null_names, plain)[: len(plain)]

    def _with_tokens(
        self, names: Sequence[SpecialToken], caption: Tensor, chunks_left: int | None = None
    ) -> Tensor:
        vectors = [
            self._special_tokens.duration(chunks_left)
            if name is SpecialToken.DURATION
            else self._special_tokens.vector(name)
            for name in names
        ]
        return torch.cat([*(vector.to(caption)[None] for vector in vectors), caption])
