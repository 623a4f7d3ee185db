"""Classifier-free guidance of the base models: text and history, each with its own scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class GuidanceScales:
    """Scales by timestep (spec section 4, "Base model").

    Attributes:
        t_range: rising times at which the entries begin.
        history: ``prev_chunk_scales``.
        text: ``text_scales``.
    """

    t_range: Sequence[float]
    history: Sequence[float]
    text: Sequence[float]

    def at(self, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """History and text scale for each timestep; both have the shape of ``timesteps``."""
        starts = torch.tensor(self.t_range, device=timesteps.device) - 1e-7
        index = torch.searchsorted(starts, timesteps.contiguous()) - 1
        history = torch.tensor(self.history, device=timesteps.device)
        text = torch.tensor(self.text, device=timesteps.device)
        return history[index], text[index]


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
