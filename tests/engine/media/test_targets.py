"""Where a video goes: nothing is replaced unasked, and what cannot be written there is said."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from magi_engine import atomic
from magi_engine.errors import InvalidRequestError, OutputError
from magi_engine.media import targets
from magi_engine.media.animations import GifWriter, WebpWriter
from magi_engine.media.output import open_writer
from magi_engine.media.targets import find_growing, free_name, target_of
from magi_engine.media.writer import WriteOptions
from tests.engine.media.written import SIZE, child, decode, moving, write_all


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "a.mp4"
    target.write_text("precious")
    with pytest.raises(OutputError, match="exists already") as caught:
        open_writer(target, SIZE, SIZE, 24)
    assert "a-2.mp4" in str(caught.value.hint)
    assert target.read_text(encoding="utf-8") == "precious"
    assert free_name(target) == tmp_path / "a-2.mp4"
    write_all(target, moving(4), WriteOptions(overwrite=True))
    assert len(decode(target)) == 4


def test_a_target_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.mp4", SIZE, SIZE, 24) as writer:
        writer.write(moving(4))
        writer.target.write_text("precious")
    assert writer.result == tmp_path / "a-2.mp4"
    assert writer.target.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_nor_is_one_that_appears_while_it_is_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    with open_writer(tmp_path / f"a{suffix}", SIZE, SIZE, 24) as writer:
        assert isinstance(writer, GifWriter | WebpWriter)
        convert = writer._convert

        def converted_meanwhile(target: Path) -> None:
            convert(target)
            writer.target.write_text("precious")

        monkeypatch.setattr(writer, "_convert", converted_meanwhile)
        writer.write(moving(4))
    assert writer.result == tmp_path / f"a-2{suffix}"
    assert writer.target.read_text(encoding="utf-8") == "precious"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_what_was_broken_off_replaces_nothing(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"a{suffix}"
    write_all(target, moving(8))
    writer = open_writer(target, SIZE, SIZE, 24, options=WriteOptions(overwrite=True))
    writer.write(moving(4))
    beside = tmp_path / f"a-2{suffix}"
    assert writer.keep() == beside
    assert (len(decode(target)), len(decode(beside))) == (8, 4)


def test_a_folder_that_is_there_stays_the_same_folder(tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    before = folder.stat().st_ino
    assert write_all(folder, moving(3)) == folder
    assert folder.stat().st_ino == before
    assert len(list(folder.iterdir())) == 3
    assert list(tmp_path.iterdir()) == [folder]


def test_a_long_name_is_kept_and_a_longer_one_refused(tmp_path: Path) -> None:
    target = tmp_path / ("ü" * 123 + ".mp4")  # 250 bytes
    with open_writer(target, SIZE, SIZE, 24) as writer:
        writer.write(moving(3))
        assert find_growing(target) == writer.part
        assert target_of(writer.part).name == "ü" * 84 + ".mp4"
    assert writer.result == target
    animation = target.with_suffix(".gif")
    assert write_all(animation, moving(3)) == animation
    with pytest.raises(OutputError, match="too long"):
        open_writer(tmp_path / ("x" * 300 + ".mp4"), SIZE, SIZE, 24)


def test_a_long_name_has_room_for_every_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the largest number on Linux, four months after the machine was started."""
    monkeypatch.setattr(targets, "_start_of", lambda _pid: "9" * 10)
    monkeypatch.setattr(targets.os, "getpid", lambda: 4_194_303)
    part = targets.part_path(tmp_path / ("x" * 251 + ".mp4"), ".mp4")
    with atomic.beside(part) as converted:
        converted.touch()


def test_a_folder_with_something_in_it_is_never_replaced(tmp_path: Path) -> None:
    target = tmp_path / "frames"
    target.mkdir()
    assert write_all(target, moving(4)) == target  # empty: may be used
    with pytest.raises(OutputError, match="exists already") as caught:
        open_writer(target, SIZE, SIZE, 24, options=WriteOptions(overwrite=True))
    assert "or one in it." in str(caught.value.hint)
    assert "--overwrite" not in str(caught.value.hint)
    assert len(decode(target)) == 4


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: open_writer(folder / "a.avi", 64, 64, 24), "cannot be written as .avi"),
        (lambda folder: open_writer(folder / "a.mp4", 63, 64, 24), "63x64"),
        (lambda folder: open_writer(folder / "a.mp4", 0, 64, 24), "0x64"),
        (lambda folder: open_writer(folder / "a.mp4", 64, 64, 0), "frames per second"),
        (lambda folder: WriteOptions(crf=60), "crf"),
        (lambda folder: WriteOptions(preset="warp"), "preset"),
    ],
)
def test_impossible_requests(tmp_path: Path, make: Callable[[Path], object], says: str) -> None:
    with pytest.raises(InvalidRequestError, match=says):
        make(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((4, SIZE, 32, 3), np.uint8),
        np.zeros((0, SIZE, SIZE, 3), np.uint8),
        np.zeros((4, SIZE, SIZE, 3), np.float32),
        np.zeros((SIZE, SIZE, 3), np.uint8),
    ],
)
def test_frames_that_do_not_fit_are_refused_and_the_writer_goes_on(
    tmp_path: Path, frames: np.ndarray
) -> None:
    with open_writer(tmp_path / "a.mp4", SIZE, SIZE, 24) as writer:
        with pytest.raises(InvalidRequestError):
            writer.write(frames)
        writer.write(moving(4))
    assert len(decode(tmp_path / "a.mp4")) == 4


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no folder"):
        open_writer(tmp_path / "absent" / "a.mp4", SIZE, SIZE, 24)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder any user can reach, unlike pytest's."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.mark.skipif(sys.platform == "win32", reason="folders are made read-only otherwise")
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ""])
def test_a_read_only_folder(open_folder: Path, suffix: str) -> None:
    os.chmod(open_folder, 0o555)
    output, errors = child(open_folder / f"result{suffix}", "readonly").communicate(timeout=300)
    assert output.startswith(f"OutputError | {open_folder}"), errors
    assert "Check that you may write there, or choose another folder." in output
    assert errors == ""
    os.chmod(open_folder, 0o755)


@pytest.mark.parametrize("name", ["a.mp4", "a", "there"])
def test_a_video_is_finished_although_a_player_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """As on Windows, where a file that is open can be neither renamed nor replaced."""
    (tmp_path / "there").mkdir()
    looks, replace = [3], os.replace

    def refuse(source: Path, target: Path) -> None:
        if looks[0]:
            looks[0] -= 1
            raise PermissionError(13, "it is in use")
        replace(source, target)

    monkeypatch.setattr(atomic.os, "replace", refuse)
    monkeypatch.setattr(atomic, "_TRIES", 5)
    monkeypatch.setattr(atomic, "_PAUSE_S", 0)
    with open_writer(tmp_path / name, SIZE, SIZE, 24) as writer:
        writer.write(moving(12))
        assert name == "a.mp4" or looks == [0], "a virus scanner reads what has just been written"
        looks[0] = 3
    assert writer.result == tmp_path / name
    assert looks == [0]


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_a_video_has_a_name_although_the_one_it_replaces_is_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    target = tmp_path / name
    target.write_text("shown")
    replace = os.replace

    def refuse(source: Path, to: Path) -> None:
        if to == target:
            raise PermissionError(13, "it is in use")
        replace(source, to)

    monkeypatch.setattr(atomic.os, "replace", refuse)
    writer = open_writer(target, SIZE, SIZE, 24, options=WriteOptions(overwrite=True))
    writer.write(moving(12))
    with pytest.raises(OutputError, match=r"The first 0\.5 s are kept in a(-2)?\.mp4"):
        writer.close()
    assert writer.result is not None
    assert len(decode(writer.result)) == 12
    assert target.read_text(encoding="utf-8") == "shown"
    assert len(list(tmp_path.iterdir())) == 2
