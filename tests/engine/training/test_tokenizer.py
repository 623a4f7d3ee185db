"""The pocket model's tokenizer and T5: deterministic, official in layout, able to spell."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from magi_engine.model.tokenizer import Tokenizer
from magi_engine.training.tokenizer import (
    PAD,
    encode_corpus,
    make_tiny_t5,
    save_t5,
    tiny_t5_config,
    train_tokenizer,
)


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    return [
        f"A {size} {colour} {shape} moves {way} over a white background."
        for size in ("large", "small")
        for colour in ("red", "green", "blue")
        for shape in ("circle", "square", "star")
        for way in ("left", "right", "up", "down")
    ]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, corpus: list[str]) -> Path:
    """A folder with a trained tokenizer."""
    folder = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(corpus, folder, vocab_size=300)
    return folder


def test_training_is_deterministic(original: Path, tmp_path: Path, corpus: list[str]) -> None:
    train_tokenizer(corpus, tmp_path, vocab_size=300)
    for name in ("spiece.model", "tokenizer_config.json", "special_tokens_map.json"):
        assert (tmp_path / name).read_bytes() == (original / name).read_bytes()
    assert not list(tmp_path.glob("*.tmp"))


def test_unknown_english_is_spelled_without_unknown_tokens(original: Path) -> None:
    text = 'the quick brown fox jumps over 13 lazy dogs; why? because "it\'s" fun ~ 50% of $9!'
    ids = Tokenizer.load(original / "spiece.model").encode(text).ids
    assert 2 not in ids
    assert ids[-1] == 1


def test_a_known_word_is_one_token(original: Path) -> None:
    tokenizer = Tokenizer.load(original / "spiece.model")
    assert tokenizer.encode("a red circle moves left").count == 5 + 1
    assert tokenizer.encode("a redder circle moves left").count > 5 + 1


def test_the_vocabulary_stays_within_its_limit(tmp_path: Path) -> None:
    corpus = [f"{a}{b}{c} word" for a in "abcdefgh" for b in "aeiou" for c in "klmnop"]
    assert train_tokenizer(corpus, tmp_path, vocab_size=220) == 220


def test_a_corpus_is_encoded_row_by_row(original: Path) -> None:
    captions = ["a red star", "", "a blue circle moves left", "a red star"]
    ids = encode_corpus(original, captions)
    tokenizer = Tokenizer.load(original / "spiece.model")
    assert ids.dtype is torch.int64
    assert ids.shape == (4, tokenizer.encode(captions[2]).count)
    for row, caption in zip(ids, captions, strict=True):
        assert tuple(row[row != PAD].tolist()) == tokenizer.encode(caption).ids
    assert encode_corpus(original, []).shape == (0, 0)


def test_the_seed_decides_the_weights_and_nothing_else_changes() -> None:
    config = tiny_t5_config(40, d_model=16, layers=1, heads=2, d_ff=16)
    before = torch.random.get_rng_state()
    first, again, other = (make_tiny_t5(config, seed).shared.weight for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_fresh_encoder_has_one_token_embedding() -> None:
    model = make_tiny_t5(tiny_t5_config(40, d_model=16, layers=1, heads=2, d_ff=16))
    assert model.encoder.embed_tokens.weight is model.shared.weight


def test_saving_again_replaces_and_leaves_nothing_behind(tmp_path: Path) -> None:
    config = tiny_t5_config(40, d_model=16, layers=1, heads=2, d_ff=16)
    for seed in (0, 1):
        save_t5(make_tiny_t5(config, seed), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
