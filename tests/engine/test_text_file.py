"""Text files are read as editors save them, and not to their end where they have none."""

from __future__ import annotations

from pathlib import Path

import pytest

from magi_engine.text_file import read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_it_is_read_as_editors_save_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("a red circle\nü 圆\n".encode(encoding))
    assert read_text(tmp_path / "a.txt", 1000) == "a red circle\nü 圆\n"


def test_no_more_than_was_asked_for_is_read(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(1 << 30)
    assert read_text(tmp_path / "a.txt", 10) == "\0" * 10


def test_other_encodings_are_refused_or_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("ü".encode("latin-1"))
    with pytest.raises(UnicodeDecodeError):
        read_text(tmp_path / "a.txt", 10)
    assert read_text(tmp_path / "a.txt", 10, "replace") == "�"
