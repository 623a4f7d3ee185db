"""Computations that run as CUDA graphs, in pieces.

Launching some thousand kernels one by one takes a processor longer than a fast card needs for
those of a small picture. A graph is launched as one, but it does the same with the same memory each
time. What differs from time to time is therefore left out: a computation *pauses* for it, and is
recorded as the pieces between its pauses.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

Now = TypeVar("Now")
Now_co = TypeVar("Now_co", covariant=True)


class Pause(Protocol[Now_co]):
    """``pause(target, work)``: ``work(now)`` with what ``now`` is this time; its result, which has
    the shape of ``target`` and may take its place, is to be used in its place."""

    def __call__(self, target: Tensor, work: Callable[[Now_co], Tensor]) -> Tensor: ...


class Capture(Protocol):
    """Records what a device is asked to do, without doing it."""

    def session(self) -> AbstractContextManager[object]:
        """A recording, with all that happens between its pieces, belongs in here."""
        ...

    def renew(self) -> None:
        """All recordings are gone: take memory anew."""
        ...

    def begin(self) -> None:
        """Record from here on."""
        ...

    def end(self) -> Callable[[], object]:
        """What does what was recorded since."""
        ...


class CudaCapture:
    """A :class:`Capture` of CUDA graphs that share one pool of memory."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool = torch.cuda.graph_pool_handle()
        self._graph: torch.cuda.CUDAGraph | None = None

    def renew(self) -> None:
        self._pool = torch.cuda.graph_pool_handle()
        torch.cuda.empty_cache()

    @contextlib.contextmanager
    def session(self) -> Iterator[None]:
        main, side = torch.cuda.current_stream(self._device), torch.cuda.Stream(self._device)
        side.wait_stream(main)
        try:
            with torch.cuda.stream(side):
                yield
        finally:
            if self._graph is not None:  # what was recorded failed
                with contextlib.suppress(RuntimeError):
                    self.end()
            main.wait_stream(side)

    def begin(self) -> None:
        self._graph = torch.cuda.CUDAGraph()
        # Other threads may use the card meanwhile, such as to encode the video.
        self._graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")

    def end(self) -> Callable[[], object]:
        assert self._graph is not None
        graph, self._graph = self._graph, None
        graph.capture_end()
        return graph.replay


def capture_on(device: torch.device) -> Capture | None:
    """What records on this device; None on devices without graphs."""
    return CudaCapture(device) if device.type == "cuda" else None


class _Recording(Generic[Now]):
    """A computation on fixed inputs, as its pieces and the pauses between them."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        self.inputs, self.output = [x.clone() for x in inputs], torch.empty_like(inputs[0])
        self._steps: list[Callable[[Now], object]] = []

    def make(self, capture: Capture, compute: Callable[..., Tensor], now: Now) -> None:
        """Record ``compute`` while it runs, which leaves its result in ``output``."""

        def step(work: Callable[[Now], object]) -> None:
            self._steps.append(work)
            work(now)

        def end_piece() -> None:
            replay = capture.end()
            step(lambda _now: replay())

        def pause(target: Tensor, work: Callable[[Now], Tensor]) -> Tensor:
            end_piece()
            step(lambda now: _put(work(now), target))
            capture.begin()
            return target

        with capture.session():
            capture.begin()
            self.output.copy_(compute(pause, *self.inputs))
            end_piece()

    def run(self, inputs: Sequence[Tensor], now: Now) -> None:
        for target, source in zip(self.inputs, inputs, strict=True):
            target.copy_(source)
        for step in self._steps:
            step(now)


def _put(result: Tensor, target: Tensor) -> None:
    if result.data_ptr() != target.data_ptr():
        target.copy_(result)


class GraphRunner(Generic[Now]):
    """Runs computations: at first as they are, from the second time on as graphs.

    Args:
        capture: see :func:`capture_on`; None: everything runs as it is. In inference mode only.
    """

    def __init__(self, capture: Capture | None) -> None:
        self._capture = capture
        self._recordings: dict[Hashable, _Recording[Now] | None] = {}
        self._shared: dict[str, Tensor] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of inputs and outputs; what runs in between is in the graphs' pool."""
        known = [r for r in self._recordings.values() if r is not None]
        return sum(x.nbytes for r in known for x in (*r.inputs, r.output))

    def shared(self, name: str, make: Callable[[], Tensor]) -> Tensor:
        """Memory that all graphs use from one piece to the next, made by the first call."""
        if name not in self._shared:
            self._shared[name] = make()
        return self._shared[name]

    def run(
        self,
        key: Hashable,
        compute: Callable[..., Tensor],
        inputs: Sequence[Tensor],
        now: Now,
    ) -> Tensor:
        """``compute(None, *inputs)``, or the same recorded from ``compute(pause, *inputs)``.

        Args:
            key: everything but the values of ``inputs`` and ``now`` that the recorded pieces depend
                on.
            compute: has a result of the shape of its first input; is given a :class:`Pause`.
            now: what the pauses of this run are given.
        """
        if self._capture is None:
            return compute(None, *inputs)
        key = key, tuple(x.shape for x in inputs)
        if key not in self._recordings:
            result = compute(None, *inputs)
            self._recordings[key] = None
            return result
        recording = self._recordings[key]
        if recording is not None:
            recording.run(inputs, now)
            return recording.output.clone()  # the next run writes into it
        largest = max((r.output.numel() for r in self._recordings.values() if r), default=0)
        if inputs[0].numel() > largest > 0:
            # What a small recording took cannot hold a large one, which can hold small ones.
            self._recordings = dict.fromkeys(self._recordings)
            self._capture.renew()
        try:
            recording = _Recording[Now](inputs)
            recording.make(self._capture, compute, now)
        except RuntimeError as error:  # too little memory, or what cannot be captured
            logger.info("no more CUDA graphs: %s", error)
            self.forget()
            return compute(None, *inputs)
        self._recordings[key] = recording
        return recording.output.clone()

    def forget(self) -> bool:
        """Give back the memory of the graphs and make no more; whether there were any."""
        self._capture = None
        had_some = any(recording is not None for recording in self._recordings.values())
        self._recordings.clear()
        self._shared.clear()
        return had_some
