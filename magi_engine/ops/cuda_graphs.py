"""Forwards that a graphics card runs again as it has recorded them (CUDA graphs).

Launching some thousand kernels one by one takes a processor longer than a fast card needs for
those of a small picture. A recording is launched as one.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

_MOST = 64
"""Computations that are remembered; a window of one chunk needs about 30."""


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    output: Tensor

    def run(self, inputs: Sequence[Tensor]) -> Tensor:
        for target, source in zip(self.inputs, inputs, strict=True):
            target.copy_(source)
        self.graph.replay()
        return self.output.clone()  # the next run writes into it


class GraphRunner:
    """Runs computations: at first as they are, from the second time on as recordings.

    Args:
        active: whether to record; only on CUDA, in inference mode.
    """

    def __init__(self, active: bool) -> None:
        self.active = active
        self._known: OrderedDict[Hashable, _Recording | None] = OrderedDict()  # None: ran once
        self._pool: Any = None

    def run(
        self, key: Hashable, compute: Callable[..., Tensor], inputs: Sequence[Tensor]
    ) -> Tensor:
        """``compute(*inputs)``, while :attr:`active`.

        Args:
            key: everything but the values of ``inputs`` that ``compute`` depends on, the memory
                included that it reads and writes beside them.
        """
        if key not in self._known:
            self._known[key] = None
            if len(self._known) > _MOST:
                self._known.popitem(last=False)
            return compute(*inputs)
        self._known.move_to_end(key)
        recording = self._known[key]
        if recording is None:
            try:
                recording = self._known[key] = self._record(compute, inputs)
            except RuntimeError as error:  # too little memory, or what cannot be recorded
                logger.info("nothing is recorded any more: %s", error)
                self.forget()
                return compute(*inputs)
        return recording.run(inputs)

    def _record(self, compute: Callable[..., Tensor], inputs: Sequence[Tensor]) -> _Recording:
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        own = tuple(x.clone() for x in inputs)
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the card meanwhile, such as to encode the video.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            output = compute(*own)
        return _Recording(graph, own, output)

    def forget(self) -> bool:
        """Give back the memory of the recordings and make no more; whether there were any."""
        self.active = False
        had_some = any(self._known.values())
        self._known.clear()
        self._pool = None
        return had_some
