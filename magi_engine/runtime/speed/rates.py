"""What a device does at its best: large products, attention and copies."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F

from magi_engine.config.official import ModelConfig
from magi_engine.ops.attention import Attention
from magi_engine.ops.backends import seconds_on_device
from magi_engine.ops.fp8 import E4M3, fp8_matmul, has_fp8_matmul

_CALLS = 8
_PROCESSOR_S = 0.3
"""How long calls are repeated on a processor, which others use, too."""


def seconds_of(call: Callable[[], Any], device: torch.device, calls: int = _CALLS) -> float:
    """Of the quickest of some calls, after one that warms up."""
    call()
    if device.type == "cuda":
        return min(seconds_on_device(call) for _ in range(calls // 2))
    best, until = float("inf"), time.perf_counter() + _PROCESSOR_S
    while (begin := time.perf_counter()) < until or best == float("inf"):
        call()
        best = min(best, time.perf_counter() - begin)
    return best


def product_rates(
    config: ModelConfig, tokens: int, device: torch.device, dtype: torch.dtype
) -> dict[torch.dtype, float]:
    """Floating-point operations a second of the model's largest product, in ``dtype`` and, where
    the device has units for it, in e4m3."""
    size, inner = config.hidden_size, config.ffn_hidden_size
    x = torch.randn(tokens, size, device=device, dtype=dtype)
    w = torch.randn(inner, size, device=device, dtype=dtype)
    operations = 2 * tokens * size * inner
    found = {dtype: operations / seconds_of(lambda: F.linear(x, w), device)}
    if has_fp8_matmul(device):
        one, x8, w8 = torch.ones((), device=device), x.to(E4M3), w.to(E4M3)
        call = functools.partial(fp8_matmul, x8, w8, one, one, dtype)
        found[E4M3] = operations / seconds_of(call, device)
    return found


def attention_rate(
    config: ModelConfig,
    tokens: int,
    chunks: int,
    device: torch.device,
    dtype: torch.dtype,
    attend: Attention,
) -> float:
    """Floating-point operations a second of a chunk that attends to so many."""
    heads, groups, width = (
        config.num_attention_heads,
        config.num_query_groups,
        config.kv_channels,
    )
    q = torch.randn(1, tokens, heads, width, device=device, dtype=dtype)
    k, v = torch.randn(2, 1, chunks * tokens, groups, width, device=device, dtype=dtype)
    return 4 * tokens**2 * chunks * heads * width / seconds_of(lambda: attend(q, k, v), device)


def copy_rate(size: int, device: torch.device) -> float:
    """Bytes read and written a second, of copies of ``size`` bytes."""
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * size / seconds_of(lambda: target.copy_(source), device)


def layer_weights(config: ModelConfig) -> int:
    """Weights of the products that every token of a layer goes through."""
    size, kv = config.hidden_size, config.num_query_groups * config.kv_channels
    inner = config.ffn_hidden_size * (3 if config.gated_linear_unit else 2)
    return size * (2 * size + 2 * kv) + 2 * size * size + size * inner


def floor_s(
    config: ModelConfig,
    tokens: int,
    chunks: int,
    pairs: int,
    products_per_s: float,
    attention_per_s: float,
) -> float:
    """Seconds of the transformer's products and attentions alone.

    Args:
        tokens: of a chunk.
        chunks, pairs: that go through it, see ``planning.costs.Counted``.
    """
    linear = 2 * tokens * layer_weights(config) * config.num_layers
    attention = 4 * tokens**2 * config.hidden_size * config.num_layers
    return chunks * linear / products_per_s + pairs * attention / attention_per_s
