"""The pocket model's own T5: its tokenizer, its small encoder, and saving both officially.

The folder that comes out has the layout of the released ``t5-v1_1-xxl`` (spec section 8), so that
it loads through the same code.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from magi_engine.model.caption_cleaning import clean_caption
from magi_engine.model.tokenizer import MAX_TOKENS, Tokenizer

if TYPE_CHECKING:
    from transformers import T5Config, T5EncoderModel

PAD, EOS, UNK = 0, 1, 2

# Always in the vocabulary, so that any English word can be spelled; captions are lower-case.
_ALPHABET = string.ascii_lowercase + string.digits + string.punctuation

_PIECES = 200  # the alphabet and frequent parts of words; the rest of the vocabulary is words
_WORD = re.compile(r"(?<!\S)[a-z]+\b")
_SPACE = "\u2581"  # what SentencePiece writes for a space, which begins a word

_TOKENIZER_CONFIG = {
    "tokenizer_class": "T5Tokenizer",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "extra_ids": 0,
    "model_max_length": MAX_TOKENS,
}


def train_tokenizer(corpus: Iterable[str], directory: str | Path, vocab_size: int = 600) -> int:
    """Train a SentencePiece tokenizer on captions and write its files into ``directory``.

    The same corpus always gives the same files. Words that the corpus lacks are spelled.

    Args:
        corpus: captions, uncleaned, as a user would write them.
        vocab_size: the most tokens there may be, at least 200; a small corpus gives fewer.

    Returns:
        How many tokens there are.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    captions = [clean_caption(caption) for caption in corpus]
    _replace(
        directory / "spiece.model", _with_whole_words(_train_pieces(captions), captions, vocab_size)
    )
    _write_json(directory / "tokenizer_config.json", _TOKENIZER_CONFIG)
    special = {name: _TOKENIZER_CONFIG[name] for name in ("pad_token", "eos_token", "unk_token")}
    _write_json(directory / "special_tokens_map.json", special)
    return Tokenizer.load(directory / "spiece.model").vocab_size


def _train_pieces(captions: Sequence[str]) -> bytes:
    """A SentencePiece model of letters and parts of words."""
    from sentencepiece import SentencePieceTrainer

    model = io.BytesIO()
    SentencePieceTrainer.Train(
        sentence_iterator=iter(captions),
        model_writer=model,
        model_type="unigram",
        vocab_size=_PIECES,
        hard_vocab_limit=False,
        character_coverage=1.0,
        required_chars=_ALPHABET,
        pad_id=PAD,
        eos_id=EOS,
        unk_id=UNK,
        bos_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def _with_whole_words(model: bytes, captions: Sequence[str], vocab_size: int) -> bytes:
    """The model with the most frequent words of the captions added as tokens.

    SentencePiece only considers parts that occur in several different words, and so would spell
    most of a corpus with few words; but a word that is one token is far easier to learn.
    """
    # The class is made at run time from a protobuf description, so it carries no types.
    from sentencepiece.sentencepiece_model_pb2 import (
        ModelProto,  # pyright: ignore[reportAttributeAccessIssue]
    )

    proto = ModelProto.FromString(model)
    present = {piece.piece for piece in proto.pieces}
    counts = Counter(word for caption in captions for word in _WORD.findall(caption))
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if len(proto.pieces) >= vocab_size:
            break
        if f"{_SPACE}{word}" not in present:
            # As SentencePiece scores: the logarithm of the frequency.
            proto.pieces.add(piece=f"{_SPACE}{word}", score=math.log(count / counts.total()))
    proto.trainer_spec.vocab_size = len(proto.pieces)
    return proto.SerializeToString(deterministic=True)


def tiny_t5_config(
    vocab_size: int, d_model: int = 128, layers: int = 2, heads: int = 4, d_ff: int = 256
) -> T5Config:
    """A T5 v1.1 encoder like the released one, only small."""
    from transformers import T5Config

    return T5Config.from_dict(
        {
            "vocab_size": vocab_size,
            "d_model": d_model,
            "d_kv": d_model // heads,
            "d_ff": d_ff,
            "num_layers": layers,
            "num_heads": heads,
            "feed_forward_proj": "gated-gelu",
            "dropout_rate": 0.0,
            "pad_token_id": PAD,
            "eos_token_id": EOS,
            "decoder_start_token_id": PAD,
            "tie_word_embeddings": False,
        }
    )


def make_tiny_t5(config: T5Config, seed: int = 0) -> T5EncoderModel:
    """A fresh encoder in fp32 on the CPU; the seed decides its weights."""
    from transformers import T5EncoderModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = T5EncoderModel(config)
    # transformers ties the two names of the token embedding only when told to in the config.
    model.encoder.set_input_embeddings(model.shared)
    return model


def make_t5_for(directory: str | Path, d_model: int) -> T5EncoderModel:
    """A fresh encoder of width ``d_model`` for the vocabulary in ``directory``."""
    vocabulary = Tokenizer.load(Path(directory) / "spiece.model").vocab_size
    return make_tiny_t5(tiny_t5_config(vocabulary, d_model=d_model))


def save_t5(model: T5EncoderModel, directory: str | Path) -> None:
    """Write ``config.json`` and ``model.safetensors`` (fp32) into ``directory``."""
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    config = {**model.config.to_dict(), "architectures": ["T5EncoderModel"], "model_type": "t5"}
    _write_json(directory / "config.json", config)
    state = {
        name: tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in model.state_dict().items()
        if name != "encoder.embed_tokens.weight"  # is shared.weight
    }
    path = directory / "model.safetensors"
    # Beside it and renamed: the file that is there may be mapped by a running program.
    fresh = path.with_suffix(".tmp")
    save_file(state, fresh, metadata={"format": "pt"})
    os.replace(fresh, path)


def encode_corpus(directory: str | Path, captions: Sequence[str]) -> torch.Tensor:
    """Tokens of many captions, (n, L) int64, padded with ``PAD`` to the longest.

    Args:
        directory: where :func:`train_tokenizer` wrote its files.
        captions: uncleaned; an empty one has no tokens, so its row is padding only.
    """
    tokenizer = Tokenizer.load(Path(directory) / "spiece.model")
    unique = {caption: tokenizer.encode(caption).ids for caption in dict.fromkeys(captions)}
    ids = torch.full((len(captions), max(map(len, unique.values()), default=0)), PAD)
    for row, caption in zip(ids, captions, strict=True):
        row[: len(unique[caption])] = torch.tensor(unique[caption], dtype=torch.int64)
    return ids


def _write_json(path: Path, content: object) -> None:
    _replace(path, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.tmp")
    fresh.write_bytes(content)
    os.replace(fresh, path)
