"""The kernels for cards that are not here: built for each, and run where an NVIDIA GPU is.

``python -m tests.bench.other_cards`` compiles every kernel for every generation of cards from
Turing on and lists registers, spills and shared memory; that takes no GPU. On a GPU it then runs
those of older generations, whose code its driver translates, checks them against float32, and times
attention beside FlashAttention 2. Such a run tells that the code is right and how it compares
there; it does not tell another card's seconds. ``results/other_cards.json`` has everything.
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from magi_engine.model.dit import VideoDiT
from magi_engine.model.random_weights import random_dit
from magi_engine.ops import compiled, fp8
from magi_engine.ops.attention import attention
from magi_engine.ops.compiled import compile_source
from magi_engine.ops.fused_kernels import FusedKernels
from magi_engine.ops.kernels import Kernels
from magi_engine.ops.norms import LayerNorm1p
from magi_engine.ops.quantised_kernels import HOPPER, INT8, QuantisedAttention, quantise
from magi_engine.ops.rope import rotary_angles
from tests.bench.gpu import Bench, machine

_RESULTS = Path(__file__).parent / "results" / "other_cards.json"
_SHARED_KB = {(7, 5): 64, (8, 0): 163, (8, 6): 99, (8, 9): 99, (9, 0): 227, (12, 0): 99}
"""What a block may have on each kind of card."""
_SOURCES: tuple[tuple[str, dict[str, int], int], ...] = (
    ("fused.cu", {}, 0),
    ("quantise.cu", {"INT8": 1}, 0),
    ("int8_attention.cu", {}, INT8.shared_bytes),
)
_SHAPES = ((70, 333, 4, 2), (300, 1, 2, 2), (1, 129, 2, 1), (515, 2049, 6, 2), (1000, 5000, 24, 8))
_QUERIES, _HEADS, _GROUPS, _WIDTH = 12150, 24, 8, 128
_CARDS = {"RTX 3090": 284e12, "RTX 4090": 661e12, "RTX 5090": 838e12}
"""Dense int8 operations a second, from NVIDIA's descriptions of the three generations."""
_PEAK = """
extern "C" __global__ void __launch_bounds__(256) peak(int* out, long long rounds) {
    int d[8][4] = {};
    unsigned a = threadIdx.x;
    for (long long n = 0; n < rounds; n++)
#pragma unroll
        for (int i = 0; i < 8; i++)
            asm volatile(
                "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
                "{%0, %1, %2, %3}, {%4, %4, %4, %4}, {%4, %4}, {%0, %1, %2, %3};"
                : "+r"(d[i][0]), "+r"(d[i][1]), "+r"(d[i][2]), "+r"(d[i][3]) : "r"(a));
    int sum = 0;
    for (int i = 0; i < 8; i++) sum += d[i][0] + d[i][1] + d[i][2] + d[i][3];
    out[blockIdx.x * 256 + threadIdx.x] = sum;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=_RESULTS)
    args = parser.parse_args()
    result: dict[str, Any] = {"built": built()}
    if torch.cuda.is_available():
        device = torch.device("cuda", 0)
        result["machine"] = machine(device)
        with torch.inference_mode():
            result["seconds to have all kernels"] = started(device)
            result |= run(device)
            result["fp8 model without fp8 units"] = acted_out(device)
    args.out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def built() -> list[dict[str, Any]]:
    """Every kernel for every generation, as the assembler describes it."""
    rows = []
    for file, macros, dynamic in _SOURCES:
        for capability, most_kb in _SHARED_KB.items():
            log = io.StringIO()
            compile_source(file, torch.bfloat16, capability, macros=macros, log=log)
            said = log.getvalue()
            static = max((int(x) for x in re.findall(r"(\d+) bytes smem", said)), default=0)
            row = {
                "file": file,
                "card": f"sm_{capability[0]}{capability[1]}",
                "registers": max(int(x) for x in re.findall(r"Used (\d+) registers", said)),
                "spilled_bytes": sum(int(x) for x in re.findall(r"(\d+) bytes spill", said)),
                "shared_kb": (static + dynamic) / 1024,
                "shared_kb_there": most_kb,
            }
            rows.append(row)
            print(row)
    return rows


def started(device: torch.device) -> dict[str, float]:
    """From nothing on the disk, and with what was compiled before."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for kept in ("none kept", "all kept"):
            begin = time.perf_counter()
            kernels = compiled.Kernels(device, Path(folder))
            kernels.get("fused.cu", "gelu", torch.bfloat16)
            form = HOPPER if kernels.capability == (9, 0) else INT8
            q = _random(device, 1, 128, 2, _WIDTH)
            QuantisedAttention(kernels, form)(q, q, q)
            torch.cuda.synchronize()
            found[kept] = time.perf_counter() - begin
    print(found)
    return found


def run(device: torch.device) -> dict[str, Any]:
    """The kernels for older cards on this one."""
    q = _random(device, 1, _QUERIES, _HEADS, _WIDTH)
    k, v = (_random(device, 1, _QUERIES, _GROUPS, _WIDTH) for _ in range(2))
    work = 4 * _QUERIES**2 * _HEADS * _WIDTH
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        flash = work / _seconds(lambda: attention(q, k, v))
    peak = _int8_peak(device)
    found: dict[str, Any] = {
        "FlashAttention 2, TFLOP/s": flash / 1e12,
        "products in int8 alone, TFLOP/s": peak / 1e12,
    }
    for target in ((7, 5), (8, 0), (8, 6), (8, 9)):
        kernels = compiled.Kernels(device, None, target)
        attend = QuantisedAttention(kernels, INT8)
        rate = work / _seconds(functools.partial(attend, q, k, v))
        row = {
            "attention, TFLOP/s": rate / 1e12,
            "of which 8-bit keys and values, ms": 1e3
            * _seconds(lambda kernels=kernels: quantise(kernels, k, v, int8=True)),
            "beside FlashAttention 2": rate / flash,
            "attention, worst error": max(_attention_error(attend, shape) for shape in _SHAPES),
            "fused steps, worst error": _fused_error(FusedKernels(kernels), device),
        }
        found[f"sm_{target[0]}{target[1]}"] = row
        print(target, row)
    share = found["sm_89"]["attention, TFLOP/s"] * 1e12 / peak
    found[
        "estimate, not measured: attention at the same share of the card's int8 rate, TFLOP/s"
    ] = {card: round(share * rate / 1e12) for card, rate in _CARDS.items()}
    print(found)
    return found


def acted_out(device: torch.device) -> dict[str, float]:
    """One forward of the fp8 model as on a card without fp8 units, and of a bf16 model."""
    bench = Bench(device)
    forward = bench._forward_of(720)
    with mock.patch.object(fp8, "has_fp8_matmul", return_value=False):
        seconds, out = _seconds(forward, 3), forward()
        with mock.patch.object(fp8, "_scaled_matmul", _float32_matmul):
            exact_seconds, exact = _seconds(forward, 1), forward()
    bf16: VideoDiT = random_dit(bench.config, device, fp8=False)
    bf16.speed_up(bench.kernels, bench.attention)
    found = {
        "forward, s": seconds,
        "with float32 products, s": exact_seconds,
        "bf16 model, s": _seconds(bench._forward_of(720, bf16), 3),
        "error beside float32 products": _distance(exact, out),
    }
    print(found)
    return found


def _float32_matmul(x: Tensor, weight: Tensor, factor: float) -> Tensor:
    return (F.linear(x.float(), weight.float()) * factor).to(x.dtype)


def _attention_error(attend: Callable[..., Tensor], shape: tuple[int, ...]) -> float:
    queries, keys, heads, groups = shape
    device = torch.device("cuda", 0)
    q = _random(device, 1, queries, heads, _WIDTH)
    k, v = (_random(device, 1, keys, groups, _WIDTH) for _ in range(2))
    exact = attention(q.float(), k.float(), v.float())
    return _distance(exact, attend(q, k, v))


def _fused_error(fused: Kernels, device: torch.device) -> float:
    """Of all steps, beside the plain ones in float32 on the same numbers."""
    size, length = 3072, 500
    x, u = (_random(device, 1, length, size) for _ in range(2))
    q = x.unflatten(-1, (-1, _WIDTH))
    gate = torch.randn(1, 2, size, device=device).tanh()
    norm = nn.LayerNorm(size, 1e-6, device=device, dtype=torch.bfloat16)
    post, head = (LayerNorm1p(n, 1e-6, torch.float32).to(device) for n in (size, _WIDTH))
    divisor = torch.rand(2 * size, device=device) * 0.02 + 0.02
    bands = 10000 ** (-torch.arange(16, device=device) / 16)
    rotary = rotary_angles(bands, [3], 1, 1, length)
    d = divisor[:size]
    steps: tuple[Callable[[Kernels], Tensor], ...] = (
        lambda kernels: kernels.layer_norm(x, norm, d),
        lambda kernels: kernels.head_norm(q, head, rotary),
        lambda kernels: kernels.join(x, u, divisor),
        lambda kernels: kernels.gelu(x, d),
        lambda kernels: kernels.silu_gate(x, divisor[: size // 2]),
        lambda kernels: kernels.add_gated(x, u, gate, post),
        lambda kernels: kernels.add_gated_and_norm(x, u, gate, post, norm, d)[1],
        lambda kernels: kernels.standardise(q),
    )
    return max(_distance(step(Kernels()), step(fused)) for step in steps)


def _int8_peak(device: torch.device) -> float:
    """Operations a second of nothing but products."""
    from cuda.core import Program, ProgramOptions

    capability = torch.cuda.get_device_capability(device)
    options = ProgramOptions(arch=f"sm_{capability[0]}{capability[1]}", std="c++17")
    loaded = Program(_PEAK, "c++", options).compile("cubin").get_kernel("peak")
    kernel = compiled.Kernel(loaded, device, 0)
    blocks, rounds = 8 * torch.cuda.get_device_properties(device).multi_processor_count, 2000
    out = torch.empty(blocks * 256, dtype=torch.int32, device=device)
    operations = blocks * 8 * rounds * 8 * 2 * 16 * 8 * 32
    return operations / _seconds(lambda: kernel((blocks,), 256, out.data_ptr(), rounds))


def _random(device: torch.device, *shape: int) -> Tensor:
    return torch.randn(shape, device=device).bfloat16()


def _seconds(call: Callable[[], Any], calls: int = 9) -> float:
    """The median of some calls after one that does not count."""
    call()
    times = []
    for _ in range(calls):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) / 1e3)
    return statistics.median(times)


def _distance(expected: Tensor, actual: Tensor) -> float:
    """Relative L2 distance."""
    return ((expected.float() - actual.float()).norm() / expected.float().norm()).item()


if __name__ == "__main__":
    main()
