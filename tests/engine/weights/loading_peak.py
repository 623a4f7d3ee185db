"""Loads a model with all layers offloaded and prints the most memory of its own it took.

``python -m tests.engine.weights.loading_peak CONFIG DTYPE LAYERS``; a process of its own, so that
nothing else allocates. Files that are mapped do not count: the system takes their memory back when
it has to.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import torch

from magi_engine.model import offload
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.planning.placement import Placement
from magi_engine.weights.layout import find_model


def own_bytes() -> int:
    for line in Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


def main() -> None:
    config, dtype, layers = sys.argv[1:]
    peak, really = 0, offload._packed

    def packed(*arguments: object) -> torch.Tensor:
        nonlocal peak
        memory = really(*arguments)  # type: ignore[arg-type]
        peak = max(peak, own_bytes())
        return memory

    offload._packed = packed
    model = LoadedModel(find_model(Path(config)), torch.device("cpu"), getattr(torch, dtype))
    model.load_dit()  # libraries take memory of their own the first time
    model.unload()
    ctypes.CDLL(None).malloc_trim(0)  # what was freed would be used again, and not be seen
    model.place(Placement(0, 0, tuple(range(int(layers)))))
    before = own_bytes()
    model.load_dit()
    print(peak - before, model.offloaded_bytes())


if __name__ == "__main__":
    main()
