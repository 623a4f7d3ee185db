"""Where the text encoder runs. Needs no PyTorch."""

from __future__ import annotations

import enum

LARGE_TEXT_ENCODER_BYTES = 2 << 30
"""A text encoder above this leaves before the transformer comes; T5-XXL has 5 GB in 8 bits."""

_WORK_BYTES = 768 << 20
"""Activations of the longest prompt and the weights that are being expanded."""

_BLOCKS_HELD = 1 / 8
"""Two of T5-XXL's 24 blocks, and half as much again."""


class TextPlacement(enum.Enum):
    """Where the text encoder's weights are while a prompt is encoded."""

    DEVICE = "device"
    """All on the device."""
    STREAMED = "streamed"
    """On disk; two layers at a time on the device."""
    CPU = "cpu"
    """Mapped from disk into the machine's memory, which computes as well."""


def choose_text_placement(encoder_bytes: int, free_vram_bytes: int | None) -> TextPlacement:
    """The fastest place there is room for. The processor needs none: it maps the files.

    Args:
        encoder_bytes: size of the weights' files.
        free_vram_bytes: on the device; None if it has no memory of its own.
    """
    if encoder_bytes <= LARGE_TEXT_ENCODER_BYTES:
        return TextPlacement.DEVICE
    if free_vram_bytes is None:
        return TextPlacement.CPU
    for placement in (TextPlacement.DEVICE, TextPlacement.STREAMED):
        if text_vram_bytes(encoder_bytes, placement) <= free_vram_bytes:
            return placement
    return TextPlacement.CPU


def text_vram_bytes(encoder_bytes: int, placement: TextPlacement) -> int:
    """What encoding a prompt takes of the device's memory at its peak, an upper bound."""
    if placement is TextPlacement.CPU:
        return 0
    share = 1 if placement is TextPlacement.DEVICE else _BLOCKS_HELD
    return int(encoder_bytes * share) + _WORK_BYTES
