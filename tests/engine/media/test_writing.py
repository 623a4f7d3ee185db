"""Videos as they are written, in every format, and as they are exported."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import av
import av.error
import numpy as np
import pytest
from PIL import Image, ImageSequence

from magi_engine.media.export import export_video
from magi_engine.media.frames import decode_frames
from magi_engine.media.info import probe
from magi_engine.media.metadata import read_metadata
from magi_engine.media.output import open_writer
from magi_engine.media.writer import FrameWriter
from tests.engine.media.written import (
    METADATA,
    SIZE,
    SUFFIXES,
    decode,
    moving,
    playable_frames,
    write_all,
)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_holds_all_frames_and_the_metadata(tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"result{suffix}"
    frames = moving(48)
    assert write_all(target, frames) == target
    decoded = decode(target)
    assert len(decoded) == 48
    error = np.abs(np.stack(decoded).astype(int) - frames).mean()
    assert error < (0.01 if suffix == "" else 6)
    assert json.loads(read_metadata(target) or "") == json.loads(METADATA)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]  # no part left behind


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp"])
def test_the_duration_is_right(tmp_path: Path, suffix: str) -> None:
    info = probe(write_all(tmp_path / f"result{suffix}", moving(48)))
    assert info.duration_s == pytest.approx(2.0, abs=0.05)
    assert (info.width, info.height) == (SIZE, SIZE)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_flat_colours_survive(tmp_path: Path, suffix: str) -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0), (90, 160, 200)]
    frames = np.empty((24 * len(colours), SIZE, SIZE, 3), np.uint8)
    for index, colour in enumerate(colours):
        frames[24 * index : 24 * index + 24] = colour
    path = write_all(tmp_path / f"flat{suffix}", frames)
    from magi_engine.media.clips import ClipPart
    from tests.reading import read_video

    for index, colour in enumerate(colours):
        clip = read_video(path, SIZE, SIZE, 24, ClipPart.range(index, index + 1))
        # Blue in limited-range 8-bit YUV steps by about two levels.
        assert np.abs(clip.astype(int) - colour).max() <= 4


def test_mp4_is_tagged_as_bt709(tmp_path: Path) -> None:
    path = write_all(tmp_path / "a.mp4", moving(24))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    assert (frame.colorspace, frame.color_primaries, frame.color_trc) == (1, 1, 1)
    assert frame.color_range == 1
    assert frame.format.name == "yuv420p"


def test_another_reader_sees_each_chunk_at_once(tmp_path: Path) -> None:
    with open_writer(tmp_path / "a.mp4", SIZE, SIZE, 24, METADATA) as writer:
        assert read_metadata(writer.part) == METADATA  # before the first frame
        for chunk in range(1, 5):
            writer.write(moving(24))
            assert playable_frames(writer.part) == 24 * chunk


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ""])
def test_what_was_written_is_on_the_disk_and_not_only_in_its_cache(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: dict[int, int] = {}  # inode -> bytes, or names in a folder
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        found = os.fstat(descriptor)
        folder = stat.S_ISDIR(found.st_mode)
        synced[found.st_ino] = len(os.listdir(descriptor)) if folder else found.st_size

    monkeypatch.setattr(os, "fsync", fsync)

    def has_names(folder: Path, number: int) -> bool:
        # Windows keeps names by itself.
        return sys.platform == "win32" or synced[folder.stat().st_ino] == number

    def is_safe(path: Path) -> bool:
        if path.is_dir():
            inside = list(path.iterdir())
            return has_names(path, len(inside)) and all(map(is_safe, inside))
        return synced[path.stat().st_ino] == path.stat().st_size

    with open_writer(tmp_path / f"out{suffix}", SIZE, SIZE, 24, METADATA) as writer:
        for start in range(0, 48, 24):
            writer.write(moving(48)[start : start + 24])
            assert is_safe(writer.part)
            assert has_names(tmp_path, 1)
    assert is_safe(tmp_path / f"out{suffix}")


def test_the_finished_mp4_is_an_ordinary_one_with_its_index_in_front(tmp_path: Path) -> None:
    content = write_all(tmp_path / "a.mp4", moving(72)).read_bytes()
    assert b"moof" not in content
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(tmp_path / "a.mp4")) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([index / 24 for index in range(72)])


def test_chunks_of_any_length(tmp_path: Path) -> None:
    frames = moving(31)
    with open_writer(tmp_path / "a.mp4", SIZE, SIZE, 24) as writer:
        for start, end in ((0, 1), (1, 24), (24, 31)):
            writer.write(frames[start:end])
    assert len(decode(tmp_path / "a.mp4")) == 31
    assert read_metadata(tmp_path / "a.mp4") is None


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_the_beginning_of_another_video_is_copied_to_the_bit(tmp_path: Path, suffix: str) -> None:
    """Chunks that two videos share are not encoded again, and the rest follows without a seam."""
    with open_writer(tmp_path / f"first{suffix}", SIZE, SIZE, 24) as writer:
        for start in range(3):
            writer.write(moving(24)[::-1] if start == 2 else moving(24))
    first = decode(tmp_path / f"first{suffix}")
    with open_writer(tmp_path / f"second{suffix}", SIZE, SIZE, 24, METADATA) as writer:
        assert writer.copy(tmp_path / f"first{suffix}", 48) == writer.frames_written == 48
        assert playable_frames(writer.part) == 48, "they are on the disk at once"
        writer.write(moving(30))
        assert playable_frames(writer.part) == 78
    second = decode(tmp_path / f"second{suffix}")
    assert len(second) == 78
    assert probe(tmp_path / f"second{suffix}").duration_s == pytest.approx(78 / 24, rel=0.01)
    assert all(np.array_equal(a, b) for a, b in zip(first[:48], second[:48], strict=True))
    assert read_metadata(tmp_path / f"second{suffix}") == METADATA


def test_what_does_not_fit_is_not_copied(tmp_path: Path) -> None:
    with open_writer(tmp_path / "first.mp4", SIZE, SIZE, 24) as writer:
        writer.write(moving(24))
        writer.write(moving(24))
    others = {
        "another rate.mp4": (SIZE, 30, 48),
        "another size.mp4": (2 * SIZE, 24, 48),
        "another codec.webm": (SIZE, 24, 48),
        "pictures": (SIZE, 24, 48),
        "inside a chunk.mp4": (SIZE, 24, 30),
        "more than there are.mp4": (SIZE, 24, 72),
    }
    for name, (size, fps, frames) in others.items():
        with open_writer(tmp_path / name, size, size, fps) as writer:
            assert writer.copy(tmp_path / "first.mp4", frames) == 0, name
            assert writer.copy(tmp_path / "gone.mp4", frames) == 0
            writer.write(moving(24, size))
        assert len(decode(tmp_path / name)) == 24


@pytest.mark.parametrize("rate", [24, 50, 60, 100])
def test_no_frame_of_a_gif_is_shorter_than_browsers_show_it(tmp_path: Path, rate: int) -> None:
    with open_writer(tmp_path / "a.gif", SIZE, SIZE, rate) as writer:
        writer.write(moving(24))
    shown, lasts = [], []
    with Image.open(tmp_path / "a.gif") as image:
        for picture in ImageSequence.Iterator(image):
            lasts.append(picture.info["duration"])
            red, green, _ = np.asarray(picture.convert("RGB")).transpose(2, 0, 1)
            disc = np.nonzero((red > 180) & (green < 90))[1].mean()  # goes a pixel a frame
            shown.append(int(disc + 0.2))  # it is about half a pixel off
    assert min(lasts) >= 20
    assert sum(lasts) == pytest.approx(1000 * 24 / rate, abs=20)
    # In order, the first one first, and all of them where there is time.
    assert shown == sorted(set(shown))
    assert shown[0] == 9
    assert len(shown) == min(24, 24 * 50 // rate)


def test_a_gif_is_smaller_than_the_naive_one(tmp_path: Path) -> None:
    frames = moving(48, 128)
    path = write_all(tmp_path / "a.gif", frames)
    pictures = [Image.fromarray(frame) for frame in frames]
    naive = tmp_path / "naive.gif"
    pictures[0].save(naive, save_all=True, append_images=pictures[1:], duration=40)
    assert path.stat().st_size * 2 < naive.stat().st_size


def test_writing_is_deterministic(tmp_path: Path) -> None:
    one = write_all(tmp_path / "1.mp4", moving(48)).read_bytes()
    two = write_all(tmp_path / "2.mp4", moving(48)).read_bytes()
    assert one == two


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_export_keeps_frames_and_metadata(tmp_path: Path, suffix: str) -> None:
    source = write_all(tmp_path / "source.mp4", moving(40))
    progress: list[float] = []
    target = export_video(source, tmp_path / f"copy{suffix}", on_progress=progress.append)
    assert len(decode(target)) == 40
    assert read_metadata(target) == METADATA
    assert progress == sorted(progress)
    assert progress[-1] == 1.0


def test_export_stopped_by_its_caller_keeps_what_was_written(tmp_path: Path) -> None:
    source = write_all(tmp_path / "source.mp4", moving(72))

    def stop(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_video(source, tmp_path / "copy.mp4", on_progress=stop)
    assert len(decode(tmp_path / "copy.mp4")) == 24


def test_comments_of_other_programs_are_no_metadata(tmp_path: Path) -> None:
    path = tmp_path / "foreign.gif"
    Image.new("RGB", (32, 32)).save(path, comment=b"made elsewhere")
    assert read_metadata(path) is None
    Image.new("RGB", (32, 32)).save(tmp_path / "plain.webp")
    assert read_metadata(tmp_path / "plain.webp") is None


def test_writer_is_the_documented_type(tmp_path: Path) -> None:
    with open_writer(str(tmp_path / "a.mp4"), SIZE, SIZE, 23.976, METADATA) as writer:
        assert isinstance(writer, FrameWriter)
        assert str(writer.video.fps) == "24000/1001"
        writer.write(moving(4))
    assert probe(tmp_path / "a.mp4").fps == pytest.approx(23.976, abs=0.001)


def test_some_frames_are_exported(tmp_path: Path) -> None:
    with open_writer(tmp_path / "all.mp4", 64, 64, 24) as writer:
        for level in range(0, 240, 10):
            writer.write(np.full((4, 64, 64, 3), level, np.uint8))
    source = tmp_path / "all.mp4"
    made = export_video(source, tmp_path / "part.mp4", parts=[(source, range(30, 55))])
    levels = [frame.picture.to_ndarray(format="rgb24").mean() for frame in decode_frames(made)]
    assert len(levels) == 25
    assert np.abs(np.array(levels) - [n // 4 * 10 for n in range(30, 55)]).max() <= 2


def test_parts_of_files_follow_each_other_without_a_seam(tmp_path: Path) -> None:
    for name, offset in (("a", 0), ("b", 100)):
        with open_writer(tmp_path / f"{name}.mp4", 64, 64, 24, METADATA) as writer:
            for level in range(0, 96, 2):
                writer.write(np.full((1, 64, 64, 3), level + offset, np.uint8))
    a, b = tmp_path / "a.mp4", tmp_path / "b.mp4"
    parts = [(a, range(24)), (b, range(24, 36)), (a, range(36, 48))]
    done: list[float] = []
    made = export_video(a, tmp_path / "way.mp4", done.append, parts, metadata='{"new": 1}')
    frames = list(decode_frames(made))
    levels = [frame.picture.to_ndarray(format="rgb24").mean() for frame in frames]
    wanted = [2 * n + (100 if 24 <= n < 36 else 0) for n in range(48)]
    assert np.abs(np.array(levels) - wanted).max() <= 2
    assert np.allclose(np.diff([float(frame.time) for frame in frames]), 1 / 24, atol=1e-4)
    assert read_metadata(made) == '{"new": 1}'
    assert done == sorted(done)
    assert done[-1] == 1


def test_an_exported_picture_that_stands_long_stands_to_its_end(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    shades = np.full((3, 48, 64, 3), [[[[20]]], [[[120]]], [[[220]]]], np.uint8)
    source = make_video(shades, name="screen.mkv", fps=10, pts=(0, 2000, 2100))
    pictures = decode(export_video(source, tmp_path / "copy.mp4"))
    levels = [round(float(picture.mean()), -1) for picture in pictures]
    assert levels == [20] * 20 + [120, 220]
