"""The caption cleaner against the official one's answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from magi_engine.model.caption_cleaning import clean_caption

_PAIRS = json.loads(
    (Path(__file__).resolve().parents[2] / "goldens" / "text_cleaning.json").read_text("utf-8")
)


def test_there_are_all_fifty_pairs() -> None:
    assert len(_PAIRS) == 50


@pytest.mark.parametrize("pair", _PAIRS, ids=range(len(_PAIRS)))
def test_cleans_as_the_official_code(pair: dict[str, str]) -> None:
    assert clean_caption(pair["raw"]) == pair["clean"]


@pytest.mark.parametrize(
    "text",
    [
        "clip.mov",  # looks like a file name
        "/home/someone/clip.xhtml",
        "http:",  # looks like an address
        "ftp://host/path",
        "&copy;",
        '<?xml version="1.0"?><a>b</a>',
        "a <!-- comment",
        "<![if",  # what the HTML parser refuses
        "<!doctype",
        "a\x00b",
    ],
)
def test_odd_markup_neither_warns_nor_fails(text: str) -> None:
    assert isinstance(clean_caption(text), str)  # a warning would be an error here


def test_refused_markup_is_read_as_plain_text() -> None:
    assert "red ball" in clean_caption("<![ a red ball")


def test_an_entity_without_tags_is_decoded() -> None:
    assert clean_caption("caf&eacute;") == "café"


@pytest.mark.parametrize("text", ["a red circle moves to the left " * 1500, "x" * 100_000])
def test_long_clean_prompts_stay_as_they_are(text: str) -> None:
    assert clean_caption(text) == text.strip()
