"""What the settings can be and what they are unless changed, asked of the engine's own checks."""

from __future__ import annotations

import itertools
import math
from typing import Any

from magi_desktop.state.draft import Draft
from magi_engine.config.official import MagiConfig
from magi_engine.config.sizes import SIZE_MULTIPLE
from magi_engine.sampling.schedule import cuts_groups, is_learned
from magi_engine.sampling.schedule import legal_steps as _legal_steps

_MOST_STEPS = 64
_MANY_TIMES = 2
"""The slider goes on to this multiple of a model's own steps."""


def own_value(config: MagiConfig, name: str) -> Any:
    """What a setting that is None means for a model; None if the setting has no such meaning."""
    runtime = config.runtime_config
    if name in ("text_scale", "prev_chunk_scale"):
        return next((scale for scale in getattr(runtime, f"{name}s") if scale), 0.0)
    if name == "noise2clean_kvrange":
        return tuple(runtime.noise2clean_kvrange)
    if name == "shortcut_mode":
        return config.engine_config.shortcut_mode
    return getattr(runtime, name, None)


def effective(draft: Draft, name: str) -> Any:
    """The value of a setting that counts: the chosen one or the model's own."""
    chosen = getattr(draft.settings, name)
    return own_value(draft.config, name) if chosen is None else chosen


def choose(draft: Draft, **values: Any) -> None:
    """Set values; one that is the model's own is stored as "unchanged"."""
    own = draft.config
    draft.set(**{k: None if v == own_value(own, k) else v for k, v in values.items()})


def legal_steps(draft: Draft, window_size: int | None = None) -> tuple[int, ...]:
    """All numbers of steps that work well with a window (default: the chosen one), rising.

    Of a distilled model those it has learned, where there is one for this window.
    """
    most = max(_MOST_STEPS, draft.config.runtime_config.num_steps * _MANY_TIMES)
    window = window_size or effective(draft, "window_size")
    steps = _legal_steps(window, len(effective(draft, "noise2clean_kvrange")))
    few = itertools.takewhile(lambda n: n <= most, steps)
    whole = tuple(n for n in few if not cuts_groups(n, window))
    learned = tuple(n for n in whole if is_learned(n))
    return learned if learned and draft.config.engine_config.distill else whole


def nearest(values: tuple[int, ...], wanted: float) -> int:
    """The member of ``values`` (not empty) closest to a wish; of two the smaller."""
    return min(values, key=lambda value: (abs(value - wanted), value))


def aspect_size(ratio: float, pixels: int) -> tuple[int, int]:
    """The legal ``(width, height)`` that comes closest to a shape and a number of pixels."""

    def distance(size: tuple[int, int]) -> float:
        width, height = size
        shape = abs(math.log(width / height / ratio))
        return 2 * shape + abs(math.log(width * height / pixels))

    def around(side: float) -> list[int]:
        below = max(int(side) // SIZE_MULTIPLE, 1)
        return [n * SIZE_MULTIPLE for n in range(max(below - 1, 1), below + 3)]

    height = math.sqrt(pixels / ratio)
    return min(((w, h) for w in around(height * ratio) for h in around(height)), key=distance)
