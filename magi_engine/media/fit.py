"""Making a picture of any shape fill the size a model works at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from magi_engine.errors import InvalidRequestError
from magi_engine.late import Image, np

UInt8Array: TypeAlias = "np.typing.NDArray[np.uint8]"


class FitPolicy(Enum):
    """What to do when the source and the target differ in shape."""

    CROP = "crop"  # fill the target, cut off what stands over (default)
    PAD = "pad"  # show everything, black bars where nothing is
    STRETCH = "stretch"  # distort, as the official release does (spec, section 7)


@dataclass(frozen=True)
class CropBox:
    """A part of the source, in pixels of the picture as it is displayed."""

    left: float
    top: float
    width: float
    height: float


def fit_picture(
    picture: Image.Image,
    width: int,
    height: int,
    fit: FitPolicy,
    crop: CropBox | None = None,
    displayed_size: tuple[float, float] | None = None,
) -> UInt8Array:
    """Resize an RGB picture to ``(height, width, 3)`` uint8 with an antialiasing Lanczos filter.

    Args:
        crop: only this part of the source is used; None is all of it.
        displayed_size: width and height the picture is displayed at, when its pixels are not
            square; `crop` and all proportions are measured in it.

    Raises:
        InvalidRequestError: the target has no area, or the crop box leaves the picture.
    """
    if width < 1 or height < 1:
        raise InvalidRequestError(
            "A picture cannot be {width}x{height}.",
            "Both sides must be positive.",
            width=width,
            height=height,
        )
    shown_width, shown_height = displayed_size or picture.size
    box = crop or CropBox(0, 0, shown_width, shown_height)
    check_box(box, shown_width, shown_height)
    target = (width, height)
    if fit is FitPolicy.CROP:
        box = _largest_inside(box, width / height)
    elif fit is FitPolicy.PAD:
        scale = min(width / box.width, height / box.height)
        target = (max(1, round(box.width * scale)), max(1, round(box.height * scale)))

    # From displayed to stored pixels.
    across, down = picture.width / shown_width, picture.height / shown_height
    resized = picture.resize(
        target,
        Image.Resampling.LANCZOS,
        box=(
            max(0.0, box.left * across),
            max(0.0, box.top * down),
            min(picture.width, (box.left + box.width) * across),
            min(picture.height, (box.top + box.height) * down),
        ),
        reducing_gap=3.0,
    )
    if target != (width, height):
        canvas = Image.new("RGB", (width, height))
        canvas.paste(resized, ((width - target[0]) // 2, (height - target[1]) // 2))
        resized = canvas
    return np.array(resized, dtype=np.uint8)  # (H, W, 3)


def over_white(image: Image.Image) -> Image.Image:
    """RGB of any picture, what is transparent in it being white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    return Image.composite(image, Image.new("RGBA", image.size, "white"), image).convert("RGB")


def check_box(box: CropBox, width: float, height: float) -> None:
    """Raises: InvalidRequestError: the box leaves a picture that is displayed so large."""
    inside = (
        box.left >= 0
        and box.top >= 0
        and box.width >= 1
        and box.height >= 1
        and box.left + box.width <= width
        and box.top + box.height <= height
    )
    if not inside:
        raise InvalidRequestError(
            "The crop box leaves the picture, which is {width:g}x{height:g}.",
            "Choose a box of at least one pixel inside it.",
            width=width,
            height=height,
        )


def _largest_inside(box: CropBox, aspect: float) -> CropBox:
    """The largest centred part of a box that has this width / height."""
    width = min(box.width, box.height * aspect)
    height = min(box.height, box.width / aspect)
    left = box.left + (box.width - width) / 2
    top = box.top + (box.height - height) / 2
    return CropBox(left, top, width, height)
