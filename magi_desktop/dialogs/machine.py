"""What a computer can run, from its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.resources import resource_path
from magi_engine.runtime.machine import MachineFacts
from magi_engine.weights.layout import missing_parts

_WORKING_BYTES = 3_000_000_000
"""Roughly what a generation takes beside the weights."""


class Fit(Enum):
    """How a model would do on a machine."""

    ON_GPU = "on the GPU"
    ON_CPU = "on the processor, slowly"
    NO_MEMORY = "not enough memory"
    NO_DISK = "not enough disk space"


@dataclass(frozen=True)
class Offer:
    """A released model as it is offered.

    Attributes:
        download_bytes: what is still to be downloaded; 0: all of it is here.
        gpu_bytes: memory of the graphics card it takes.
        cpu_bytes: memory it takes without a graphics card, weights widened to 32 bits.
    """

    entry: ModelEntry
    download_bytes: int
    gpu_bytes: int
    cpu_bytes: int

    def fit(self, facts: MachineFacts) -> Fit:
        """Whether it would run there."""
        if self.download_bytes > facts.disk_free_bytes:
            return Fit.NO_DISK
        if facts.vram_total_bytes is not None and self.gpu_bytes <= facts.vram_total_bytes:
            return Fit.ON_GPU
        return Fit.ON_CPU if self.cpu_bytes <= facts.ram_total_bytes else Fit.NO_MEMORY


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
