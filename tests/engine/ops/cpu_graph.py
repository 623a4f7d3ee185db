"""A CUDA graph acted out on the CPU: operations on fixed memory, done again without Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class _Recording(TorchDispatchMode):
    """Every operation with its arguments and the memory of its results."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple[Any, Any, Any, Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default):
            raise RuntimeError("a graph cannot hand a number to the host")
        out = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, out))
        return out

    def replay(self) -> None:
        for func, args, kwargs, out in self.operations:
            for ours, new in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(ours, Tensor) and ours.data_ptr() != new.data_ptr():
                    ours.copy_(new)


def capture(work: Callable[[], None]) -> Callable[[], None]:
    """As :func:`magi_engine.ops.cuda_graphs.capture_on` gives on a GPU; the memory is left dirty,
    as one that was captured and not run."""
    recording = _Recording()
    with recording:
        work()
    for _, _, _, out in recording.operations[-1:]:
        out.fill_(torch.nan)
    return recording.replay
