"""From a prompt to its embedding: cleaning, T5 tokens, T5 encoder (spec section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.model.caption_cleaning import clean_caption

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor
    from transformers import T5EncoderModel

MAX_TOKENS = 800


@dataclass(frozen=True)
class Tokens:
    """The T5 tokens of a cleaned prompt."""

    ids: tuple[int, ...]
    """At most the tokenizer's ``max_length``; the last is the end-of-text token."""
    count: int
    """How many there would be without the cut."""

    @property
    def was_cut(self) -> bool:
        """Whether the end of the prompt is lost."""
        return self.count > len(self.ids)


class Tokenizer:
    """T5's tokenizer, read from its ``spiece.model``.

    SentencePiece is used as it is: T5's own tokenizer in transformers only adds special words
    that a cleaned caption cannot contain.
    """

    def __init__(self, pieces: SentencePieceProcessor, max_length: int) -> None:
        self._pieces = pieces
        self._max_length = max_length

    @classmethod
    def load(cls, path: str | Path, max_length: int = MAX_TOKENS) -> Tokenizer:
        """Read a ``spiece.model``.

        Raises:
            ModelNotFoundError: there is no such file.
            WeightsError: it is damaged.
        """
        from sentencepiece import SentencePieceProcessor

        path = Path(path)
        hint = "Download the text encoder's files again."
        try:
            # As bytes, since SentencePiece cannot open every path on Windows.
            pieces = SentencePieceProcessor(model_proto=path.read_bytes())
        except FileNotFoundError as error:
            raise ModelNotFoundError(f"The tokenizer {path} is missing.", hint) from error
        except (OSError, RuntimeError) as error:
            raise WeightsError(f"The tokenizer {path} cannot be read.", hint) from error
        if pieces.GetPieceSize() == 0 or pieces.eos_id() < 0:
            raise WeightsError(f"The tokenizer {path} is not a T5 tokenizer.", hint)
        return cls(pieces, max_length)

    @property
    def vocab_size(self) -> int:
        """One more than the largest token."""
        return self._pieces.GetPieceSize()

    def encode(self, prompt: str) -> Tokens:
        """The tokens of ``prompt``, cleaned; none if nothing is left of it.

        T5 would turn an empty text into its end-of-text token alone. The model, however, knows
        "no caption" as its learned null caption, which it takes when no token is valid (spec
        section 4); so an empty prompt has no tokens.
        """
        text = clean_caption(prompt)
        if not text:
            return Tokens((), 0)
        words = self._pieces.Encode(text)
        return Tokens((*words[: self._max_length - 1], self._pieces.eos_id()), len(words) + 1)


@dataclass(frozen=True)
class EncodedPrompt:
    """What the diffusion transformer is told."""

    embedding: torch.Tensor
    """(L, C) fp32 on the CPU, the valid tokens only; L is 0 for an empty prompt."""
    token_count: int
    """Tokens of the whole prompt, also of what was cut off."""
    was_cut: bool
    """Whether the prompt was longer than L tokens, and only its beginning counts."""


class TextEncoder:
    """T5's encoder with its tokenizer; see ``magi_engine.weights.text_encoder`` for loading.

    The release pads every prompt to 800 tokens and masks the padding. Here the padding is left
    out: T5's positions are relative and masked keys get no weight, so nothing changes for the
    valid tokens, and a prompt of 20 tokens takes a fortieth of the time.
    """

    def __init__(
        self, model: T5EncoderModel, tokenizer: Tokenizer, device: torch.device | str
    ) -> None:
        self._model: T5EncoderModel | None = model.eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._device = torch.device(device)
        self.width: int = model.config.d_model
        """C of the embeddings."""

    @torch.no_grad()
    def encode(self, prompt: str) -> EncodedPrompt:
        """Encode one prompt in fp32. Raises RuntimeError after :meth:`close`."""
        if self._model is None:
            raise RuntimeError("the text encoder is closed")
        tokens = self._tokenizer.encode(prompt)
        if not tokens.ids:
            return EncodedPrompt(torch.zeros(0, self.width), 0, was_cut=False)
        ids = torch.tensor([tokens.ids], device=self._device)  # (1, L)
        embedding = self._model(input_ids=ids).last_hidden_state[0]  # (L, C)
        return EncodedPrompt(embedding.float().cpu(), tokens.count, tokens.was_cut)

    def count_tokens(self, prompt: str) -> int:
        """Tokens of the whole prompt, also beyond the maximum; needs no model, so it is quick."""
        return self._tokenizer.encode(prompt).count

    def close(self) -> None:
        """Free the model's memory; counting tokens still works."""
        self._model = None
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
