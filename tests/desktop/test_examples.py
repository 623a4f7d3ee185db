"""The example prompts."""

from __future__ import annotations

import re

import pytest

from magi_desktop.examples import examples_for, load_examples
from magi_desktop.language import looks_foreign
from magi_desktop.token_count import ModelChoice, Tokenizers
from magi_engine.runtime.request.request import Mode
from magi_engine.training.captions import caption_corpus


@pytest.mark.parametrize("model", ["pocket", "pocket-fp8", "4.5B-base", "my-own-config"])
@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_has_a_few(mode: Mode, model: str) -> None:
    prompts = examples_for(load_examples(), mode, model)
    assert len(set(prompts)) >= 4
    for prompt in prompts:
        assert not looks_foreign(prompt)
        assert not Tokenizers().count(prompt, ModelChoice("pocket")).lost


def test_the_pocket_model_knows_every_word_of_its_own() -> None:
    known = {word for text in caption_corpus(4000, 1) for word in _words(text)}
    for mode in Mode:
        for prompt in examples_for(load_examples(), mode, "pocket"):
            assert set(_words(prompt)) <= known, prompt


def test_released_models_get_richer_ones() -> None:
    examples = load_examples()
    shipped = examples_for(examples, Mode.T2V, "pocket")
    released = examples_for(examples, Mode.T2V, "24B-base")
    assert min(map(len, released)) > max(map(len, shipped))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())
