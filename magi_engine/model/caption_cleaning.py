"""The caption cleaner every MAGI-1 prompt goes through before T5 sees it (spec section 6).

The model was trained on captions cleaned by DeepFloyd-IF's rules, so they are reproduced with all
their oddities, in their order. Most oddities only bite captions scraped from the web.
"""

from __future__ import annotations

import html
import html.entities
import re
import urllib.parse
from collections import Counter

_Steps = tuple[tuple[str, str], ...]
"""Patterns and what replaces them; compiled at their first use, which no window waits for."""

_FILE_TYPES = "(?:png|jpg|jpeg|bmp|webp|eps|pdf|apk|mp4)"
_SITE = r"[a-zA-Z0-9.\-]+[.](?:com|co|ru|net|org|edu|gov|it)[\w/-]*\b\/?(?!@)"

# What is removed before the text is read as HTML.
_BEFORE_HTML: _Steps = (
    ("<person>", "person"),  # a placeholder of the training captions, not a tag
    (rf"\b(?:https?:(?:\/{{1,3}}|[a-zA-Z0-9%])|{_SITE})", ""),  # http:// and bare site names
    (rf"\b(?:www:(?:\/{{1,3}}|[a-zA-Z0-9%])|{_SITE})", ""),  # what the removal brought together
)

# What is removed from the text of the HTML.
_AFTER_HTML: _Steps = (
    (r"@\w+\b", ""),  # @nickname
    ("[\u31c0-\u31ef]+", ""),  # CJK strokes
    ("[\u31f0-\u31ff]+", ""),  # katakana phonetic extensions
    ("[\u3200-\u32ff]+", ""),  # enclosed CJK letters and months
    ("[\u3300-\u33ff]+", ""),  # CJK compatibility
    ("[\u3400-\u4dbf]+", ""),  # CJK ideographs, extension A
    ("[\u4dc0-\u4dff]+", ""),  # I Ching hexagrams
    ("[\u4e00-\u9fff]+", ""),  # CJK ideographs
    # All kinds of dashes become one hyphen.
    (
        "[\u002d\u058a\u05be\u1400\u1806\u2010-\u2015\u2e17\u2e1a\u2e3a\u2e3b\u2e40"
        "\u301c\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d]+",
        "-",
    ),
    ("[`´«»“”¨]", '"'),  # all double quotes become one kind ...
    ("[‘’]", "'"),  # ... and all single ones
    (r"&quot;?", ""),  # entities that were escaped twice
    (r"&amp", ""),
    (r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}", " "),  # IP addresses
    (r"\d:\d\d\s+$", ""),  # a time at the end, as in article headers
    (r"\\n", " "),  # a backslash and an n, spelled out
    (r"#\d{1,3}\b", ""),  # #123
    (r"#\d{5,}\b", ""),  # #12345 and longer
    (r"\b\d{6,}\b", ""),  # long numbers
    # File names. The look-behind changes no result (a match begins where its run of non-spaces
    # does) but keeps one long run from costing quadratic time.
    (rf"(?<!\S)\S+\.{_FILE_TYPES}", ""),
    (r"[\"']{2,}", '"'),  # """sale"""
    (r"\.{2,}", " "),  # ...
    (r"[#®•©™&@·º½¾¿¡§~)(\]\[}{|\\/*]+", " "),  # ***sale***
    (r"(?<!\s)\s+\.\s+", " "),  # a full stop alone; look-behind as above
)

# What a browser would not show as text. The release reads prompts with the html.parser of Python
# 3.10; later ones of the same name take other things for markup, up to the end of the prompt, so
# that its rules are written down here: what is not finished is text.
_REST_OF_TAG = r"""(?:[^=>]++|=++\s*(?:"[^"]*"|'[^']*'|(?!["'\s])))*+"""
_MARKUP = rf"""(?sx)
    <!--.*?--\s*>
    | <!\[cdata\[(?P<text>.*?)\]\s*\]\s*>
    | <!\[(?:cdata|temp|ignore|include|rcdata)(?![\w.-]).*?\]\s*\]\s*>
    | <!\[(?:if|else|endif)(?![\w.-]).*?\]\s*>
    | <(?P<hidden>script|style|template|rt|rp)(?![^\s/>]){_REST_OF_TAG}(?<!/)>
      .*?(?:</(?P=hidden)\s*>|\Z)
    | <[a-z]{_REST_OF_TAG}>
    | <(?:/|\?|!(?!--|\[))[^>]*+>
    | (?P<unfinished><[a-z/?!](?:[^>]*+>|[^<]*+(?=<)))
    | &\#(?P<number>[0-9]++|x[0-9a-f]++)(?:;|(?=[^0-9a-f]))
    | &(?P<name>[a-z][a-z0-9.-]*)(?:;|(?=[^a-z0-9]))
    | &(?=[a-z]\Z)
    """

_WORD = re.compile(r"[^\W_]+")
_JOINER = re.compile(r"[-_]")
_JOINERS_KEPT = 3

# What is removed once the encoding has been mended.
_AFTER_UNESCAPING: _Steps = (
    (r"\b[a-zA-Z]{1,3}\d{3,15}\b", ""),  # product codes: jc6640
    (r"\b[a-zA-Z]+\d+[a-zA-Z]+\b", ""),  # jc6640vc
    (r"\b\d+[a-zA-Z]+\d+\b", ""),  # 6640vc231
    (r"(worldwide\s+)?(free\s+)?shipping", ""),  # words of shops
    (r"(free\s)?download(\sfree)?", ""),
    (r"\bclick\b\s(?:for|on)\s\w+", ""),
    (rf"\b{_FILE_TYPES}(\simage[s]?)?", ""),
    (r"\bpage\s+\d+\b", ""),
    (r"\b\d*[a-zA-Z]+\d+[a-zA-Z]+\d+[a-zA-Z\d]*\b", " "),  # j2d1a2a
    (r"\b\d+\.?\d*[xх×]\d+\.?\d*\b", ""),  # 1920x1080, with a Latin, Cyrillic or real cross
    (r"\b\s+:\s+", ": "),
    (r"(\D[,./])\b", r"\1 "),  # a space after punctuation, but not inside numbers
    (r"\s+", " "),
    (r"^[\"']([\w\W]+)[\"']$", r"\1"),  # quotes around everything
    (r"^['_,\-:;]", ""),
    (r"['_,\-:+]$", ""),
    (r"^\.\S+$", ""),
)


def clean_caption(text: str) -> str:
    """``text`` as the model's captions were written; may be empty.

    The rules run twice because the release runs them twice, and the second run still finds
    things: what one rule removed brings others' patterns together.
    """
    return _clean_once(_clean_once(text))


def not_read(text: str) -> str:
    """The parts of a prompt, as they were typed, that ``clean_caption`` takes words from."""
    import ftfy

    read = Counter(_WORD.findall(clean_caption(text)))
    parts = []
    for part in text.split():
        spelled = html.unescape(ftfy.fix_text(urllib.parse.unquote_plus(part).lower()))
        words = Counter(_WORD.findall(spelled))
        if words - read:
            parts.append(part)
        read -= words
    return " ".join(parts)


def _clean_once(text: str) -> str:
    import ftfy

    text = urllib.parse.unquote_plus(text).strip().lower()
    text = re.sub(_MARKUP, _text_of_markup, _apply(_BEFORE_HTML, text))
    text = _apply(_AFTER_HTML, text)
    if len(_JOINER.findall(text)) > _JOINERS_KEPT:  # this-is-my-cute-cat, this_is_my_cute_cat
        text = _JOINER.sub(" ", text)
    text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return _apply(_AFTER_UNESCAPING, text).strip()


def _apply(steps: _Steps, text: str) -> str:
    for pattern, replacement in steps:
        text = re.sub(pattern, replacement, text)
    return text


def _text_of_markup(markup: re.Match[str]) -> str:
    if markup["number"]:
        return html.unescape(f"&#{markup['number']};")
    if markup["name"]:
        return html.entities.html5.get(f"{markup['name']};", f"&{markup['name']}")
    return markup["text"] or markup["unfinished"] or ""
