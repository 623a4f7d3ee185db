"""The engine's process with several cards: the same video, and what becomes of a lost card.

``python -m tests.bench.cards_engine OUT --gpus 2 4`` writes the 4.5B fp8 model of full size with
random weights and makes videos of it on one card and on several; then a process of a further card
is killed, another one halted. ``OUT/engine-2.json`` says what came out. ``--small`` does it with a
tiny model, on which nothing is shared.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from magi_engine.media.info import probe
from magi_engine.resources import resource_path
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.job.events import ChunkReady, Event, Failed, Finished, Notice, Planned
from magi_engine.runtime.machine.speeds import Speed, Speeds, several
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from tests.bench.full_size_files import write_once

_LIMIT_S = 30.0
"""Within which a lost card ends the video."""


class Trial:
    """Videos of one model by one engine.

    Args:
        side: of the pictures, pixels.
    """

    def __init__(self, folder: Path, config: Path, side: int, device: str) -> None:
        self._folder, self._config, self._side, self._device = folder, config, side, device
        self._engine = EngineProcess(folder / "models", folder / "cache", folder / "engine.log")

    def close(self) -> None:
        """End it; nothing may be left."""
        self._engine.close()
        left = [p.cmdline() for p in psutil.Process().children(recursive=True)]
        assert not left, left

    def video(
        self, cards: int, frames: int | None = 48, after_first: Callable[[], None] | None = None
    ) -> tuple[list[Event], NDArray[np.uint8], dict[str, Any]]:
        """Its events, its frames, and how it went."""
        request = GenerationRequest(
            mode=Mode.T2V,
            model=self._config.stem,
            config_path=str(self._config),
            width=self._side,
            height=self._side,
            num_frames=frames,
            prompts=(PromptChange(0, "a red circle moves right"),),
            sampling=SamplingOverrides(window_size=1),
            device=self._device,
            cards=cards,
            output=str(self._folder / f"{cards}-{time.monotonic_ns()}.mp4"),
        )
        events: list[Event] = []
        pictures: list[NDArray[np.uint8]] = []
        found: dict[str, Any] = {"chunks_s": []}
        begin = time.perf_counter()
        for event in self._engine.generate(request):
            events.append(event)
            if isinstance(event, Planned):
                found["devices"] = event.plan.devices
            elif isinstance(event, Notice):
                found.setdefault("notices", []).append(str(event.message))
            elif isinstance(event, ChunkReady):
                pictures.append(event.frames)
                found["chunks_s"].append(round(time.perf_counter() - begin, 2))
                if after_first is not None and len(pictures) == 1:
                    after_first()
        found["seconds"] = time.perf_counter() - begin
        last = events[-1]
        found["end"] = type(last).__name__
        if isinstance(last, Failed):
            found["error"] = f"{type(last.error).__name__}: {last.error}"
        if isinstance(last, Failed | Finished) and last.path is not None:
            found["frames in the file"] = probe(last.path).frame_count
        joined = np.concatenate(pictures) if pictures else np.zeros((0,), np.uint8)
        return events, joined, found

    def pretend(self, cards: int) -> None:
        """Note that cards were fast together, or a small model would be one card's."""
        name = several(cards, self._engine.machine().device_name)
        speeds = Speeds({})
        speeds.note(self._config.stem, name, "bfloat16", 1, Speed(1e18, 1e12))
        speeds.save(self._folder / "cache")

    def same(self, counts: list[int]) -> dict[str, Any]:
        """The same video on one card and on several, each a second time."""
        found: dict[str, Any] = {}
        expected = None
        for cards in counts:
            for again in ("", ", again"):
                _, frames, how = self.video(cards)
                expected = frames if expected is None else expected
                if frames.shape == expected.shape:
                    apart = np.abs(frames.astype(int) - expected)
                    how["largest difference"] = int(apart.max())
                    how["mean difference"] = float(apart.mean())
                how["spread"] = float(frames.std())
                found[f"{cards}{again}"] = how
        return found

    def lose(self, cards: int, how: signal.Signals) -> dict[str, Any]:
        """A process of a further card gets a signal after the first chunk."""
        at: list[float] = []

        def lose() -> None:
            rank = next(p for p in _processes() if "rank_child" in " ".join(p.cmdline()))
            os.kill(rank.pid, how)
            at.append(time.perf_counter())

        _, _, found = self.video(cards, None, lose)
        found["until the end, s"] = took = time.perf_counter() - at[0]
        found["in time"] = took <= _LIMIT_S
        _, _, found["afterwards"] = self.video(cards, 24)
        return found


def _processes() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--gpus", type=int, nargs="+", default=[2])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--parts", nargs="+", default=["pocket", "same", "SIGKILL", "SIGSTOP"])
    parser.add_argument("--work", type=Path, help="where the large files go")
    parser.add_argument("--release", type=Path, help="of an earlier run")
    parser.add_argument("--side", type=int, default=720)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    device = "cpu" if args.small else "cuda"
    most = max(args.gpus)
    result: dict[str, Any] = {}

    def part(name: str, run: Callable[[], Any]) -> None:
        begin = time.perf_counter()
        try:
            result[name] = run()
        except Exception:
            result[name] = {"failed": traceback.format_exc(limit=6)}
        print(f"{name} ({time.perf_counter() - begin:.1f} s): {json.dumps(result[name])}")
        sys.stdout.flush()
        text = json.dumps(result, indent=1) + "\n"
        (args.out / f"engine-{most}.json").write_text(text, encoding="utf-8")

    with tempfile.TemporaryDirectory(dir=args.work) as name:
        folder = Path(name)
        if "pocket" in args.parts:
            pocket = resource_path("pocket", "pocket_config.json")
            trial = Trial(folder, pocket, 64, device)
            trial.pretend(2)
            part("pocket", lambda: trial.same([2, 1]))
            part("pocket, closed", trial.close)
        config = write_once(args.release or folder / "release", device, t5_layers=1).config
        trial = Trial(folder, config, 64 if args.small else args.side, device)
        if "same" in args.parts:
            part("same", lambda: trial.same([1, *args.gpus]))
        for lost in (signal.SIGKILL, signal.SIGSTOP):
            if lost.name in args.parts:
                part(lost.name, lambda lost=lost: trial.lose(most, lost))
        part("closed", trial.close)
        (args.out / f"engine-{most}.log").write_bytes((folder / "engine.log").read_bytes())
    return int(any("failed" in (found or {}) for found in result.values()))


if __name__ == "__main__":
    sys.exit(main())
