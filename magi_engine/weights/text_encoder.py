"""Loading the T5 text encoder from a folder in the official layout (spec section 8)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.json_text import read_json
from magi_engine.messages import Message
from magi_engine.model.text import TextEncoder
from magi_engine.model.tokenizer import MAX_TOKENS, Tokenizer
from magi_engine.ops.int8 import Int8Linear
from magi_engine.weights.checkpoint import load_weights
from magi_engine.weights.provenance import TEXT_RECIPE, Provenance
from magi_engine.weights.text_stream import BlockStream

if TYPE_CHECKING:
    from transformers import T5EncoderModel

_HINT = Message("Download the text encoder's files again.")

# The token embedding has two names; the release stores both, others only the first.
TIED = (("shared.weight", "encoder.embed_tokens.weight"),)


def load_text_encoder(
    directory: str | Path,
    device: torch.device | str = "cpu",
    max_length: int = MAX_TOKENS,
    *,
    streamed: bool = False,
) -> TextEncoder:
    """Load T5, in fp32 or with 8-bit weights (see ``convert_text``), onto ``device``.

    Args:
        directory: holds ``config.json``, ``spiece.model`` and the weights, safetensors or
            ``.bin`` pickles. On the CPU the weights are mapped from disk, not copied.
        streamed: whether the layers stay on disk; while a prompt is encoded, ``device`` then
            holds the one that computes and the one that comes next.

    Raises:
        ModelNotFoundError: one of these is missing; names it.
        WeightsError: one of these is damaged, unsafe or does not fit the others.
    """
    directory = Path(directory)
    tokenizer = Tokenizer.load(directory / "spiece.model", max_length)
    model = build_text_model(directory)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise WeightsError(
            "The tokenizer in {folder} has {tokens} tokens, but its encoder knows {known}.",
            _HINT,
            folder=directory,
            tokens=tokenizer.vocab_size,
            known=model.config.vocab_size,
        )
    made = Provenance.read(directory)
    if made is not None:
        if made.recipe != TEXT_RECIPE:
            raise WeightsError(
                "{folder} was made in a way this version does not know.",
                "Convert the text encoder again.",
                folder=directory,
            )
        to_int8(model)
    if streamed:
        stream = BlockStream(model, directory, torch.device(device), TIED)
        return TextEncoder(model, tokenizer, device, stream.close)
    load_weights(model, directory, device=device, tied=TIED)
    return TextEncoder(model, tokenizer, device)


def build_text_model(directory: Path) -> T5EncoderModel:
    """The fp32 encoder that ``config.json`` describes, without weights (on the meta device).

    Raises:
        ModelNotFoundError, WeightsError: the file is missing or wrong.
    """
    from transformers import T5Config, T5EncoderModel

    path = directory / "config.json"
    settings = _read_config(path)
    try:
        config = T5Config.from_dict(settings)
        with torch.device("meta"):
            model = T5EncoderModel(config)
    # Whatever transformers, which validates in its own ways, makes of a wrong value.
    except Exception as error:
        raise WeightsError("{path} describes no T5 encoder.", _HINT, path=path) from error
    model.float().encoder.set_input_embeddings(model.shared)
    return model


def to_int8(model: T5EncoderModel) -> None:
    """Give ``model``, on the meta device, the shape of the 8-bit form.

    The token embedding is small and the base of everything, so it stays in bf16; norms and
    position biases stay in fp32.
    """
    linears = [(name, m) for name, m in model.named_modules() if isinstance(m, nn.Linear)]
    with torch.device("meta"):
        for name, linear in linears:
            model.set_submodule(name, Int8Linear(linear.in_features, linear.out_features))
    model.shared.to(torch.bfloat16)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        settings = read_json(path)
    except FileNotFoundError as error:
        raise ModelNotFoundError("The file {path} is missing.", _HINT, path=path) from error
    except (OSError, ValueError) as error:
        raise WeightsError("{path} cannot be read.", _HINT, path=path) from error
    if not isinstance(settings, dict) or settings.get("model_type") != "t5":
        raise WeightsError("{path} describes no T5 encoder.", _HINT, path=path)
    return settings
