"""What a computer can run, by the engine's own estimate."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from magi_desktop.dialogs.parts import gigabytes
from magi_desktop.engine_words import translated, translated_error
from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.errors import MagiError
from magi_engine.runtime.machine import MachineFacts
from magi_engine.runtime.preflight import Preflight, estimate_model
from magi_engine.weights.layout import missing_parts

translate = QCoreApplication.translate


@dataclass(frozen=True)
class Offer:
    """A released model as it is offered.

    Attributes:
        download_bytes: what is still to be downloaded; 0: all of it is here.
    """

    entry: ModelEntry
    download_bytes: int


def offers(models_dir: Path | None) -> list[Offer]:
    """All models that can be downloaded; reads the disk."""
    return [
        _offer(entry, models_dir) for entry in Registry.load().entries if entry.release is not None
    ]


def estimates(models_dir: Path | None, facts: MachineFacts) -> dict[str, Preflight | MagiError]:
    """By model: what four seconds of its usual size take, or what is wrong with its files."""
    outcomes: dict[str, Preflight | MagiError] = {}
    for entry in Registry.load().entries:
        try:
            outcomes[entry.name] = estimate_model(entry, facts, models_dir)
        except MagiError as error:
            outcomes[entry.name] = translated_error(error)
    return outcomes


def verdict(outcome: Preflight | MagiError, facts: MachineFacts) -> tuple[str, str]:
    """Whether a model would run, with the numbers: a label's role and its sentence."""
    if isinstance(outcome, MagiError):
        return "error", str(outcome)
    if not outcome.fits:
        return "warning", translated(outcome.problem)
    if outcome.vram_bytes is not None and facts.vram_total_bytes is not None:
        sentence = translate("Machine", "Runs on this graphics card: {0} of {1}.")
        needed, there = outcome.vram_bytes, facts.vram_total_bytes
    else:
        sentence = translate("Machine", "Runs on the processor: {0} of {1} memory.")
        needed, there = outcome.ram_bytes, facts.ram_total_bytes
    return "success", sentence.format(gigabytes(needed), gigabytes(there))


def _offer(entry: ModelEntry, models_dir: Path | None) -> Offer:
    assert entry.release is not None
    sizes = {
        "transformer": entry.transformer_bytes or 0,
        "autoencoder": entry.release.autoencoder_bytes,
        "text encoder": entry.release.text_encoder_bytes,
        "special tokens": entry.release.special_tokens.bytes,
    }
    return Offer(entry, sum(sizes[part] for part in missing_parts(entry, models_dir)))
