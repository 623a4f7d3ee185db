"""Where the text encoder runs, by numbers."""

from __future__ import annotations

import pytest

from magi_engine.weights.text_placement import TextPlacement, choose_text_placement, text_vram_bytes

SMALL, FULL = 5_000_000_000, 19_050_000_000
GIB = 1 << 30


@pytest.mark.parametrize(
    ("encoder_bytes", "free_vram_bytes", "expected"),
    [
        (1_500_000, None, TextPlacement.DEVICE),
        (1_500_000, 0, TextPlacement.DEVICE),
        (SMALL, None, TextPlacement.CPU),
        (SMALL, 80 * GIB, TextPlacement.DEVICE),
        (SMALL, 7 * GIB, TextPlacement.DEVICE),
        (SMALL, 4 * GIB, TextPlacement.STREAMED),
        (SMALL, 1 * GIB, TextPlacement.CPU),
        (FULL, 24 * GIB, TextPlacement.DEVICE),
        (FULL, 12 * GIB, TextPlacement.STREAMED),
        (FULL, 2 * GIB, TextPlacement.CPU),
    ],
)
def test_the_fastest_place_with_room(
    encoder_bytes: int, free_vram_bytes: int | None, expected: TextPlacement
) -> None:
    placement = choose_text_placement(encoder_bytes, free_vram_bytes)
    assert placement is expected
    if encoder_bytes > GIB and free_vram_bytes is not None:
        assert text_vram_bytes(encoder_bytes, placement) <= free_vram_bytes
