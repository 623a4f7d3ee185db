"""Reading one picture out of whatever image file the user has."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator
from pathlib import Path

from magi_engine.errors import MediaReadError
from magi_engine.late import (
    PIL,
    ExifTags,
    Image,
    ImageCms,
    ImageOps,
    JpegImagePlugin,
    np,
    reformatter,
)
from magi_engine.media._files import (
    check_file,
    is_still_format,
    media_errors,
    open_container,
    video_stream,
)
from magi_engine.media.colour import ADOBE_RGB, ColourSpace, frame_to_rgb, to_bt709
from magi_engine.media.fit import CropBox, FitPolicy, UInt8Array, check_box, fit_picture

MIN_SIDE = 16
"""Smaller pictures hold nothing a video could start from."""

MAX_PIXELS = 80_000_000
"""Larger ones would take more than 250 MB once decoded; a JPEG is decoded smaller instead."""

MAX_JPEG_PIXELS = 500_000_000
"""A progressive JPEG keeps all its coefficients in memory however small it is decoded."""

_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"})

_ANIMATED_FORMATS = frozenset({"AVIF", "GIF", "PNG", "WEBP"})


def read_image(
    path: str | Path,
    width: int,
    height: int,
    fit: FitPolicy = FitPolicy.CROP,
    crop: CropBox | None = None,
) -> UInt8Array:
    """Read an image as ``(height, width, 3)`` uint8 RGB (sRGB).

    EXIF rotation and embedded colour profiles are applied, transparency is laid over white,
    16-bit, palette and CMYK images are converted, animations give their first frame. JPEGs
    above 80 megapixels are decoded at a half, a quarter or an eighth of their size.

    Raises:
        MediaReadError: not a readable image, a side below 16 px, or too many pixels.
        InvalidRequestError: the crop box leaves the image.
    """
    path = Path(path)
    with _opened(path, crop) as image:
        displayed = displayed_size(image)
        picture = _to_srgb(_decoded(image, path))
    return fit_picture(picture, width, height, fit, crop, displayed)


def check_image(path: str | Path, crop: CropBox | None = None) -> None:
    """Refuse what :func:`read_image` refuses, without decoding what is well known.

    Raises:
        MediaReadError, InvalidRequestError: as :func:`read_image`.
    """
    with _opened(Path(path), crop):
        pass


@contextlib.contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Open an image without decoding its pixels (exotic formats through FFmpeg, decoded).

    What goes wrong in the block, too, is a MediaReadError.

    Raises:
        MediaReadError: missing, empty, larger than the limits, or not an image.
    """
    check_file(path)
    with media_errors(path), known_image(path) or _open_with_ffmpeg(path) as image:
        yield image


def known_image(path: Path) -> Image.Image | None:
    """A file opened by Pillow or libheif, its pixels not decoded; None if neither knows it.

    Raises:
        MediaReadError: an image with too many pixels.
        Exception: what a reader makes of a damaged file.
    """
    if path_is_jpeg(path):
        # Straight to the plugin: Image.open() refuses large pictures before anyone can say
        # that it is to be decoded at an eighth of its size.
        return JpegImagePlugin.JpegImageFile(path)
    if _is_heif(path):
        return _open_heif(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return Image.open(path)
    except PIL.UnidentifiedImageError:
        return None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(path, MAX_PIXELS) from error


def displayed_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after the EXIF rotation."""
    width, height = image.size
    # Pillow's TIFF reader has turned it already.
    turned = image.format != "TIFF" and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    return (height, width) if turned else (width, height)


def is_animated(image: Image.Image) -> bool:
    """Whether the file is a moving picture: pages of a TIFF or a stereo JPEG are not."""
    return image.format in _ANIMATED_FORMATS and bool(getattr(image, "is_animated", False))


def check_image_size(path: Path, width: int, height: int) -> None:
    """Raises: MediaReadError: the picture is too small or too large to start a video from."""
    if min(width, height) < MIN_SIDE:
        raise MediaReadError(
            "{name} is only {width}x{height} pixels.",
            "Choose a picture of at least {least}x{least}.",
            name=path.name,
            width=width,
            height=height,
            least=MIN_SIDE,
        )
    limit = MAX_JPEG_PIXELS if path_is_jpeg(path) else MAX_PIXELS
    if width * height > limit:
        raise _too_large(path, limit)


def path_is_jpeg(path: Path) -> bool:
    """Whether the file starts like a JPEG, whatever its name says."""
    with path.open("rb") as file:
        return file.read(3) == b"\xff\xd8\xff"


@contextlib.contextmanager
def _opened(path: Path, crop: CropBox | None) -> Iterator[Image.Image]:
    with open_image(path) as image:
        check_image_size(path, *image.size)
        if crop is not None:
            check_box(crop, *displayed_size(image))
        yield image


def _is_heif(path: Path) -> bool:
    """Whether the file is a HEIC picture or its like; FFmpeg takes such files for videos."""
    with path.open("rb") as file:
        head = file.read(12)
    return head[4:8] == b"ftyp" and head[8:] in _HEIF_BRANDS


def _open_heif(path: Path) -> Image.Image:
    """A HEIC picture, its tiles put together, upright (libheif's ``irot``, ``imir``, ``clap``)."""
    import pi_heif

    file = pi_heif.open_heif(path)
    check_image_size(path, *file.size)
    image = file.to_pillow()
    tags = file.info.get("nclx_profile")
    if tags and "icc_profile" not in image.info:
        space = ColourSpace.tagged(tags["color_primaries"], tags["transfer_characteristics"])
        if space is not None and image.mode == "RGB":
            return Image.fromarray(to_bt709(np.asarray(image), space))
    return image


def _open_with_ffmpeg(path: Path) -> Image.Image:
    """The first frame of a still-image format Pillow does not know (EXR, DPX, ...)."""
    with open_container(path) as container:
        stream = video_stream(container, path)
        if not is_still_format(container):
            raise MediaReadError(
                "{name} is a video, not an image.",
                "Give it as a video.",
                name=path.name,
            )
        frame = next(container.decode(stream))
        return Image.fromarray(frame_to_rgb(frame, reformatter.VideoReformatter()))


def _decoded(image: Image.Image, path: Path) -> Image.Image:
    """With its pixels; a JPEG above the limit is decoded at a fraction of its size."""
    try:
        _draft(image).load()
    except OSError:
        if image.format != "JPEG":
            raise
        # A JPEG that lacks its last bytes is shown by every viewer: it is given its end.
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(path.read_bytes() + b"\xff\xd9"))
        _draft(image).load()
    return image


def _draft(image: Image.Image) -> Image.Image:
    """Have a JPEG above the limit decoded at the largest power-of-two fraction below it."""
    width, height = image.size
    factor = 1
    while (width // factor) * (height // factor) > MAX_PIXELS:
        factor *= 2
    if factor > 1:
        image.draft(None, (width // factor, height // factor))
    return image


def _to_srgb(image: Image.Image) -> Image.Image:
    """Decode and convert to 8-bit sRGB, upright and opaque."""
    profile = image.info.get("icc_profile")
    adobe = not profile and _is_adobe_rgb(image)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        grey = _grey_to_8_bits(np.asarray(image), image.mode.startswith("I;16"))
        return Image.fromarray(grey).convert("RGB")
    if adobe:
        return Image.fromarray(to_bt709(np.asarray(image.convert("RGB")), ADOBE_RGB))
    alpha = None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        image = image.convert("RGB")
    if image.mode not in ("RGB", "CMYK", "L", "LAB"):
        image = image.convert("RGB")
    image = _apply_profile(image, profile)
    if alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
    return image


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Whether EXIF alone says so, as cameras do: uncalibrated, with the index R03 (DCF 2.0)."""
    exif = image.getexif()
    uncalibrated = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace) == 0xFFFF
    return uncalibrated and exif.get_ifd(ExifTags.IFD.Interop).get(1) == "R03"


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        # A damaged profile, or one for another kind of picture, is no reason to refuse it.
        with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            target = ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
            if converted is not None:
                return converted
    return image.convert("RGB")


def _grey_to_8_bits(values: np.ndarray, is_16_bit: bool) -> UInt8Array:
    """Scale deep grey to 8 bits: 16-bit by its range, wider kinds by what their peak implies."""
    values = np.nan_to_num(values.astype(np.float64))
    peak = float(values.max(initial=0.0))
    ranges = (65535.0,) if is_16_bit else (1.0, 255.0, 65535.0)
    white = next((top for top in ranges if peak <= top), peak)
    return np.clip(np.rint(values * (255.0 / white)), 0, 255).astype(np.uint8)


def _too_large(path: Path, limit: int) -> MediaReadError:
    return MediaReadError(
        "{name} has more than {limit} million pixels.",
        "Scale it down first: a video frame needs far fewer.",
        name=path.name,
        limit=limit // 1_000_000,
    )
