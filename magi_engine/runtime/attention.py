"""What is known of the attention kernels of this machine, kept from one start to the next."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from magi_engine import __version__
from magi_engine.ops.attention import attention, attention_by_products
from magi_engine.ops.backends import Backend, ChosenAttention, Timing, available_backends
from magi_engine.runtime.kept import keep, read_kept
from magi_engine.runtime.machine import device_name

logger = logging.getLogger(__name__)

_FILE = "attention.json"

# Heads, groups and head size; queries and keys. On a card those of the released 4.5B model at
# 720x720: a caption, one chunk that sees itself, and one that sees three others too. On a processor
# the pocket model's, which is what one would run there.
_ON_CARD = ((24, 8, 128, 12150, 120), (24, 8, 128, 12150, 12150), (24, 8, 128, 12150, 48600))
_ON_PROCESSOR = ((6, 2, 64, 384, 384), (6, 2, 64, 384, 1920))


class AttentionTable:
    """Timings in ``<cache_dir>/attention.json``, per device and versions of all that computes."""

    def __init__(self, cache_dir: Path, device: torch.device) -> None:
        self._path = cache_dir / _FILE
        self._key = f"{device_name(device)} | torch {torch.__version__} | {__version__}"

    def load(self) -> list[Timing]:
        """What was measured on this device."""
        try:
            return [Timing(**values) for values in self._entries().get(self._key, ())]
        except TypeError as error:
            logger.info("the measured attention cannot be used: %s", error)
            return []

    def note(self, timings: Iterable[Timing]) -> None:
        """Keep these; of a kind of input and a backend the latest."""
        kept = {(t.kind, t.backend): t for t in (*self.load(), *timings)}
        keep(self._path, {**self._entries(), self._key: [_plain(t) for t in kept.values()]})

    def _entries(self) -> dict[str, Any]:
        data = read_kept(self._path)
        return data if isinstance(data, dict) else {}


def measured(device: torch.device) -> list[Timing]:
    """Time all that can attend on a device, on inputs such as the models have."""
    on_card = device.type == "cuda"
    backends = [Backend("PyTorch", attention), Backend("two products", attention_by_products)]
    if on_card:
        backends = available_backends(device)
    dtype = torch.bfloat16 if on_card else torch.float32
    timings: list[Timing] = []
    for heads, groups, width, queries, keys in _ON_CARD if on_card else _ON_PROCESSOR:
        q = torch.randn(1, queries, heads, width, device=device, dtype=dtype)
        k, v = torch.randn(2, 1, keys, groups, width, device=device, dtype=dtype)
        attend = ChosenAttention(backends)
        with torch.inference_mode():
            attend(q, k, v)
        timings += attend.timings
    return timings


def _plain(timing: Timing) -> dict[str, Any]:
    """As JSON values, which know no NaN."""
    values = asdict(timing)
    if timing.error is not None and not math.isfinite(timing.error):
        values["error"] = None
    return values
