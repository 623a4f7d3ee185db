"""Which picture sizes the models can make, and how much of one is computed at once.

The VAE divides each side by 8 and the transformer's patches by 2 again, so both sides of a
picture are multiples of 16 (spec, section 1).
"""

from __future__ import annotations

import math
import reprlib

from magi_engine.errors import InvalidRequestError
from magi_engine.messages import either

SIZE_MULTIPLE = 16
MOST_PIXELS = 16_384
"""Of a side: no encoder takes more."""

PART_TOKENS = 8192
"""What the transformer takes together: enough to fill a large GPU, few enough to save memory."""
MORE_PART_TOKENS = 12288
"""The same where memory is plenty: a chunk of 720x720 in one piece."""
TILES_AT_ONCE = 4
"""What the autoencoder takes together: enough to fill a large GPU; each takes about 60 MB."""
OFFLOAD_SLOTS = 2
"""Offloaded layers on the device: one computes while the next one comes."""


def most_ranks(heads: int, groups: int, wanted: int) -> int:
    """The most processes up to ``wanted`` that can share so many query heads and key groups.

    Each has as many heads as the others, and whole groups or a part of one.
    """

    def fits(size: int) -> bool:
        per_group = heads // groups
        split = size // groups if size % groups == 0 else 0
        return groups % size == 0 or (split > 0 and per_group % split == 0)

    return max(size for size in range(1, max(wanted, 1) + 1) if size == 1 or fits(size))


def nearest_legal_sizes(width: int, height: int) -> list[tuple[int, int]]:
    """Legal ``(width, height)`` pairs around a wish, the closest in shape and area first.

    A size that is legal already is the only answer. Sides below 16 px become 16 px.
    """
    widths = _neighbours(width)
    heights = _neighbours(height)

    def distance(size: tuple[int, int]) -> float:
        # Ratios, so that a narrow picture is not judged by its long side alone.
        return sum(abs(math.log(a / max(b, 1))) for a, b in zip(size, (width, height), strict=True))

    return sorted(((w, h) for w in widths for h in heights), key=distance)


def _neighbours(side: int) -> list[int]:
    below = max(side // SIZE_MULTIPLE * SIZE_MULTIPLE, SIZE_MULTIPLE)
    return [below] if below >= side else [below, below + SIZE_MULTIPLE]


def check_size(width: int, height: int) -> None:
    """Refuse a size the models cannot make.

    Raises:
        InvalidRequestError: a side is not a positive multiple of 16; the hint names the
            nearest sizes that are. Or a side is longer than :data:`MOST_PIXELS`.
    """
    if max(width, height) > MOST_PIXELS:
        raise InvalidRequestError(
            "The size {width}x{height} is too large.",
            "Use at most {most} pixels for each side.",
            width=reprlib.repr(width),
            height=reprlib.repr(height),
            most=MOST_PIXELS,
        )
    if min(width, height) >= SIZE_MULTIPLE and width % SIZE_MULTIPLE == height % SIZE_MULTIPLE == 0:
        return
    nearest = [f"{w}x{h}" for w, h in nearest_legal_sizes(width, height)[:3]]
    raise InvalidRequestError(
        "The size {width}x{height} cannot be made: both sides must be multiples of {multiple}.",
        "Use {names}.",
        width=width,
        height=height,
        multiple=SIZE_MULTIPLE,
        names=either(*nearest),
    )
