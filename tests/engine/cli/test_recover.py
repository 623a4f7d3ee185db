"""``magi recover``, where nothing can be recovered."""

from __future__ import annotations

from pathlib import Path

import pytest

from magi_engine.cli.main import main
from magi_engine.media.targets import part_path
from tests.engine.cli.outcomes import one_error_line


def test_recover_with_nothing_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recover", str(tmp_path)]) == 0
    assert "nothing to recover" in capsys.readouterr().out
    assert main(["recover", str(tmp_path / "absent")]) == 2
    assert one_error_line(capsys)


def test_recover_names_what_may_still_grow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = part_path(tmp_path / "a.mp4", ".mp4")  # this process writes it
    part.touch()
    assert main(["recover", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith(f"Left alone: {part}. It may still grow")
    assert part.exists()


def test_recover_leaves_what_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    part = tmp_path / ".a.mp4.part-999999999-0123abcd.mp4"
    part.write_bytes(b"not a video")
    assert main(["recover", str(tmp_path)]) == 2
    assert one_error_line(capsys) == f"Error: {part.name} holds no complete frame. Delete it."
    assert part.exists()


def test_recover_wants_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    video = tmp_path / "ball.mp4"
    video.touch()
    assert main(["recover", str(video)]) == 2
    told = f"Error: {video} is a file, not a folder. Choose the folder it is in."
    assert one_error_line(capsys) == told


def test_recover_passes_over_what_is_no_video(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / ".a.mp4.part-999999999-0123abcd.mp4"
    other.mkdir()
    assert main(["recover", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "There is nothing to recover.\n"
    assert other.is_dir()
