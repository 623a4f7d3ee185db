"""The times of a schedule as plain numbers, for counting ahead (spec section 4).

Needs no PyTorch. The sampler's own are the same in float32, rounded as the release rounds them.
"""

from __future__ import annotations

import array

SHORTCUT_STEPS = 12
"""The step count whose schedule has unequal steps."""

_SHIFT = 1 / 3

SHORTCUT_BASE = {"8,16,16": (0, 2 / 16, 3 / 16), "16,16,8": (0, 1 / 16, 2 / 16)}
"""The first three of every twelve points."""


def schedule_times(num_steps: int, shortcut_mode: str) -> list[float]:
    """The ``num_steps + 1`` times between which the steps go, rising from 0 to 1.

    Args:
        num_steps: 12 selects the unequal steps of ``shortcut_mode``; anything else equal ones.
        shortcut_mode: "8,16,16" or "16,16,8".
    """
    if num_steps == SHORTCUT_STEPS:
        base = SHORTCUT_BASE[shortcut_mode]
        grid = [quarter / 4 + start for quarter in range(5) for start in base][: num_steps + 1]
    else:
        grid = [step / num_steps for step in range(num_steps + 1)]
    times = [x * x * _SHIFT / (1 + (_SHIFT - 1) * x * x) for x in grid]
    # As float32: a chunk is at 0.3 after three quarters of its steps, and just above it there.
    return array.array("f", times).tolist()
