"""Seconds and memory of the stages of a run."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass
from types import TracebackType

import psutil
import torch

_TICK_S = 0.02


@dataclass(frozen=True)
class Row:
    """A stage as it was measured. Sizes are in GB, and peaks.

    Attributes:
        own_gb: host memory of the process itself, without mapped files.
        rss_gb: with the parts of mapped files that it has touched; those the system can take back.
        vram_gb: what PyTorch held of the graphics card.
    """

    stage: str
    seconds: float
    own_gb: float | None = None
    rss_gb: float | None = None
    vram_gb: float | None = None


class Peaks:
    """Watches the memory of a process, from a thread of its own, while a ``with`` block runs."""

    def __init__(self, pid: int | None = None) -> None:
        self._process = psutil.Process(pid)
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch)
        self.own = self.rss = 0

    def __enter__(self) -> Peaks:
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while True:
            try:
                memory = self._process.memory_info()
            except psutil.NoSuchProcess:
                return
            self.rss = max(self.rss, memory.rss)
            self.own = max(self.own, memory.rss - getattr(memory, "shared", 0))
            if self._over.wait(_TICK_S):
                return


class Stage:
    """Times a ``with`` block and watches its memory; ``row`` is there when it is over."""

    def __init__(self, name: str, device: torch.device) -> None:
        self._name, self._device = name, device
        self._peaks = Peaks()
        self.row = Row(name, 0.0)

    def __enter__(self) -> Stage:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        self._peaks.__enter__()
        self._begun = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._device.type == "cuda" and error is None:
            torch.cuda.synchronize()
        seconds = time.perf_counter() - self._begun
        self._peaks.__exit__(kind, error, traceback)
        row = Row(self._name, seconds, self._peaks.own / 1e9, self._peaks.rss / 1e9)
        if self._device.type == "cuda":
            row = dataclasses.replace(row, vram_gb=torch.cuda.max_memory_allocated() / 1e9)
        self.row = row
