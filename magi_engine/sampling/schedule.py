"""Timesteps of one chunk (spec section 4). Time runs from 0 (noise) to 1 (clean)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from magi_engine.errors import InvalidRequestError
from magi_engine.messages import either
from magi_engine.sampling.times import SHORTCUT_BASE, SHORTCUT_STEPS

MAX_WINDOW = 8

_SHIFT = 1 / 3

# Lengths of the steps after the first three of every twelve points, in quarters of 1/4.
_SHORTCUT_INTERVALS = {"8,16,16": (2.0, 1.0, 1.0), "16,16,8": (1.0, 1.0, 2.0)}


def legal_steps(window_size: int, kv_stages: int, up_to: int = 128) -> list[int]:
    """Step counts that split evenly over the window and over the stages of the KV range."""
    unit = math.lcm(window_size, kv_stages)
    return list(range(unit, up_to + 1, unit))


def check_steps(num_steps: int, window_size: int, kv_stages: int) -> None:
    """Raise InvalidRequestError unless the schedule exists.

    Args:
        num_steps: denoising steps per chunk.
        window_size: chunks denoised together, 1..8.
        kv_stages: number of entries of ``noise2clean_kvrange`` (1 if it is empty).
    """
    if not 1 <= window_size <= MAX_WINDOW:
        raise InvalidRequestError(
            "A window of {window} chunks is not possible.",
            "Choose a window from 1 to {most}.",
            window=window_size,
            most=MAX_WINDOW,
        )
    unit = math.lcm(window_size, kv_stages)
    if num_steps < 1 or num_steps % unit:
        fewest = max(1, round(num_steps / unit) - 1)
        nearest = [unit * n for n in range(fewest, fewest + 3)]
        raise InvalidRequestError(
            "{steps} steps do not work with a window of {window} chunks.",
            "Choose {choices} steps.",
            steps=num_steps,
            window=window_size,
            choices=either(*nearest),
        )


def timestep_schedule(num_steps: int, shortcut_mode: str) -> Tensor:
    """The ``num_steps + 1`` times between which the steps go, float32, rising from 0 to 1.

    Args:
        num_steps: 12 selects the unequal steps of ``shortcut_mode``; anything else equal ones.
        shortcut_mode: "8,16,16" or "16,16,8".
    """
    if num_steps == SHORTCUT_STEPS:
        base = torch.tensor(SHORTCUT_BASE[shortcut_mode])
        quarters = torch.arange(5) / 4
        grid = (quarters[:, None] + base).flatten()[: num_steps + 1]
    else:
        grid = torch.linspace(0, 1, num_steps + 1)
    squared = grid**2
    return squared * _SHIFT / (1 + (_SHIFT - 1) * squared)


def step_intervals(num_steps: int, window_size: int, shortcut_mode: str) -> list[float]:
    """Relative step lengths inside one stage of ``num_steps / window_size`` steps."""
    length = num_steps // window_size
    if num_steps % 3 == 0:
        pattern = _SHORTCUT_INTERVALS[shortcut_mode]
        return [pattern[i % 3] for i in range(length)]
    return [1.0] * length


def step_code(num_steps: int, interval: float) -> float:
    """What tells a distilled model how long the step is (spec section 2, step 3)."""
    if num_steps == SHORTCUT_STEPS:
        return 4 / interval * 2
    return num_steps / 4 * 2
