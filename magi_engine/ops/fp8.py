"""Linear layers with 8-bit floating point (e4m3) weights and inputs (spec section 2, "FP8").

On a GPU with fp8 matrix units the product is one ``torch._scaled_mm``. Elsewhere the same 8-bit
values are multiplied as 16-bit ones on a GPU, which have room for all of them, and as float32 on a
processor: with sums in float32, that is exact up to the order of summation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

E4M3 = torch.float8_e4m3fn
E4M3_MAX = 448.0


def has_fp8_matmul(device: torch.device) -> bool:
    """Whether ``device`` multiplies e4m3 matrices in hardware (NVIDIA Ada, Hopper and later)."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 9)


def to_e4m3(x: Tensor, scale: Tensor) -> Tensor:
    """``x / scale`` clamped to the e4m3 range in float32, rounded to bf16, then to e4m3."""
    return (x.float() / scale).clamp(-E4M3_MAX, E4M3_MAX).to(torch.bfloat16).to(E4M3)


def fp8_matmul(
    x: Tensor,
    weight: Tensor,
    x_scale: Tensor,
    weight_scale: Tensor,
    dtype: torch.dtype = torch.float32,
    factor: Callable[[], float] | None = None,
) -> Tensor:
    """``x @ weightᵀ * x_scale * weight_scale`` for e4m3 operands, in ``dtype`` (see module).

    Args:
        x: (M, K) e4m3.
        weight: (N, K) e4m3.
        x_scale, weight_scale: float32 scalars.
        factor: gives the product of both, if the host knows it. Where there are no fp8 units, that
            saves two passes over the result.
    """
    if has_fp8_matmul(x.device):
        # Fast accumulation is what the official code computes with.
        return torch._scaled_mm(  # pyright: ignore[reportPrivateImportUsage]
            x,
            weight.t(),
            scale_a=x_scale,
            scale_b=weight_scale,
            out_dtype=dtype,
            use_fast_accum=True,
        )
    if x.device.type != "cuda":
        return (F.linear(x.float(), weight.float()) * (x_scale * weight_scale)).to(dtype)
    wide = _widened(x.device)
    if factor is not None and wide is dtype:
        return _scaled_matmul(x.to(wide), weight.to(wide), factor())
    return _wider_matmul(x, weight, wide, x_scale * weight_scale, dtype)


def _scaled_matmul(x: Tensor, weight: Tensor, factor: float) -> Tensor:
    """``x @ weightᵀ * factor`` in the 16-bit type of both, rounded once."""
    return torch.addmm(x.new_empty(1), x, weight.t(), beta=0, alpha=factor)


def _wider_matmul(
    x: Tensor, weight: Tensor, wide: torch.dtype, scale: Tensor, dtype: torch.dtype
) -> Tensor:
    """``x @ weightᵀ * scale`` with products of numbers of type ``wide`` and sums in float32."""
    sums = torch.mm(x.to(wide), weight.to(wide).t(), out_dtype=torch.float32)
    # In one pass over the sums, and into their own memory where that fits.
    out = sums if dtype is sums.dtype else sums.new_empty(sums.shape, dtype=dtype)
    return torch.mul(sums, scale, out=out)


def _widened(device: torch.device) -> torch.dtype:
    """The 16-bit type that ``device`` multiplies in hardware; Turing has no bfloat16."""
    return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16


class _Fp8Linear(nn.Module):
    """What both kinds share: e4m3 weight (1, out, in) with one scale."""

    def __init__(self, in_features: int, out_features: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.register_buffer("weight", torch.zeros(1, out_features, in_features, dtype=E4M3))
        self.register_buffer("weight_scale", torch.ones(1))
        self.weight: Tensor
        self.weight_scale: Tensor

    @property
    def divisor(self) -> Tensor:
        """What inputs are divided by, (in,)."""
        raise NotImplementedError

    @property
    def input_factor(self) -> Tensor:
        """What the product is multiplied back by, besides the weight's scale; a scalar."""
        raise NotImplementedError

    @functools.cached_property
    def factor(self) -> float:
        """What the product is multiplied by, once the weights are there."""
        return (self.input_factor * self.weight_scale[0]).item()

    def forward(self, x: Tensor) -> Tensor:
        """(..., in), already e4m3 or of any float dtype -> (..., out) in the layer's dtype."""
        x8 = x if x.dtype is E4M3 else to_e4m3(x, self.divisor)
        out = fp8_matmul(
            x8.flatten(0, -2), self.weight[0], self.input_factor, self.weight_scale[0], self.dtype,
            lambda: self.factor,
        )  # fmt: skip
        return out.unflatten(0, x.shape[:-1])


class Fp8TensorLinear(_Fp8Linear):
    """For ``linear_qkv.*`` and ``mlp.linear_fc1``: inputs divided elementwise by
    ``input_scale`` (in,), the product multiplied back by its first element."""

    def __init__(self, in_features: int, out_features: int, dtype: torch.dtype) -> None:
        super().__init__(in_features, out_features, dtype)
        self.register_buffer("input_scale", torch.ones(in_features))
        self.input_scale: Tensor

    @property
    def divisor(self) -> Tensor:
        return self.input_scale

    @property
    def input_factor(self) -> Tensor:
        return self.input_scale[0]


class Fp8SmoothLinear(_Fp8Linear):
    """For ``linear_proj`` and ``mlp.linear_fc2``: inputs divided by ``smooth_scale`` (1, in),
    which SmoothQuant chose together with the weight, and one separate ``input_scale``."""

    def __init__(self, in_features: int, out_features: int, dtype: torch.dtype) -> None:
        super().__init__(in_features, out_features, dtype)
        self.register_buffer("input_scale", torch.ones(1))
        self.register_buffer("smooth_scale", torch.ones(1, in_features))
        self.input_scale: Tensor
        self.smooth_scale: Tensor

    @property
    def divisor(self) -> Tensor:
        return self.smooth_scale[0]

    @property
    def input_factor(self) -> Tensor:
        return self.input_scale[0]


def input_divisor(linear: nn.Module) -> Tensor | None:
    """What the inputs of ``linear`` are quantised with; None if they are not quantised."""
    return linear.divisor if isinstance(linear, Fp8TensorLinear | Fp8SmoothLinear) else None
