"""Files that people have: as phones, cameras and editors write them.

Those in ``cases/`` show the test card: a quarter each of red, green, blue and grey, and a white
disc in the middle.
"""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from magi_engine.errors import MediaReadError
from magi_engine.media.clips import ClipPart
from magi_engine.media.fit import UInt8Array
from magi_engine.media.images import read_image
from magi_engine.media.info import MediaKind, probe
from tests.engine.media.conftest import MakeVideo
from tests.reading import read_video

CASES = Path(__file__).with_name("cases")
CARD = np.array([(200, 30, 30), (30, 160, 30), (30, 30, 200), (128, 128, 128)])
PLACES = ((20, 20), (20, 235), (235, 20), (235, 235))  # row, column


def off_card(picture: UInt8Array) -> int:
    """The largest difference of a quarter's colour from the card's."""
    seen = np.array([picture[place] for place in PLACES], int)
    return int(np.abs(seen - CARD).max())


def test_a_picture_of_a_phone_is_put_together_from_its_tiles() -> None:
    path = CASES / "iphone_tiled.heic"
    info = probe(path)
    assert (info.kind, info.width, info.height) == (MediaKind.IMAGE, 256, 256)
    picture = read_image(path, 256, 256)
    assert off_card(picture) <= 2
    assert picture[128, 128].min() >= 250
    with pytest.raises(MediaReadError, match="is an image, not a video"):
        read_video(path, 256, 256, 24)  # which would be one tile of it


@pytest.mark.parametrize(("name", "near", "white"), [("hdr_pq.mp4", 3, 245), ("p3.mp4", 8, 250)])
def test_hdr_and_wide_gamuts_come_out_as_they_look(name: str, near: int, white: int) -> None:
    clip = read_video(CASES / name, 256, 256, 24, ClipPart.start())
    assert off_card(clip[0]) <= near
    assert clip[0][128, 128].min() >= white


def test_what_is_transparent_in_an_animation_is_white() -> None:
    still = read_image(CASES / "anim_alpha.webp", 256, 256)
    clip = read_video(CASES / "anim_alpha.webp", 256, 256, 24, ClipPart.start())
    assert clip[0][0, 0].tolist() == still[0, 0].tolist() == [255, 255, 255]


def test_what_is_transparent_in_a_video_is_white(tmp_path: Path) -> None:
    path = tmp_path / "alpha.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=24)
        assert isinstance(stream, av.VideoStream)
        stream.width = stream.height = 64
        stream.pix_fmt = "bgra"
        rgba = np.zeros((64, 64, 4), np.uint8)
        rgba[:, 32:] = (200, 30, 30, 255)
        for index in range(8):
            frame = av.VideoFrame.from_ndarray(rgba, format="rgba").reformat(format="bgra")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    first = read_video(path, 64, 64, 24)[0]
    assert first[32, 10].tolist() == [255, 255, 255]
    assert first[32, 50].tolist() == [200, 30, 30]


def test_a_cut_off_picture_is_one_sentence() -> None:
    path = CASES / "trunc.png"
    for read in (probe, lambda p: read_image(p, 64, 64), lambda p: read_video(p, 64, 64, 24)):
        with pytest.raises(MediaReadError):
            read(path)


@pytest.mark.parametrize("name", ["text.png", "text.exr", "text.mp4"])
def test_a_text_with_the_name_of_a_picture_is_neither_image_nor_video(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text("This is a plain text.\n" * 20)
    for read in (probe, lambda p: read_image(p, 64, 64), lambda p: read_video(p, 64, 64, 24)):
        with pytest.raises(MediaReadError, match="is not an image or a video that can be read"):
            read(tmp_path / name)


def test_a_jpeg_that_lacks_its_last_bytes_is_shown(tmp_path: Path) -> None:
    data = io.BytesIO()
    Image.new("RGB", (400, 200), (200, 30, 30)).save(data, "JPEG")
    (tmp_path / "cut.jpg").write_bytes(data.getvalue()[:-9])
    assert np.abs(read_image(tmp_path / "cut.jpg", 64, 32)[10, 10] - [200, 30, 30]).max() < 6


def test_a_tiff_is_turned_once(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste("red", (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: its left becomes its top
    image.save(tmp_path / "a.tiff", exif=exif)
    info = probe(tmp_path / "a.tiff")
    assert (info.width, info.height) == (20, 40)
    picture = read_image(tmp_path / "a.tiff", 20, 40)
    assert picture[5, 10].tolist() == [255, 0, 0]
    assert picture[35, 10].tolist() == [255, 255, 255]


def test_adobe_rgb_that_only_exif_declares(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    # sRGB's green (30, 160, 30) has these numbers in Adobe RGB.
    adobe = Image.new("RGB", (64, 64), (93, 159, 49))
    adobe.save(tmp_path / "adobe.jpg", exif=exif, quality=100, subsampling=0)
    found = read_image(tmp_path / "adobe.jpg", 64, 64)[32, 32].astype(int)
    assert np.abs(found - [30, 160, 30]).max() <= 8


@pytest.mark.parametrize(
    ("matrix", "undo"),
    [
        ((-1, 0, 0, 1), lambda a: a[:, ::-1]),
        ((1, 0, 0, -1), lambda a: a[::-1]),
        ((0, 1, 1, 0), lambda a: a.transpose(1, 0, 2)),
        ((0, 1, -1, 0), lambda a: np.rot90(a, -1)),
        ((0, -1, -1, 0), lambda a: np.rot90(a, 2).transpose(1, 0, 2)),
    ],
)
def test_a_mirrored_or_turned_clip_is_shown_as_it_is_meant(
    make_video: MakeVideo, matrix: tuple[int, int, int, int], undo
) -> None:
    stored = np.zeros((48, 64, 3), np.uint8)
    stored[:16, :16], stored[:16, 48:], stored[32:, :16] = 230, 160, 90
    path = make_video(np.stack([stored] * 8))
    plain = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    a, b, c, d = (number << 16 for number in matrix)
    data = path.read_bytes()
    at = data.index(plain, data.index(b"tkhd"))
    path.write_bytes(
        data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30) + data[at + 36 :]
    )
    shown = undo(stored)
    height, width = shown.shape[:2]
    info = probe(path)
    assert (info.width, info.height) == (width, height)
    clip = read_video(path, width, height, 24)
    assert np.abs(clip[0].astype(int) - shown).max() < 12


def test_fields_of_an_interlaced_clip_are_not_mixed(make_video: MakeVideo) -> None:
    frames = np.full((16, 96, 128, 3), 40, np.uint8)
    for index, frame in enumerate(frames):
        frame[0::2, 8 * index : 8 * index + 24] = 220  # the bar moves on between the fields
        frame[1::2, 8 * index + 4 : 8 * index + 28] = 220
    path = make_video(frames, options={"qp": "0", "flags": "+ildct+ilme", "x264-params": "tff=1"})
    clip = read_video(path, 128, 96, 24, ClipPart.start())
    rows = clip.astype(int)[:, 8:-8]
    comb = np.abs(rows[:, 1:-1] - (rows[:, :-2] + rows[:, 2:]) / 2).mean()
    combed = frames.astype(int)[:8, 8:-8]
    assert comb < 0.25 * np.abs(combed[:, 1:-1] - (combed[:, :-2] + combed[:, 2:]) / 2).mean()


def test_few_bytes_that_declare_a_huge_frame_are_refused_first(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16))
    image.save(tmp_path / "big.gif", save_all=True, append_images=[Image.new("RGB", (16, 16), 9)])
    data = bytearray((tmp_path / "big.gif").read_bytes())
    data[6:10] = struct.pack("<HH", 60000, 60000)
    (tmp_path / "big.gif").write_bytes(data)
    big = Image.new("L", (7000, 7000))
    big.save(tmp_path / "big.webp", save_all=True, append_images=[Image.new("L", (7000, 7000), 9)])
    del big
    tracemalloc.start()
    for name in ("big.gif", "big.webp"):
        with pytest.raises(MediaReadError, match=r"million|no frame"):
            read_video(tmp_path / name, 64, 64, 24)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "HEIC"])
def test_damaged_pictures_raise_errors_of_ours_alone(tmp_path: Path, kind: str) -> None:
    if kind == "HEIC":
        whole = (CASES / "iphone_tiled.heic").read_bytes()
    else:
        data = io.BytesIO()
        Image.effect_noise((64, 48), 80).convert("RGB").save(data, kind)
        whole = data.getvalue()
    chance, refused = random.Random(7), 0
    path = tmp_path / f"damaged.{kind.lower()}"
    for number in range(40):
        broken = bytearray(whole)
        if number % 3 == 0:
            del broken[chance.randrange(1, len(broken)) :]
        else:
            reach = 200 if number % 3 == 1 else len(broken)
            for _ in range(chance.randrange(1, 12)):
                broken[chance.randrange(min(reach, len(broken)))] = chance.randrange(256)
        path.write_bytes(broken)
        for read in (probe, lambda p: read_image(p, 32, 32)):
            try:
                read(path)
            except MediaReadError:
                refused += 1
    assert refused > 5


def test_frames_after_a_jump_keep_their_times(make_video: MakeVideo) -> None:
    frames = np.full((60, 48, 64, 3), 40, np.uint8)
    frames[30:] = 200
    options = {"qp": "0", "flags": "+ildct+ilme", "x264-params": "tff=1:keyint=12"}
    path = make_video(frames, options=options)
    clip = read_video(path, 64, 48, 24, ClipPart.range(1.0, 1.5))
    assert clip.mean((1, 2, 3)).round(-1).tolist() == [40] * 6 + [200] * 6
