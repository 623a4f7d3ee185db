"""What the system says of files, as a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from magi_engine.disk import write_error
from magi_engine.errors import is_in_use
from magi_engine.media.targets import output_error


def _windows_error(winerror: int) -> OSError:
    error = PermissionError(13, "Permission denied")
    error.winerror = winerror  # type: ignore[attr-defined]  # as Windows sets it
    return error


@pytest.mark.parametrize("winerror", [5, 32, 33, 1224])
def test_a_file_in_use_is_told_as_that_and_not_as_a_question_of_rights(
    tmp_path: Path, winerror: int
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"1")
    assert is_in_use(_windows_error(winerror), path)
    for error in (write_error, output_error):
        said = str(error(_windows_error(winerror), path))
        assert said == f"{path} is in use. Close what uses it, then try again."


def test_missing_rights_are_told_as_rights(tmp_path: Path) -> None:
    assert not is_in_use(_windows_error(5), tmp_path / "is not there")
    assert not is_in_use(PermissionError(13, "Permission denied"), tmp_path)
