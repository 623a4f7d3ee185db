"""How long the pocket model takes on the CPU, part by part, beside what the processor could do.

``python -m tests.bench.cpu`` measures and writes ``results/cpu.json`` and the table in README.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_REPOSITORY = _HERE.parent.parent
_RESULTS = _HERE / "results" / "cpu.json"
_README = _HERE / "README.md"
_TABLE_MARKS = ("<!-- table -->\n", "<!-- end of table -->\n")

PROMPT = "A large red circle moves to the right on a white background."
STEPS = 16
WINDOWS = (1, 4)
CHUNKS = 9
STEADY_CHUNKS = 4
"""The last so many chunks count for the pace: by then the history is as deep as it gets."""

_STAGES = {
    "loading_text_encoder": "text_import_and_load_s",
    "encoding_prompt": "text_encoding_s",
    "loading_vae": "vae_loading_s",
    "loading_model": "dit_loading_s",
    "sampling": "first_chunk_sampling_s",
}


@dataclass(frozen=True)
class Timing:
    """One generation, in seconds."""

    steps: int
    window: int
    startup_s: float
    """From the start of the process until the engine is there: Python, PyTorch, PyAV."""
    first_chunk_s: float
    """From then until the first chunk is decoded and in the file."""
    chunk_s: float
    """Each further chunk of 24 frames, median in steady state."""
    chunk_cpu_s: float
    """Processor time of such a chunk, all threads together: hardly depends on other programs."""
    first_parts: dict[str, float]
    """What the first chunk was spent on."""
    chunk_parts: dict[str, float]
    """What a chunk in steady state is spent on."""
    flops_per_chunk: float
    """Multiplications and additions of matrix products in steady state, DiT and VAE."""
    floor_s: float
    """``flops_per_chunk`` at the machine's measured GEMM rate."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", help="another model's configuration file, absolute")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child is not None:
        print(json.dumps(_generate(**json.loads(args.child))))
        return
    load = os.getloadavg()[0]
    gemm = _gemm_flops_per_s(args.threads)
    found = [_measure(window, args.threads, args.config) for window in WINDOWS]
    gemm = max(gemm, _gemm_flops_per_s(args.threads))  # others may have disturbed one of them
    timings = [Timing(**f, floor_s=round(f["flops_per_chunk"] / gemm, 3)) for f in found]
    result = {
        "commit": _git("describe", "--always", "--dirty"),
        "date": time.strftime("%Y-%m-%d"),
        "machine": {
            "cpu": _cpu_name(),
            "cores": os.cpu_count(),
            "threads": args.threads,
            "gemm_gflops": round(gemm / 1e9, 1),
            "dtype": str(_dtype()).removeprefix("torch."),
            "load_before": round(load, 2),
            "python": platform.python_version(),
            "torch": _version("torch"),
        },
        "runs": [asdict(timing) for timing in timings],
    }
    _RESULTS.parent.mkdir(exist_ok=True)
    _RESULTS.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    table = _table(result)
    print(table)
    text = _README.read_text(encoding="utf-8")
    before, rest = text.split(_TABLE_MARKS[0])
    after = rest.split(_TABLE_MARKS[1])[1]
    _README.write_text(before + table.join(_TABLE_MARKS) + after, encoding="utf-8")


# ---- the measuring process


def _measure(window: int, threads: int, config: str | None) -> dict[str, Any]:
    """The fields of a Timing, all but the floor."""
    with tempfile.TemporaryDirectory() as folder:
        job = {
            "window": window,
            "threads": threads,
            "config": config,
            "output": str(Path(folder) / "out.mp4"),
            "started": time.time(),
        }
        command = [sys.executable, "-m", "tests.bench.cpu", "--child", json.dumps(job)]
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        done = subprocess.run(
            command, cwd=_REPOSITORY, env=environment, stdout=subprocess.PIPE, check=True
        )
    return json.loads(done.stdout)


def _generate(
    window: int, threads: int, config: str | None, output: str, started: float
) -> dict[str, Any]:
    """Generate as the program does, in this fresh process."""
    from magi_engine.runtime.process.environment import let_threads_sleep

    let_threads_sleep()
    import torch

    from magi_engine.media.writer import FrameWriter
    from magi_engine.runtime.engine import Engine
    from magi_engine.runtime.job.events import ChunkReady, Failed, StageStarted
    from magi_engine.runtime.models.loaded import LoadedModel
    from magi_engine.runtime.process.control import Cancel
    from magi_engine.runtime.request.request import (
        GenerationRequest,
        Mode,
        PromptChange,
        SamplingOverrides,
    )

    torch.set_num_threads(threads)
    decoding, writing = _Stopwatch(LoadedModel, "decode"), _Stopwatch(FrameWriter, "write")
    ready = time.time()
    request = GenerationRequest(
        mode=Mode.T2V,
        model="pocket",
        config_path=config,
        width=128,
        height=128,
        num_frames=None,
        prompts=(PromptChange(0, PROMPT),),
        seed=1,
        sampling=SamplingOverrides(num_steps=STEPS, window_size=window),
        output=output,
        device="cpu",
    )
    engine = Engine(cache_dir=Path(output).parent)  # no prompt is known from before
    marks: list[tuple[str, float]] = []
    chunks: list[float] = []
    used: list[float] = []
    for event in engine.generate(request):
        now = time.time()
        if isinstance(event, StageStarted):
            marks.append((event.stage.value, now))
        elif isinstance(event, ChunkReady):
            chunks.append(now)
            used.append(time.process_time())
            if len(chunks) == CHUNKS:
                engine.control(Cancel())
        elif isinstance(event, Failed):
            raise event.error
    marks.append(("end", chunks[0]))
    stages = {
        _STAGES[name]: after - begin for (name, begin), (_, after) in itertools.pairwise(marks)
    }
    paces = [after - before for before, after in itertools.pairwise(chunks)]
    pace = statistics.median(paces[-STEADY_CHUNKS:])
    cpu = [after - before for before, after in itertools.pairwise(used)]
    decode = statistics.median(decoding.seconds[-STEADY_CHUNKS:])
    write = statistics.median(writing.seconds[-STEADY_CHUNKS:])
    first = {"checks_s": marks[0][1] - ready, **stages}
    steady = {"dit_s": pace - decode, "vae_decode_s": decode, "mp4_s": write}
    return {
        "steps": STEPS,
        "window": window,
        "startup_s": round(ready - started, 3),
        "first_chunk_s": round(chunks[0] - ready, 3),
        "chunk_s": round(pace, 3),
        "chunk_cpu_s": round(statistics.median(cpu[-STEADY_CHUNKS:]), 3),
        "first_parts": {name: round(seconds, 3) for name, seconds in first.items()},
        "chunk_parts": {name: round(seconds, 3) for name, seconds in steady.items()},
        "flops_per_chunk": _flops(config, window),
    }


class _Stopwatch:
    """Times every call of a method."""

    def __init__(self, owner: type, name: str) -> None:
        self.seconds: list[float] = []
        method = getattr(owner, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds.append(time.perf_counter() - begin)

        setattr(owner, name, timed)


# ---- the floor


def _dtype() -> Any:
    import torch

    from magi_engine.runtime.machine.devices import choose_dtype

    return choose_dtype("auto", torch.device("cpu"))


def _flops(config_path: str | None, window: int) -> float:
    """Operations in the matrix products and attentions of one chunk in steady state."""
    import dataclasses

    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from magi_engine.runtime.models.loaded import LoadedModel
    from magi_engine.sampling.events import ChunkDone
    from magi_engine.sampling.noise import SeededNoise
    from magi_engine.sampling.sampler import Sampler
    from magi_engine.sampling.schedule import SamplerSettings
    from magi_engine.weights.layout import find_model

    found = find_model(config_path or "pocket")
    model = LoadedModel(found, torch.device("cpu"), torch.float32)
    settings = dataclasses.replace(
        SamplerSettings.from_config(found.config), num_steps=STEPS, window_size=window
    )
    events = Sampler(model.dit, settings).sample(
        height=16,
        width=16,
        captions=model.caption_track(model.text.encode(PROMPT).embedding, ()),
        noise=SeededNoise(1),
        num_chunks=None,
    )
    done = (event for event in events if isinstance(event, ChunkDone))
    for _ in range(CHUNKS - 1):
        next(done)
    # PyTorch's counter does not know the CPU's attention kernel.
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    known = {attention: _attention_flops}
    with FlopCounterMode(display=False, custom_mapping=known) as counter:
        model.decode(next(done).latents)
    return float(counter.get_total_flops())


def _attention_flops(q: Any, k: Any, v: Any, *_args: Any, **_kwargs: Any) -> int:
    """Of shapes (N, heads, Sq, D) and (N, groups, Sk, D)."""
    n, heads, queries, size = q
    return 2 * n * heads * queries * k[2] * (size + v[3])


def _gemm_flops_per_s(threads: int, size: int = 1024, seconds: float = 2.0) -> float:
    """The best rate of a large matrix product here, in the number format that is in use."""
    import torch

    dtype = _dtype()

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    best = 0.0
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        torch.mm(a, b)
        best = max(best, 2 * size**3 / (time.perf_counter() - begin))
    torch.set_num_threads(before)
    return best


# ---- the report


def _table(result: dict[str, Any]) -> str:
    machine = result["machine"]
    lines = [
        f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores, "
        f"{machine['gemm_gflops']} GFLOP/s in {machine['dtype']}, PyTorch {machine['torch']}, "
        f"commit {result['commit']}, {result['date']}, load before {machine['load_before']}.",
        "",
        "| seconds | " + " | ".join(f"window {run['window']}" for run in result["runs"]) + " |",
        "|---" * (len(result["runs"]) + 1) + "|",
    ]

    def row(name: str, *values: float) -> None:
        lines.append(f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |")

    runs = result["runs"]
    row("start-up: Python, PyTorch, PyAV", *(run["startup_s"] for run in runs))
    row("**first chunk after start-up** (at most 6)", *(run["first_chunk_s"] for run in runs))
    for part in runs[0]["first_parts"]:
        row(f"… {_readable(part)}", *(run["first_parts"][part] for run in runs))
    row("**each further chunk** (at most 4)", *(run["chunk_s"] for run in runs))
    for part in runs[0]["chunk_parts"]:
        row(f"… {_readable(part)}", *(run["chunk_parts"][part] for run in runs))
    row("processor time of a chunk, all threads", *(run["chunk_cpu_s"] for run in runs))
    row("floor of a chunk: its FLOPs at the GEMM rate", *(run["floor_s"] for run in runs))
    return "\n".join(lines) + "\n"


def _readable(part: str) -> str:
    return part.removesuffix("_s").replace("_", " ")


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(
        command, cwd=_REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.strip()


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


if __name__ == "__main__":
    main()
