"""Several processes, a graphics card each, that compute one forward together.

Every process has a share of the tokens of every chunk, for everything but self-attention. For that
they exchange: each then has all tokens of its share of the heads, and afterwards its own tokens of
all heads again (Ulysses, arXiv 2309.14509). What is decided is decided by the leading process.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")


@dataclass(frozen=True)
class Arriving:
    """An exchange under way; what was sent is kept until it is over."""

    _received: Tensor
    _sent: Tensor
    _work: dist.Work

    def wait(self) -> Tensor:
        """What has come; what is computed from now on waits for it."""
        self._work.wait()
        return self._received


def broadcast(value: object) -> Any:
    """What the leading process of the default group has given; a :attr:`Mesh.share`."""
    said = [value]
    dist.broadcast_object_list(said, src=0, device=torch.device("cpu"))
    return said[0]


@dataclass(frozen=True)
class Mesh:
    """The processes that compute together, and this one's place; alone unless said otherwise.

    They use the default process group and must ask for the same things in the same order. A mesh
    of one calls nothing.

    Attributes:
        rank: this process's number, from 0; that one leads.
        size: how many there are.
        share: gives every process what the leading one calls it with, in that order.
    """

    rank: int = 0
    size: int = 1
    share: Callable[[object], Any] = broadcast

    @property
    def leads(self) -> bool:
        """Whether this process decides."""
        return self.rank == 0

    def agree(self, decide: Callable[[], T]) -> T:
        """What ``decide`` gives in the leading process; only there it is called."""
        if self.size == 1:
            return decide()
        return cast("T", self.share(decide() if self.leads else None))

    def each(self, items: Iterator[T]) -> Generator[T]:
        """``items`` of the leading process, which go on for as long as it takes them there."""
        if self.size == 1:
            yield from items
            return
        try:
            while (item := self.agree(lambda: next(items, None))) is not None:
                yield item
        except GeneratorExit:
            self.agree(lambda: None)
            raise

    def groups(self, groups: int) -> int:
        """How many of so many key groups this process attends to."""
        return max(1, groups // self.size)

    def count(self, tokens: int) -> int:
        """How many of a chunk's tokens this process has."""
        return _lengths(tokens, self.size)[self.rank]

    def own(self, x: Tensor, chunks: int, axis: int) -> Tensor:
        """This process's tokens, of all of ``chunks`` equal chunks along ``axis``."""
        if self.size == 1:
            return x
        by_chunk = x.unflatten(axis, (chunks, -1))
        tokens = by_chunk.shape[axis + 1]
        first = sum(_lengths(tokens, self.size)[: self.rank])
        mine = by_chunk.narrow(axis + 1, first, self.count(tokens))
        return mine.flatten(axis, axis + 1).contiguous()

    def whole(self, x: Tensor, chunks: int, tokens: int) -> Tensor:
        """Everybody's tokens: (N, S', C) of this process -> (N, chunks * tokens, C)."""
        if self.size == 1:
            return x
        lengths = _lengths(tokens, self.size)
        by_chunk = x.unflatten(1, (chunks, -1))
        padded = x.new_zeros((*by_chunk.shape[:2], max(lengths), x.shape[2]))
        padded[:, :, : lengths[self.rank]] = by_chunk
        shares = [torch.empty_like(padded) for _ in lengths]
        dist.all_gather(shares, padded)
        pairs = zip(shares, lengths, strict=True)
        return torch.cat([share[:, :, :n] for share, n in pairs], dim=2).flatten(1, 2)

    def to_heads(self, q: Tensor, k: Tensor, v: Tensor, tokens: int) -> Arriving:
        """Begin to exchange this process's tokens of all heads for all tokens of its heads.

        Args:
            q: (1, S', heads, head_dim), S' this process's tokens of a chunk.
            k, v: (1, S', groups, head_dim).
            tokens: of the whole chunk.

        Returns:
            What gives (tokens, own heads + 2 * own groups, head_dim): :meth:`split_heads`.
        """
        sent = q.new_empty((self.size, q.shape[1], sum(self._widths(q, k)), q.shape[3]))
        parts = sent.split(self._widths(q, k), dim=2)
        for part, x in zip(parts, (q[0], k[0], v[0]), strict=True):
            if x.shape[1] < self.size:  # several processes attend to one group
                x = x.repeat_interleave(self.size // x.shape[1], dim=1)
            part.copy_(x.unflatten(1, (self.size, -1)).movedim(1, 0))
        received = q.new_empty((tokens, *sent.shape[2:]))
        return _exchange(received, sent, _lengths(tokens, self.size), [q.shape[1]] * self.size)

    def split_heads(self, arrived: Tensor, q: Tensor, k: Tensor) -> tuple[Tensor, ...]:
        """q, k, v (1, tokens, own heads or groups, head_dim) of what has come for these."""
        return arrived[None].split(self._widths(q, k), dim=2)

    def _widths(self, q: Tensor, k: Tensor) -> tuple[int, int, int]:
        groups = self.groups(k.shape[2])
        return q.shape[2] // self.size, groups, groups

    def to_tokens(self, x: Tensor) -> Arriving:
        """Begin the way back: (1, tokens, own heads, head_dim) -> (mesh, S', own heads,
        head_dim), for :meth:`put_tokens`."""
        lengths = _lengths(x.shape[1], self.size)
        mine = lengths[self.rank]
        received = x.new_empty((self.size, mine, *x.shape[2:]))
        return _exchange(received, x[0].contiguous(), [mine] * self.size, lengths)

    def put_tokens(self, arrived: Tensor, target: Tensor) -> None:
        """Write what has come into ``target`` (1, S', heads, head_dim)."""
        target[0].unflatten(1, (self.size, -1)).copy_(arrived.movedim(0, 1))


ALONE = Mesh()


def join(
    store: Path,
    rank: int,
    size: int,
    device: torch.device,
    timeout_s: float,
    share: Callable[[object], Any] = broadcast,
) -> Mesh:
    """The mesh of ``size`` processes that come here with the same ``store``; waits for them.

    They talk through memory, NVLink and the loopback device, never through a network.

    Args:
        store: a file that is not there yet, for them to find each other.
        device: of this process.
        timeout_s: how long each may keep the others waiting.
        share: see :class:`Mesh`.

    Raises:
        RuntimeError: they did not come, or cannot talk to each other.
    """
    if sys.platform != "win32":
        loopback = "lo0" if sys.platform == "darwin" else "lo"
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = loopback
    # Whoever watches the processes ends what waits for one that is gone.
    os.environ["TORCH_NCCL_ASYNC_ERROR_HANDLING"] = "0"
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl" if share is broadcast else "nccl"
    dist.init_process_group(
        backend,
        init_method=store.absolute().as_uri(),
        rank=rank,
        world_size=size,
        timeout=timedelta(seconds=timeout_s),
        device_id=device if device.type == "cuda" else None,
    )
    return Mesh(rank, size, share)


def leave(in_order: bool = True) -> None:
    """End the mesh on this side; its connections are closed.

    Args:
        in_order: whether the others come here too, and wait for each other. Whoever hangs up on
            one that still listens takes gloo's threads down with it.
    """
    if in_order:
        dist.barrier()
    if dist.is_initialized():
        dist.destroy_process_group()


def abort() -> None:
    """End what a card waits for in vain, from any thread; the mesh is of no use then."""
    if dist.is_initialized() and dist.get_backend() == "nccl":
        from torch.distributed import distributed_c10d

        distributed_c10d._abort_process_group()


def _lengths(tokens: int, size: int) -> list[int]:
    """Each process's share of a chunk's tokens."""
    return [b - a for a, b in pairwise(tokens * i // size for i in range(size + 1))]


def _exchange(
    received: Tensor, sent: Tensor, from_each: Sequence[int], to_each: Sequence[int]
) -> Arriving:
    """All to all; so many of the last two axes from and to each process, in order."""
    step = sent.shape[-2] * sent.shape[-1] * sent.element_size()
    # As bytes: not every backend knows every number format.
    work = dist.all_to_all_single(
        received.view(-1).view(torch.uint8),
        sent.view(-1).view(torch.uint8),
        [n * step for n in from_each],
        [n * step for n in to_each],
        async_op=True,
    )
    assert work is not None
    return Arriving(received, sent, work)
