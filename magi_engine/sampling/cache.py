"""The keys and values of a video's chunks: kept of those that are clean, and only while needed.

Noisy chunks get new ones in every forward, so theirs live in one layer at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from magi_engine.config.official import ModelConfig
from magi_engine.model.block import KeyRoom, Rooms
from magi_engine.ops.attention import Attention, attention, prepare
from magi_engine.ops.copies import CopyEvent, CopyStream, host_buffer
from magi_engine.ops.lanes import Lanes
from magi_engine.ops.mesh import ALONE, Arriving, Mesh


class RollingCache:
    """Keys (already rotated) and values of consecutive chunks.

    Clean chunks are kept for all layers: chunk ``i`` in place ``i % kept``, on the device or in
    the host's memory. A layer that runs sees them in a *work* buffer, followed by the chunks of
    the forward, so that every range of chunks is one view. These are at its end: their place does
    not depend on how much is before them. From the host they come on a lane of their own, those of
    the next layer while one computes.

    Args:
        kept: clean chunks that are needed at once.
        work: chunks that a forward sees and computes together.
        chunk_tokens: tokens per chunk.
        on_host: whether clean chunks are kept in the host's memory.
        mesh: whose share of the heads is kept.
    """

    def __init__(
        self,
        config: ModelConfig,
        kept: int,
        work: int,
        chunk_tokens: int,
        device: torch.device,
        dtype: torch.dtype,
        on_host: bool = False,
        mesh: Mesh = ALONE,
    ) -> None:
        self.kept, self.chunk_tokens, self.mesh = kept, chunk_tokens, mesh
        self._layers = config.num_layers
        self._device, self._dtype = device, dtype
        self._heads = (mesh.groups(config.num_query_groups), config.kv_channels)
        self._work_tokens = work * chunk_tokens
        self.on_host = on_host
        self.lanes = Lanes(device)
        kept_shape = (self._layers, 2, kept * chunk_tokens, *self._heads)
        if on_host:
            self._kept = host_buffer(kept_shape, dtype, device)
        else:
            self._kept = torch.empty(kept_shape, device=device, dtype=dtype)
        self._make_work()
        self._oldest = self._first = self._last = 0

    def _make_work(self) -> None:
        self._stream = CopyStream(self._device)
        shape = (2, self._work_tokens, *self._heads)
        self._work = [
            torch.empty(shape, device=self._device, dtype=self._dtype)
            for _ in range(1 + self.on_host)
        ]
        count = len(self._work)
        self._fetched: list[int | None] = [None] * count  # the layer whose history is there
        self._arrived: list[CopyEvent] = [None] * count
        self._saved: list[CopyEvent] = [None] * count
        self._used: list[CopyEvent] = [None] * count

    @property
    def nbytes(self) -> int:
        """What all this takes, wherever it is."""
        return self._kept.nbytes + sum(work.nbytes for work in self._work)

    def move_to_host(self) -> None:
        """Keep clean chunks in the host's memory from now on; between forwards.

        Raises:
            MemoryError: it does not give that much.
        """
        if self.on_host:
            return
        kept = host_buffer(tuple(self._kept.shape), self._dtype, self._device)
        self._kept = kept.copy_(self._kept)
        self.on_host = True
        self._work = []
        self._make_work()

    def begin(self, oldest: int, first: int, last: int) -> None:
        """A forward of chunks ``first .. last - 1`` comes, which see clean ones from ``oldest``
        on."""
        self._oldest, self._first, self._last = oldest, first, last
        self._fetched = [None] * len(self._work)

    def room(self, layer: int) -> tuple[Tensor, Tensor]:
        """Where k and v of the forward's chunks go in ``layer``: (1, tokens, groups, head_dim)."""
        slot = layer % len(self._work)
        self._stream.wait(self._saved[slot])
        if self.on_host:
            if self._fetched[slot] != layer:
                self._fetch(layer)
            if layer + 1 < self._layers:
                self._fetch(layer + 1)
        return self.read(layer, self._first, self._last)

    def arrive(self, layer: int) -> None:
        """What is computed from now on sees the history of ``layer``."""
        if self.on_host:
            self._stream.wait(self._arrived[layer % len(self._work)])
            return
        for target, source in self._history(layer):
            target.copy_(source)

    def keep(self, layer: int, chunk: int) -> None:
        """Keep what ``layer`` has written of ``chunk``, which is clean."""
        pairs = list(
            zip(self._place(layer, chunk), self._span(layer, chunk, chunk + 1), strict=True)
        )
        if self.on_host:
            slot = layer % len(self._work)
            self._saved[slot] = self._stream.copy(pairs, after=self._stream.computed())
            return
        for target, source in pairs:
            target.copy_(source)

    def read(self, layer: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        """Keys and values of chunks ``first .. last - 1`` while ``layer`` runs: views
        (1, tokens, groups, head_dim)."""
        k, v = self._span(layer, first, last)
        return k[None], v[None]

    def release(self, layer: int) -> None:
        """``layer`` has attended."""
        self._used[layer % len(self._work)] = self._stream.computed() if self.on_host else None

    def _fetch(self, layer: int) -> None:
        slot = layer % len(self._work)
        if self._oldest < self._first:
            pairs = self._history(layer)
            self._arrived[slot] = self._stream.copy(pairs, after=self._used[slot])
        self._fetched[slot] = layer

    def _history(self, layer: int) -> list[tuple[Tensor, Tensor]]:
        """Pairs of tensors: where the forward sees a clean chunk, and where it is kept."""
        return [
            pair
            for chunk in range(self._oldest, self._first)
            for pair in zip(
                self._span(layer, chunk, chunk + 1), self._place(layer, chunk), strict=True
            )
        ]

    def _span(self, layer: int, first: int, last: int) -> tuple[Tensor, Tensor]:
        tokens, work = self.chunk_tokens, self._work[layer % len(self._work)]
        end = self._work_tokens - self._last * tokens
        span = slice(end + first * tokens, end + last * tokens)
        return work[0, span], work[1, span]

    def _place(self, layer: int, chunk: int) -> tuple[Tensor, Tensor]:
        tokens, place = self.chunk_tokens, chunk % self.kept
        span = slice(place * tokens, (place + 1) * tokens)
        return self._kept[layer, 0, span], self._kept[layer, 1, span]


class WindowAttention(KeyRoom):
    """Self-attention of consecutive chunks and clean ones before them, for one forward.

    In a batch every video sees its own chunks, and the clean ones, which are the same for all.

    Args:
        cache: where keys and values go and come from.
        first: the first chunk of the forward.
        ranges: per chunk of the forward, the chunks [first, last) it attends to.
        attention: the kernel.
        keeps_first: whether the first chunk is clean and later forwards will see it.
    """

    def __init__(
        self,
        cache: RollingCache,
        first: int,
        ranges: Sequence[tuple[int, int]],
        attention: Attention = attention,
        keeps_first: bool = False,
    ) -> None:
        self.cache, self.first, self.ranges = cache, first, ranges
        self.attention = attention
        self.keeps_first = keeps_first
        lengths = [last - first for first, last in ranges]
        self.longest_first = sorted(range(len(ranges)), key=lambda i: -lengths[i])
        self.beginning: dict[int, list[int]] = {}
        for index in self.longest_first:
            self.beginning.setdefault(ranges[index][0], []).append(index)
        self.by_chunk = cache.mesh.by_chunk(len(ranges), cache.chunk_tokens)
        oldest = min(first, *(oldest for oldest, _ in ranges))
        cache.begin(oldest, first, first + len(ranges))

    def room(self, layer: int, shape: tuple[int, int]) -> Rooms:
        """See :class:`KeyRoom`."""
        k, v = self.cache.room(layer)
        # Else they are here once they have been exchanged, or once it is a video's turn.
        return Rooms(k=k, v=v) if self.cache.mesh.size == shape[0] == 1 else Rooms()

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """``k`` and ``v`` are in :meth:`room`. The result takes the place of ``q``."""
        cache, mesh, given = self.cache, self.cache.mesh, q
        if len(q) > 1:
            return self._each(layer, q, k, v)
        coming: dict[int, Arriving] = {}
        if mesh.size == 1:
            cache.arrive(layer)
        else:
            q, coming = self._gather(layer, q, k, v)
        if self.keeps_first:
            cache.keep(layer, self.first)
        queries = q.split(cache.chunk_tokens, dim=1)
        prepared = self._prepared(layer, queries)
        going: list[Arriving] = []
        if len(prepared) == 1:
            q = prepared[0]()
        else:
            places = given.chunk(len(queries), dim=1)
            with cache.lanes.opened() as lanes:
                # The last one has nothing beside it: it is to be short.
                for lane, index in enumerate(self.longest_first):
                    own = queries[index]
                    with lanes[lane % 2]:
                        if index in coming:
                            coming[index].wait()
                        result = prepared[index]()
                        if result is not own:
                            own.copy_(result)
                        if self.by_chunk:
                            going.append(mesh.to_tokens(own, cache.chunk_tokens, places[index]))
        cache.release(layer)
        if mesh.size == 1:
            return q
        if not self.by_chunk:
            going.append(mesh.to_tokens(q, cache.chunk_tokens, given))
        for chunk in going:
            chunk.wait()
        return given

    def _gather(
        self, layer: int, q: Tensor, k: Tensor, v: Tensor
    ) -> tuple[Tensor, dict[int, Arriving]]:
        """Put everybody's keys and values into their room. Returns queries and, by chunk, the
        exchanges of those that are still under way."""
        cache = self.cache
        rooms = cache.read(layer, self.first, self.first + len(self.ranges))
        (q, _, _), keys, queries = cache.mesh.to_heads(
            q,
            k,
            v,
            cache.chunk_tokens,
            *(room[0] for room in rooms),
            order=self.longest_first if self.by_chunk else (),
        )
        cache.arrive(layer)
        keys.wait()
        if queries and layer == 0:  # attention may be chosen by what it does with the first ones
            queries.pop(self.longest_first[0]).wait()
        return q, queries

    def _prepared(self, layer: int, queries: Sequence[Tensor]) -> dict[int, Callable[[], Tensor]]:
        """What attends for each of the chunks."""
        prepared: dict[int, Callable[[], Tensor]] = {}
        for first, which in self.beginning.items():  # those that begin with the same chunk
            lasts = [self.ranges[index][1] for index in which]
            k, v = self.cache.read(layer, first, max(lasts))
            counts = [(last - first) * self.cache.chunk_tokens for last in lasts]
            theirs = [queries[index] for index in which]
            prepared |= zip(which, prepare(self.attention, theirs, k, v, counts), strict=True)
        return prepared

    def _each(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same of a batch, one video after the other: as it is seen alone."""
        rooms = self.cache.read(layer, self.first, self.first + len(self.ranges))
        for own, *pair in zip(*(x.split(1) for x in (q, k, v)), strict=True):
            for room, x in zip(rooms, pair, strict=True):
                room.copy_(x)
            seen = self(layer, own, *rooms)
            if seen.data_ptr() != own.data_ptr():
                own.copy_(seen)
        return q


def attend_alone(
    layer: int, q: Tensor, k: Tensor, v: Tensor, *, mesh: Mesh = ALONE, tokens: int = 0
) -> Tensor:
    """Self-attention of a batch of single chunks, each only to itself; an ``Attend``.

    Args:
        tokens: of a chunk, in a mesh of several.
    """
    del layer
    if mesh.size == 1:
        return attention(q, k, v)
    heads, arriving, _ = mesh.to_heads(q, k, v, tokens)
    arriving.wait()
    mesh.to_tokens(attention(*heads), tokens, q).wait()
    return q
