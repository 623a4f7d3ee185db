"""JSON from anywhere is values or a ValueError."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from magi_engine.json_text import MAX_BYTES, parse_json, read_json

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
