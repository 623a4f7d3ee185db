"""Prompts that have been encoded before, on disk, so that T5 need not be loaded for them."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from magi_engine.atomic import replacing
from magi_engine.model.text import EncodedPrompt
from magi_engine.weights.provenance import embedding_name

logger = logging.getLogger(__name__)

_MAX_BYTES = 256 << 20


class EmbeddingCache:
    """Embeddings of the prompts used last, one small file each.

    It is only ever a saving: what cannot be read is a miss, what cannot be written is not kept.

    Args:
        folder: need not exist.
        encoder: the folder of the text encoder whose embeddings these are.
        width, max_length: of the captions the transformer takes.
        max_bytes: of all files together; the ones unused for longest go first.
    """

    def __init__(
        self, folder: Path, encoder: Path, width: int, max_length: int, max_bytes: int = _MAX_BYTES
    ) -> None:
        self._folder = folder
        self._encoder = encoder
        self._width = width
        self._max_length = max_length
        self._max_bytes = max_bytes

    def get(self, prompt: str) -> EncodedPrompt | None:
        """The prompt as it was encoded before, or None."""
        path = self._path(prompt)
        if path is None or not path.is_file():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                noted = file.metadata() or {}
                embedding: Tensor = file.get_tensor("embedding").clone()
            sound = (
                embedding.dtype is torch.float32
                and embedding.dim() == 2
                and embedding.shape[1] == self._width
                and noted["sha256"] == _digest(embedding)
            )
            count = int(noted["token_count"])
        except (OSError, SafetensorError, KeyError, ValueError):
            sound, count, embedding = False, 0, torch.empty(0)
        with contextlib.suppress(OSError):
            if not sound:
                path.unlink()
                return None
            os.utime(path)
        return EncodedPrompt(embedding, count, was_cut=count > len(embedding)) if sound else None

    def put(self, prompt: str, encoded: EncodedPrompt) -> None:
        """Keep a prompt."""
        path = self._path(prompt)
        if path is None:
            return
        embedding = encoded.embedding.contiguous()
        noted = {"sha256": _digest(embedding), "token_count": str(encoded.token_count)}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as part:
                save_file({"embedding": embedding}, part, metadata=noted)
            self._prune()
        except (OSError, SafetensorError):
            logger.info("the embedding of a prompt is not kept", exc_info=True)

    def _path(self, prompt: str) -> Path | None:
        name = embedding_name(self._encoder, prompt, self._max_length)
        return None if name is None else self._folder / name

    def _prune(self) -> None:
        files = [(path.stat(), path) for path in self._folder.iterdir()]
        excess = sum(stat.st_size for stat, _ in files) - self._max_bytes
        for stat, path in sorted(files, key=lambda item: item[0].st_mtime_ns):
            if excess <= 0:
                return
            path.unlink(missing_ok=True)
            excess -= stat.st_size


def _digest(embedding: Tensor) -> str:
    return hashlib.sha256(embedding.numpy().data).hexdigest()
