"""Small videos as this program makes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from magi_engine.media.output import open_writer
from magi_engine.runtime.request.request import GenerationRequest
from tests.desktop.state.helpers import request


def make_video(
    path: Path, prompt: str = "a red circle", frames: int = 24, **values: object
) -> GenerationRequest:
    """Writes a video that gets brighter; returns the request it carries."""
    made = request(prompt, output=str(path), **values)
    with open_writer(path, made.width, made.height, 24, made.to_json()) as writer:
        writer.write(ramp(frames, made.width, made.height))
    return made


def ramp(frames: int, width: int = 64, height: int = 64) -> np.ndarray:
    """Frame k of n is all of grey ``40 + 160 * k / n``."""
    levels = np.linspace(40, 200, frames).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (frames, height, width, 3)).copy()
