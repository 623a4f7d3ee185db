"""CUDA graphs acted out on the CPU: operations on fixed memory, done again without Python."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
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
        self._before: list[tuple[Tensor, Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.item.default, torch.ops.aten._local_scalar_dense.default):
            raise RuntimeError("a graph cannot hand a number to the host")
        for spec, value in [*zip(func._schema.arguments, args, strict=False)] + [
            (spec, (kwargs or {}).get(spec.name)) for spec in func._schema.arguments
        ]:
            if spec.alias_info is not None and spec.alias_info.is_write and value is not None:
                self._before.append((value, value.clone()))
        out = func(*args, **(kwargs or {}))
        self.operations.append((func, args, kwargs or {}, out))
        return out

    def undo(self) -> None:
        """Leave memory as it was; what was made here is left dirty, as one that was captured and
        not run."""
        for target, before in reversed(self._before):
            target.copy_(before)
        for func, _, _, out in self.operations:
            if not any(returned.alias_info for returned in func._schema.returns):
                for made in tree_leaves(out):
                    if isinstance(made, Tensor) and made.is_floating_point():
                        made.fill_(torch.nan)

    def replay(self) -> None:
        for func, args, kwargs, out in self.operations:
            for ours, new in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                if isinstance(ours, Tensor) and ours.data_ptr() != new.data_ptr():
                    ours.copy_(new)


class CpuCapture:
    """As :func:`magi_engine.ops.cuda_graphs.capture_on` gives on a GPU."""

    def __init__(self) -> None:
        self._recording: _Recording | None = None
        self.renewed = 0

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        try:
            yield
        finally:
            if self._recording is not None:
                self.end()

    def renew(self) -> None:
        self.renewed += 1

    def begin(self) -> None:
        self._recording = _Recording()
        self._recording.__enter__()

    def end(self) -> Callable[[], object]:
        recording, self._recording = self._recording, None
        assert recording is not None
        recording.__exit__(None, None, None)
        recording.undo()
        return recording.replay
