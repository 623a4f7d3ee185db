"""From prompts to embeddings, each prompt once."""

from __future__ import annotations

import logging
from collections import OrderedDict
from pathlib import Path

import torch

from magi_engine.model.caption_cleaning import clean_caption
from magi_engine.model.text import EncodedPrompt, TextEncoder
from magi_engine.runtime.models.memory import free_bytes
from magi_engine.sampling.memory import until_it_fits
from magi_engine.weights.embeddings import EmbeddingCache
from magi_engine.weights.files import weight_files
from magi_engine.weights.text_encoder import load_text_encoder
from magi_engine.weights.text_placement import (
    LARGE_TEXT_ENCODER_BYTES,
    TextPlacement,
    choose_text_placement,
)

logger = logging.getLogger(__name__)

_REMEMBERED_PROMPTS = 64


class PromptEncoder:
    """The text encoder of a model with the prompts it has encoded before.

    Args:
        directory: T5 in the official layout.
        device: where the transformer runs; a large encoder uses it only if it has the room.
        width, max_length: of the captions the transformer takes.
        cache_dir: where prompts that have been encoded are kept; None: nowhere.
    """

    def __init__(
        self,
        directory: Path,
        device: torch.device,
        width: int,
        max_length: int,
        cache_dir: Path | None = None,
    ) -> None:
        self._directory = directory
        self._cache = (
            None if cache_dir is None else EmbeddingCache(cache_dir, directory, width, max_length)
        )
        self._device = device
        self._width = width
        self._max_length = max_length
        self._encoder: TextEncoder | None = None
        self._placement: TextPlacement | None = None
        self._known: OrderedDict[str, EncodedPrompt] = OrderedDict()
        self._bytes = 0

    @property
    def loaded(self) -> bool:
        """Whether the encoder is in memory."""
        return self._encoder is not None

    def knows(self, prompt: str) -> bool:
        """Whether ``encode`` needs no encoder for this prompt."""
        return prompt in self._known or not clean_caption(prompt) or self._recall(prompt)

    def load(self) -> None:
        """Bring the encoder into memory: all of it, streamed or on the CPU, as there is room.

        Raises:
            ModelNotFoundError, WeightsError: its files are missing or damaged.
        """
        until_it_fits(self._load, self._step_down)

    def _load(self) -> TextEncoder:
        if self._encoder is None:
            self._bytes = sum(path.stat().st_size for path in weight_files(self._directory))
            if self._placement is None:
                free = free_bytes(self._device) if self._device.type == "cuda" else None
                self._placement = choose_text_placement(self._bytes, free)
            on_cpu = self._placement is TextPlacement.CPU
            self._encoder = load_text_encoder(
                self._directory,
                torch.device("cpu") if on_cpu else self._device,
                self._max_length,
                streamed=self._placement is TextPlacement.STREAMED,
            )
        return self._encoder

    def _step_down(self) -> bool:
        """Use less of the device from now on, until released; False if it uses none."""
        smaller = {
            TextPlacement.DEVICE: TextPlacement.STREAMED,
            TextPlacement.STREAMED: TextPlacement.CPU,
        }.get(self._placement or TextPlacement.CPU)
        if smaller is None:
            return False
        self.release()
        self._placement = smaller
        logger.warning("too little memory for the text encoder: %s", smaller)
        return True

    def encode(self, prompt: str) -> EncodedPrompt:
        """The caption of a prompt; loads the encoder if it has to."""
        if not clean_caption(prompt):
            return EncodedPrompt(torch.zeros(0, self._width), 0, was_cut=False)
        if prompt in self._known or self._recall(prompt):
            self._known.move_to_end(prompt)
            return self._known[prompt]
        encoded = until_it_fits(lambda: self._load().encode(prompt), self._step_down)
        self._remember(prompt, encoded)
        if self._cache is not None:
            self._cache.put(prompt, encoded)
        return encoded

    def release_if_large(self) -> None:
        """Free an encoder that would take the transformer's room."""
        if self._bytes > LARGE_TEXT_ENCODER_BYTES:
            self.release()

    def release(self) -> None:
        """Free the encoder; prompts encoded before stay known."""
        if self._encoder is not None:
            self._encoder.close()
        self._encoder = self._placement = None

    def _recall(self, prompt: str) -> bool:
        """Whether an earlier session has encoded the prompt; if so it is known from now on."""
        encoded = None if self._cache is None else self._cache.get(prompt)
        if encoded is not None:
            self._remember(prompt, encoded)
        return encoded is not None

    def _remember(self, prompt: str, encoded: EncodedPrompt) -> None:
        self._known[prompt] = encoded
        if len(self._known) > _REMEMBERED_PROMPTS:
            self._known.popitem(last=False)
