"""What a part of the suite counts, and the processes it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from magi_engine.media.frames import decode_frames
from tests.places import user_places

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass
class Figures:
    """Attributes:
    tried: kills, files, disks, ...
    outcomes: how they ended.
    faults: everything that must not be; the suite fails if there is any.
    """

    tried: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def check(self, holds: bool, fault: object) -> None:
        """Note a fault unless ``holds``."""
        if not holds:
            self.faults.append(str(fault))

    def check_words(self, said: str, of: object) -> None:
        """What a person reads has no traceback and nothing unexpected."""
        for word in ("Traceback", "unexpected", "Exception ignored"):
            self.check(word not in said, f"{of}: {said[-2000:]}")

    def __str__(self) -> str:
        ended = ", ".join(f"{name} {count}" for name, count in sorted(self.outcomes.items()))
        return f"{self.tried} tried: {ended}; {len(self.faults)} faults"


Part = Callable[[Random, int, Path], Figures]


def frame_count(video: Path) -> int:
    """Frames that decode, or pictures of a folder."""
    if video.is_dir():
        return sum(1 for _ in video.glob("*.png"))
    return sum(1 for _ in decode_frames(video))


def environment(home: Path, **more: str) -> dict[str, str]:
    """Of a process that keeps all it has below ``home`` and asks no hub."""
    own = {"HF_ENDPOINT": "http://127.0.0.1:9", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **user_places(home), **own, "QT_QPA_PLATFORM": "offscreen", **more}


def start(
    arguments: Sequence[object], home: Path, cwd: Path = REPOSITORY, **more: str
) -> subprocess.Popen[str]:
    """``python *arguments``, with pipes to what it says."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        cwd=cwd,
        env=environment(home, PYTHONPATH=str(REPOSITORY), **more),
    )
