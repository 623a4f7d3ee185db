"""Single pictures out of a video."""

from __future__ import annotations

import numpy as np
import pytest

from magi_engine.errors import MediaReadError
from magi_engine.media.stills import iter_stills
from tests.engine.media.conftest import MakeVideo


def _grey_ramp(count: int) -> np.ndarray:
    """Frame k is all of grey 10 + k."""
    levels = np.arange(10, 10 + count, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, 32, 48, 3)).copy()


def _levels(stills: list[np.ndarray]) -> list[int]:
    return [round(float(still.mean())) - 10 for still in stills]


def test_the_picture_shown_at_each_time(make_video: MakeVideo) -> None:
    path = make_video(_grey_ramp(48))
    stills = list(iter_stills(path, [0, 0.5, 0.51, 1.0, 99.0], 24, 16))
    assert all(still.shape == (16, 24, 3) for still in stills)
    assert _levels(stills) == pytest.approx([0, 12, 12, 24, 47], abs=1)


def test_jumping_in_a_long_clip(make_video: MakeVideo) -> None:
    path = make_video(_grey_ramp(120), fps=4, options={"qp": "0", "g": "8"})  # 30 s
    assert _levels(list(iter_stills(path, [1, 12, 25], 24, 16))) == pytest.approx(
        [4, 48, 100], abs=1
    )


def test_they_are_decoded_as_they_are_asked_for(make_video: MakeVideo) -> None:
    stills = iter_stills(make_video(_grey_ramp(8)), [0, 0.1], 24, 16)
    next(stills)
    stills.close()


def test_no_video(tmp_path) -> None:
    path = tmp_path / "x.mp4"
    path.write_text("not a video")
    with pytest.raises(MediaReadError):
        next(iter_stills(path, [0], 16, 16))
