"""Classifier-free guidance of the base models: text and history, each with its own scale."""

from __future__ import annotations

from torch import Tensor


def combine(
    unconditional: Tensor, history: Tensor, history_and_text: Tensor, scales: tuple[Tensor, Tensor]
) -> Tensor:
    """Guided velocity of R chunks.

    Args:
        unconditional: each chunk alone, without caption.
        history: with the chunks before it, without caption.
        history_and_text: with both. All are (R, 16, chunk_width, h, w).
        scales: history and text scale, (R,) each.
    """
    p, c = (scale.view(-1, 1, 1, 1, 1) for scale in scales)
    return (1 - p) * unconditional + (p - c) * history + c * history_and_text
