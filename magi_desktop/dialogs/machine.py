"""What a computer can run, from the doctor's findings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.resources import resource_path
from magi_engine.runtime.finding import Finding
from magi_engine.weights.layout import missing_parts

_WORKING_BYTES = 3_000_000_000
"""Roughly what a generation takes beside the weights."""
_GIGABYTE = 1_000_000_000
_FREE_OF_TOTAL = re.compile(r"([\d.]+) GB of ([\d.]+) GB free")
_FREE = re.compile(r"([\d.]+) GB free")


@dataclass(frozen=True)
class Machine:
    """Sizes in bytes; None where it is not known."""

    gpu: str | None = None
    """Name of the first graphics card that can be used; None: there is none."""
    gpu_bytes: float | None = None
    processor: str | None = None
    memory_bytes: float | None = None
    disk_free_bytes: float | None = None
    """Where downloaded models are kept."""

    @classmethod
    def of_findings(cls, findings: Iterable[Finding]) -> Machine:
        """Read the findings; what they do not say stays unknown."""
        by_name = {(f.topic, f.name): f for f in findings}
        gpu = next((f for (_, n), f in by_name.items() if n.startswith("cuda:") and f.works), None)
        cpu = by_name.get(("Devices", "cpu"))
        memory = by_name.get(("Memory and disk", "memory"))
        disk = by_name.get(("Memory and disk", "models"))
        return cls(
            gpu=None if gpu is None else gpu.detail.split(",")[0],
            gpu_bytes=_gigabytes(_FREE_OF_TOTAL, gpu, 2),
            processor=None if cpu is None else cpu.detail,
            memory_bytes=_gigabytes(_FREE_OF_TOTAL, memory, 2),
            disk_free_bytes=_gigabytes(_FREE, disk, 1),
        )


class Fit(Enum):
    """How a model would do on a machine."""

    ON_GPU = "on the GPU"
    ON_CPU = "on the processor, slowly"
    NO_MEMORY = "not enough memory"
    NO_DISK = "not enough disk space"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Offer:
    """A released model as it is offered.

    Attributes:
        download_bytes: what is still to be downloaded; 0: all of it is here.
        cpu_bytes: memory it takes without a graphics card, weights widened to 32 bits.
    """

    entry: ModelEntry
    download_bytes: int
    gpu_bytes: int
    cpu_bytes: int

    def fit(self, machine: Machine) -> Fit:
        """Whether it would run there."""
        disk = machine.disk_free_bytes
        if disk is not None and self.download_bytes > disk:
            return Fit.NO_DISK
        if machine.gpu_bytes is not None and self.gpu_bytes <= machine.gpu_bytes:
            return Fit.ON_GPU
        if machine.memory_bytes is None:
            return Fit.UNKNOWN
        return Fit.ON_CPU if self.cpu_bytes <= machine.memory_bytes else Fit.NO_MEMORY


def offers(models_dir: Path | None) -> list[Offer]:
    """All models that can be downloaded; reads the disk."""
    return [
        _offer(entry, models_dir) for entry in Registry.load().entries if entry.release is not None
    ]


def _offer(entry: ModelEntry, models_dir: Path | None) -> Offer:
    assert entry.release is not None
    weights = entry.transformer_bytes or 0
    sizes = {
        "transformer": weights,
        "autoencoder": entry.release.autoencoder_bytes,
        "text encoder": entry.release.text_encoder_bytes,
        "special tokens": entry.release.special_tokens.bytes,
    }
    config = MagiConfig.from_json(resource_path(entry.config))
    widened = weights * (4 if config.engine_config.fp8_quant else 2)
    return Offer(
        entry,
        sum(sizes[part] for part in missing_parts(entry, models_dir)),
        weights + _WORKING_BYTES,
        widened + _WORKING_BYTES,
    )


def _gigabytes(pattern: re.Pattern[str], finding: Finding | None, group: int) -> float | None:
    match = None if finding is None else pattern.search(finding.detail)
    return None if match is None else float(match[group]) * _GIGABYTE
