"""What this machine can do. Every finding is the outcome of trying."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import psutil
import torch

from magi_engine import __version__, disk
from magi_engine.config.places import compiled_dir, default_cache_dir
from magi_engine.config.registry import Registry
from magi_engine.errors import MagiError
from magi_engine.media.growing import GrowingWriter
from magi_engine.media.output import open_writer
from magi_engine.media.targets import VIDEO_SUFFIXES
from magi_engine.messages import counted, duration_words
from magi_engine.ops.backends import Timing, fused_kernels
from magi_engine.ops.fp8 import E4M3, fp8_matmul, has_fp8_matmul
from magi_engine.runtime.machine.devices import choose_device, usable_devices
from magi_engine.runtime.machine.facts import Finding, MachineFacts, processor_name
from magi_engine.runtime.machine.kernels import AttentionTable, measured
from magi_engine.runtime.planning.plan import JobPlan, Pace
from magi_engine.runtime.planning.prospects import prospects
from magi_engine.weights.layout import default_models_dir, missing_parts, models_command

_PACKAGES = (
    "torch",
    "transformers",
    "safetensors",
    "av",
    "numpy",
    "pillow",
    "sentencepiece",
    "PySide6-Essentials",
)


def examine(
    facts: MachineFacts, models_dir: Path | None = None, cache_dir: Path | None = None
) -> list[Finding]:
    """Try out everything a generation may need; takes some seconds, changes nothing."""
    models_dir = models_dir or default_models_dir()
    cache_dir = cache_dir or default_cache_dir()
    known = AttentionTable(cache_dir, choose_device("auto")).load()
    return [
        *_versions(),
        *_devices(cache_dir),
        *_attention(known),
        *_memory(models_dir),
        *_codecs(),
        *model_findings(facts, models_dir, cache_dir),
    ]


def measure_attention(cache_dir: Path) -> list[Finding]:
    """Time all that can attend on the device of a job, and keep that for the next jobs."""
    device = choose_device("auto")
    timings = measured(device)
    AttentionTable(cache_dir, device).note(timings)
    return list(_attention(timings))


def _attention(timings: Iterable[Timing]) -> Iterator[Finding]:
    for timing in timings:
        name = f"{timing.backend}, {timing.inputs}"
        if timing.seconds is None:
            yield Finding("Attention", name, False, "not for these inputs")
            continue
        error = "wrong" if timing.error is None else f"error {timing.error:.4f}"
        rate = timing.operations / timing.seconds / 1e12
        exact = "exact" if timing.exact else "quantised"
        chosen = ", chosen" if timing.chosen else ""
        detail = f"{timing.seconds * 1e3:.2f} ms, {rate:.2f} TFLOP/s, {error}, {exact}{chosen}"
        yield Finding("Attention", name, True, detail)


def _versions() -> Iterator[Finding]:
    topic = "Versions"
    yield Finding(topic, "Magi Desktop", None, __version__)
    yield Finding(topic, "Python", None, platform.python_version())
    yield Finding(topic, "System", None, platform.platform())
    for package in _PACKAGES:
        try:
            version = importlib.metadata.version(package)
            # torch's own tells its build, too, such as 2.13.0+cu130.
            yield Finding(
                topic, package, None, torch.__version__ if package == "torch" else version
            )
        except importlib.metadata.PackageNotFoundError:
            yield Finding(topic, package, False, "not installed")


def _devices(cache_dir: Path) -> Iterator[Finding]:
    topic = "Devices"
    cores = counted(psutil.cpu_count(logical=False) or os.cpu_count() or 1, "core|cores")
    threads = counted(torch.get_num_threads(), "thread|threads")
    yield Finding(topic, "cpu", True, f"{processor_name()}, {cores}, {threads}")
    for index in range(torch.cuda.device_count()):
        yield _cuda_device(topic, index)
    if not torch.cuda.is_available():
        build = torch.version.cuda
        why = "no usable NVIDIA GPU or driver" if build else "this PyTorch is built without CUDA"
        yield Finding(topic, "cuda", False, why)
    chosen = choose_device("auto")
    yield Finding(topic, "chosen by itself", None, str(chosen))
    for device in usable_devices():
        yield Finding(topic, f"fp8 on {device}", *_try_fp8(device))
        if device.type == "cuda":
            yield Finding(topic, f"fused kernels on {device}", *_try_kernels(device, cache_dir))
        for backend in ("FLASH_ATTENTION", "CUDNN_ATTENTION", "EFFICIENT_ATTENTION", "MATH"):
            label = backend.lower().removesuffix("_attention")
            yield Finding(topic, f"{label} attention on {device}", *_try_attention(device, backend))


def _cuda_device(topic: str, index: int) -> Finding:
    properties = torch.cuda.get_device_properties(index)
    free, total = torch.cuda.mem_get_info(index)
    detail = (
        f"{properties.name}, {_gigabytes(free)} of {_gigabytes(total)} free, "
        f"compute capability {properties.major}.{properties.minor}, CUDA {torch.version.cuda}"
    )
    return Finding(topic, f"cuda:{index}", True, detail)


def _try(action: Callable[[], object]) -> tuple[bool, str]:
    """Whether ``action`` works, and if not what it said, in one line."""
    try:
        with warnings.catch_warnings():  # PyTorch explains at length why a kernel is not there
            warnings.simplefilter("ignore")
            action()
    except Exception as error:  # whatever a driver or a codec comes up with is the answer
        first_line = str(error).strip().splitlines()
        return False, first_line[0][:120] if first_line else type(error).__name__
    return True, ""


def _try_kernels(device: torch.device, cache_dir: Path) -> tuple[bool, str]:
    """Whether fused kernels and quantised attention run, more than half of a card's speed."""
    kernels, reason = fused_kernels(device, compiled_dir(cache_dir))
    return (False, f"slower than it could be: {reason}") if reason else (True, kernels.name)


def _try_fp8(device: torch.device) -> tuple[bool, str]:
    """Multiply 8-bit matrices the way fp8 models do on this device."""

    def multiply() -> None:
        x = torch.ones(16, 32, device=device).to(E4M3)
        scale = torch.ones((), device=device)
        if not bool((fp8_matmul(x, x, scale, scale) == 32).all()):
            raise ArithmeticError("the product is wrong")

    works, why = _try(multiply)
    if not works:
        return False, why
    if has_fp8_matmul(device):
        return True, "in hardware"
    wide = "16-bit numbers" if device.type == "cuda" else "float32"
    return True, f"no fp8 units here: fp8 models are multiplied as {wide}"


def _try_attention(device: torch.device, backend: str) -> tuple[bool, str]:
    from torch.nn.attention import SDPBackend, sdpa_kernel

    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32

    def attend() -> None:
        q = torch.ones(1, 4, 8, 64, device=device, dtype=dtype)
        with sdpa_kernel(getattr(SDPBackend, backend)):
            torch.nn.functional.scaled_dot_product_attention(q, q, q)

    works, _ = _try(attend)
    return works, "" if works else "not available"


def _memory(models_dir: Path) -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    free, total = _gigabytes(memory.available), _gigabytes(memory.total)
    yield Finding("Memory and disk", "memory", None, f"{free} of {total} free")
    for name, folder in (("this folder", Path.cwd()), ("models", models_dir)):
        place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        detail = f"{_gigabytes(disk.free_bytes(folder))} free ({folder})"
        yield Finding("Memory and disk", name, os.access(place, os.W_OK), detail)


def _codecs() -> Iterator[Finding]:
    for suffix in (*VIDEO_SUFFIXES, ""):
        by: list[str] = []
        works, why = _try(lambda suffix=suffix, by=by: by.append(_write_one(suffix)))
        yield Finding("Output", suffix[1:] or "PNG frames", works, why or by[0])


def _write_one(suffix: str) -> str:
    """Write a short video; returns which encoder did it, if there was a choice."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_writer(Path(folder) / f"frames{suffix}", 256, 256, 24) as writer,
    ):
        writer.write(np.zeros((4, 256, 256, 3), np.uint8))
        return f"by {writer.encoder}" if isinstance(writer, GrowingWriter) else ""


def model_findings(
    facts: MachineFacts, models_dir: Path | None = None, cache_dir: Path | None = None
) -> Iterator[Finding]:
    """Whether each known model would run on a machine, and if not what it lacks."""
    outcomes = prospects(facts, models_dir, cache_dir)
    for entry in Registry.load().entries:
        outcome = outcomes[entry.name].plan
        if isinstance(outcome, MagiError):
            yield Finding("Models", entry.name, False, str(outcome))
            continue
        folder = models_dir or default_models_dir()
        missing = missing_parts(entry, folder)
        lacks = f"not here: {', '.join(missing)}; " if missing else ""
        if missing and entry.made_from is not None:
            lacks = f"not made yet: {models_command(folder, 'quantize', entry.name)}; "
        well = outcome.fits and outcome.pace is Pace.FAIR and not lacks
        yield Finding("Models", entry.name, well, lacks + _verdict(outcome))


def _verdict(plan: JobPlan) -> str:
    if not plan.fits:
        return str(plan.problem)
    runtime = plan.config.runtime_config
    steps = counted(plan.num_steps, "step|steps")
    size = f"{runtime.video_size_w}x{runtime.video_size_h}, {steps}"
    needed = plan.ram_bytes if plan.vram_bytes is None else plan.vram_bytes
    length_s = (plan.length.num_frames or 0) / plan.fps
    time = f"roughly {duration_words(plan.times.all_s)} for {length_s:g} s of video"
    return f"{size}, {_gigabytes(needed)} on {plan.device}, {time}"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
