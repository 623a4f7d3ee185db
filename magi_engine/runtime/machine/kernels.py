"""The kernels a model computes with, and what is known of their speed from earlier starts."""

from __future__ import annotations

import functools
import logging
import math
import threading
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from magi_engine import __version__
from magi_engine.config.places import compiled_dir
from magi_engine.json_text import read_cache, write_cache
from magi_engine.messages import Message
from magi_engine.ops.attention import Attention, attention, attention_by_products
from magi_engine.ops.backends import (
    EXACT,
    FASTEST,
    Backend,
    ChosenAttention,
    Timing,
    attention_for,
    available_backends,
    fused_kernels,
)
from magi_engine.ops.kernels import Kernels
from magi_engine.runtime.machine.facts import device_name
from magi_engine.runtime.machine.streams import Streams

logger = logging.getLogger(__name__)

_FILE = "attention.json"

# Heads, groups and head size; queries and keys. On a card those of the released 4.5B model at
# 720x720: a caption, one chunk that sees itself, and one that sees three others too. On a processor
# the pocket model's, which is what one would run there.
_ON_CARD = ((24, 8, 128, 12150, 120), (24, 8, 128, 12150, 12150), (24, 8, 128, 12150, 48600))
_ON_PROCESSOR = ((6, 2, 64, 384, 384), (6, 2, 64, 384, 1920))


class DeviceKernels:
    """What one model computes with on its device.

    Args:
        cache_dir: where compiled kernels and timings of attention are kept; None: nowhere.

    Attributes:
        choice: of the transformer's attention, see :func:`attention_for`.
        warm: whatever was computed once, so that nothing is compiled for it any more.
    """

    def __init__(self, device: torch.device, cache_dir: Path | None) -> None:
        self._device = device
        self._table = None if cache_dir is None else AttentionTable(cache_dir, device)
        self._folder = None if cache_dir is None else compiled_dir(cache_dir)
        self.choice = FASTEST
        self._fused_lock = threading.Lock()
        self._fused_found: tuple[Kernels, Message | None] | None = None
        self.warm: set[object] = set()

    @property
    def compiles(self) -> bool:
        """Whether the device compiles or tries kernels at the first use of a shape."""
        return self._device.type == "cuda"

    @functools.cached_property
    def streams(self) -> Streams:
        """The device's streams: for good, since libraries keep memory for each that is used."""
        return Streams(self._device)

    @functools.cached_property
    def plain(self) -> Kernels:
        """What runs between the matrix products."""
        return self._fused[0]

    @property
    def slow_because(self) -> Message | None:
        """Why a graphics card is slower than it could be at what was chosen, if it is."""
        plain, reason = self._fused
        needs_no_other = self.choice == EXACT and type(plain) is not Kernels
        return None if needs_no_other else reason

    @property
    def _fused(self) -> tuple[Kernels, Message | None]:
        with self._fused_lock:  # libraries are loaded on a thread of their own
            if self._fused_found is None:
                self._fused_found = fused_kernels(self._device, self._folder)
            return self._fused_found

    @functools.cached_property
    def attention(self) -> Attention:
        """The attention of the transformer; on a GPU it knows what it has tried."""
        return self.new_attention(self.choice)

    @functools.cached_property
    def exact_attention(self) -> Attention:
        """That of the autoencoder."""
        return self.new_attention(EXACT)

    def new_attention(self, choice: str) -> Attention:
        """See :func:`attention_for`; what it tries is its own."""
        return attention_for(self._device, choice, self._known_timings(), self._folder)

    def choose(self, choice: str) -> bool:
        """Which :attr:`attention` there is from now on; whether that is another one."""
        if choice == self.choice:
            return False
        self.choice = choice
        self.__dict__.pop("attention", None)
        return True

    @property
    def quantised_attention(self) -> str | None:
        """Name of the quantised attention that the transformer uses, as far as it has run."""
        attend = self.attention
        return attend.quantised if isinstance(attend, ChosenAttention) else None

    def keep_timings(self) -> None:
        """Let the next start know how fast each attention is."""
        used = (self.attention, self.exact_attention)
        timings = [t for a in used if isinstance(a, ChosenAttention) for t in a.timings]
        if self._table is not None and timings:
            self._table.note(timings)

    def _known_timings(self) -> list[Timing]:
        return [] if self._table is None else self._table.load()


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
        write_cache(self._path, {**self._entries(), self._key: [_plain(t) for t in kept.values()]})

    def _entries(self) -> dict[str, Any]:
        data = read_cache(self._path)
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
