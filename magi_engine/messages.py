"""What is said to a person, as a key and its values, so that it can be said in any language.

The key is the English text itself, as in gettext and Qt: it is read where it is raised, and is
right even where a translation is missing. Values stand in it in braces, by name::

    Message("{path} needs {needed:bytes}.", path=path, needed=12_900_000_000)

``packaging/translations.py`` collects every text for the catalogues of the window.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, init=False)
class Message:
    """A text with its values; made of plain data only, so that it crosses to any process.

    Args:
        text: in English, with ``{name}`` for each value; ``{name:bytes}`` for a number of bytes,
            ``{name:chunk|chunks}`` for a number and what it counts. Different numbers of bytes
            have as many digits as it takes to tell them apart, three behind the point at most.
        values: numbers, texts, other messages, and sequences of these, which are listed with
            commas. Anything else goes in as its ``str``.
    """

    text: str
    values: dict[str, Any] = field(hash=False)

    def __init__(self, text: str, /, **values: object) -> None:
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "values", {name: _plain(v) for name, v in values.items()})

    def __bool__(self) -> bool:
        return bool(self.text)

    def __str__(self) -> str:
        return self.rendered(str)

    def rendered(self, translate: Callable[[str], str]) -> str:
        """The sentence, with ``translate`` giving the text in the language that is wanted."""
        text = translate(self.text)
        if not self.values:
            return text
        values = {name: _shown(value, translate) for name, value in self.values.items()}
        return _Formatter(_decimals(text, values)).format(text, **values)

    def filled(self, **values: object) -> Message:
        """The same text with more values."""
        return type(self)(self.text, **{**self.values, **values})

    def to_dict(self) -> dict[str, Any]:
        """The message as JSON values."""
        return {"text": self.text, "values": {n: _to_json(v) for n, v in self.values.items()}}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Message:
        """What ``to_dict`` gave.

        Raises:
            KeyError, TypeError, AttributeError: it is something else.
        """
        return cls(data["text"], **{n: _from_json(v) for n, v in data["values"].items()})


def in_sequence(first: Message | str, second: Message | str) -> Message:
    """Two sentences as one text; either may be empty."""
    if first and second:
        return Message("{first} {second}", first=first, second=second)
    only = first or second
    return Message(only) if isinstance(only, str) else only


def either(*choices: object) -> Message:
    """A choice of one, two or more: ``a``, ``a or b``, ``a, b or c``."""
    if len(choices) == 1:
        return Message("{choice}", choice=choices[0])
    return Message("{choices} or {last}", choices=choices[:-1], last=choices[-1])


NOTHING = Message("")
_LIST = Message(", ")
_BYTES = "bytes"
_MOST_LETTERS = 300
_DAYS_S = 100 * 3600


def size_words(size_bytes: float, decimals: int = 1) -> str:
    """Such as 31.2 GB, or 4.5 MB; with one decimal, 0.1 MB is the least that is not nothing."""
    if size_bytes == 0:
        return "0 MB"
    if size_bytes >= 1e8:
        return f"{size_bytes / 1e9:.{decimals}f} GB"
    return f"{max(size_bytes / 1e6, 10**-decimals):.{decimals}f} MB"


def duration_words(seconds: float) -> str:
    """``seconds`` as a person would say them: 7 s, 3:05 min, 2:10 h, 15 days."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02} min"
    if whole < _DAYS_S:
        return f"{whole // 3600}:{whole % 3600 // 60:02} h"
    return f"{round(whole / 86400)} days"


def counted(number: int, words: str) -> str:
    """``1 chunk`` and ``2 chunks`` of ``chunk|chunks``."""
    one, _, several = words.partition("|")
    return f"{number} {one if number == 1 else several}"


class _Formatter(string.Formatter):
    """``str.format``, with the fields of :class:`Message`; ``decimals`` of its sizes."""

    def __init__(self, decimals: int) -> None:
        self._decimals = decimals

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec == _BYTES:
            return size_words(value, self._decimals)
        if "|" in format_spec:
            return counted(value, format_spec)
        try:
            return super().format_field(value, format_spec)
        except ValueError:  # of a newer program on another machine
            return str(value)


def _decimals(text: str, values: dict[str, Any]) -> int:
    """The fewest with which different sizes in a text read differently, where three do it."""
    fields = string.Formatter().parse(text)
    sizes = {values.get(name or "", 0) for _, name, spec, _ in fields if spec == _BYTES}
    fitting = (n for n in range(1, 4) if len({size_words(s, n) for s in sizes}) == len(sizes))
    return next(fitting, 1)


def _plain(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return value if isinstance(value, int | float | Message) else shortened(str(value))


def shortened(text: str) -> str:
    """A path, a name or a number may be longer than anybody reads."""
    half = _MOST_LETTERS // 2
    return text if len(text) <= _MOST_LETTERS else f"{text[:half]}…{text[-half:]}"


def _shown(value: object, translate: Callable[[str], str]) -> object:
    if isinstance(value, Message):
        return value.rendered(translate)
    if isinstance(value, tuple):
        return _LIST.rendered(translate).join(str(_shown(v, translate)) for v in value)
    return value


def _to_json(value: object) -> object:
    if isinstance(value, tuple):
        return [_to_json(v) for v in value]
    return value.to_dict() if isinstance(value, Message) else value


def _from_json(value: object) -> object:
    if isinstance(value, list):
        return [_from_json(v) for v in value]
    return Message.from_dict(value) if isinstance(value, dict) else value
