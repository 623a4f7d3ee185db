"""What is left of a video that was broken off is a video, too."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from magi_engine.errors import DiskFullError, MediaReadError, OutputError
from magi_engine.media import animations, growing, png_frames, targets
from magi_engine.media.metadata import read_metadata
from magi_engine.media.output import open_writer, recover_partial
from magi_engine.media.targets import find_growing, find_partials, part_path
from magi_engine.media.writer import FrameWriter
from tests.engine.media.written import (
    METADATA,
    SIZE,
    SUFFIXES,
    child,
    decode,
    moving,
    playable_frames,
    write_all,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name says the machine")


def interrupted_after(writer: FrameWriter, frames: np.ndarray) -> None:
    writer.write(frames)
    raise KeyboardInterrupt


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_exception_keeps_the_video_so_far(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"result{suffix}"
    with (
        pytest.raises(KeyboardInterrupt),
        open_writer(target, SIZE, SIZE, 24, METADATA) as writer,
    ):
        interrupted_after(writer, moving(24))
    assert writer.result == target
    assert len(decode(target)) == 24
    assert read_metadata(target) == METADATA


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_exception_before_the_first_chunk_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        open_writer(tmp_path / f"result{suffix}", SIZE, SIZE, 24) as writer,
    ):
        raise KeyboardInterrupt
    assert writer.result is None
    assert list(tmp_path.iterdir()) == []


def test_closing_without_a_frame_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "a.mp4", SIZE, SIZE, 24)
    with pytest.raises(OutputError, match="No frame"):
        writer.close()
    assert writer.keep() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and RLIMIT_FSIZE are POSIX")
@pytest.mark.parametrize(
    ("suffix", "survive"), [(".mp4", 72), (".webm", 72), (".gif", 72), ("", 72)]
)
def test_a_killed_process_leaves_a_video_that_plays(
    tmp_path: Path, suffix: str, survive: int
) -> None:
    target = tmp_path / f"result{suffix}"
    with child(target, "stop") as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "72":
            assert process.poll() is None
        assert find_partials(tmp_path) == []  # its process is alive
        process.send_signal(signal.SIGKILL)
    assert not target.exists()
    [part] = find_partials(tmp_path)
    if part.is_file():
        assert playable_frames(part) >= survive
        assert read_metadata(part) == '{"seed": 7}'
    recovered = recover_partial(part)
    assert recovered is not None
    assert recovered == (target.with_suffix(".mp4") if suffix == ".gif" else target)
    assert len(decode(recovered)) >= survive
    assert read_metadata(recovered) == '{"seed": 7}'
    assert list(tmp_path.iterdir()) == [recovered]


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 and RLIMIT_FSIZE are POSIX")
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp"])
def test_a_full_disk_keeps_the_video_so_far(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"result{suffix}"
    output, errors = child(target, "full").communicate(timeout=300)
    *written, last = output.splitlines()
    name, message, hint = last.split(" | ")
    assert name == "DiskFullError"
    assert message.endswith("cannot hold a file of this size.")
    [kept] = list(tmp_path.iterdir())
    assert kept.name in hint
    assert kept.stat().st_size <= 500_000
    assert playable_frames(kept) >= int(written[-1]) > 0
    assert read_metadata(kept) == '{"seed": 7}'
    assert errors == ""


@pytest.mark.parametrize("size", [256, 128])
def test_a_full_disk_keeps_every_whole_picture(small_disk: Path, size: int) -> None:
    """Also those of a chunk, be it the first, that does not fit whole."""
    pictures = np.random.default_rng(0).integers(0, 255, (48, size, size, 3), np.uint8)
    with pytest.raises(DiskFullError) as caught:
        write_all(small_disk / "a", pictures)
    assert [path.name for path in small_disk.iterdir()] == ["a"]
    names = sorted(path.name for path in (small_disk / "a").iterdir())
    assert names == [f"{index:06}.png" for index in range(len(names))]
    assert len(names) % 24 > 0
    assert f"first {len(names) / 24:.1f} s are kept in a." in str(caught.value.hint)
    for index, name in enumerate(names):
        with Image.open(small_disk / "a" / name) as picture:
            assert np.array_equal(np.asarray(picture), pictures[index])
    assert read_metadata(small_disk / "a") == METADATA


def test_a_fragment_cut_in_the_middle_is_dropped_on_recovery(tmp_path: Path) -> None:
    writer = open_writer(tmp_path / "a.mp4", SIZE, SIZE, 24, METADATA)
    for _ in range(3):
        writer.write(moving(24))
    content = writer.part.read_bytes()
    writer.close()
    part = tmp_path / ".b.mp4.part-1-0123abcd.mp4"
    part.write_bytes(content[: len(content) - 800])
    recovered = recover_partial(part)
    assert recovered is not None
    assert recovered.name == "b.mp4"
    assert len(decode(recovered)) >= 48
    assert read_metadata(recovered) == METADATA


def test_what_cannot_be_recovered(tmp_path: Path) -> None:
    ordinary = tmp_path / "a.mp4"
    ordinary.touch()
    with pytest.raises(OutputError, match="not an unfinished video"):
        recover_partial(ordinary)
    part = tmp_path / ".b.mp4.part-1-0123abcd.mp4"
    part.write_bytes(b"damaged")
    with pytest.raises(MediaReadError, match=r"holds no complete frame\. Delete it\.$"):
        recover_partial(part)
    assert part.exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_left_of_a_kill_before_the_first_chunk_is_removed(
    tmp_path: Path, suffix: str
) -> None:
    writer = open_writer(tmp_path / f"a{suffix}", SIZE, SIZE, 24, METADATA)
    left = tmp_path / writer.part.name.replace(".a", ".b").replace(str(os.getpid()), "999999999")
    (shutil.copytree if writer.part.is_dir() else shutil.copy)(writer.part, left)
    writer.keep()
    assert find_partials(tmp_path) == [left]
    assert recover_partial(left) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_left_of_a_kill_before_the_last_rename_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    """An MP4 or a WebM is finished in place, so its part is an ordinary file by then."""

    def killed(*_: object) -> None:
        raise SystemExit

    target = tmp_path / f"a{suffix}"
    writer = open_writer(target, SIZE, SIZE, 24, METADATA)
    writer.write(moving(24))
    with monkeypatch.context() as until_then:
        for module in (animations, growing, png_frames):
            until_then.setattr(module, "put_in_place", killed)
        until_then.setattr(writer, "_salvage", lambda: None)  # whoever is killed does nothing more
        with pytest.raises(SystemExit):
            writer.close()
    recovered = recover_partial(writer.part)
    assert recovered is not None
    assert recovered == (target.with_suffix(".mp4") if suffix in (".gif", ".webp") else target)
    assert len(decode(recovered)) == 24
    assert read_metadata(recovered) == METADATA
    assert list(tmp_path.iterdir()) == [recovered]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in folders, and links need a right")
def test_what_is_no_file_or_folder_of_ours_is_not_looked_into(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    (elsewhere / "precious.mp4").touch()
    os.mkfifo(here / ".a.mp4.part-999999999-00000001.mp4")
    (here / ".b.mp4.part-999999999-00000002.mp4").symlink_to(elsewhere / "precious.mp4")
    (here / ".c.part-999999999-00000003").symlink_to(elsewhere)
    (here / ".d.mp4.part-999999999-00000004.mp4").mkdir()
    (here / ".e.part-999999999-00000005").touch()
    assert find_partials(here) == []
    for name in ("a.mp4", "b.mp4", "c", "d.mp4", "e"):
        assert find_growing(here / name) is None


def test_a_part_whose_writer_gave_its_number_to_another_program_is_found(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.mp4", SIZE, SIZE, 24) as writer:
        writer.write(moving(24))
        content = writer.part.read_bytes()
        assert find_partials(tmp_path) == []
    mine, on, machine = writer.part.name.partition("-on")
    others = mine.rpartition("-")[0] + "-1"  # begun at another time
    part = tmp_path / f"{others}{on}{machine}"
    part.write_bytes(content)
    assert find_partials(tmp_path) == [part]
    recovered = recover_partial(part)
    assert recovered is not None
    assert len(decode(recovered)) == 24


_BOOT = "-in"
"""What stands before the boot and the container of a part's writer."""


def left_by_nobody(folder: Path, boot: str = "", numbering: str = "") -> Path:
    """A part of a process that is not here; of another boot, or in another container."""
    name = part_path(folder / "a.mp4", ".mp4").name
    name = name.replace(f".part-{os.getpid()}-", ".part-999999999-")
    before, _, after = name.partition(_BOOT)
    part = folder / f"{before}{_BOOT}{boot or after[:8]}{numbering or after[8:16]}{after[16:]}"
    part.touch()
    return part


def long_ago(part: Path, seconds: float) -> None:
    os.utime(part, (then := time.time() - seconds, then))


def test_a_part_that_another_machine_writes_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.setattr(targets, "_machine", lambda: "0123abcd")
        there.setattr(targets, "_numbering", lambda: ("0123abcd", "0123abcd"))
        theirs = part_path(tmp_path / "a.mp4", ".mp4")
    # No process here has that number.
    theirs = theirs.with_name(theirs.name.replace(str(os.getpid()), "999999999"))
    theirs.touch()
    mine = part_path(tmp_path / "a.mp4", ".mp4")
    mine = mine.with_name(mine.name.replace(str(os.getpid()), "999999999"))
    mine.touch()
    assert find_partials(tmp_path) == [mine]
    mine.unlink()
    assert find_growing(tmp_path / "a.mp4") == theirs
    long_ago(theirs, 8 * 24 * 3600)
    assert find_partials(tmp_path) == [theirs]


@linux
def test_a_machine_that_is_called_something_else_since_knows_its_own_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = part_path(tmp_path / "a.mp4", ".mp4")
    gone = left_by_nobody(tmp_path)
    running.touch()
    monkeypatch.setattr(targets, "_machine", lambda: "0123abcd")
    assert find_partials(tmp_path) == [gone]


@linux
def test_a_part_of_another_container_of_the_same_name_is_left_to_it(tmp_path: Path) -> None:
    theirs = left_by_nobody(tmp_path, numbering="0123abcd")
    assert find_partials(tmp_path) == []
    long_ago(theirs, 8 * 24 * 3600)
    assert find_partials(tmp_path) == [theirs]


@linux
def test_a_part_of_before_a_restart_is_found_at_once(tmp_path: Path) -> None:
    before = left_by_nobody(tmp_path, boot="0123abcd")
    assert find_partials(tmp_path) == [], "it has grown since: another machine of that name"
    long_ago(before, time.time() - psutil.boot_time() + 60)
    assert find_partials(tmp_path) == [before]


_IN_A_CONTAINER = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc")


@linux
def test_a_container_and_its_host_leave_each_other_their_parts(tmp_path: Path) -> None:
    """Both have the same name, and numbers of processes that the other does not have."""
    if subprocess.run([*_IN_A_CONTAINER, "true"], capture_output=True).returncode != 0:
        pytest.skip("no containers may be made here")
    mine = part_path(tmp_path / "host.mp4", ".mp4")
    mine.touch()
    script = (
        "from pathlib import Path\n"
        "from magi_engine.media.targets import find_partials, part_path\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "part_path(folder / 'container.mp4', '.mp4').touch()\n"
        "print(find_partials(folder), flush=True)\n"
        "input()\n"
    )
    command = [*_IN_A_CONTAINER, sys.executable, "-c", script]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as container:
        assert container.stdin is not None
        assert container.stdout is not None
        assert container.stdout.readline() == "[]\n"
        assert find_partials(tmp_path) == []
        container.stdin.write("\n")
