from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from magi_engine.errors import InvalidRequestError, MediaReadError
from magi_engine.media.fit import CropBox, FitPolicy
from magi_engine.media.images import read_image
from magi_engine.media.info import MediaKind, probe

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters(width: int = 64, height: int = 32) -> Image.Image:
    """Red, green / blue, white: every turn and mirror image of it looks different."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(GREEN, (width // 2, 0, width, height // 2))
    image.paste(BLUE, (0, height // 2, width // 2, height))
    image.paste(WHITE, (width // 2, height // 2, width, height))
    return image


def corners(picture: np.ndarray) -> list[tuple[int, ...]]:
    """Colours near the four corners, row by row."""
    height, width = picture.shape[:2]
    places = [(y, x) for y in (3, height - 4) for x in (3, width - 4)]
    return [tuple(int(v) for v in picture[y, x]) for y, x in places]


def saved(tmp_path: Path, image: Image.Image, name: str, **options: Any) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


def test_crop_is_centred_and_keeps_the_shape(tmp_path: Path) -> None:
    image = Image.new("RGB", (96, 32), RED)
    image.paste(GREEN, (32, 0, 64, 32))
    path = saved(tmp_path, image, "wide.png")
    picture = read_image(path, 32, 32)
    assert picture.shape == (32, 32, 3)
    assert picture.dtype == np.uint8
    assert (picture == GREEN).all()


def test_pad_shows_everything_between_black_bars(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("RGB", (64, 32), RED), "a.png")
    picture = read_image(path, 64, 64, FitPolicy.PAD)
    assert (picture[:16] == 0).all()
    assert (picture[-16:] == 0).all()
    assert (picture[16:48] == RED).all()


def test_stretch_distorts(tmp_path: Path) -> None:
    path = saved(tmp_path, quarters(), "a.png")
    picture = read_image(path, 32, 64, FitPolicy.STRETCH)
    assert corners(picture) == [RED, GREEN, BLUE, WHITE]


def test_a_crop_box_chooses_the_part(tmp_path: Path) -> None:
    path = saved(tmp_path, quarters(), "a.png")
    assert (read_image(path, 32, 16, crop=CropBox(0, 16, 32, 16)) == BLUE).all()


def test_a_crop_box_outside_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, quarters(), "a.png")
    with pytest.raises(InvalidRequestError, match="64x32"):
        read_image(path, 32, 16, crop=CropBox(40, 0, 32, 16))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_undone(tmp_path: Path, orientation: int) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = quarters()
    if orientation in turns:
        stored = stored.transpose(turns[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, stored, "a.png", exif=exif)
    assert corners(read_image(path, 64, 32)) == [RED, GREEN, BLUE, WHITE]
    assert (probe(path).width, probe(path).height) == (64, 32)


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (32, 32), (255, 0, 0, 128))
    picture = read_image(saved(tmp_path, image, "a.png"), 32, 32)
    assert np.abs(picture.astype(int) - (255, 127, 127)).max() <= 1
    palette = Image.new("P", (32, 32), 0)
    palette.putpalette([0, 0, 255])
    path = saved(tmp_path, palette, "p.png", transparency=0)
    assert (read_image(path, 32, 32) == WHITE).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "LAB"])
@pytest.mark.parametrize("level", [0, 255])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, level: int) -> None:
    stored = Image.new("RGB", (32, 32), (level, level, level))
    if mode == "LAB":  # Pillow converts from it, not to it
        stored = Image.new("LAB", (32, 32), (level, 128, 128))
    else:
        stored = stored.convert(mode)
    picture = read_image(saved(tmp_path, stored, "a.tif"), 32, 32)
    assert np.abs(picture.astype(int) - level).max() <= 2


def test_cmyk_jpeg(tmp_path: Path) -> None:
    stored = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    picture = read_image(saved(tmp_path, stored, "a.jpg", quality=95), 32, 32)
    assert np.abs(picture.astype(int) - (0, 255, 255)).max() <= 6


def test_deep_grey_is_scaled_by_its_range(tmp_path: Path) -> None:
    values = np.full((32, 32), 32768, np.uint16)
    path = saved(tmp_path, Image.fromarray(values), "16.png")
    assert np.abs(read_image(path, 32, 32).astype(int) - 128).max() <= 1
    dark = saved(tmp_path, Image.fromarray(values // 256), "dark.png")
    assert read_image(dark, 32, 32).max() <= 1
    floating = saved(tmp_path, Image.fromarray(np.full((32, 32), 0.5, np.float32)), "f.tif")
    assert np.abs(read_image(floating, 32, 32).astype(int) - 128).max() <= 1


def test_an_embedded_profile_is_applied(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    image = Image.new("LAB", (32, 32), (136, 128, 128))  # L* = 53.3: sRGB grey 127
    path = saved(tmp_path, image, "lab.tif", icc_profile=lab.tobytes())
    assert np.abs(read_image(path, 32, 32).astype(int) - 127).max() <= 2
    damaged = saved(tmp_path, quarters(), "bad.png", icc_profile=b"not a profile")
    assert corners(read_image(damaged, 64, 32)) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_an_animation_gives_its_first_frame(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (32, 32), colour) for colour in (RED, GREEN, BLUE)]
    options: dict[str, Any] = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40, **options)
    assert (read_image(path, 32, 32) == RED).all()
    assert probe(path).kind is MediaKind.VIDEO


def test_formats_only_ffmpeg_knows(tmp_path: Path) -> None:
    # A PAM file: text header, raw RGB.
    header = b"P7\nWIDTH 32\nHEIGHT 32\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n"
    path = tmp_path / "a.pam"
    path.write_bytes(header + bytes(RED) * 32 * 32)
    with pytest.raises(OSError, match="cannot identify"):
        Image.open(path)
    assert (read_image(path, 32, 32) == RED).all()
    assert probe(path).kind is MediaKind.IMAGE


def test_a_huge_jpeg_is_decoded_smaller(tmp_path: Path) -> None:
    path = saved(tmp_path, Image.new("L", (20_000, 8_000), 90), "huge.jpg", quality=30)
    assert (probe(path).width, probe(path).height) == (20_000, 8_000)
    box = CropBox(0, 0, 10_000, 8_000)
    assert np.abs(read_image(path, 64, 48, crop=box).astype(int) - 90).max() <= 2


def huge_png(tmp_path: Path) -> Path:
    # Only the header is huge: what matters is that nothing is decoded.
    data = io.BytesIO()
    Image.new("L", (16, 16)).save(data, "PNG")
    content = bytearray(data.getvalue())
    content[16:24] = (20_000).to_bytes(4, "big") * 2
    path = tmp_path / "huge.png"
    path.write_bytes(_with_header_checksum(content))
    return path


def _with_header_checksum(content: bytearray) -> bytes:
    import zlib

    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def one_pixel(tmp_path: Path) -> Path:
    return saved(tmp_path, Image.new("RGB", (1, 1)), "dot.png")


def truncated(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = saved(tmp_path, Image.fromarray(noise), "cut.png")
    path.write_bytes(path.read_bytes()[:4000])
    return path


def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "notes.png"
    path.write_text("this is not a picture")
    return path


def jpeg_start_only(tmp_path: Path) -> Path:
    path = tmp_path / "start.jpg"
    path.write_bytes(b"\xff\xd8\xff\xe0")
    return path


_PIPES = pytest.mark.skipif(sys.platform == "win32", reason="pipes have no place in folders")


def pipe(tmp_path: Path) -> Path:
    assert sys.platform != "win32"
    os.mkfifo(tmp_path / "pipe.png")
    return tmp_path / "pipe.png"


def empty(tmp_path: Path) -> Path:
    path = tmp_path / "empty.png"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "absent.png", "There is no file"),
        (lambda folder: folder, "is a folder"),
        (empty, "is empty"),
        pytest.param(pipe, "is a pipe", marks=_PIPES),
        (text_file, "is not an image"),
        (jpeg_start_only, "is not an image or a video that can be read"),
        (truncated, "is not an image or a video that can be read"),
        (one_pixel, "only 1x1"),
        (huge_png, "more than 80 million pixels"),
    ],
)
def test_bad_input_is_one_sentence(
    tmp_path: Path,
    make: Callable[[Path], Path],
    says: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(MediaReadError, match=says) as caught:
        read_image(make(tmp_path), 64, 64)
    assert str(caught.value.message).endswith(".")
    assert "\n" not in str(caught.value)
    assert str(caught.value.hint)
    assert capfd.readouterr().err == ""
