"""The machine in numbers, and what was found out about it. Only looking needs PyTorch."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from magi_engine import disk
from magi_engine.messages import NOTHING, Message

if TYPE_CHECKING:
    import torch


_WITH_NVLINK = ("H100", "H200", "A100", "B200")
# Bytes a second. The first was measured on two H200 (12 150 to 48 600 tokens of 4.5B), the others
# are a guess on the low side.
_NVLINK, _THROUGH_PCIE, _THROUGH_HOST = 230e9, 15e9, 5e9


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
    further_cards: tuple[str, ...] = ()
    """Cards like ``device`` that can make a video together with it."""
    card_to_card_bytes_per_s: float = 0.0
    """About what one of them sends and takes, guessed by their kind."""
    no_further_card: Message = NOTHING
    """Why there is none."""


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
    further, alone = (), Message("Only graphics cards make a video together.")
    if device.type == "cuda":
        name = device_name(device)
        vram_free, vram_total = torch.cuda.mem_get_info(device)
        vram_free = min(vram_total, vram_free + held_vram_bytes)
        further, alone = further_cards(device)
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
        further_cards=tuple(map(str, further)),
        card_to_card_bytes_per_s=card_to_card(device, further),
        no_further_card=alone,
    )


def further_cards(device: torch.device) -> tuple[tuple[torch.device, ...], Message]:
    """The cards like an NVIDIA one that can make a video together with it; else why not."""
    import torch

    if not torch.distributed.is_available() or not torch.distributed.is_nccl_available():
        return (), Message("Cards need NCCL to work together, which there is on Linux only.")
    of = torch.cuda.get_device_properties
    numbers = [n for n in range(torch.cuda.device_count()) if n != device.index]
    if not numbers:
        return (), Message("There is one graphics card.")
    mine = of(device)
    alike = [
        n for n in numbers if (of(n).name, of(n).total_memory) == (mine.name, mine.total_memory)
    ]
    if not alike:
        return (), Message("The other graphics cards are not like the first.")
    return tuple(torch.device("cuda", n) for n in alike), NOTHING


def card_to_card(device: torch.device, others: tuple[torch.device, ...]) -> float:
    """About how many bytes a second each card sends to the others and takes from them."""
    import torch

    if not others:
        return 0.0
    if not all(torch.cuda.can_device_access_peer(device, other) for other in others):
        return _THROUGH_HOST
    name = torch.cuda.get_device_name(device)
    return _NVLINK if any(kind in name for kind in _WITH_NVLINK) else _THROUGH_PCIE


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
