from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from magi_engine.errors import InvalidRequestError, MediaReadError
from magi_engine.media import frames
from magi_engine.media.clips import ClipPart, iter_source_frames, plan_clip, read_plan
from magi_engine.media.fit import FitPolicy
from magi_engine.media.images import check_image, read_image
from magi_engine.media.info import MediaKind, probe
from tests.reading import read_video

MakeVideo = Callable[..., Path]
STEP = 4


def numbered(count: int, width: int = 64, height: int = 48, step: int = STEP) -> np.ndarray:
    """Flat grey frames, frame n of level ``16 + step * n``."""
    levels = (16 + step * np.arange(count)).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3)).copy()


def numbers(clip: np.ndarray, step: int = STEP) -> list[int]:
    """Which of the `numbered` frames a clip consists of."""
    return [round((float(picture.mean()) - 16) / step) for picture in clip]


def quarters(width: int = 64, height: int = 32) -> np.ndarray:
    """Black, dark grey / light grey, white, as one frame."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[: height // 2, width // 2 :] = 85
    picture[height // 2 :, : width // 2] = 170
    picture[height // 2 :, width // 2 :] = 255
    return picture


def corners(picture: np.ndarray) -> list[int]:
    height, width = picture.shape[:2]
    places = [(y, x) for y in (4, height - 5) for x in (4, width - 5)]
    return [round(float(picture[y, x].mean()) / 85) for y, x in places]


def test_the_default_is_the_last_32_frames(make_video: MakeVideo) -> None:
    path = make_video(numbered(50))
    assert numbers(read_video(path, 64, 48, 24)) == list(range(18, 50))


def test_the_start_is_the_official_first_32(make_video: MakeVideo) -> None:
    path = make_video(numbered(50))
    assert numbers(read_video(path, 64, 48, 24, ClipPart.start())) == list(range(32))


def test_a_range_ends_exactly_where_it_says(make_video: MakeVideo) -> None:
    path = make_video(numbered(50))
    clip = read_video(path, 64, 48, 24, ClipPart.range(0.5, 1.0))
    assert numbers(clip) == list(range(12, 24))


def test_whole_groups_of_four_keep_the_junction(make_video: MakeVideo) -> None:
    path = make_video(numbered(23))
    plan = plan_clip(path, 24)
    assert plan.frames == 20
    assert numbers(read_plan(plan, 64, 48)) == list(range(3, 23))
    start = plan_clip(path, 24, ClipPart.start())
    assert numbers(read_plan(start, 64, 48)) == list(range(20))
    ranged = read_video(path, 64, 48, 24, ClipPart.range(0, 10 / 24))
    assert numbers(ranged) == list(range(2, 10))


def test_the_plan_says_which_seconds(make_video: MakeVideo) -> None:
    plan = plan_clip(make_video(numbered(50)), 24, ClipPart.end(0.5))
    assert plan.start_s == pytest.approx(38 / 24)
    assert plan.end_s == pytest.approx(50 / 24)
    assert plan.times == plan.source_times


@pytest.mark.parametrize("fps", [12, 25, 30, 50, 60])
def test_resampling_takes_nearest_frames_and_ends_on_the_last(
    make_video: MakeVideo, fps: int
) -> None:
    path = make_video(numbered(fps, step=3), fps=fps)
    plan = plan_clip(path, 24, ClipPart.end(5))
    assert plan.frames == 24
    clip = numbers(read_plan(plan, 64, 48), step=3)
    assert clip[-1] == fps - 1
    for time, number in zip(plan.times, clip, strict=True):
        assert abs(Fraction(number, fps) - time) == min(
            abs(Fraction(k, fps) - time) for k in range(fps)
        )


def test_a_picture_that_stands_is_there_until_the_next_one(make_video: MakeVideo) -> None:
    """As recorders of screens write it; what the blocks of Matroska say of durations is a guess."""
    path = make_video(numbered(4), name="screen.mkv", pts=(0, 3000, 3040, 3080))
    assert numbers(read_video(path, 64, 48, 24, ClipPart.range(1, 2))) == [0] * 24
    start = plan_clip(path, 24, ClipPart.start(1))
    assert (start.frames, start.start_s, start.end_s) == (24, 0, 1)


def test_variable_frame_rate_goes_by_timestamps(make_video: MakeVideo) -> None:
    # 10 frames within the first second, then one every half second.
    pts = [*range(0, 1000, 100), 1000, 1500, 2000, 2500]
    path = make_video(numbered(14, step=16), pts=pts, fps=24)
    clip = numbers(read_video(path, 64, 48, 4, ClipPart.start(2.5)), step=16)
    # At 0, 250, 500, ... ms; of two equally near frames the earlier one.
    assert clip == [0, 2, 5, 7, 10, 10, 11, 11]
    exact = plan_clip(path, 4, ClipPart.end(1.0))
    assert float(exact.source_times[-1]) == 2.5


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_metadata_is_applied(make_video: MakeVideo, rotation: int) -> None:
    upright = quarters()
    stored = np.rot90(upright, -rotation // 90)
    path = make_video(np.stack([stored] * 8), rotation=rotation)
    info = probe(path)
    assert (info.width, info.height) == (64, 32)
    assert corners(read_video(path, 64, 32, 24)[0]) == [0, 1, 2, 3]


def test_pixels_that_are_not_square(make_video: MakeVideo) -> None:
    path = make_video(np.stack([quarters(32, 32)] * 8), pixel_aspect=Fraction(2))
    info = probe(path)
    assert (info.width, info.height) == (64, 32)
    padded = read_video(path, 64, 64, 24, fit=FitPolicy.PAD)[0]
    assert (padded[:15] < 8).all()
    assert corners(padded[16:48]) == [0, 1, 2, 3]


def test_odd_sizes(make_video: MakeVideo) -> None:
    path = make_video(numbered(8, 63, 47), pixel_format="yuv444p")
    assert numbers(read_video(path, 32, 32, 24)) == list(range(8))


@pytest.mark.parametrize(
    ("codec", "name", "pixel_format", "options"),
    [
        ("libx264", "deep.mp4", "yuv420p10le", {"qp": "0"}),
        ("libx265", "hevc.mp4", "yuv420p10le", {"x265-params": "log-level=none:qp=4"}),
        ("libvpx-vp9", "clip.webm", "yuv420p", {"crf": "4", "b": "0"}),
        ("ffv1", "clip.mkv", "yuv444p16le", {}),
        ("mjpeg", "clip.avi", "yuvj420p", {"qmin": "1", "q": "1"}),
        ("mpeg2video", "clip.ts", "yuv420p", {"qmin": "1", "qmax": "2"}),
    ],
)
def test_codecs_and_bit_depths(
    make_video: MakeVideo, codec: str, name: str, pixel_format: str, options: dict[str, str]
) -> None:
    path = make_video(numbered(24, step=8), name, 24, codec, pixel_format, options=options)
    info = probe(path)
    assert (info.kind, info.width, info.height) == (MediaKind.VIDEO, 64, 48)
    assert info.fps == pytest.approx(24, abs=0.1)
    assert numbers(read_video(path, 64, 48, 24), step=8) == list(range(24))


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif"])
def test_animations_are_videos(tmp_path: Path, suffix: str) -> None:
    pictures = [Image.fromarray(picture) for picture in numbered(8, step=16)]
    options: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"a.{suffix}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=50, **options)
    info = probe(path)
    assert info.kind is MediaKind.VIDEO
    assert info.duration_s == pytest.approx(0.4, abs=0.06)
    assert numbers(read_video(path, 64, 48, 20), step=16) == list(range(8))


def test_the_source_in_front_ends_with_the_condition(make_video: MakeVideo) -> None:
    path = make_video(numbered(53), fps=30)
    plan = plan_clip(path, 24, ClipPart.end(1))
    batches = list(iter_source_frames(plan, 64, 48))
    assert [len(batch) for batch in batches] == [24, 18]
    whole = np.concatenate(batches)
    assert (whole[-plan.frames :] == read_plan(plan, 64, 48)).all()
    assert len(whole) == int(52 / 30 * 24) + 1  # all of it that the grid through the end covers


def test_reading_the_end_decodes_only_the_end(
    make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_video(numbered(600, 16, 16, step=0), options={"g": "24"})
    decoded = 0
    original = frames._decode_packet

    def counting(stream: av.VideoStream, packet: av.Packet | None) -> list[av.VideoFrame]:
        nonlocal decoded
        pictures = original(stream, packet)
        decoded += len(pictures)
        return pictures

    monkeypatch.setattr(frames, "_decode_packet", counting)
    read_video(path, 16, 16, 24)
    assert decoded < 250


def without_last_fragments(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.6)])


def test_a_stream_in_no_known_format_is_said(make_video: MakeVideo) -> None:
    path = make_video(numbered(8))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1").replace(b"avcC", b"zzzC"))
    with pytest.raises(MediaReadError, match="is not an image or a video that can be read"):
        plan_clip(path, 24)


def test_a_cut_off_fragmented_file_plays_up_to_the_cut(make_video: MakeVideo) -> None:
    path = make_video(
        numbered(48),
        options={"qp": "0", "g": "8", "bf": "0"},
        container_options={"movflags": "frag_keyframe+empty_moov+default_base_moof"},
    )
    without_last_fragments(path)
    plan = plan_clip(path, 24)
    assert 0 < plan.end_s < 47 / 24
    clip = numbers(read_plan(plan, 64, 48))
    assert clip == list(range(clip[0], clip[0] + len(clip)))


def test_a_cut_off_file_with_its_index_in_front_plays_up_to_the_cut(
    make_video: MakeVideo,
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 48, 64, 3), dtype=np.uint8)
    path = make_video(noise, container_options={"movflags": "faststart"}, options={"g": "8"})
    without_last_fragments(path)
    plan = plan_clip(path, 24, ClipPart.end(5))
    assert 12 <= plan.frames < 48
    assert read_plan(plan, 64, 48).std() > 20


def test_transport_stream_damaged_in_the_middle(make_video: MakeVideo) -> None:
    path = make_video(
        numbered(48),
        "clip.ts",
        24,
        "mpeg2video",
        options={"g": "4", "bf": "0", "qmin": "1", "qmax": "1"},
    )
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    path.write_bytes(content)
    clip = numbers(read_video(path, 64, 48, 24, ClipPart.end(2)))
    assert clip[-1] == 47
    assert len(clip) >= 40


def absent(tmp_path: Path, make_video: MakeVideo) -> Path:
    return tmp_path / "absent.mp4"


def folder(tmp_path: Path, make_video: MakeVideo) -> Path:
    return tmp_path


def empty(tmp_path: Path, make_video: MakeVideo) -> Path:
    path = tmp_path / "empty.mp4"
    path.touch()
    return path


def text(tmp_path: Path, make_video: MakeVideo) -> Path:
    path = tmp_path / "notes.mp4"
    path.write_text("no video in here\n" * 100)
    return path


def without_index(tmp_path: Path, make_video: MakeVideo) -> Path:
    path = make_video(numbered(48))
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"moov") - 100])
    return path


def zero_frames(tmp_path: Path, make_video: MakeVideo) -> Path:
    path = tmp_path / "zero.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    return path


def sound_only(tmp_path: Path, make_video: MakeVideo) -> Path:
    path = tmp_path / "sound.wav"
    samples = struct.pack("<800h", *range(800))
    header = struct.pack(
        "<4sI4s4sIHHIIHH", b"RIFF", 36 + 1600, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16
    )
    path.write_bytes(header + struct.pack("<4sI", b"data", 1600) + samples)
    return path


def three_frames(tmp_path: Path, make_video: MakeVideo) -> Path:
    return make_video(numbered(3))


def one_frame(tmp_path: Path, make_video: MakeVideo) -> Path:
    return make_video(numbered(1))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (absent, "There is no file"),
        (folder, "is a folder"),
        (empty, "is empty"),
        (text, "not an image or a video"),
        (without_index, "not an image or a video"),
        (zero_frames, "holds no"),
        (sound_only, "holds no video track"),
        (three_frames, "only 3 frames at"),
        (one_frame, "only 1 frame at"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path,
    make_video: MakeVideo,
    make: Callable[[Path, MakeVideo], Path],
    says: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = make(tmp_path, make_video)
    capfd.readouterr()
    with pytest.raises(MediaReadError, match=says) as caught:
        read_video(path, 64, 48, 24)
    assert "\n" not in str(caught.value)
    assert str(caught.value.hint)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".txt", ".nfo", ".ans", ".bin", ".xb"])
def test_a_text_is_no_video(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"notes{suffix}"
    path.write_text("a red ball rolls over a table\n" * 100)
    for look in (probe, check_image, lambda path: plan_clip(path, 24)):
        with pytest.raises(MediaReadError, match="is not an image or a video"):
            look(path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{}\n#EXT-X-ENDLIST\n"),
        ("list.mp4", "ffconcat version 1.0\nfile '{}'\n"),
    ],
)
def test_a_list_of_videos_is_not_followed(
    tmp_path: Path, make_video: MakeVideo, name: str, content: str
) -> None:
    segment = make_video(numbered(48), name="segment.ts")
    path = tmp_path / name
    path.write_text(content.format(segment.name))
    for look in (probe, check_image, lambda path: plan_clip(path, 24)):
        with pytest.raises(MediaReadError, match=r"only says where a video is"):
            look(path)


def test_sound_alone_is_no_video_for_who_wants_an_image_either(
    tmp_path: Path, make_video: MakeVideo
) -> None:
    with pytest.raises(MediaReadError, match="holds no video track"):
        read_image(sound_only(tmp_path, make_video), 64, 48)
    with pytest.raises(MediaReadError, match="is a video, not an image"):
        read_image(make_video(numbered(4)), 64, 48)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClipPart.end(0),
        lambda: ClipPart.start(-1),
        lambda: ClipPart.end(5.1),
        lambda: ClipPart.end(float("nan")),
        lambda: ClipPart.range(2, 1),
        lambda: ClipPart.range(-1, 1),
        lambda: ClipPart.range(0, 6),
    ],
)
def test_impossible_parts_are_refused(make: Callable[[], ClipPart]) -> None:
    with pytest.raises(InvalidRequestError):
        make()


def test_a_range_after_the_end_is_refused(make_video: MakeVideo) -> None:
    with pytest.raises(InvalidRequestError, match="ends after"):
        plan_clip(make_video(numbered(24)), 24, ClipPart.range(2, 3))


@pytest.mark.parametrize("fps", [0, -1, float("inf"), float("nan")])
def test_impossible_rates_are_refused(make_video: MakeVideo, fps: float) -> None:
    with pytest.raises(InvalidRequestError):
        plan_clip(make_video(numbered(8)), fps)


def test_nothing_stays_open(make_video: MakeVideo, tmp_path: Path) -> None:
    path = make_video(numbered(24))
    source: Iterator[np.ndarray] = iter_source_frames(plan_clip(path, 24), 64, 48, batch=4)
    next(source)
    before = open_files(path)
    del source
    assert before == 1
    assert open_files(path) == 0


def open_files(path: Path) -> int:
    import psutil

    return [entry.path for entry in psutil.Process().open_files()].count(str(path))
