"""Several processes, a graphics card each, that compute one forward together.

Every process has a share of the tokens of every chunk, for everything but self-attention. For that
they exchange: each then has all tokens of its share of the heads, and afterwards its own tokens of
all heads again (Ulysses, arXiv 2309.14509). What is decided is decided by the leading process.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")

LARGE_CHUNK = 3000
"""Tokens of a chunk in each process from which on chunks are exchanged one by one, beside the
attention of others. With 6075 (720x720 on two cards) that is the fastest way. With 864 (384x384 on
four) it takes twice as long as everything in one piece: there the host is what is waited for."""


def all_did(did: bool) -> bool:
    """Whether all processes of the default group say that they did; a :attr:`Mesh.all_did`."""
    said = torch.tensor(did, dtype=torch.uint8)
    dist.all_reduce(said, dist.ReduceOp.MIN)
    return bool(said)


def broadcast(value: object) -> Any:
    """What the leading process of the default group has given; a :attr:`Mesh.share`."""
    said = [value]
    dist.broadcast_object_list(said, src=0, device=torch.device("cpu"))
    return said[0]


class Shortage:
    """What the leading process says in place of what it was to decide: its memory has run out."""


@dataclass(frozen=True)
class Exchange:
    """One exchange of a forward.

    Attributes:
        kind: "to heads", "to tokens" or "whole".
        chunks: it is about, of so many ``tokens``.
        width: numbers of a token that go to one process, or in all where the kind is "whole".
    """

    kind: str
    chunks: int
    tokens: int
    width: int
    dtype: torch.dtype
    device: torch.device


@dataclass(frozen=True)
class Arriving:
    """An exchange under way.

    It holds what is sent and where that arrives, in memory of the stream in which it began. Keep
    it until that stream comes after :meth:`wait`, too, for then it may use this memory anew.
    """

    _work: dist.Work
    _sent: Tensor
    _place: Callable[[], object]

    def wait(self) -> None:
        """What the present stream computes from now on sees what has come."""
        self._work.wait()
        self._place()


@dataclass(frozen=True)
class Mesh:
    """The processes that compute together, and this one's place; alone unless said otherwise.

    They use the default process group and must ask for the same things in the same order. A mesh
    of one calls nothing.

    Attributes:
        rank: this process's number, from 0; that one leads.
        size: how many there are.
        share: gives every process what the leading one calls it with, in that order.
        all_did: whether all call it with True; none goes on before all have called it.
    """

    rank: int = 0
    size: int = 1
    share: Callable[[object], Any] = broadcast
    all_did: Callable[[bool], bool] = all_did
    _exchanges: list[int] = field(default_factory=lambda: [0], compare=False)
    """How many there have been in a forward."""

    @property
    def leads(self) -> bool:
        """Whether this process decides."""
        return self.rank == 0

    def agree(self, decide: Callable[[], T]) -> T:
        """What ``decide`` gives in the leading process; only there it is called.

        Raises:
            torch.OutOfMemoryError, MemoryError: memory ran out in it.
        """
        if self.size == 1:
            return decide()
        if not self.leads:
            said = self.share(None)
            if isinstance(said, Shortage):
                raise torch.OutOfMemoryError("the leading process has too little memory")
            return cast("T", said)
        try:
            decided = decide()
        except (torch.OutOfMemoryError, MemoryError):
            self.share(Shortage())
            raise
        return cast("T", self.share(decided))

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

    def attempt(self, forward: Callable[[], T], alike: Callable[[], Iterable[Exchange]]) -> T:
        """``forward()`` in every process, or an error in every one.

        Args:
            alike: the exchanges of ``forward``. Where it fails for want of memory, they go on with
                anything, for the others wait for them.

        Raises:
            torch.OutOfMemoryError, MemoryError: memory ran out, here or in another process.
        """
        if self.size == 1:
            return forward()
        self._exchanges[0] = 0
        shortage: Exception | None = None
        result = None
        try:
            result = forward()
        except (torch.OutOfMemoryError, MemoryError) as error:
            shortage = error.with_traceback(None)  # its frames hold on to tensors
        if shortage is not None:
            for exchange in itertools.islice(alike(), self._exchanges[0], None):
                self._go_on(exchange)
            if torch.cuda.is_initialized():
                # Exchanges that nobody has waited for write to memory that is free by now.
                torch.cuda.synchronize()
        if self.all_did(shortage is None):
            return cast("T", result)
        raise shortage or torch.OutOfMemoryError("another process has too little memory")

    def _go_on(self, exchange: Exchange) -> None:
        chunks, width = exchange.chunks, exchange.width
        lengths = [chunks * n for n in _lengths(exchange.tokens, self.size)]
        mine, there = [lengths[self.rank]] * self.size, sum(lengths)
        make = functools.partial(torch.zeros, dtype=exchange.dtype, device=exchange.device)
        if exchange.kind == "whole":
            self.whole(make(1, lengths[self.rank], width), chunks, exchange.tokens)
        elif exchange.kind == "to heads":
            _exchange(make(there, 1, width), make(sum(mine), 1, width), lengths, mine).wait()
        else:
            _exchange(make(sum(mine), 1, width), make(there, 1, width), mine, lengths).wait()

    def divided(
        self,
        shapes: Sequence[torch.Size],
        costs: Sequence[float],
        work: Callable[[int], Tensor],
        like: Tensor,
    ) -> list[Tensor]:
        """Pieces of work of which each is done by one process.

        Args:
            shapes: of what each piece gives, a tensor of the format and device of ``like``.
            costs: of each piece.
            work: does one.

        Returns:
            What they gave, in order; only in the leading process.

        Raises:
            torch.OutOfMemoryError, MemoryError: memory ran out, here or in another process.
        """
        if self.size == 1:
            return [work(piece) for piece in range(len(shapes))]
        shares = shares_of(costs, self.size)
        lengths = [sum(shapes[piece].numel() for piece in share) for share in shares]

        def own() -> tuple[Tensor, Tensor]:
            parts = [work(piece).flatten() for piece in shares[self.rank]]
            sent = torch.cat([like.new_empty(0), *parts])
            del parts
            return sent, like.new_empty(sum(lengths) if self.leads else 0)

        sent, arrived = self.attempt(own, lambda: ())
        from_each = lengths if self.leads else [0] * self.size
        to_each = [len(sent)] + [0] * (self.size - 1)
        _exchange(arrived.view(-1, 1, 1), sent.view(-1, 1, 1), from_each, to_each).wait()
        if not self.leads:
            return []
        order = [piece for share in shares for piece in share]
        sizes = [shapes[piece].numel() for piece in order]
        given = dict(zip(order, arrived.split(sizes), strict=True))
        return [given[piece].view(shape) for piece, shape in enumerate(shapes)]

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
        # In the stream of all other exchanges, which keeps their order.
        cast("dist.Work", dist.all_gather(shares, padded, async_op=True)).wait()
        self._exchanges[0] += 1
        pairs = zip(shares, lengths, strict=True)
        return torch.cat([share[:, :, :n] for share, n in pairs], dim=2).flatten(1, 2)

    def by_chunk(self, chunks: int, tokens: int) -> bool:
        """Whether chunks of so many tokens are exchanged one by one; see :data:`LARGE_CHUNK`."""
        return self.size > 1 and chunks > 1 and tokens >= LARGE_CHUNK * self.size

    def to_heads(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        tokens: int,
        k_room: Tensor | None = None,
        v_room: Tensor | None = None,
        order: Sequence[int] = (),
    ) -> tuple[list[Tensor], Arriving, dict[int, Arriving]]:
        """Begin to exchange this process's tokens of all heads for all tokens of its heads.

        Args:
            q: (N, S, heads, head_dim), this process's tokens of any number of chunks.
            k, v: (N, S, groups, head_dim).
            tokens: of a whole chunk.
            k_room, v_room: where theirs are to be written, (all tokens, own groups, head_dim).
            order: in which the chunks' queries are wanted, an exchange for each; empty: they come
                with keys and values.

        Returns:
            q, k and v, (N, all tokens, own heads or groups, head_dim), which are there after
            waiting for: the exchange of keys and values; by chunk of ``order`` that of its queries.
        """
        own, groups = self.count(tokens), self.groups(k.shape[2])
        chunks = q.shape[0] * q.shape[1] // own
        given = [x.reshape(chunks, own, *x.shape[2:]) for x in (q, k, v)]
        counts = (q.shape[2] // self.size, groups, groups)
        rooms = [
            q.new_empty((chunks * tokens, count, q.shape[3])) if room is None else room
            for count, room in zip(counts, (None, k_room, v_room), strict=True)
        ]
        heads = [x.unflatten(0, (q.shape[0], -1)) for x in rooms]
        rooms = [x.unflatten(0, (chunks, tokens)) for x in rooms]
        if not order:
            return heads, self._gather(given, rooms), {}
        keys = self._gather(given[1:], rooms[1:])
        queries = {i: self._gather([given[0][i : i + 1]], [rooms[0][i : i + 1]]) for i in order}
        return heads, keys, queries

    def _gather(self, given: Sequence[Tensor], rooms: Sequence[Tensor]) -> Arriving:
        """One exchange: each (chunks, own tokens, all heads, head_dim) into its room (chunks,
        tokens, own heads, head_dim)."""
        given, rooms = [_wide(x) for x in given], [_wide(x) for x in rooms]
        chunks, own, _, width = given[0].shape
        tokens, counts = rooms[0].shape[1], [room.shape[2] for room in rooms]
        sent = given[0].new_empty((self.size, chunks, own, sum(counts), width))
        for part, x in zip(sent.split(counts, dim=3), given, strict=True):
            if x.shape[2] < self.size:  # several processes attend to one group
                x = x.repeat_interleave(self.size // x.shape[2], dim=2)
            part.copy_(x.unflatten(2, (self.size, -1)).movedim(2, 0))
        in_place = chunks == len(rooms) == 1  # it comes in the order that is wanted
        arrived = rooms[0] if in_place else sent.new_empty((chunks * tokens, *sent.shape[3:]))
        from_each = [chunks * n for n in _lengths(tokens, self.size)]
        work = _exchange(arrived, sent, from_each, [chunks * own] * self.size)
        self._exchanges[0] += 1

        def place() -> None:
            if in_place:
                return
            order = _by_chunk(chunks, tokens, self.size, arrived.device)
            for room, x in zip(rooms, arrived.split(counts, dim=1), strict=True):
                torch.index_select(x, 0, order, out=room.flatten(0, 1))

        return Arriving(work, sent, place)

    def to_tokens(self, x: Tensor, tokens: int, out: Tensor) -> Arriving:
        """Begin the way back, (N, all tokens, own heads, head_dim) into ``out`` (N, S, heads,
        head_dim)."""
        own, to_each = self.count(tokens), _lengths(tokens, self.size)
        chunks = x.shape[0] * x.shape[1] // tokens
        sent, out = _wide(x).flatten(0, 1).contiguous(), _wide(out)
        if chunks > 1:
            sent = torch.index_select(sent, 0, _by_process(chunks, tokens, self.size, x.device))
        arrived = sent.new_empty((self.size, chunks, own, *sent.shape[1:]))
        work = _exchange(arrived, sent, [chunks * own] * self.size, [chunks * n for n in to_each])
        self._exchanges[0] += 1
        target = out.view(chunks, own, *arrived.movedim(0, 2).shape[2:])
        return Arriving(work, sent, lambda: target.copy_(arrived.movedim(0, 2)))


ALONE = Mesh()


def join(
    store: Path,
    rank: int,
    size: int,
    device: torch.device,
    timeout_s: float,
    share: Callable[[object], Any] = broadcast,
    did: Callable[[bool], bool] = all_did,
) -> Mesh:
    """The mesh of ``size`` processes that come here with the same ``store``; waits for them.

    They talk through memory, NVLink and the loopback device, never through a network.

    Args:
        store: a file that is not there yet, for them to find each other.
        device: of this process.
        timeout_s: how long each may keep the others waiting.
        share, did: see :class:`Mesh`; where they are given, cards need nothing but NCCL.

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
    return Mesh(rank, size, share, did)


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


def shares_of(costs: Sequence[float], size: int) -> list[list[int]]:
    """Who does which pieces of work: the dearest first, each by who has least to do so far."""
    shares: list[list[int]] = [[] for _ in range(size)]
    busy = [0.0] * size
    for piece in sorted(range(len(costs)), key=lambda piece: -costs[piece]):
        who = min(range(size), key=lambda rank: busy[rank])
        shares[who].append(piece)
        busy[who] += costs[piece]
    return shares


@functools.lru_cache(maxsize=16)
def _by_chunk(chunks: int, tokens: int, size: int, device: torch.device) -> Tensor:
    """Where the tokens of chunk after chunk lie among those of process after process."""
    lengths = _lengths(tokens, size)
    numbers = torch.arange(chunks * tokens).split([chunks * n for n in lengths])
    by_process = [x.view(chunks, n) for x, n in zip(numbers, lengths, strict=True)]
    return torch.cat(by_process, dim=1).flatten().to(device)


@functools.lru_cache(maxsize=16)
def _by_process(chunks: int, tokens: int, size: int, device: torch.device) -> Tensor:
    """The other way round."""
    return _by_chunk(chunks, tokens, size, torch.device("cpu")).argsort().to(device)


_WIDE = (torch.complex128, torch.int64, torch.int32, torch.int16, torch.uint8)


def _wide(x: Tensor) -> Tensor:
    """A view of heads (..., head_dim) as the widest numbers that their bytes divide into: a device
    moves those of 16 bytes as fast as it can. Where a head starts is divisible, too, since only
    whole heads lie before it."""
    head = x.shape[-1] * x.element_size()
    return x.view(next(dtype for dtype in _WIDE if head % dtype.itemsize == 0))


def _exchange(
    received: Tensor, sent: Tensor, from_each: Sequence[int], to_each: Sequence[int]
) -> dist.Work:
    """Begin an all to all; so many of the last two axes from and to each process, in order."""
    step = sent.shape[-2] * sent.shape[-1] * sent.element_size()
    # As bytes: not every backend knows every number format.
    work = dist.all_to_all_single(
        received.view(-1).view(torch.uint8),
        sent.view(-1).view(torch.uint8),
        [n * step for n in from_each],
        [n * step for n in to_each],
        async_op=True,
    )
    return cast("dist.Work", work)
