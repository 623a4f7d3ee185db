"""What becomes of uv's failures."""

import shlex
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from magi_engine.errors import DiskFullError
from magi_setup.uv import Uv


def failing(folder: Path, words: str) -> Uv:
    """A program that only says ``words`` and fails."""
    program = folder / "uv"
    script = f"#!/bin/sh\necho {shlex.quote(words)} >&2\nexit 1\n"
    program.write_text(script, encoding="utf-8")
    program.chmod(0o755)
    return Uv(program, folder / "cache", threading.Event())


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
@pytest.mark.parametrize(
    "words",
    [
        "error: failed to write to file: No space left on device (os error 28)",
        "error: There is not enough space on the disk. (os error 112)",
        "error: Disk quota exceeded (os error 122)",
    ],
)
def test_a_full_disk_is_said_to_be_full(tmp_path: Path, words: str) -> None:
    with pytest.raises(DiskFullError, match="Free some space"):
        failing(tmp_path, words).run("pip", "compile")


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_other_failures_are_answered(tmp_path: Path) -> None:
    answer = failing(tmp_path, "error: denied (os error 13), 28 times").run("pip", "compile")
    assert answer.returncode == 1
    assert "denied" in answer.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a script is no program there")
def test_the_folder_of_temporary_files_may_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert failing(tmp_path, "").run("pip").returncode == 1
