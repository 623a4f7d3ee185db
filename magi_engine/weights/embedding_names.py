"""What the file of an encoded prompt is called: by text and encoder. Needs no PyTorch."""

from __future__ import annotations

import hashlib
from pathlib import Path

from magi_engine.errors import MagiError
from magi_engine.model.caption_cleaning import clean_caption
from magi_engine.weights.files import weight_files
from magi_engine.weights.provenance import Provenance

FOLDER = "embeddings"
"""Where they are, in the folder of what can be made again."""


def embedding_name(encoder: Path, prompt: str, max_length: int) -> str | None:
    """The name for a prompt; None if there is no encoder.

    Args:
        encoder: the folder of the text encoder.
        max_length: of the captions the transformer takes.
    """
    try:
        key = "\0".join((clean_caption(prompt), _identity(encoder), str(max_length)))
    except (OSError, MagiError):  # loading it will say so
        return None
    return f"{hashlib.sha256(key.encode()).hexdigest()[:40]}.safetensors"


def _identity(encoder: Path) -> str:
    """The encoder's content, as far as it can be told without reading gigabytes."""
    vocabulary = hashlib.sha256((encoder / "spiece.model").read_bytes()).hexdigest()
    made = Provenance.read(encoder)
    if made is not None:
        return f"{vocabulary} {made.recipe} {made.source_sha256}"
    files = [(path, path.stat()) for path in weight_files(encoder)]
    return f"{vocabulary} {[(p.name, s.st_size, s.st_mtime_ns) for p, s in files]}"
