"""What weights that were quantised on this machine were made from. Needs no PyTorch."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from magi_engine.weights.files import weight_files

RECIPE = "e4m3, SmoothQuant 0.45, 1"
"""Goes into the file; to be changed whenever the same weights would come out differently."""

FILE_NAME = "model.safetensors"

_HASHED_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Provenance:
    """What quantised weights were made from, and how."""

    recipe: str
    source_sha256: str

    @classmethod
    def of_source(cls, source: Path) -> Provenance:
        """What quantising the checkpoint ``source`` now would note; reads all of it.

        Raises:
            ModelNotFoundError, WeightsError: it is not there or damaged.
        """
        digest = hashlib.sha256()
        for path in weight_files(source):
            with path.open("rb") as file:
                while block := file.read(_HASHED_AT_ONCE):
                    digest.update(block)
        return cls(RECIPE, digest.hexdigest())

    @classmethod
    def read(cls, folder: Path) -> Provenance | None:
        """What the weights in ``folder`` note; None if they are not ours or cannot be read."""
        try:
            with safe_open(folder / FILE_NAME, framework="numpy") as file:
                noted = file.metadata() or {}
            return cls(noted["recipe"], noted["source_sha256"])
        except (OSError, SafetensorError, KeyError):
            return None
