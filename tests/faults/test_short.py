"""The suite's short form: the parts with small counts, but those that other tests try once."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.faults.__main__ import PARTS
from tests.faults.figures import Figures
from tests.faults.fuzz import open_in_child
from tests.faults.samples import long_animation, swollen_pickle
from tests.mounting import CannotMount

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="signals, limits and disks of Linux"
)

_COUNTS = {
    "generation": 1,
    "downloads": 1,
    "settings": 2,
    "power": 1,
    "media": 40,
    "configurations": 40,
    "checkpoints": 30,
    "twice": 1,
    "endless": 25,
}
_SEED = 14


@pytest.mark.parametrize("name", _COUNTS)
def test_nothing_is_lost_and_everything_is_said(name: str, tmp_path: Path) -> None:
    part, _ = PARTS[name]
    try:
        figures = part(random.Random(_SEED), _COUNTS[name], tmp_path)
    except CannotMount as error:
        pytest.skip(f"no disk can be mounted here: {error}")
    assert not figures.faults
    assert figures.tried >= _COUNTS[name]


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(tmp_path: Path) -> None:
    swollen_pickle(tmp_path / "pytorch_model.bin", 400 << 20)
    long_animation(tmp_path / "long.gif", 20_000)
    for kind, name in (("checkpoints", "pytorch_model.bin"), ("media", "long.gif")):
        figures = Figures()
        assert open_in_child(figures, kind, [tmp_path / name], tmp_path / "home") == 1
        assert not figures.faults
        assert figures.outcomes == {"refused": 1}
