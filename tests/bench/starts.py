"""How long fresh processes take to prepare a size, and what the first call of a library costs.

``python -m tests.bench.starts FOLDER`` writes the 4.5B fp8 model of full size with random weights
and a small text encoder (8 GB) into FOLDER, unless they are there. Three processes, one after the
other and with a cache that is empty at first, make a chunk of each size; in another one each
library is called by a first thread and then by a second one. FOLDER gets ``starts.json``, and the
tables of README.md are printed. It needs a graphics card and no PyAV; ``--small`` does the same on
the CPU with a tiny model, and the numbers say nothing.
"""

from __future__ import annotations

import argparse
import importlib
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import ChunkReady, Failed, Notice, Stage, StageStarted
from magi_engine.runtime.process.environment import let_memory_be_whole, let_threads_sleep
from magi_engine.runtime.request import request as asked
from tests.bench.first_calls import first_calls
from tests.bench.full_size import PROMPT
from tests.bench.full_size_files import Release, write_once
from tests.bench.gpu import commit, machine

_SIZES = {480: 16, 720: 8, 384: 8}
"""Steps for each side in pixels."""
_SMALL_SIZES = {64: 4, 96: 4, 48: 4}
_COLUMNS = {
    "before anything is loaded": "before",
    "autoencoder": Stage.LOADING_VAE.value,
    "model": Stage.LOADING_MODEL.value,
    "preparing": Stage.PREPARING_SIZE.value,
    "first chunk after that": Stage.SAMPLING.value,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="for large files and results")
    parser.add_argument("--small", action="store_true", help="a tiny model on the CPU")
    parser.add_argument("--part", choices=["start", "calls"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    device = torch.device("cpu" if args.small else "cuda")
    work = args.folder / ("small" if args.small else "full")
    if args.part is not None:
        print(json.dumps(_start(work, device) if args.part == "start" else _calls(device)))
        return
    _check(on_card=not args.small)
    let_threads_sleep()
    let_memory_be_whole()
    release = write_once(work / "release", device.type, t5_layers=0)
    for path in filter(Path.is_file, release.folder.rglob("*")):  # into the page cache
        path.read_bytes()
    shutil.rmtree(work / "cache", ignore_errors=True)
    starts = {name: _part("start") for name in ("first", "second", "third")}
    result = {"commit": commit(), **_part("calls"), "starts": starts}
    text = json.dumps(result, indent=1) + "\n"
    (args.folder / "starts.json").write_text(text, encoding="utf-8")
    print(_markdown(result))


def _check(on_card: bool) -> None:
    """End at once if anything is missing that would only be missed later."""
    if on_card and not torch.cuda.is_available():
        raise SystemExit("There is no graphics card; --small runs on the CPU.")
    missing = []
    for name in ("ftfy", "sentencepiece", *["cuda.core"] * on_card):
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(name)
    if missing:
        raise SystemExit(f"Not installed, and needed: {', '.join(missing)}")


def _part(name: str) -> dict[str, Any]:
    """What a fresh process measures."""
    command = [sys.executable, "-m", "tests.bench.starts", *sys.argv[1:], "--part", name]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    print(f"{name}: {done.stdout}", flush=True)
    return json.loads(done.stdout.splitlines()[-1])


def _start(work: Path, device: torch.device) -> dict[str, dict[str, Any]]:
    """Seconds of each stage by size, of an engine that has made nothing yet."""
    importlib.import_module("transformers.models.t5.modeling_t5")  # as the engine's process does
    engine = Engine(work / "models", work / "cache", work / "takes")
    config = Release(work / "release").config
    found: dict[str, dict[str, Any]] = {}
    for side, steps in (_SMALL_SIZES if device.type == "cpu" else _SIZES).items():
        request = asked.GenerationRequest(
            asked.Mode.T2V,
            config.stem,
            side,
            side,
            num_frames=24,
            prompts=(asked.PromptChange(0, PROMPT),),
            config_path=str(config),
            sampling=asked.SamplingOverrides(num_steps=steps, window_size=4),
            device=device.type,
        )
        seconds = found[f"{side}x{side}, {steps} steps"] = {"notices": []}
        stage, begun = "before", time.perf_counter()
        for event in engine.generate(request):
            if isinstance(event, Failed):
                raise event.error
            if isinstance(event, Notice):
                seconds["notices"].append(str(event.message))
            elif isinstance(event, StageStarted | ChunkReady):
                now = time.perf_counter()
                seconds[stage], begun = now - begun, now
                stage = event.stage.value if isinstance(event, StageStarted) else "after"
    return found


def _calls(device: torch.device) -> dict[str, Any]:
    """Milliseconds of first calls of the process, and then of a second thread."""
    torch.ones(1, device=device).sum().item()
    first = first_calls(device)
    with ThreadPoolExecutor(1) as other:
        second = other.submit(first_calls, device).result()
    return {"machine": machine(device), "process_ms": first, "second_thread_ms": second}


def _markdown(result: dict[str, Any]) -> str:
    """Both tables: in a cell the starts in turn; the first call, the least and most of others."""
    lines = [f"| | {' | '.join(_COLUMNS)} |", "|---" * (len(_COLUMNS) + 1) + "|"]
    starts = result["starts"].values()
    for size in result["starts"]["first"]:
        cells = [
            ", ".join(f"{start[size][stage]:.2f}" for start in starts if stage in start[size])
            for stage in _COLUMNS.values()
        ]
        lines.append(f"| {' | '.join([size, *cells])} |")
    lines += ["", "| | first call of the process | of a second thread |", "|---|---|---|"]
    for name, first in result["process_ms"].items():
        if first:
            lines.append(f"| {name} | {_span(first)} | {_span(result['second_thread_ms'][name])} |")
    notices = {note for start in starts for row in start.values() for note in row["notices"]}
    return "\n".join([str(result["machine"]), "", *lines, "", *sorted(notices)])


def _span(values: list[float]) -> str:
    first, *others = values
    return f"{first:.3g}" + (f", {min(others):.3g} to {max(others):.3g}" if others else "")


if __name__ == "__main__":
    main()
