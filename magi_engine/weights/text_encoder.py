"""Loading the T5 text encoder from a folder in the official layout (spec section 8)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.model.text import TextEncoder
from magi_engine.model.tokenizer import MAX_TOKENS, Tokenizer
from magi_engine.weights.checkpoint import load_weights

_HINT = "Download the text encoder's files again."

# The token embedding has two names; the release stores both, others only the first.
_TIED = (("shared.weight", "encoder.embed_tokens.weight"),)


def load_text_encoder(
    directory: str | Path, device: torch.device | str = "cpu", max_length: int = MAX_TOKENS
) -> TextEncoder:
    """Load T5 in fp32 onto ``device``.

    Args:
        directory: holds ``config.json``, ``spiece.model`` and the weights, safetensors or
            ``.bin`` pickles. On the CPU the weights are mapped from disk, not copied.

    Raises:
        ModelNotFoundError: one of these is missing; names it.
        WeightsError: one of these is damaged, unsafe or does not fit the others.
    """
    from transformers import T5Config, T5EncoderModel

    directory = Path(directory)
    tokenizer = Tokenizer.load(directory / "spiece.model", max_length)
    path = directory / "config.json"
    settings = _read_config(path)
    try:
        config = T5Config.from_dict(settings)
        with torch.device("meta"):
            model = T5EncoderModel(config)
    # Whatever transformers, which validates in its own ways, makes of a wrong value.
    except Exception as error:
        raise WeightsError(f"{path} describes no T5 encoder.", _HINT) from error
    if tokenizer.vocab_size > config.vocab_size:
        raise WeightsError(
            f"The tokenizer in {directory} has {tokenizer.vocab_size} tokens, but its encoder "
            f"knows {config.vocab_size}.",
            _HINT,
        )
    load_weights(model, directory, device=device, dtype_of=lambda _name: torch.float32, tied=_TIED)
    return TextEncoder(model, tokenizer, device)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"The file {path} is missing.", _HINT) from error
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read.", _HINT) from error
    if not isinstance(settings, dict) or settings.get("model_type") != "t5":
        raise WeightsError(f"{path} describes no T5 encoder.", _HINT)
    return settings
