"""Quantised attention (:mod:`magi_engine.ops.quantised_attention`) on Hopper's own matrix units.

The kernel is CUDA C++ (``hopper_attention.cu``). It is compiled by NVRTC, which comes with PyTorch
as do NVIDIA's Python bindings, so that no CUDA toolkit is needed; where those are missing this
module cannot be imported.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

import torch
from cuda.bindings import driver, nvrtc
from torch import Tensor

from magi_engine.ops import triton_attention

_SOURCE = Path(__file__).with_suffix(".cu")
_WIDTH, _QUERIES, _THREADS = 128, 128, 384
_SHARED_BYTES = 4 * 128 * 128 + 1024 + 256
"""Two stages of keys and of values, room to align them, and the barriers."""


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """As :func:`magi_engine.ops.quantised_attention.quantised_attention`; bfloat16, 128 features.

    Raises:
        RuntimeError: it cannot take these inputs, or cannot be compiled.
    """
    triton_attention.check(q, k)
    if q.dtype is not torch.bfloat16 or q.shape[3] != _WIDTH or q.stride(1) % 4:
        raise RuntimeError(f"no Hopper attention for {q.dtype} {tuple(q.shape)}")
    seen = triton_attention.quantise(k, v, for_hopper=True)
    out = torch.empty_like(q, memory_format=torch.contiguous_format)
    length, heads = q.shape[1:3]
    pointers = [
        x.data_ptr()
        for x in (
            q, seen.keys, seen.values, seen.key_scale, seen.value_scale, seen.value_mean, out,
        )
    ]  # fmt: skip
    numbers = [q.stride(1), heads, heads // k.shape[2], length, seen.count]
    kinds = (ctypes.c_void_p,) * len(pointers) + (ctypes.c_int,) * len(numbers)
    grid = -(-length // _QUERIES), heads, 1
    stream = torch.cuda.current_stream(q.device).cuda_stream
    _checked(
        driver.cuLaunchKernel(
            _kernel(q.device.index), *grid, _THREADS, 1, 1, _SHARED_BYTES, stream,
            ((*pointers, *numbers), kinds), 0,
        )
    )  # fmt: skip
    return out


@functools.cache
def _kernel(_device: int | None) -> Any:
    """The kernel for the context of a device, which is the current one."""
    module = _checked(driver.cuModuleLoadData(_compiled()))
    kernel = _checked(driver.cuModuleGetFunction(module, b"attend"))
    attribute = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    _checked(driver.cuFuncSetAttribute(kernel, attribute, _SHARED_BYTES))
    return kernel


@functools.cache
def _compiled() -> bytes:
    """Machine code of the kernel; takes about a second."""
    source = _SOURCE.read_bytes()
    program = _checked(nvrtc.nvrtcCreateProgram(source, _SOURCE.name.encode(), 0, [], []))
    try:
        options = [b"--gpu-architecture=sm_90a", b"--std=c++17"]
        _checked(nvrtc.nvrtcCompileProgram(program, len(options), options))
        code = b" " * _checked(nvrtc.nvrtcGetCUBINSize(program))
        _checked(nvrtc.nvrtcGetCUBIN(program, code))
    finally:
        nvrtc.nvrtcDestroyProgram(program)
    return code


def _checked(answer: tuple[Any, ...]) -> Any:
    """The result of a call of the bindings, which return an error code before it."""
    code, *results = answer
    if int(code) != 0:
        raise RuntimeError(f"{type(code).__name__} {int(code)}")
    return results[0] if results else None
