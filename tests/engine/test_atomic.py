"""Files that are replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from magi_engine import atomic


class Player:
    """Has files open for a while, as far as Windows is concerned."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, looks: int) -> None:
        self.looks = looks
        self._replace = os.replace
        monkeypatch.setattr(atomic.os, "replace", self.replace)
        monkeypatch.setattr(atomic, "_TRIES", 3)
        monkeypatch.setattr(atomic, "_PAUSE_S", 0)

    def replace(self, source: Path, target: Path) -> None:
        if self.looks:
            self.looks -= 1
            raise PermissionError(13, "it is in use")
        self._replace(source, target)


def test_a_text_replaces_a_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "note.json"
    atomic.write_text(file, "one")
    atomic.write_text(file, "zwei, 三")
    assert file.read_text(encoding="utf-8") == "zwei, 三"
    assert list(file.parent.iterdir()) == [file]


def test_what_fails_half_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "note"
    file.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        atomic.write_text(file, "ne" * 100_000 + "\ud800")
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_is_put_in_place(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "000000.png").write_bytes(b"1")
    atomic.put_in_place(tmp_path / "made", tmp_path / "video")
    assert [p.name for p in (tmp_path / "video").iterdir()] == ["000000.png"]


def test_a_file_that_is_being_read_is_replaced_as_soon_as_it_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = Player(monkeypatch, looks=2)
    file = tmp_path / "clip.mp4"
    atomic.write_text(file, "finished")
    assert file.read_text(encoding="utf-8") == "finished"
    assert player.looks == 0


def test_a_file_that_is_never_let_go_is_an_error_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "clip.mp4"
    file.write_text("old")
    Player(monkeypatch, looks=100)
    with pytest.raises(PermissionError):
        atomic.write_text(file, "new")
    assert file.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_that_is_looked_at_as_soon_as_it_is_there_is_put_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs that guard against viruses open what has just been written, for themselves alone."""
    Player(monkeypatch, looks=0)
    opened, looks = Path.open, [2]

    def refused(path: Path, mode: str = "r", *options: Any, **more: Any) -> object:
        if mode == "r+b" and looks[0]:
            looks[0] -= 1
            raise PermissionError(13, "it is in use")
        return opened(path, mode, *options, **more)

    monkeypatch.setattr(Path, "open", refused)
    atomic.write_text(tmp_path / "clip.mp4", "finished")
    assert (tmp_path / "clip.mp4").read_text(encoding="utf-8") == "finished"
    assert looks == [0]
