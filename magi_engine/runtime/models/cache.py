"""The model that is kept for the next job, and freed when another one comes."""

from __future__ import annotations

from pathlib import Path

import torch

from magi_engine.runtime.machine.facts import HeldModel
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.weights.layout import FoundModel


class ModelCache:
    """Holds the model of the last job; a job with another model or device frees it first."""

    def __init__(self, models_dir: Path | None, cache_dir: Path | None = None) -> None:
        self.models_dir = models_dir
        self._cache_dir = cache_dir
        self._model: LoadedModel | None = None

    def model(self, found: FoundModel, device: torch.device, dtype: torch.dtype) -> LoadedModel:
        """The model for a job, with nothing loaded that is not there already."""
        model = self._model
        if model is None or (model.found, model.device, model.dtype) != (found, device, dtype):
            self.clear()
            model = self._model = LoadedModel(found, device, dtype, self._cache_dir)
        return model

    def held_bytes(self) -> tuple[int, int]:
        """Memory that :meth:`clear` gives back: of the graphics card, and of the machine."""
        if self._model is None:
            return 0, 0
        if self._model.device.type == "cuda":
            return torch.cuda.memory_reserved(self._model.device), self._model.offloaded_bytes()
        return 0, self._model.held_bytes()

    def held_model(self) -> HeldModel | None:
        """What of the last job's model is still loaded."""
        model = self._model
        if model is None:
            return None
        return HeldModel(
            weights=model.found.files.transformer,
            device=str(model.device),
            dtype=str(model.dtype).removeprefix("torch."),
            text_encoder=model.text.loaded,
            networks=model.dit_loaded and model.vae_loaded,
        )

    def clear(self) -> None:
        """Free what is loaded."""
        if self._model is not None:
            self._model.unload()
            self._model = None
