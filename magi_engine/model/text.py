"""From a prompt to its embedding: T5 tokens, T5 encoder (spec section 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from magi_engine.model.tokenizer import Tokenizer

if TYPE_CHECKING:
    from transformers import T5EncoderModel


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
        self,
        model: T5EncoderModel,
        tokenizer: Tokenizer,
        device: torch.device | str,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._model: T5EncoderModel | None = model.eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._device = torch.device(device)
        self._on_close = on_close
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
        table = self._model.shared  # may be in bf16 and, unlike the layers, on the CPU
        ids = torch.tensor([tokens.ids], device=table.weight.device)  # (1, L)
        words = table(ids).float().to(self._device)  # (1, L, C)
        embedding = self._model(inputs_embeds=words).last_hidden_state[0]  # (L, C)
        return EncodedPrompt(embedding.float().cpu(), tokens.count, tokens.was_cut)

    def close(self) -> None:
        """Free the model's memory."""
        self._model = None
        self._on_close()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
