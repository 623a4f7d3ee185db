from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import pytest
from PIL import Image

from magi_engine import atomic
from magi_engine.errors import InvalidRequestError, MediaReadError, OutputError
from magi_engine.media import targets
from magi_engine.media.animations import GifWriter, WebpWriter
from magi_engine.media.encoders import NVENC, X264, Encoder
from magi_engine.media.export import export_video
from magi_engine.media.frames import decode_frames
from magi_engine.media.growing import MP4, Mp4Writer
from magi_engine.media.info import probe
from magi_engine.media.metadata import read_metadata
from magi_engine.media.output import open_writer, recover_partial
from magi_engine.media.targets import find_growing, find_partials, free_name, part_path, target_of
from magi_engine.media.writer import FrameWriter, VideoFormat, WriteOptions

METADATA = json.dumps({"prompt": 'a "red" ball & ü 球', "seed": 7, "long": "x" * 3000})
SUFFIXES = [".mp4", ".webm", ".gif", ".webp", ""]
SIZE = 64


def moving(count: int, size: int = SIZE) -> np.ndarray:
    """A red disc crossing a gradient; (T, size, size, 3)."""
    down, across = np.mgrid[:size, :size]
    scale = size / 64
    background = np.stack([across * 2 / scale, down * 2 / scale, np.full_like(down, 128)], -1)
    pictures = np.repeat(background[None], count, 0).astype(np.uint8)
    for index, picture in enumerate(pictures):
        disc = (across - (10 + index) * scale) ** 2 + (down - 32 * scale) ** 2 < 80 * scale**2
        picture[disc] = (220, 40, 40)
    return pictures


def decode(path: Path) -> list[np.ndarray]:
    if path.is_dir():
        return [np.asarray(Image.open(file)) for file in sorted(path.glob("*.png"))]
    if path.suffix == ".webp":
        with Image.open(path) as image:
            frames = []
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                frames.append(np.asarray(image.convert("RGB")))
            return frames
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def playable_frames(path: Path) -> int:
    """Frames another process sees in a file that is still growing or was cut off."""
    count = 0
    with av.open(str(path)) as container:
        try:
            for _ in container.decode(video=0):
                count += 1
        except av.error.InvalidDataError:
            pass
    return count


def write_all(target: Path, frames: np.ndarray, options: WriteOptions | None = None) -> Path:
    size = frames.shape[1]
    with open_writer(target, size, size, 24, METADATA, options) as writer:
        for start in range(0, len(frames), 24):
            writer.write(frames[start : start + 24])
    assert writer.result is not None
    return writer.result


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


class _Stops(Encoder):
    """A real encoder with parameters of its own that cannot be opened any more after a while."""

    left = 2

    def opened(self, *arguments: Any, **keywords: Any) -> av.VideoCodecContext:
        _Stops.left -= 1
        if _Stops.left < 0:
            raise av.error.ExternalError(1, "no room on the device")
        return super().opened(*arguments, **keywords)


class _FromSixtyFour(Encoder):
    """A real encoder for which a video can be too small, as for those of graphics cards."""

    def opened(
        self, video: VideoFormat, options: WriteOptions, in_band: bool = False
    ) -> av.VideoCodecContext:
        if video.width < 64:
            raise av.error.ExternalError(1, "too small")
        return super().opened(video, options, in_band)


def _using(monkeypatch: pytest.MonkeyPatch, *encoders: Encoder) -> None:
    monkeypatch.setattr(Mp4Writer, "kind", dataclasses.replace(MP4, encoders=encoders))


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


def test_a_card_does_not_encode_what_is_asked_of_x264(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own efforts are others: what was chosen would have no effect."""
    monkeypatch.setattr("magi_engine.media.encoders._has_nvidia_driver", lambda: True)
    assert NVENC.settings(WriteOptions()) is not None
    assert NVENC.settings(WriteOptions(preset="slow")) is None
    assert NVENC.settings(WriteOptions(crf=0)) is None


def test_an_encoder_that_does_not_open_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="magi_engine")
    absent = Encoder("no_such_encoder", lambda options: {})
    # A real one that this size is too small for, on any device.
    small = Encoder("h264_nvenc", lambda options: {})
    cannot = Encoder("libx264", lambda options: None)
    _using(monkeypatch, absent, small, cannot, X264)
    with open_writer(tmp_path / "a.mp4", 32, 32, 24) as writer:
        writer.write(moving(24, 32))
        assert isinstance(writer, Mp4Writer)
        assert writer.encoder == "libx264"
    assert len(decode(tmp_path / "a.mp4")) == 24
    told = [record.getMessage() for record in caplog.records]
    assert any("no_such_encoder" in line for line in told)
    assert "a.mp4 is encoded by libx264" in told
    # It would refuse again, but not for ever.
    for size, after_s, asked in ((32, 1e9, False), (48, 1e9, False), (32, 0.0, True)):
        monkeypatch.setattr("magi_engine.media.encoders._ASKED_AGAIN_S", after_s)
        caplog.clear()
        with open_writer(tmp_path / f"{size}-{after_s}.mp4", size, size, 24) as writer:
            writer.write(moving(24, size))
        assert ("no_such_encoder" in caplog.text) is asked


def test_an_encoder_that_small_videos_do_not_fit_is_used_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = _FromSixtyFour("mpeg4", lambda options: {})
    _using(monkeypatch, large, X264)
    for index, (size, used) in enumerate([(32, False), (64, True), (32, False)]):
        with open_writer(tmp_path / f"{index}.mp4", size, size, 24) as writer:
            writer.write(moving(24, size))
            assert isinstance(writer, Mp4Writer)
            assert (writer.encoder == large.name) is used


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_an_encoder_that_gives_up_is_replaced_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(_Stops, "left", 2)  # to see whether it works, and for the first chunk
    other = _Stops("libx264", lambda options: {"profile": "baseline", "crf": "8", "bf": "0"})
    _using(monkeypatch, other, X264)
    frames = moving(72)
    target = tmp_path / f"a{suffix}"
    with open_writer(target, SIZE, SIZE, 24, METADATA) as writer:
        for chunk in range(3):
            writer.write(frames[24 * chunk : 24 * chunk + 24])
            assert playable_frames(writer.part) == 24 * chunk + 24
    decoded = np.stack(decode(target)).astype(int)
    assert np.abs(decoded - frames).mean(axis=(1, 2, 3)).max() < 6
    assert read_metadata(target) == METADATA


def test_no_encoder_of_a_card_is_tried_where_there_is_no_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("magi_engine.media.encoders._has_nvidia_driver", lambda: False)
    with open_writer(tmp_path / "a.mp4", 64, 48, 24) as writer:
        writer.write(np.zeros((24, 48, 64, 3), np.uint8))
    assert "nvenc" not in caplog.text


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
        assert target_of(writer.part).name == "ü" * 85 + ".mp4"
    assert writer.result == target
    animation = target.with_suffix(".gif")
    assert write_all(animation, moving(3)) == animation
    with pytest.raises(OutputError, match="too long"):
        open_writer(tmp_path / ("x" * 300 + ".mp4"), SIZE, SIZE, 24)


def test_a_folder_with_something_in_it_is_never_replaced(tmp_path: Path) -> None:
    target = tmp_path / "frames"
    target.mkdir()
    assert write_all(target, moving(4)) == target  # empty: may be used
    with pytest.raises(OutputError, match="exists already"):
        open_writer(target, SIZE, SIZE, 24, options=WriteOptions(overwrite=True))
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


# What the child processes below run: a writer of endless chunks. `setuid` is for a test that runs
# as root, whom no folder refuses.
CHILD = """
import os, resource, sys
import numpy as np
from magi_engine.errors import MagiError
from magi_engine.media.output import open_writer

target, mode = sys.argv[1:]
frames = np.random.default_rng(0).integers(0, 255, (24, 64, 64, 3), dtype=np.uint8)
if mode == "readonly" and os.geteuid() == 0:
    os.setuid(65534)
if mode == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    with open_writer(target, 64, 64, 24, '{"seed": 7}') as writer:
        for chunk in range(3 if mode == "stop" else 60):
            writer.write(frames)
            print(writer.frames_written, flush=True)
        if mode == "stop":
            sys.stdin.read()
except MagiError as error:
    print(type(error).__name__, "|", error.message, "|", error.hint, flush=True)
"""


def child(target: Path, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(target), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder any user can reach, unlike pytest's."""
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


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
    assert message.startswith("No space is left")
    [kept] = list(tmp_path.iterdir())
    assert kept.name in hint
    assert kept.stat().st_size <= 500_000
    assert playable_frames(kept) >= int(written[-1]) > 0
    assert read_metadata(kept) == '{"seed": 7}'
    assert errors == ""


@pytest.mark.skipif(sys.platform == "win32", reason="folders are made read-only otherwise")
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ""])
def test_a_read_only_folder(open_folder: Path, suffix: str) -> None:
    os.chmod(open_folder, 0o555)
    output, errors = child(open_folder / f"result{suffix}", "readonly").communicate(timeout=300)
    assert output.startswith("OutputError | result"), errors
    assert "Choose a folder you may write to." in output
    assert errors == ""
    os.chmod(open_folder, 0o755)


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
    with pytest.raises(MediaReadError):
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


def test_a_part_that_another_machine_writes_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as there:
        there.setattr(socket, "gethostname", lambda: "another")
        there.setattr(targets, "_numbering", lambda: "0123abcd")
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
    week = time.time() - 8 * 24 * 3600
    os.utime(theirs, (week, week))
    assert find_partials(tmp_path) == [theirs]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a name lasts until a restart")
def test_a_machine_that_is_called_something_else_since_knows_its_own_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = part_path(tmp_path / "a.mp4", ".mp4")
    gone = running.with_name(running.name.replace(str(os.getpid()), "999999999"))
    running.touch()
    gone.touch()
    monkeypatch.setattr(socket, "gethostname", lambda: "another")
    assert find_partials(tmp_path) == [gone]


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
