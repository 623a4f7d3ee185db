"""What a library costs the thread that calls it for the first time; a part of ``starts``."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from magi_engine.ops.fp8 import E4M3, fp8_matmul


@torch.inference_mode()
def first_calls(device: torch.device) -> dict[str, list[float]]:
    """Milliseconds by library, each call of another shape (a smaller one on a processor)."""
    on_card = device.type == "cuda"
    smaller = 1 if on_card else 16

    def random(*shape: int, dtype: torch.dtype = torch.bfloat16) -> Tensor:
        return torch.randn(shape, device=device).to(dtype)

    def attend(kind: SDPBackend, batch: int, tokens: int) -> Callable[[], object]:
        q = random(batch, tokens // smaller, 16, 64).transpose(1, 2)  # (N, H, T, D)
        return lambda: sdpa_kernel(kind)(F.scaled_dot_product_attention)(q, q, q)

    def convolve(batch: int, side: int) -> Callable[[], object]:
        return partial(F.conv2d, random(batch, 12, side, side), random(3, 12, 3, 3), padding=1)

    def multiply(dtype: torch.dtype, rows: int, width: int, out: int) -> Callable[[], object]:
        x, weight = random(rows // smaller, width, dtype=dtype), random(out, width, dtype=dtype)
        one = torch.ones((), device=device)
        if dtype is E4M3:
            return partial(fp8_matmul, x, weight, one, one, torch.bfloat16)
        return partial(F.linear, x, weight)

    def record() -> Callable[[], object]:
        graph, stream, numbers = torch.cuda.CUDAGraph(), torch.cuda.Stream(), random(16)

        def run() -> None:
            with torch.cuda.stream(stream):
                graph.capture_begin(capture_error_mode="thread_local")
                numbers.add_(1)
                graph.capture_end()
                graph.replay()

        return run

    tiles = [(2, 1153), (4, 3073), (4, 1153), (8, 2000)] if on_card else []
    products = [(1536, 1024, 1024), (1536, 1024, 3072)]
    products += [(5400, 3072, out) for out in (8192, 3072, 12288)]
    rows: dict[str, list[Callable[[], object]]] = {
        "attention of cuDNN": [attend(SDPBackend.CUDNN_ATTENTION, *shape) for shape in tiles],
        "FlashAttention": [attend(SDPBackend.FLASH_ATTENTION, 4, 3073)],
        "a convolution": [convolve(*shape) for shape in ((16, 64), (48, 256), (48, 96))],
    }
    for dtype in (torch.bfloat16, E4M3, torch.float32):
        rows[f"a product in {str(dtype)[6:]}"] = [multiply(dtype, *shape) for shape in products]
    rows["a recorded graph"] = [record()] if on_card else []
    return {name: [_milliseconds(call, on_card) for call in row] for name, row in rows.items()}


def _milliseconds(call: Callable[[], object], on_card: bool) -> float:
    wait = torch.cuda.synchronize if on_card else lambda: None
    wait()
    begun = time.perf_counter()
    call()
    wait()
    return 1e3 * (time.perf_counter() - begun)
