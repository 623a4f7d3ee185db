"""From a prompt to T5's tokens: cleaning and SentencePiece (spec section 6). Needs no PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from magi_engine.config.official import ModelConfig
from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.messages import Message
from magi_engine.model.caption_cleaning import clean_caption

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

MAX_TOKENS = ModelConfig.caption_max_length


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
        hint = Message("Download the text encoder's files again.")
        try:
            # As bytes, since SentencePiece cannot open every path on Windows.
            pieces = SentencePieceProcessor(model_proto=path.read_bytes())
        except FileNotFoundError as error:
            raise ModelNotFoundError("The tokenizer {path} is missing.", hint, path=path) from error
        except (OSError, RuntimeError) as error:
            raise WeightsError("The tokenizer {path} cannot be read.", hint, path=path) from error
        if pieces.GetPieceSize() == 0 or pieces.eos_id() < 0:
            raise WeightsError("The tokenizer {path} is not a T5 tokenizer.", hint, path=path)
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
