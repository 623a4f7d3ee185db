"""Auditions and kept latents on an NVIDIA GPU, through the whole engine; random 4.5B fp8 weights.

``python -m tests.bench.takes`` makes nine first seconds in one batch and in turn, and one video of
as many frames; then a video with and without its latents kept. It writes ``results/takes.json``
after each part, and begins none once ``--seconds`` are over. ``--device cpu`` runs it all with the
pocket model, to see that it works.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import itertools
import json
import os
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import Registry
from magi_engine.model.text import EncodedPrompt
from magi_engine.resources import resource_path
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job import job
from magi_engine.runtime.job.events import ChunkReady, Failed, Finished, Progress
from magi_engine.runtime.machine.devices import choose_device, choose_dtype
from magi_engine.runtime.planning import plan
from magi_engine.runtime.process.environment import let_memory_be_whole
from magi_engine.runtime.request.batch import with_along
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from magi_engine.runtime.speed.random_model import RandomModel
from magi_engine.takes.store import TakeStore, TakeWriter
from magi_engine.weights.layout import FoundModel, entry_paths
from tests.bench.gpu import commit, machine

_RESULTS = Path(__file__).parent / "results" / "takes.json"
_MODEL = "4.5B-distill-fp8"
_CAPTION_TOKENS = 120
_VIDEOS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--out", type=Path, default=_RESULTS)
    args = parser.parse_args()
    let_memory_be_whole()
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), torch.device(args.device))
        result: dict[str, Any] = {"machine": machine(bench.device), "commit": commit()}
        parts: dict[str, Callable[[], Any]] = {
            "batch": functools.partial(bench.audition, _VIDEOS),
            "in turn": functools.partial(bench.audition, 1),
            "one video": bench.one_video,
            "apart": bench.apart,
            "batches of three": functools.partial(bench.audition, 3),
            "kept": functools.partial(bench.kept, True),
            "not kept": functools.partial(bench.kept, False),
        }
        for name, part in parts.items():
            if time.perf_counter() - begin > args.seconds:
                print(f"no time for: {name}")
                continue
            try:
                result[name] = part()
            except Exception:
                result[name] = {"failed": traceback.format_exc(limit=4)}
            print(f"{time.perf_counter() - begin:.1f} s: {name}: {json.dumps(result[name])}")
            args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


class Bench:
    """An engine whose model has random weights, and what is asked of it."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.folder, self.device = folder, device
        self.store = TakeStore(folder / "takes")
        self.engine = Engine(cache_dir=folder / "cache", takes_dir=self.store.folder)
        self.small = device.type != "cuda"
        self.side, self.steps = (128, 4) if self.small else (384, 8)
        self.seconds: dict[str, list[float]] = {}
        self._latents: dict[str, list[Any]] = {}
        if not self.small:
            self._put_model()
        setattr(plan, "BATCHING", (device.type,))  # noqa: B010
        self._watch(TakeWriter, "append", "take")
        self._watch(os, "fsync", "fsync")
        self.made = 0
        self.warm_s = self._made(self.request(only_chunks=1, num_frames=24))[0]
        print(f"warm after {self.warm_s:.1f} s", flush=True)

    def _put_model(self) -> None:
        entry = Registry.load().find(_MODEL)
        config = MagiConfig.from_json(resource_path(entry.config))
        found = FoundModel(entry.name, str(entry.title), config, entry_paths(entry), entry)
        device = choose_device(str(self.device))
        model = RandomModel(found, device, choose_dtype("auto", device), self.folder / "cache")
        model.text = _RandomText(config.model_config.caption_channels)  # type: ignore[assignment]
        if (reason := model.kernels.slow_because) is not None:
            raise SystemExit(f"nothing is measured without the fused kernels: {reason}")
        with torch.inference_mode():
            model.load_dit()
            model.load_vae()
        self.engine._models._model = model
        setattr(job, "find_model", lambda *_: found)  # noqa: B010

    def _watch(self, owner: Any, name: str, row: str) -> None:
        """Note how long each call of a method takes."""
        call, times = getattr(owner, name), self.seconds.setdefault(row, [])

        def watched(*args: Any) -> Any:
            begin = time.perf_counter()
            try:
                return call(*args)
            finally:
                times.append(time.perf_counter() - begin)

        setattr(owner, name, watched)

    def request(self, **changes: Any) -> GenerationRequest:
        usual = GenerationRequest(
            Mode.T2V,
            "pocket" if self.small else _MODEL,
            self.side,
            self.side,
            _VIDEOS * 24,
            (PromptChange(0, "A lighthouse on a cliff at dusk"),),
            sampling=SamplingOverrides(num_steps=self.steps, window_size=4),
            device=str(self.device),
        )
        return dataclasses.replace(usual, **changes)

    def _made(self, request: GenerationRequest) -> tuple[float, float, list[Any]]:
        """Seconds of a job and until its first chunk is there, and its events."""
        self.made += 1
        path = self.folder / f"{self.made}.mp4"
        begin, first, events = time.perf_counter(), 0.0, []
        for event in self.engine.generate(dataclasses.replace(request, output=str(path))):
            if isinstance(event, ChunkReady) and not first:
                first = time.perf_counter() - begin
            if not isinstance(event, ChunkReady):
                events.append(event)
        end = events[-1]
        if isinstance(end, Failed):
            raise end.error
        assert isinstance(end, Finished)
        return time.perf_counter() - begin, first, events

    def audition(self, together: int) -> dict[str, Any]:
        """First seconds of nine videos; so many at once."""
        requests = [self.request(only_chunks=1, seed=seed) for seed in range(_VIDEOS)]
        begin, shown, sampled = time.perf_counter(), [], 0
        self._peak(begin=True)
        key = str(together)
        self._latents[key] = []
        for index, one in enumerate(requests):
            last = index - index % together + together
            at = time.perf_counter() - begin
            _, first_s, events = self._made(with_along(one, requests[index + 1 : last]))
            shown.append(round(at + first_s, 3))
            sampled += any(isinstance(event, Progress) for event in events)
            take = read_request(self.folder / f"{self.made}.mp4").take
            self._latents[key].append(torch.from_numpy(self.store.find(take or "").read(0)))
        return {
            "seconds": time.perf_counter() - begin,
            "shown_after_s": shown,
            "batches": sampled,
            "peak_vram_gib": self._peak(),
        }

    def _peak(self, begin: bool = False) -> float:
        if self.small:
            return 0.0
        if begin:
            torch.cuda.reset_peak_memory_stats()
        return torch.cuda.max_memory_allocated() / 2**30

    def one_video(self) -> dict[str, Any]:
        """As many frames in one."""
        seconds, first, _ = self._made(self.request())
        return {"seconds": seconds, "first_s": first}

    def apart(self) -> dict[str, float]:
        """How far what came of the batch is from what came in turn."""
        pairs = list(zip(self._latents["1"], self._latents[str(_VIDEOS)], strict=True))
        others = itertools.combinations(self._latents["1"], 2)
        return {
            "largest_error": max(_distance(a, b) for a, b in pairs),
            "smallest_between_seeds": min(_distance(a, b) for a, b in others),
        }

    def kept(self, kept: bool) -> dict[str, Any]:
        """96 frames of 720x720 with their latents kept, or not."""
        side, frames = (128, 48) if self.small else (720, 96)
        request = self.request(width=side, height=side, num_frames=frames, seed=1)
        self.store.limit_bytes = 10**12 if kept else 0
        for times in self.seconds.values():
            times.clear()
        if kept:  # what is computed for the first time at this size
            self._made(dataclasses.replace(request, only_chunks=1))
            for times in self.seconds.values():
                times.clear()
        cpu = time.process_time()
        seconds, first, _ = self._made(request)
        return {
            "seconds": seconds,
            "first_s": first,
            "processor_s": time.process_time() - cpu,
            **{row: _summary(times) for row, times in self.seconds.items()},
        }


class _RandomText:
    """A text encoder that is there already and knows every prompt."""

    loaded = True

    def __init__(self, width: int) -> None:
        embedding = torch.randn(_CAPTION_TOKENS, width, generator=torch.Generator().manual_seed(0))
        self._encoded = EncodedPrompt(embedding, _CAPTION_TOKENS, False)

    def knows(self, prompt: str) -> bool:
        return True

    def encode(self, prompt: str) -> EncodedPrompt:
        return self._encoded

    def release(self) -> None: ...

    def release_if_large(self) -> None: ...


def _distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a - b).norm() / a.norm()).item()


def _summary(times: list[float]) -> dict[str, float]:
    if not times:
        return {"calls": 0}
    return {"calls": len(times), "sum_s": sum(times), "median_s": statistics.median(times)}


if __name__ == "__main__":
    main()
