"""The caption cleaner against the official one's answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from magi_engine.model.caption_cleaning import clean_caption, not_read

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


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("<![ a red ball", "<! a red ball"),
        ("a red ball <b rolls", "a red ball <b rolls"),
        ("a <!-- red ball", "a <!- red ball"),
        ("a <? red ball", "a <? red ball"),
        ("a </ red ball", "a < red ball"),
        ("a < b ball", "a < b ball"),
        ("<!doctype red ball", "<!doctype red ball"),
        ("a &ampx ball", "a x ball"),
        ("a <![CDATA[red]]> ball", "a red ball"),
        ("<script>a red</script> ball", "ball"),
        ("<script>a red ball", ""),
        ("<textarea>red <b> ball", "red ball"),
        ("<title>red <b>x</b> ball", "red x ball"),
        ("a <3 b", "a <3 b"),
        ("a red ball <b", "a red ball <b"),
        ("a <br/> b", "a b"),
        ("<b/ c> ball", "ball"),
        ("a </b rolls", "a < b rolls"),
        ("<plaintext>a <b> c", "a c"),
        ("a <!> b <!-> c <!--> d", "a b c d"),
        ("<p<q> ball", "ball"),
        ('a <a b="c> d', 'a <a b="c> d'),
        ('a <a b="c>d">e</a> f', "a e f"),
        ("a &#65; b &#x42; c &lt", "a a b b c lt"),
        ("a <b rolls and c> d", "a d"),
        ('<?xml version="1.0"?> a ball', "a ball"),
        ("a <!-- x --!> ball", "a ball"),
        ("<style>a ball", ""),
        ("a<b and c>d", "ad"),
        ("<lora:ball:0.8> a ball", "a ball"),
        ("<<red>> ball", "<> ball"),
        ("rhythm & blues, r&b", "rhythm blues, rb"),
        ("r&b", "rb"),
        ("caf&eacute; caf&eacute", "café caf eacute"),
        ("<!-- one --> a <!-- two -- > ball", "a ball"),
        ("<ruby>a<rt>b</rt></ruby>", "a"),
        ("<![if x]>a<![endif]> ball", "a ball"),
        ("&foo; ball", "foo ball"),
        ("a <- b -> c", "a <- b -> c"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("a <!-- red> ball <b>rolls</b>", "a ball rolls"),
        ("<|endoftext|> ball", "< endoftext > ball"),
        ("a ball </b>", "a ball"),
        ("x<y, y>z", "xz"),
        ("&notit; &copy2026", "notit copy2026"),
    ],
)
def test_markup_is_read_as_the_release_reads_it(raw: str, clean: str) -> None:
    """Made with the release's rules, BeautifulSoup 4.15 and the html.parser of Python 3.10.13.

    Where that fails, at "<![", the markup is text.
    """
    assert clean_caption(raw) == clean


@pytest.mark.parametrize(
    ("prompt", "part"),
    [
        ("a man, 35mm, f/1.8 -- at 20:15", ""),
        ("A%20url%20encoded+prompt", ""),
        ("<person> & a dog’s ﬁsh &amp; chips", ""),
        ("a red ball <b rolls", ""),
        ("see https://example.org/x now", "https://example.org/x"),
        ("a cat 1920x1080 in 4k, IMG1234", "1920x1080 IMG1234"),
        ("the cat, <!-- the cat -->", "the cat"),
        ("<lora:red:0.8> ball", "<lora:red:0.8>"),
        ("一只猫 walks", "一只猫"),
        ("<script>a red ball", "<script>a red ball"),
    ],
)
def test_what_is_not_read_is_known(prompt: str, part: str) -> None:
    assert not_read(prompt) == part


def test_an_entity_without_tags_is_decoded() -> None:
    assert clean_caption("caf&eacute;") == "café"


@pytest.mark.parametrize("text", ["a red circle moves to the left " * 1500, "x" * 100_000])
def test_long_clean_prompts_stay_as_they_are(text: str) -> None:
    assert clean_caption(text) == text.strip()
