"""Counting the tokens of a prompt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.token_count import ModelChoice, TokenCount, TokenCounter, Tokenizers
from magi_engine.config.registry import Registry
from magi_engine.model.tokenizer import MAX_TOKENS, Tokenizer
from magi_engine.resources import resource_path

POCKET = ModelChoice("pocket")


def test_the_models_own_tokenizer_counts() -> None:
    own = Tokenizer.load(resource_path("pocket", "t5", "spiece.model"))
    prompt = "A red circle moves to the left."
    assert Tokenizers().count(prompt, POCKET) == TokenCount(
        own.encode(prompt).count, MAX_TOKENS, exact=True
    )
    assert Tokenizers().count("", POCKET).count == 0


def test_a_model_that_is_not_here_is_counted_about(tmp_path: Path) -> None:
    count = Tokenizers().count("a red circle", ModelChoice("24B-base", None, tmp_path))
    assert count.count > 2
    assert not count.exact


@pytest.mark.parametrize("content", ["", "{}", json.dumps({"model_config": 1})])
def test_a_damaged_configuration_is_counted_about(tmp_path: Path, content: str) -> None:
    config = tmp_path / "config.json"
    config.write_text(content)
    assert not Tokenizers().count("a", ModelChoice("config", str(config))).exact


def test_a_configuration_says_how_much_is_read(tmp_path: Path) -> None:
    text = resource_path(Registry.load().find("pocket").config).read_text(encoding="utf-8")
    settings = json.loads(text)
    settings["model_config"]["caption_max_length"] = 20
    config = tmp_path / "short.json"
    config.write_text(json.dumps(settings))
    count = Tokenizers().count("a red circle and " * 9, ModelChoice("short", str(config)))
    assert count.limit == 20 < count.count
    assert count.lost


def test_what_is_lost() -> None:
    tokenizers = Tokenizers()
    prompt = " ".join(f"red circle {k}" for k in range(400))
    count = tokenizers.count(prompt, POCKET)
    assert count.count > MAX_TOKENS
    assert prompt.endswith(count.lost)
    kept = prompt.removesuffix(count.lost)
    assert tokenizers.count(kept, POCKET).count <= MAX_TOKENS
    assert tokenizers.count(kept + count.lost[:12], POCKET).lost


def test_only_the_last_question_is_answered(qtbot: QtBot) -> None:
    counter = TokenCounter()
    answers: list[TokenCount] = []
    counter.counted.connect(answers.append)
    for prompt in ("a", "a red", "a red circle"):
        counter.ask(prompt, POCKET)
    qtbot.waitUntil(lambda: bool(answers))
    counter.ask("", POCKET)
    qtbot.waitUntil(lambda: len(answers) == 2)
    assert answers[0] == Tokenizers().count("a red circle", POCKET)
    assert answers[1].count == 0
