"""Quantised attention (:mod:`magi_engine.ops.quantised_attention`) on NVIDIA's matrix units.

``cuda/quantise.cu`` makes 8-bit keys and values, at which ``cuda/hopper_attention.cu`` looks in
e4m3 on a Hopper, and ``cuda/int8_attention.cu`` in int8 on every other card from Turing on.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from magi_engine.ops import compiled
from magi_engine.ops.attention import Prepared
from magi_engine.ops.fp8 import E4M3
from magi_engine.ops.quantised_attention import KEYS_PER_TILE, averaged_keys

WIDTH = 128
"""Features of a head: what MAGI-1 has."""
_TILE_BYTES = KEYS_PER_TILE * WIDTH


@dataclass(frozen=True)
class Form:
    """A kernel that attends in 8 bits.

    Attributes:
        source: the file that holds it.
        int8: whether its keys and values are int8; else they are e4m3.
        queries, threads: of a block.
        shared_bytes: of a block.
    """

    source: str
    int8: bool
    queries: int
    threads: int
    shared_bytes: int


# Two stages of keys and of values, room to align them, and the barriers.
HOPPER = Form("hopper_attention.cu", False, 128, 384, 4 * _TILE_BYTES + 1024 + 256)
# A tile of keys, one of values, and the queries; from Ampere on, there is room for it twice.
INT8 = Form("int8_attention.cu", True, 64, 128, 2 * _TILE_BYTES + 64 * WIDTH)


@dataclass(frozen=True)
class QuantisedKeys:
    """Keys and values of one video in 8 bits, and what undoes the scaling (float32).

    Attributes:
        keys: (groups, tiles, 128 keys, D), swizzled.
        values: (groups, tiles, D, 128 keys), swizzled and with keys in the order of weights.
        key_scale: (groups,) in e4m3, (groups, tiles) in int8.
        value_scale, value_mean: (groups, D).
    """

    keys: Tensor
    values: Tensor
    key_scale: Tensor
    value_scale: Tensor
    value_mean: Tensor

    @property
    def addresses(self) -> tuple[int, ...]:
        """Of all, in the order in which kernels take them."""
        parts = (self.keys, self.values, self.key_scale, self.value_scale, self.value_mean)
        return tuple(part.data_ptr() for part in parts)


def quantise(
    kernels: compiled.Kernels, k: Tensor, v: Tensor, int8: bool, least: int | None = None
) -> QuantisedKeys:
    """Keys and values (1, S, groups, 128), of any strides between keys.

    Args:
        least: the fewest of them that any query sees; if not all: means are those of so many.
    """
    count, groups, width = k.shape[1:]
    tiles = -(-count // KEYS_PER_TILE)
    make = lambda *shape: torch.empty(shape, device=k.device, dtype=torch.float32)  # noqa: E731
    survey, (key_mean, value_mean, value_scale) = (
        make(groups, 6, tiles, width),
        make(3, groups, width),
    )
    key_scale = make(groups, tiles) if int8 else make(groups)
    dtype = torch.int8 if int8 else E4M3
    k8, v8 = torch.empty((2, groups, tiles, KEYS_PER_TILE, width), device=k.device, dtype=dtype)
    get = lambda name: kernels.get("quantise.cu", name, k.dtype, INT8=int(int8))  # noqa: E731
    steps = k.stride(1), v.stride(1)
    get("survey")(
        (tiles, groups), 256, k.data_ptr(), v.data_ptr(), survey.data_ptr(), count, *steps
    )
    means = key_mean.data_ptr(), key_scale.data_ptr(), value_mean.data_ptr(), value_scale.data_ptr()
    averaged = averaged_keys(count, count if least is None else least)
    averaged_tiles = -(-averaged // KEYS_PER_TILE)
    get("scales")(
        (groups,), 8 * width, survey.data_ptr(), *means, averaged, averaged_tiles, tiles
    )  # fmt: skip
    get("quantise")(
        (tiles, groups), 256,
        k.data_ptr(), v.data_ptr(), k8.data_ptr(), v8.data_ptr(), *means, count, *steps,
    )  # fmt: skip
    return QuantisedKeys(k8, v8, key_scale, value_scale, value_mean)


@dataclass(frozen=True)
class QuantisedAttention(Prepared):
    """:func:`.quantised_attention.e4m3_attention` or ``int8_attention`` of one video, in bfloat16
    or float16.

    Raises:
        RuntimeError: it cannot take these inputs, or cannot be compiled.
    """

    kernels: compiled.Kernels
    form: Form

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        _check(q, k, v)
        out = torch.empty_like(q, memory_format=torch.contiguous_format)
        return self._attend(q, quantise(self.kernels, k, v, self.form.int8), k.shape[1], out)

    def prepare(
        self, queries: Sequence[Tensor], k: Tensor, v: Tensor, counts: Sequence[int]
    ) -> list[Callable[[], Tensor]]:
        """See :func:`.prepare`. A block reads its queries before it writes in their place.

        In e4m3 keys and values are rounded once for all queries; in int8 for each, since a scale
        there depends on all that is rounded with it."""
        pairs = list(zip(queries, counts, strict=True))
        for q in queries:
            _check(q, k, v)
        if self.form.int8:
            seen = [quantise(self.kernels, k[:, :n], v[:, :n], int8=True) for _, n in pairs]
        else:
            most = max(counts)
            once = quantise(self.kernels, k[:, :most], v[:, :most], False, min(counts))
            seen = [once] * len(pairs)
        return [
            functools.partial(
                self._attend,
                q,
                own,
                count,
                q
                if q.stride(1) == q.shape[2] * q.shape[3]
                else torch.empty_like(q, memory_format=torch.contiguous_format),
            )
            for (q, count), own in zip(pairs, seen, strict=True)
        ]

    def _attend(self, q: Tensor, seen: QuantisedKeys, count: int, out: Tensor) -> Tensor:
        form = self.form
        kernel = self.kernels.get(form.source, "attend", q.dtype, form.shared_bytes)
        (length, heads), (groups, tiles) = q.shape[1:3], seen.keys.shape[:2]
        kernel(
            (-(-length // form.queries), heads), form.threads,
            q.data_ptr(), *seen.addresses, out.data_ptr(),
            q.stride(1), heads, heads // groups, length, count, tiles,
        )  # fmt: skip
        return out


def _check(q: Tensor, k: Tensor, v: Tensor) -> None:
    """Whether the kernels take these queries, keys and values: of one video, heads of 128.

    Raises:
        RuntimeError: they do not.
    """
    # Rows are read sixteen bytes at a time.
    dense = all(
        x.stride()[2:] == (WIDTH, 1) and x.stride(1) % 8 == 0 and x.data_ptr() % 16 == 0
        for x in (q, k, v)
    )
    halves = q.dtype in (torch.bfloat16, torch.float16)
    if len(q) != 1 or q.shape[3] != WIDTH or not dense or not halves:
        raise RuntimeError(f"no quantised attention for {q.dtype} {tuple(q.shape)}")
