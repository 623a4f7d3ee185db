"""Previews as small pictures in JSON."""

from __future__ import annotations

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_PREFIX = "data:image/jpeg;base64,"
_QUALITY = 90


def picture_of(frames: NDArray[np.uint8]) -> str:
    """(T, H, W, 3) frames, one below the other, as a ``data:`` address, which browsers show."""
    count, height, width, _ = frames.shape
    buffer = io.BytesIO()
    Image.fromarray(frames.reshape(count * height, width, 3)).save(
        buffer, "JPEG", quality=_QUALITY, subsampling=0
    )
    return _PREFIX + base64.b64encode(buffer.getvalue()).decode()


def frames_of(picture: str, count: int) -> NDArray[np.uint8]:
    """What :func:`picture_of` was given, a little rounded.

    Raises:
        ValueError, OSError: it is no such picture.
    """
    data = base64.b64decode(picture.removeprefix(_PREFIX), validate=True)
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        pixels = np.asarray(image.convert("RGB"))
    return pixels.reshape(count, -1, *pixels.shape[1:])
