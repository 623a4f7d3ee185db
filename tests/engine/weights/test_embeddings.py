"""The cache of embeddings: hits, misses, damage, size."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from magi_engine.model.text import EncodedPrompt
from magi_engine.resources import resource_path
from magi_engine.runtime.models import prompts as prompts_module
from magi_engine.runtime.models.prompts import PromptEncoder
from magi_engine.weights.embeddings import EmbeddingCache

POCKET_T5 = resource_path("models.json").parent / "pocket" / "t5"
PROMPT = "A small blue star spins in place."


@pytest.fixture
def encoder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(POCKET_T5, tmp_path / "t5"))


@pytest.fixture
def cache(encoder: Path, tmp_path: Path) -> EmbeddingCache:
    return EmbeddingCache(tmp_path / "embeddings", encoder, 128, 800)


def encoded(tokens: int = 5) -> EncodedPrompt:
    return EncodedPrompt(torch.randn(tokens, 128), tokens + 2, was_cut=True)


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "embeddings").iterdir())


def test_what_was_put_is_found_again(cache: EmbeddingCache) -> None:
    assert cache.get(PROMPT) is None
    kept = encoded()
    cache.put(PROMPT, kept)
    found = cache.get(f"  {PROMPT.upper()} ")  # the same once it is cleaned
    assert found is not None
    assert torch.equal(found.embedding, kept.embedding)
    assert (found.token_count, found.was_cut) == (7, True)
    assert cache.get("another prompt") is None


def test_another_encoder_or_length_knows_nothing(
    cache: EmbeddingCache, encoder: Path, tmp_path: Path
) -> None:
    cache.put(PROMPT, encoded())
    assert EmbeddingCache(tmp_path / "embeddings", encoder, 128, 400).get(PROMPT) is None
    os.utime(encoder / "model.safetensors", (1, 1))
    assert cache.get(PROMPT) is None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text"])
def test_a_damaged_file_is_a_miss(cache: EmbeddingCache, tmp_path: Path, damage: str) -> None:
    cache.put(PROMPT, encoded())
    (path,) = files(tmp_path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 0x40
    path.write_bytes({"cut": content[:-9], "flipped": content, "empty": b"", "text": b"no"}[damage])
    assert cache.get(PROMPT) is None
    assert files(tmp_path) == []


def test_the_ones_unused_for_longest_go(encoder: Path, tmp_path: Path) -> None:
    cache = EmbeddingCache(tmp_path / "embeddings", encoder, 128, 800, max_bytes=9000)
    for index in range(3):
        cache.put(f"prompt {index}", encoded())
        for path in files(tmp_path):
            os.utime(path, ns=(0, path.stat().st_mtime_ns - 10**9))
    assert cache.get("prompt 0") is not None  # used just now
    cache.put("prompt 3", encoded())
    present = [cache.get(f"prompt {index}") is not None for index in range(4)]
    assert present == [True, False, True, True]


def test_no_folder_is_no_trouble(encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = EmbeddingCache(tmp_path / "file" / "embeddings", encoder, 128, 800)
    cache.put(PROMPT, encoded())
    assert cache.get(PROMPT) is None


def test_a_known_prompt_needs_no_encoder(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def prompts() -> PromptEncoder:
        return PromptEncoder(encoder, torch.device("cpu"), 128, 800, tmp_path / "embeddings")

    expected = prompts().encode(PROMPT).embedding
    monkeypatch.delattr(prompts_module, "load_text_encoder")
    again = prompts()
    assert again.knows(PROMPT)
    assert torch.equal(again.encode(PROMPT).embedding, expected)
    assert not again.loaded
