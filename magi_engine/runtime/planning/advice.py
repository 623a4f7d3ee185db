"""What to change in a request so that it fits on the machine."""

from __future__ import annotations

import bisect
import dataclasses
import enum
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from magi_engine.config.registry import Registry
from magi_engine.config.sizes import SIZE_MULTIPLE
from magi_engine.messages import Message
from magi_engine.runtime.request.request import GenerationRequest

_SMALLEST_SIDE = 128


class Shortage(enum.Enum):
    """What there is not enough of."""

    VRAM = "vram"
    RAM = "ram"
    DISK = "disk"


@dataclass(frozen=True)
class Advice:
    """One change with which the generation fits.

    Attributes:
        changes: new values of fields of the request, and of ``window_size``.
    """

    sentence: Message
    changes: dict[str, Any]

    def applied(self, request: GenerationRequest) -> GenerationRequest:
        """The request with this change made."""
        changes = dict(self.changes)
        if "window_size" in changes:
            changes["sampling"] = dataclasses.replace(request.sampling, **changes)
            del changes["window_size"]
        return dataclasses.replace(request, **changes)


def advise(
    request: GenerationRequest, shortage: Shortage, can: Callable[[GenerationRequest], bool]
) -> Iterator[Advice]:
    """Changes with which a request fits.

    Args:
        can: whether a request fits; each change is tried.
    """

    def fits(advice: Advice) -> bool:
        return can(advice.applied(request))

    if shortage is Shortage.DISK:
        candidates = (_shorter(request, share) for share in (0.75, 0.5, 0.25, 0.1))
        yield from itertools.islice(filter(fits, candidates), 1)
        return
    sentence = Message("Work on one second at a time.")
    yield from filter(fits, (Advice(sentence, {"window_size": 1}),))
    sizes = list(_smaller(request))
    largest = bisect.bisect_left(sizes, True, key=fits)  # what is smaller fits, too
    yield from sizes[largest : largest + 1]
    yield from itertools.islice(filter(fits, _lighter(request)), 1)


def _smaller(request: GenerationRequest) -> Iterator[Advice]:
    """Sizes of about the same shape, the largest first."""
    short = min(request.width, request.height)
    for side in range(short - SIZE_MULTIPLE, _SMALLEST_SIDE - 1, -SIZE_MULTIPLE):
        width, height = (
            max(SIZE_MULTIPLE, round(n * side / short / SIZE_MULTIPLE) * SIZE_MULTIPLE)
            for n in (request.width, request.height)
        )
        sentence = Message("Make the picture {width}x{height}.", width=width, height=height)
        yield Advice(sentence, {"width": width, "height": height})


def _lighter(request: GenerationRequest) -> Iterator[Advice]:
    """Downloadable models that do the same with less memory, the most similar first."""
    if request.config_path is not None:
        return
    registry = Registry.load()
    size = registry.find(request.model).transformer_bytes or 0
    lighter = [e for e in registry.entries if 0 < (e.transformer_bytes or 0) < size]
    for entry in sorted(lighter, key=lambda e: -(e.transformer_bytes or 0)):
        sentence = Message("Use {title}.", title=entry.title)
        yield Advice(sentence, {"model": entry.name})


def _shorter(request: GenerationRequest, share: float) -> Advice:
    frames = max(1, int((request.num_frames or 0) * share))
    sentence = Message("Make {frames:frame|frames}.", frames=frames)
    return Advice(sentence, {"num_frames": frames})
