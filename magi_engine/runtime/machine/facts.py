"""The machine in numbers, and what was found out about it. Only looking needs PyTorch."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from magi_engine import disk

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class HeldModel:
    """What is in memory already, so that the next job with the same model need not load it."""

    weights: Path
    """Folder of the transformer's weights."""
    device: str
    """``cuda:0``, ``mps`` or ``cpu``."""
    dtype: str
    text_encoder: bool
    networks: bool
    """Transformer and autoencoder."""


@dataclass(frozen=True)
class MachineFacts:
    """The machine as a job finds it. Sizes are in bytes.

    What is free includes what the engine itself holds, since it frees that for another model.
    """

    device: str
    """Where a job runs unless the request says otherwise: ``cuda:0``, ``mps`` or ``cpu``."""
    device_name: str
    """What its maker calls it."""
    processor: str
    cores: int
    vram_total_bytes: int | None
    """Memory of the graphics card; None if the device has none of its own."""
    vram_free_bytes: int | None
    ram_total_bytes: int
    ram_free_bytes: int
    disk_free_bytes: int
    """Where models are kept."""
    fp8_in_hardware: bool
    """Whether the device multiplies 8-bit numbers faster than others."""
    bfloat16_on_processor: bool = False
    """Whether the processor multiplies bfloat16 numbers faster than float32 ones."""
    held: HeldModel | None = None
    """What the engine keeps of its last job."""
    cards: tuple[tuple[str, str], ...] = ()
    """Device and name of every graphics card, where there are several."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        works: None where that is not the question.
        detail: a value, or why it does not work.
    """

    topic: str
    name: str
    works: bool | None
    detail: str


def look_around(
    models_dir: Path,
    held_vram_bytes: int = 0,
    held_ram_bytes: int = 0,
    wanted: str = "auto",
) -> MachineFacts:
    """The facts of this machine, now; takes milliseconds once PyTorch is there.

    Args:
        models_dir: the folder of models; need not exist.
        held_vram_bytes, held_ram_bytes: what this process would give back.
        wanted: the device a job runs on.

    Raises:
        MagiError: there is no such device.
    """
    import psutil
    import torch

    from magi_engine.ops.backends import has_bfloat16_products
    from magi_engine.ops.fp8 import has_fp8_matmul
    from magi_engine.runtime.machine.devices import cards, choose_device

    device = choose_device(wanted)
    memory = psutil.virtual_memory()
    processor = processor_name()
    vram_total = vram_free = None
    name, there = processor, cards()
    if device.type == "cuda":
        name = device_name(device)
        vram_free, vram_total = torch.cuda.mem_get_info(device)
        vram_free = min(vram_total, vram_free + held_vram_bytes)
    return MachineFacts(
        device=str(device),
        device_name=name,
        processor=processor,
        cores=psutil.cpu_count(logical=False) or os.cpu_count() or 1,
        vram_total_bytes=vram_total,
        vram_free_bytes=vram_free,
        ram_total_bytes=memory.total,
        ram_free_bytes=min(memory.total, memory.available + held_ram_bytes),
        disk_free_bytes=disk.free_bytes(models_dir),
        fp8_in_hardware=has_fp8_matmul(device),
        bfloat16_on_processor=has_bfloat16_products(torch.device("cpu")),
        cards=tuple((card.device, card.name) for card in there) if len(there) > 1 else (),
    )


def device_name(device: torch.device) -> str:
    """What the maker of a device calls it."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return processor_name()


def processor_name() -> str:
    """The processor as its maker calls it, as far as this system tells."""
    if sys.platform == "linux":
        try:
            lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        except OSError:
            lines = []
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
