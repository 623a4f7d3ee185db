"""What the system says of files, as a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from magi_engine import errors
from magi_engine.disk import write_error
from magi_engine.errors import MagiError, is_in_use
from magi_engine.media._files import check_file
from magi_engine.media.targets import check_target
from magi_engine.runtime.process.errors import named_error


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
    said = str(write_error(_windows_error(winerror), path))
    assert said == f"{path} is in use. Close what uses it, then try again."


def test_missing_rights_are_told_as_rights(tmp_path: Path) -> None:
    assert not is_in_use(_windows_error(5), tmp_path / "is not there")
    assert not is_in_use(PermissionError(13, "Permission denied"), tmp_path)


def test_a_path_that_windows_cannot_reach_is_not_a_question_of_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows says of a path that is too long that it is not there."""
    long = tmp_path / "a" / ("b" * 60) / "cat.png"
    missing = FileNotFoundError(2, "No such file or directory", str(long))

    def told() -> set[str]:
        with pytest.raises(MagiError) as refused:
            check_file(long)
        return {str(error) for error in (write_error(missing, long), named_error(missing))} | {
            str(refused.value)
        }

    def refused_as_a_target() -> str:
        with pytest.raises(MagiError) as refused:
            check_target(long, overwrite=False)
        return str(refused.value)

    assert not any("Windows" in text for text in told())
    assert refused_as_a_target().startswith(f"There is no folder {long.parent}.")
    monkeypatch.setattr(errors, "_LONGEST_PATH", len(str(long.parent)) - 1)
    assert {refused_as_a_target()} == told()
    monkeypatch.setattr(errors, "_LONGEST_PATH", len(str(long)) - 1)
    assert told() == {
        "The path of cat.png is too long for Windows. "
        "Choose a shorter name, or a folder that lies in fewer others."
    }
    monkeypatch.setattr(errors, "_LONGEST_PATH", len(str(long)))
    assert not any("Windows" in text for text in told())
    denied = PermissionError(13, "Permission denied", str(long))
    assert str(write_error(denied, long)).startswith(f"{long} cannot be written.")


def test_a_name_that_is_too_long_is_told_as_that_wherever_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300)
    with pytest.raises(OSError, match="too long") as raised:
        path.touch()
    for error in (write_error(raised.value, path), named_error(raised.value)):
        assert str(error) == f"The name {'x' * 40}… is too long. Choose a shorter one."
