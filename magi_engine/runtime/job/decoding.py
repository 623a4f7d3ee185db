"""Turning finished chunks into frames, beside the denoising of the next ones where that fits."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from magi_engine.errors import NotFiniteError
from magi_engine.ops.mesh import ALONE
from magi_engine.runtime.machine.streams import DeviceEvent
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.models.memory import PlannedMemory
from magi_engine.runtime.models.ranks import Team


@dataclass(frozen=True)
class DecodedChunk:
    """A chunk on its way to the host.

    Attributes:
        index: its number, as the caller counts.
        latents: (1, 16, T, h, w), float32, on the host once it is ``there``.
        first: whether it is the first one of the job.
        beside: whether the next chunks are denoised meanwhile.
        source: the latents on the device, which still reads them.
    """

    index: int
    latents: Tensor
    first: bool
    beside: bool
    source: Tensor
    _frames: Tensor
    _finite: Tensor
    _begun: DeviceEvent
    _done: DeviceEvent

    @property
    def there(self) -> bool:
        """Whether its frames can be had without waiting."""
        return self._done.is_done

    def wait(self) -> None:
        """Until the device has it."""
        self._done.wait()

    def frames(self) -> NDArray[np.uint8]:
        """(4T, 8h, 8w, 3) RGB; waits for them.

        Raises:
            NotFiniteError: they were not computed from numbers.
        """
        self.wait()
        if not self._finite:
            raise NotFiniteError(
                "The model computed no picture but numbers that are not finite.",
                "Use less guidance, or have the model's files verified.",
            )
        return self._frames.numpy()

    def seconds(self) -> float:
        """How long the device took; only once it is ``there``."""
        return self._done.seconds_since(self._begun)


class ChunkDecoder:
    """Decodes the chunks of one job in their order.

    The first one has the device to itself, since somebody waits to see something. An urgent queue
    is not enough for that: its kernels do not interrupt those that run already.

    Args:
        team: who decodes along. What was under way when one of them was lost is decoded once more,
            here.
    """

    def __init__(self, model: LoadedModel, memory: PlannedMemory, team: Team | None = None) -> None:
        self._model, self._memory, self._streams = model, memory, model.kernels.streams
        self._team = team
        self._pending: deque[DecodedChunk] = deque()
        self._began_one = False

    def begin(self, index: int, latents: Tensor) -> None:
        """Queue a chunk (1, 16, T, h, w).

        Raises:
            torch.OutOfMemoryError, MemoryError: there is too little memory for any way.
            Exception: a process that decodes along was lost; the chunk comes nevertheless.
        """
        try:
            self._pending.append(self._memory.run(self._queued, index, latents))
        except Exception:
            if self._model.vae.mesh.size > 1:
                self._pending.append(self._alone(index, latents))
            raise
        finally:
            self._began_one = True

    def _alone(self, index: int, latents: Tensor) -> DecodedChunk:
        self._model.vae.mesh = ALONE
        return self._memory.run(self._queued, index, latents)

    def _queued(self, index: int, latents: Tensor) -> DecodedChunk:
        first = not self._began_one
        beside = self._memory.placement.decodes_beside and not first
        with self._streams.side() if beside else contextlib.nullcontext():
            begun = self._streams.record()
            decoded = self._model.decode(latents)
            frames, finite = map(self._streams.to_host, decoded)
            on_host = self._streams.to_host(latents)
            done = self._streams.record()
        return DecodedChunk(index, on_host, first, beside, latents, frames, finite, begun, done)

    def ready(self) -> Iterator[DecodedChunk]:
        """Those that are decoded; the first of the job is waited for."""
        while self._pending and (self._pending[0].there or self._pending[0].first):
            yield self._next()

    def rest(self) -> Iterator[DecodedChunk]:
        """All; waits for them."""
        while self._pending:
            yield self._next()

    def _next(self) -> DecodedChunk:
        chunk = self._pending[0]
        chunk.wait()
        if self._team is not None and self._team.lost and self._model.vae.mesh.size > 1:
            self._pending[0] = self._alone(chunk.index, chunk.source)
        return self._pending.popleft()
