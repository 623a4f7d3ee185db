"""Forwards that run as CUDA graphs.

Launching some thousand kernels one by one takes a processor longer than a fast card needs for
those of a small picture. A graph is launched as one.
"""

from __future__ import annotations

import logging
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

Capture = Callable[[Callable[[], None]], Callable[[], None]]
"""Records what a function has the device do, without doing it; the result does it."""

_MOST = 64
"""Forwards that are remembered; a window of one chunk needs about 30."""


def capture_on(device: torch.device) -> Capture | None:
    """Captures CUDA graphs that share one pool of memory; None on devices without graphs."""
    if device.type != "cuda":
        return None
    pool = torch.cuda.graph_pool_handle()

    def capture(work: Callable[[], None]) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        # Other threads may use the card meanwhile, such as to encode the video.
        with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
            work()
        return graph.replay

    return capture


class GraphRunner:
    """Runs computations: at first as they are, from the second time on as graphs.

    Graphs of one shape of inputs read and write the same memory.

    Args:
        capture: see :func:`capture_on`; None: everything runs as it is. In inference mode only.
    """

    def __init__(self, capture: Capture | None) -> None:
        self._capture = capture
        self._graphs: OrderedDict[Hashable, Callable[[], None] | None] = OrderedDict()
        self._memory: dict[Hashable, tuple[list[Tensor], Tensor]] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of inputs and outputs; what runs in between is in the graphs' pool."""
        return sum(x.nbytes for own, output in self._memory.values() for x in (*own, output))

    def run(
        self,
        key: Hashable,
        uses: Sequence[object],
        compute: Callable[..., Tensor],
        inputs: Sequence[Tensor],
    ) -> Tensor:
        """``compute(*inputs)``.

        Args:
            key: everything but the values of ``inputs`` and ``uses`` that ``compute`` depends on,
                the memory included that it reads and writes beside them.
            uses: what else it reads. A graph does not keep it alive, and goes when it does.
        """
        if self._capture is None:
            return compute(*inputs)
        shapes = tuple(x.shape for x in inputs)
        key = key, shapes, tuple(weakref.ref(used) for used in uses)
        if key not in self._graphs:
            result = compute(*inputs)
            self._forget_unused()
            self._graphs[key] = None
            if shapes not in self._memory:
                self._memory[shapes] = [x.clone() for x in inputs], torch.empty_like(result)
            return result
        self._graphs.move_to_end(key)
        own, output = self._memory[shapes]
        replay = self._graphs[key]
        if replay is None:

            def work() -> None:
                output.copy_(compute(*own))

            try:
                replay = self._capture(work)
            except RuntimeError as error:  # too little memory, or what cannot be captured
                logger.info("no more CUDA graphs: %s", error)
                self.forget()
                return compute(*inputs)
            self._graphs[key] = replay
        for target, source in zip(own, inputs, strict=True):
            target.copy_(source)
        replay()
        return output.clone()  # the next run writes into it

    def _forget_unused(self) -> None:
        for key in [k for k in self._graphs if any(used() is None for used in k[2])]:  # type: ignore[index]
            del self._graphs[key]
        if len(self._graphs) == _MOST:
            self._graphs.popitem(last=False)

    def forget(self) -> bool:
        """Give back the memory of the graphs and make no more; whether there were any."""
        self._capture = None
        had_some = bool(self._memory)
        self._graphs.clear()
        self._memory.clear()
        return had_some
