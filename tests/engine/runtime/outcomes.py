"""What came out of a generation, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from magi_engine.media.frames import decode_frames
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    Event,
    Failed,
    Finished,
    Stage,
    StageStarted,
)
from magi_engine.runtime.request.request import GenerationRequest

ENDS = Finished | Cancelled | Failed
MakeRequest = Callable[..., GenerationRequest]


def run(engine: Engine, request: GenerationRequest) -> list[Event]:
    """All events, which end as they must."""
    return checked(list(engine.generate(request)))


def checked(events: list[Event]) -> list[Event]:
    assert isinstance(events[-1], ENDS)
    assert not any(isinstance(event, ENDS) for event in events[:-1])
    return events


def finished(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished), events[-1]
    return events[-1]


def of_kind(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def frames_of(events: list[Event]) -> np.ndarray:
    return np.concatenate([event.frames for event in of_kind(events, ChunkReady)])


def frame_count(path: Path | None) -> int:
    assert path is not None
    return sum(1 for _ in decode_frames(path))


def stages_of(events: list[Event]) -> list[Stage]:
    return [event.stage for event in of_kind(events, StageStarted)]
