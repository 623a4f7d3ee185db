"""JSON from anywhere is values or a ValueError."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import pytest

from magi_engine.json_text import MAX_BYTES, WrongField, parse_json, read_fields, read_json

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_it_is_read_as_editors_save_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.json").write_bytes('{"a": "ü 圆", "b": [1, 2.5, null]}'.encode(encoding))
    assert read_json(tmp_path / "a.json") == {"a": "ü 圆", "b": [1, 2.5, None]}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        "NaN",
        "[-Infinity]",
        "1e999",
        "1" * 6000,
        "-" + "9" * 20,
        "",
        "\ufeff",
        b"\xff\xfe\x00",
        b"\x80\x81",
        "{'a': 1}",
    ],
)
def test_everything_else_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says is for a log
        parse_json(text)


def test_where_it_is_wrong_is_known() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        parse_json('{"a": 1,\n "b" 2}')
    assert (caught.value.lineno, caught.value.colno) == (2, 6)


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    with (tmp_path / "a.json").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ValueError, match="bytes"):
        read_json(tmp_path / "a.json")


def test_json_is_read_here_alone() -> None:
    """Elsewhere a file could raise what nobody catches."""
    own = [p for n in ("magi_engine", "magi_desktop") for p in (ROOT / n).rglob("*.py")]
    found = [
        path.relative_to(ROOT).as_posix()
        for path in own
        if "training" not in path.parts
        and path.name != "json_text.py"
        and re.search(r"\bjson\.loads?\(", path.read_text(encoding="utf-8"))
    ]
    assert found == []


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True)
class Inner:
    count: int = 1


@dataclass(frozen=True)
class Outer:
    share: float
    name: str = ""
    colour: Colour | None = None
    inner: tuple[Inner, ...] = ()
    sizes: dict[str, int] = field(default_factory=dict)
    rates: list[float] = field(default_factory=list)
    right: bool = True


def test_fields_are_read_as_they_are_declared() -> None:
    data = {"share": 2, "colour": "red", "inner": [{"count": 3, "more": 1}], "rates": [1, 0.5]}
    assert read_fields(Outer, data) == Outer(2, "", Colour.RED, (Inner(3),), {}, [1, 0.5])
    assert read_fields(Outer, {"share": 0.5, "colour": None, "sizes": {"a": 1}}).sizes == {"a": 1}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([], " is [], but must be a JSON object"),
        ({}, "share is missing"),
        ({"share": "1"}, "share is '1', but must be a number"),
        ({"share": True}, "share is True, but must be a number"),
        ({"share": 1, "name": 1}, "name is 1, but must be a text"),
        ({"share": 1, "name": "a\0"}, "name is 'a\\x00', but must be a text"),
        ({"share": 1, "colour": "blue"}, "colour is 'blue'"),
        ({"share": 1, "colour": []}, "colour is []"),
        ({"share": 1, "inner": {}}, "inner is {}, but must be a list"),
        ({"share": 1, "inner": [{"count": 0.5}]}, "inner[0].count is 0.5, but must be a whole"),
        ({"share": 1, "sizes": {"a": True}}, "sizes.a is True, but must be a whole number"),
        ({"share": 1, "sizes": []}, "sizes is [], but must be a JSON object"),
        ({"share": 1, "right": 1}, "right is 1, but must be true or false"),
    ],
)
def test_a_wrong_field_is_named(data: object, said: str) -> None:
    with pytest.raises(WrongField, match=f"^{re.escape(said)}"):
        read_fields(Outer, data)
