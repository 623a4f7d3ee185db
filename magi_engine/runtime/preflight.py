"""What a generation will take, before it is started. Needs no PyTorch."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass

from magi_engine.runtime.placement import Placement
from magi_engine.runtime.request import GenerationRequest


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
    sentence: str
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


@dataclass(frozen=True)
class Preflight:
    """The estimate. Sizes are in bytes, times in seconds, models not in memory yet."""

    placement: Placement
    vram_bytes: int | None
    """Peak in the graphics card's memory; None: no card with its own memory takes part."""
    ram_bytes: int
    """Peak in the machine's memory."""
    disk_bytes: int
    """What the video will take."""
    seconds: float | None
    """Until the video is finished; None: it has no end, or nothing is known of the speed."""
    first_chunk_s: float | None
    """Until the first chunk can be seen."""
    chunk_s: float | None
    """From one chunk to the next, once the window is full."""
    measured: bool
    """Whether the times rest on earlier generations on this machine; else they are a guess by
    the kind of device."""
    shortage: Shortage | None
    problem: str
    """One sentence; empty if it fits."""
    advice: tuple[Advice, ...]

    @property
    def fits(self) -> bool:
        """Whether there is room for it."""
        return self.shortage is None
