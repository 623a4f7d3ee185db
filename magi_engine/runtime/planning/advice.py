"""What to change in a request so that it fits on the machine."""

from __future__ import annotations

import bisect
import dataclasses
import enum
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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


class AdviceKind(enum.Enum):
    """What to change so that a generation fits."""

    SMALLER = "smaller picture"
    NARROWER_WINDOW = "fewer chunks at a time"
    LIGHTER_MODEL = "lighter model"
    SHORTER = "shorter video"


@dataclass(frozen=True)
class Advice:
    """One change with which the generation fits; what is None stays as it is."""

    kind: AdviceKind
    sentence: Message
    width: int | None = None
    height: int | None = None
    window_size: int | None = None
    model: str | None = None
    num_frames: int | None = None

    def applied(self, request: GenerationRequest) -> GenerationRequest:
        """The request with this change made."""
        changes = {
            name: getattr(self, name)
            for name in ("width", "height", "model", "num_frames")
            if getattr(self, name) is not None
        }
        if self.window_size is not None:
            changes["sampling"] = dataclasses.replace(
                request.sampling, window_size=self.window_size
            )
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
    yield from filter(fits, (Advice(AdviceKind.NARROWER_WINDOW, sentence, window_size=1),))
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
        yield Advice(AdviceKind.SMALLER, sentence, width=width, height=height)


def _lighter(request: GenerationRequest) -> Iterator[Advice]:
    """Downloadable models that do the same with less memory, the most similar first."""
    if request.config_path is not None:
        return
    registry = Registry.load()
    size = registry.find(request.model).transformer_bytes or 0
    lighter = [e for e in registry.entries if 0 < (e.transformer_bytes or 0) < size]
    for entry in sorted(lighter, key=lambda e: -(e.transformer_bytes or 0)):
        sentence = Message("Use {title}.", title=entry.title)
        yield Advice(AdviceKind.LIGHTER_MODEL, sentence, model=entry.name)


def _shorter(request: GenerationRequest, share: float) -> Advice:
    frames = max(1, int((request.num_frames or 0) * share))
    sentence = Message("Make {frames} frames.", frames=frames)
    return Advice(AdviceKind.SHORTER, sentence, num_frames=frames)
