"""Quantised attention (:mod:`magi_engine.ops.quantised_attention`) in Triton.

:func:`quantise` makes e4m3 keys and values, for this module's :func:`attend` and for the kernel
of :mod:`magi_engine.ops.hopper_attention`. Needs an NVIDIA GPU with fp8 matrix units (Ada, Hopper
and later).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import triton
import triton.language as tl
from torch import Tensor

from magi_engine.ops.fp8 import E4M3, E4M3_MAX
from magi_engine.ops.quantised_attention import SMALLEST, WEIGHT_BITS

KEYS_PER_TILE = 128
"""Keys and values lie in tiles of so many; the last is filled up with zeros."""

_E4M3_MAX = tl.constexpr(E4M3_MAX)
_SMALLEST = tl.constexpr(SMALLEST)
_WEIGHT_BITS = tl.constexpr(WEIGHT_BITS)
_FAR_BELOW = tl.constexpr(-1e30)
_LOG2_E = math.log2(math.e)

_SURVEYED = 128
"""Keys that one program of the survey looks at."""
_WAYS = [
    triton.Config({"QUERIES": queries, "KEYS": keys, "STAGES": stages}, num_warps=warps)
    for queries, keys, warps, stages in ((128, 64, 8, 3), (64, 64, 4, 3), (128, 128, 8, 2))
]
"""What programs may look like; which is fastest differs between generations of cards."""


@dataclass(frozen=True)
class QuantisedKeys:
    """Keys and values of one video in e4m3, and what undoes the scaling (float32).

    Attributes:
        keys: (groups, tiles, 128 keys, D).
        values: (groups, tiles, D, 128 keys).
        count: of the keys; what is behind them in the last tile is zero.
        key_scale: (groups,).
        value_scale, value_mean: (groups, D).
    """

    keys: Tensor
    values: Tensor
    count: int
    key_scale: Tensor
    value_scale: Tensor
    value_mean: Tensor


@triton.jit
def _survey_kernel(
    k_ptr, v_ptr, out_ptr, count, k_step, v_step, blocks,
    WIDTH: tl.constexpr, KEYS: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    # Sum, least and most of KEYS keys and values, by channel: six rows of the output.
    block, group = tl.program_id(0), tl.program_id(1)
    cols = tl.arange(0, WIDTH)
    for which in tl.static_range(2):
        base = (v_ptr if which else k_ptr) + group * WIDTH + cols[None]
        step = v_step if which else k_step
        total = tl.zeros((WIDTH,), tl.float32)
        least = tl.full((WIDTH,), float("inf"), tl.float32)
        most = tl.full((WIDTH,), float("-inf"), tl.float32)
        for first in tl.range(0, KEYS, ROWS):
            rows = block * KEYS + first + tl.arange(0, ROWS)
            mask = (rows < count)[:, None]
            x = tl.load(base + rows[:, None].to(tl.int64) * step, mask, 0.0).to(tl.float32)
            total += tl.sum(x, 0)
            least = tl.minimum(least, tl.min(tl.where(mask, x, float("inf")), 0))
            most = tl.maximum(most, tl.max(tl.where(mask, x, float("-inf")), 0))
        out = out_ptr + ((group * 6 + which * 3) * blocks + block) * WIDTH + cols
        tl.store(out, total)
        tl.store(out + blocks * WIDTH, least)
        tl.store(out + 2 * blocks * WIDTH, most)


@triton.jit
def _scales_kernel(
    survey_ptr, key_mean_ptr, key_scale_ptr, value_mean_ptr, value_scale_ptr, count, blocks,
    WIDTH: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    # One program: the means and scales of a group, from its surveys.
    group = tl.program_id(0)
    cols = tl.arange(0, WIDTH)
    for which in tl.static_range(2):
        base = survey_ptr + (group * 6 + which * 3) * blocks * WIDTH + cols[None]
        total = tl.zeros((WIDTH,), tl.float32)
        least = tl.full((WIDTH,), float("inf"), tl.float32)
        most = tl.full((WIDTH,), float("-inf"), tl.float32)
        for first in tl.range(0, blocks, ROWS):
            rows = first + tl.arange(0, ROWS)
            mask = (rows < blocks)[:, None]
            at = base + rows[:, None] * WIDTH
            total += tl.sum(tl.load(at, mask, 0.0), 0)
            at += blocks * WIDTH
            least = tl.minimum(least, tl.min(tl.load(at, mask, float("inf")), 0))
            at += blocks * WIDTH
            most = tl.maximum(most, tl.max(tl.load(at, mask, float("-inf")), 0))
        mean = total / count
        reach = tl.maximum(most - mean, mean - least)
        if which:
            tl.store(value_mean_ptr + group * WIDTH + cols, mean)
            scale = tl.maximum(reach, _SMALLEST) / _E4M3_MAX
            tl.store(value_scale_ptr + group * WIDTH + cols, scale)
        else:
            tl.store(key_mean_ptr + group * WIDTH + cols, mean)
            tl.store(key_scale_ptr + group, tl.maximum(tl.max(reach, 0), _SMALLEST) / _E4M3_MAX)


@triton.jit
def _at(row, col, SWIZZLED: tl.constexpr, ROW_BYTES: tl.constexpr):
    # Where a byte of a tile lies. Swizzled: pieces of 16 bytes change places with the row.
    piece = col // 16
    if SWIZZLED:
        piece = piece ^ (row % 8)
    return row * ROW_BYTES + piece * 16 + col % 16


@triton.jit
def _quantise_kernel(
    k_ptr, v_ptr, k8_ptr, v8_ptr, key_mean_ptr, key_scale_ptr, value_mean_ptr, value_scale_ptr,
    count, k_step, v_step,
    FOR_HOPPER: tl.constexpr, WIDTH: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    # One program: a tile of keys and of values.
    tile, group = tl.program_id(0), tl.program_id(1)
    place = tl.arange(0, KEYS)
    cols = tl.arange(0, WIDTH)
    target = (group * tl.num_programs(0) + tile).to(tl.int64) * KEYS * WIDTH

    rows = tile * KEYS + place
    mask = (rows < count)[:, None]
    k = tl.load(k_ptr + rows[:, None].to(tl.int64) * k_step + group * WIDTH + cols[None], mask, 0.0)
    mean = tl.load(key_mean_ptr + group * WIDTH + cols)[None]
    scaled = (k.to(tl.float32) - mean) / tl.load(key_scale_ptr + group)
    scaled = tl.where(mask, tl.clamp(scaled, -_E4M3_MAX, _E4M3_MAX), 0.0)
    at = _at(place[:, None], cols[None], FOR_HOPPER, WIDTH)
    tl.store(k8_ptr + target + at, scaled.to(tl.float8e4nv))

    if FOR_HOPPER:  # see hopper_attention.cu: weights stay in the threads that computed them
        lane, slot = place % 16 // 4, place % 4
        rows = tile * KEYS + place // 16 * 16 + 2 * lane + slot % 2 + slot // 2 * 8
        mask = (rows < count)[:, None]
    v = tl.load(v_ptr + rows[:, None].to(tl.int64) * v_step + group * WIDTH + cols[None], mask, 0.0)
    mean = tl.load(value_mean_ptr + group * WIDTH + cols)[None]
    scale = tl.load(value_scale_ptr + group * WIDTH + cols)[None]
    scaled = tl.clamp((v.to(tl.float32) - mean) / scale, -_E4M3_MAX, _E4M3_MAX)
    scaled = tl.where(mask, scaled, 0.0).to(tl.float8e4nv)
    at = _at(cols[:, None], place[None], FOR_HOPPER, KEYS)
    tl.store(v8_ptr + target + at, tl.trans(scaled))


def quantise(k: Tensor, v: Tensor, for_hopper: bool = False) -> QuantisedKeys:
    """Keys and values (1, S, groups, D) of any float dtype in e4m3; D a power of two.

    Args:
        for_hopper: whether bytes of a tile lie as the Hopper kernel wants them.
    """
    count, groups, width = k.shape[1:]
    tiles, blocks = triton.cdiv(count, KEYS_PER_TILE), triton.cdiv(count, _SURVEYED)
    survey = torch.empty((groups, 6, blocks, width), device=k.device, dtype=torch.float32)
    scales = torch.empty((3, groups, width), device=k.device, dtype=torch.float32)
    key_scale = torch.empty(groups, device=k.device, dtype=torch.float32)
    key_mean, value_mean, value_scale = scales
    k8, v8 = torch.empty((2, groups, tiles, KEYS_PER_TILE, width), device=k.device, dtype=E4M3)
    _survey_kernel[(blocks, groups)](
        k, v, survey, count, k.stride(1), v.stride(1), blocks,
        WIDTH=width, KEYS=_SURVEYED, ROWS=64, num_warps=4,
    )  # fmt: skip
    _scales_kernel[(groups,)](
        survey, key_mean, key_scale, value_mean, value_scale, count, blocks,
        WIDTH=width, ROWS=64, num_warps=8,
    )  # fmt: skip
    _quantise_kernel[(tiles, groups)](
        k, v, k8, v8, key_mean, key_scale, value_mean, value_scale,
        count, k.stride(1), v.stride(1),
        FOR_HOPPER=for_hopper, WIDTH=width, KEYS=KEYS_PER_TILE, num_warps=8,
    )  # fmt: skip
    v8 = v8.view(groups, tiles, width, KEYS_PER_TILE)
    return QuantisedKeys(k8, v8, count, key_scale, value_scale, value_mean)


@triton.jit
def _exp2(x, FAST: tl.constexpr):
    if FAST:  # without the care for numbers below float32's normal range
        return tl.inline_asm_elementwise(
            "ex2.approx.ftz.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )
    return tl.exp2(x)


@triton.jit
def _look(
    q8, factor, out, total, most, k_ptr, v_ptr, first, count,
    MASKED: tl.constexpr, WIDTH: tl.constexpr, TILE: tl.constexpr, KEYS: tl.constexpr,
    FAST: tl.constexpr,
):  # fmt: skip
    # Queries look at KEYS keys, all of one tile.
    cols = tl.arange(0, WIDTH)
    keys = tl.arange(0, KEYS)
    k8 = tl.load(k_ptr + first * WIDTH + cols[:, None] + keys[None] * WIDTH)
    scores = tl.dot(q8, k8)
    if MASKED:
        scores = tl.where((first + keys < count)[None], scores, _FAR_BELOW)
    now = tl.maximum(most, tl.max(scores, 1) * factor)
    weights = _exp2(scores * factor[:, None] - (now - _WEIGHT_BITS)[:, None], FAST)
    before = _exp2(most - now, FAST)
    total = total * before + tl.sum(weights, 1)
    begin = tl.multiple_of(first // TILE * TILE * WIDTH + first % TILE, KEYS)
    v8 = tl.load(v_ptr + begin + keys[:, None] + cols[None] * TILE)
    out = tl.dot(weights.to(tl.float8e4nv), v8, out * before[:, None])
    return out, total, now


@triton.autotune(configs=_WAYS, key=["WIDTH"], cache_results=True)
@triton.jit
def _attend_kernel(
    q_ptr, k8_ptr, v8_ptr, out_ptr, key_scale_ptr, value_scale_ptr, value_mean_ptr,
    length, count, q_step, out_step, tiles, scale,
    REPEATS: tl.constexpr, WIDTH: tl.constexpr, TILE: tl.constexpr,
    FAST: tl.constexpr, QUERIES: tl.constexpr, KEYS: tl.constexpr, STAGES: tl.constexpr,
):  # fmt: skip
    # One program: some queries of a head.
    head = tl.program_id(1)
    group = head // REPEATS
    rows = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    cols = tl.arange(0, WIDTH)
    mask = (rows < length)[:, None]
    at = rows[:, None].to(tl.int64)
    q = tl.load(q_ptr + at * q_step + head * WIDTH + cols[None], mask, 0.0).to(tl.float32)
    q_scale = tl.maximum(tl.max(tl.abs(q), 1), _SMALLEST) / _E4M3_MAX
    q8 = (q / q_scale[:, None]).to(tl.float8e4nv)
    factor = q_scale * tl.load(key_scale_ptr + group) * scale  # scores as powers of two

    k_ptr = k8_ptr + group.to(tl.int64) * tiles * TILE * WIDTH
    v_ptr = v8_ptr + group.to(tl.int64) * tiles * TILE * WIDTH
    out = tl.zeros((QUERIES, WIDTH), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    most = tl.full((QUERIES,), _FAR_BELOW, tl.float32)
    whole = count // KEYS * KEYS
    for first in tl.range(0, whole, KEYS, num_stages=STAGES):
        out, total, most = _look(
            q8, factor, out, total, most, k_ptr, v_ptr, first, count,
            False, WIDTH, TILE, KEYS, FAST,
        )  # fmt: skip
    if whole < count:
        out, total, most = _look(
            q8, factor, out, total, most, k_ptr, v_ptr, whole, count,
            True, WIDTH, TILE, KEYS, FAST,
        )  # fmt: skip
    value_scale = tl.load(value_scale_ptr + group * WIDTH + cols)[None]
    value_mean = tl.load(value_mean_ptr + group * WIDTH + cols)[None]
    out = out / total[:, None] * value_scale + value_mean
    target = out_ptr + at * out_step + head * WIDTH + cols[None]
    tl.store(target, out.to(out_ptr.dtype.element_ty), mask)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """As :func:`magi_engine.ops.quantised_attention.quantised_attention`.

    Raises:
        RuntimeError: it cannot take these inputs.
    """
    check(q, k)
    seen = quantise(k, v)
    heads, width = q.shape[2:]
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    _attend_kernel[lambda way: (triton.cdiv(q.shape[1], way["QUERIES"]), heads)](
        q, seen.keys, seen.values, out, seen.key_scale, seen.value_scale, seen.value_mean,
        q.shape[1], seen.count, q.stride(1), out.stride(1), seen.keys.shape[1],
        width**-0.5 * _LOG2_E,
        REPEATS=heads // k.shape[2], WIDTH=width, TILE=KEYS_PER_TILE,
        FAST=q.is_cuda,
    )  # fmt: skip
    return out


def check(q: Tensor, k: Tensor) -> None:
    """Whether the kernels take these queries and keys.

    Raises:
        RuntimeError: they do not.
    """
    width = q.shape[3]
    # Heads of 16 and more are what matrix units multiply; a video at a time is what there is.
    dense = all(x.stride()[2:] == (width, 1) for x in (q, k))
    if len(q) != 1 or width & (width - 1) or width < 32 or not dense:
        raise RuntimeError(f"no quantised attention for {tuple(q.shape)}")
