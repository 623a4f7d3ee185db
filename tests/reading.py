"""Reading a part of a video in one call."""

from __future__ import annotations

from pathlib import Path

from magi_engine.media.clips import ClipPart, plan_clip, read_plan
from magi_engine.media.fit import FitPolicy, UInt8Array


def read_video(
    path: Path,
    width: int,
    height: int,
    fps: float,
    part: ClipPart | None = None,
    fit: FitPolicy = FitPolicy.CROP,
) -> UInt8Array:
    """The part as ``(T, height, width, 3)`` RGB; errors as of both."""
    return read_plan(plan_clip(path, fps, part), width, height, fit)
