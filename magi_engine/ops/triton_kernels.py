"""The steps of :class:`magi_engine.ops.kernels.Kernels` as one Triton kernel each.

Everything is computed in float32 and rounded where the plain form rounds, so the two differ only
by the order of sums; GELU is a polynomial and multiplies by reciprocals, which is some millionths
more. Needs an NVIDIA GPU and Triton; heads must be a power of two wide, else the
plain form is used.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor, nn

from magi_engine.ops.fp8 import E4M3, E4M3_MAX
from magi_engine.ops.gelu import GELU_TAIL, GELU_TAIL_END
from magi_engine.ops.kernels import ATTENTION_INTERLEAVE, Kernels
from magi_engine.ops.norms import LayerNorm1p

_E4M3_MAX = tl.constexpr(E4M3_MAX)
_STD_EPS = tl.constexpr(1e-5)
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7 = (tl.constexpr(c) for c in GELU_TAIL)
_TAIL_END = tl.constexpr(GELU_TAIL_END)
_GELU_ROWS = 4
_ROW_TOKENS = 32
_FLAT = 2048


@triton.jit
def _to_e4m3(x, divisor):
    scaled = tl.clamp(x / divisor, -_E4M3_MAX, _E4M3_MAX)
    return scaled.to(tl.bfloat16).to(tl.float8e4nv)


@triton.jit
def _normed(x, mask, weight, bias, size, eps):
    mean = tl.sum(x, 0) / size
    centred = tl.where(mask, x - mean, 0.0)
    rstd = tl.rsqrt(tl.sum(centred * centred, 0) / size + eps)
    return centred * rstd * weight + bias


@triton.jit
def _layer_norm_kernel(
    x_ptr, out_ptr, weight_ptr, bias_ptr, divisor_ptr, size, eps,
    QUANTISE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < size
    x = tl.load(x_ptr + row * size + cols, mask, 0.0).to(tl.float32)
    weight = tl.load(weight_ptr + cols, mask, 0.0).to(tl.float32)
    bias = tl.load(bias_ptr + cols, mask, 0.0).to(tl.float32)
    out = _normed(x, mask, weight, bias, size, eps)
    if QUANTISE:
        divisor = tl.load(divisor_ptr + cols, mask, 1.0)
        rounded = out.to(x_ptr.dtype.element_ty).to(tl.float32)
        tl.store(out_ptr + row * size + cols, _to_e4m3(rounded, divisor), mask)
    else:
        tl.store(out_ptr + row * size + cols, out.to(out_ptr.dtype.element_ty), mask)


@triton.jit
def _add_gated_kernel(
    x_ptr, update_ptr, gate_ptr, weight_ptr, bias_ptr, out_ptr,
    then_weight_ptr, then_bias_ptr, divisor_ptr, then_out_ptr,
    part_rows, gate_stride, size, eps, then_eps,
    THEN: tl.constexpr, QUANTISE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    cols = tl.arange(0, BLOCK)
    mask = cols < size
    at = row * size + cols
    x = tl.load(x_ptr + at, mask, 0.0).to(tl.float32)
    update = tl.load(update_ptr + at, mask, 0.0).to(tl.float32)
    gate = tl.load(gate_ptr + (row // part_rows) * gate_stride + cols, mask, 0.0)
    weight = tl.load(weight_ptr + cols, mask, 0.0) + 1.0
    bias = tl.load(bias_ptr + cols, mask, 0.0)
    added = x + _normed(update * gate, mask, weight, bias, size, eps)
    rounded = added.to(out_ptr.dtype.element_ty)
    tl.store(out_ptr + at, rounded, mask)
    if THEN:
        weight = tl.load(then_weight_ptr + cols, mask, 0.0).to(tl.float32)
        bias = tl.load(then_bias_ptr + cols, mask, 0.0).to(tl.float32)
        # Masked columns are exactly zero, as the norm expects.
        out = _normed(rounded.to(tl.float32), mask, weight, bias, size, then_eps)
        out = out.to(out_ptr.dtype.element_ty)
        if QUANTISE:
            divisor = tl.load(divisor_ptr + cols, mask, 1.0)
            tl.store(then_out_ptr + at, _to_e4m3(out.to(tl.float32), divisor), mask)
        else:
            tl.store(then_out_ptr + at, out, mask)


@triton.jit
def _head_norm_kernel(
    x_ptr, out_ptr, weight_ptr, bias_ptr, cos_ptr, sin_ptr, scale_ptr,
    tokens, length, token_stride, heads, eps,
    ROTATE: tl.constexpr, SCALE: tl.constexpr, HALF: tl.constexpr,
    WIDTH: tl.constexpr, TOKENS: tl.constexpr,
):  # fmt: skip
    # One program: TOKENS tokens of one head.
    rows = tl.program_id(0).to(tl.int64) * TOKENS + tl.arange(0, TOKENS)
    head = tl.program_id(1)
    cols = tl.arange(0, WIDTH)
    mask = (rows < tokens)[:, None]
    base = x_ptr + rows[:, None] * token_stride + head * WIDTH
    scale = 1.0
    if SCALE:
        scale = tl.load(scale_ptr)
    x = tl.load(base + cols[None], mask, 0.0).to(tl.float32)
    if SCALE:
        x = x * scale
    mean = tl.sum(x, 1)[:, None] / WIDTH
    centred = x - mean
    rstd = tl.rsqrt(tl.sum(centred * centred, 1)[:, None] / WIDTH + eps)
    # The plain form adds the one in the dtype of the weight.
    dtype = weight_ptr.dtype.element_ty
    weight = (tl.load(weight_ptr + cols).to(tl.float32) + 1.0).to(dtype).to(tl.float32)
    bias = tl.load(bias_ptr + cols).to(tl.float32)
    out = centred * rstd * weight[None] + bias[None]
    if ROTATE:
        # Feature j turns with its partner half a rotation away; the rest stands still.
        partner = tl.where(cols < HALF, cols + HALF, tl.where(cols < 2 * HALF, cols - HALF, cols))
        angle = tl.where(cols < HALF, cols, cols - HALF)
        turns = (cols < 2 * HALF)[None]
        y = tl.load(base + partner[None], mask, 0.0).to(tl.float32)  # still in the cache
        if SCALE:
            y = y * scale
        y_weight = (tl.load(weight_ptr + partner).to(tl.float32) + 1.0).to(dtype)
        y_bias = tl.load(bias_ptr + partner).to(tl.float32)
        y = (y - mean) * rstd * y_weight.to(tl.float32)[None] + y_bias[None]
        angles_at = (rows % length)[:, None] * HALF + angle[None]
        cos = tl.load(cos_ptr + angles_at, mask & turns, 1.0)
        sin = tl.load(sin_ptr + angles_at, mask & turns, 0.0)
        sign = tl.where(cols < HALF, -1.0, 1.0)[None]
        out = out * cos + sign * y * sin
    target = out_ptr + (rows[:, None] * heads + head) * WIDTH + cols[None]
    tl.store(target, out.to(out_ptr.dtype.element_ty), mask)


@triton.jit
def _join_kernel(
    own_ptr, caption_ptr, out_ptr, divisor_ptr, part,
    QUANTISE: tl.constexpr, PARTS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    # One program: a row, as PARTS parts of each input that take turns in the result.
    row = tl.program_id(0).to(tl.int64)
    parts = tl.arange(0, PARTS)[:, None]
    cols = tl.arange(0, BLOCK)[None]
    mask = (cols < part) & (parts >= 0)
    source = row * PARTS * part + parts * part + cols
    own = tl.load(own_ptr + source, mask, 0.0)
    caption = tl.load(caption_ptr + source, mask, 0.0)
    within = parts * 2 * part + cols
    target = out_ptr + row * 2 * PARTS * part + within
    if QUANTISE:
        divisor = tl.load(divisor_ptr + within, mask, 1.0)
        tl.store(target, _to_e4m3(own.to(tl.float32), divisor), mask)
        divisor = tl.load(divisor_ptr + within + part, mask, 1.0)
        tl.store(target + part, _to_e4m3(caption.to(tl.float32), divisor), mask)
    else:
        tl.store(target, own, mask)
        tl.store(target + part, caption, mask)


@triton.jit
def _gelu_kernel(
    x_ptr, out_ptr, divisor_ptr, rows, size,
    QUANTISE: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    # Bound by arithmetic, hence: no error function, and one division per column.
    first = tl.program_id(0).to(tl.int64) * ROWS
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    within = cols < size
    factor = 1.0
    if QUANTISE:
        factor = 1.0 / tl.load(divisor_ptr + cols, within, 1.0)
    for i in tl.static_range(ROWS):
        row = first + i
        mask = within & (row < rows)
        x = tl.load(x_ptr + row * size + cols, mask, 0.0).to(tl.float32)
        a = tl.minimum(tl.abs(x), _TAIL_END)
        power = _C7 * a + _C6
        power = power * a + _C5
        power = power * a + _C4
        power = power * a + _C3
        power = power * a + _C2
        power = power * a + _C1
        power = power * a + _C0
        tail = x * tl.exp2(power)
        out = tl.where(x > 0, x - tail, tail).to(x_ptr.dtype.element_ty)
        if QUANTISE:
            scaled = tl.clamp(out.to(tl.float32) * factor, -_E4M3_MAX, _E4M3_MAX)
            quantised = scaled.to(tl.bfloat16).to(tl.float8e4nv)
            tl.store(out_ptr + row * size + cols, quantised, mask)
        else:
            tl.store(out_ptr + row * size + cols, out, mask)


@triton.jit
def _silu_gate_kernel(
    x_ptr, out_ptr, divisor_ptr, size, QUANTISE: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    cols = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = cols < size
    dtype = x_ptr.dtype.element_ty
    gate = tl.load(x_ptr + row * 2 * size + cols, mask, 0.0).to(tl.float32)
    value = tl.load(x_ptr + row * 2 * size + size + cols, mask, 0.0).to(tl.float32)
    out = (gate / (1.0 + tl.exp(-gate))).to(dtype).to(tl.float32) * value
    out = out.to(dtype)
    if QUANTISE:
        divisor = tl.load(divisor_ptr + cols, mask, 1.0)
        tl.store(out_ptr + row * size + cols, _to_e4m3(out.to(tl.float32), divisor), mask)
    else:
        tl.store(out_ptr + row * size + cols, out, mask)


@triton.jit
def _standardise_kernel(
    x_ptr, out_ptr, rows_count, WIDTH: tl.constexpr, ROWS: tl.constexpr
):  # fmt: skip
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    mask = (rows < rows_count)[:, None]
    at = rows[:, None] * WIDTH + tl.arange(0, WIDTH)[None]
    x = tl.load(x_ptr + at, mask, 0.0).to(tl.float32)
    centred = x - tl.sum(x, 1)[:, None] / WIDTH
    std = tl.sqrt(tl.sum(centred * centred, 1)[:, None] / WIDTH)
    tl.store(out_ptr + at, (centred / (std + _STD_EPS)).to(out_ptr.dtype.element_ty), mask)


class TritonKernels(Kernels):
    """See :class:`Kernels`; inference only."""

    name = "Triton"

    def layer_norm(self, x: Tensor, norm: nn.LayerNorm, divisor: Tensor | None = None) -> Tensor:
        x = x.contiguous()
        out = torch.empty_like(x, dtype=x.dtype if divisor is None else E4M3)
        size = x.shape[-1]
        _layer_norm_kernel[(x.numel() // size,)](
            x, out, norm.weight, norm.bias, out if divisor is None else divisor, size, norm.eps,
            QUANTISE=divisor is not None, BLOCK=triton.next_power_of_2(size), num_warps=4,
        )  # fmt: skip
        return out

    def head_norm(
        self,
        x: Tensor,
        norm: LayerNorm1p,
        rotary: tuple[Tensor, Tensor] | None,
        scale: Tensor | None = None,
        into: Tensor | None = None,
    ) -> Tensor:
        videos, length, heads, width = x.shape
        if width & (width - 1) or x.stride(2) != width or x.stride(0) != length * x.stride(1):
            return super().head_norm(x, norm, rotary, scale, into)
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device) if into is None else into
        cos, sin = (x, x) if rotary is None else (part.contiguous() for part in rotary)
        half = 1 if rotary is None else cos.shape[-1]
        tokens = videos * length
        _head_norm_kernel[(triton.cdiv(tokens, _ROW_TOKENS), heads)](
            x, out, norm.weight, norm.bias, cos, sin, x if scale is None else scale,
            tokens, length, x.stride(1), heads, norm.eps,
            ROTATE=rotary is not None, SCALE=scale is not None, HALF=half,
            WIDTH=width, TOKENS=_ROW_TOKENS,
        )  # fmt: skip
        return out

    def join(self, own: Tensor, caption: Tensor, divisor: Tensor | None = None) -> Tensor:
        own, caption = own.contiguous(), caption.contiguous()
        size = own.shape[-1]
        dtype = own.dtype if divisor is None else E4M3
        out = torch.empty((*own.shape[:-1], 2 * size), dtype=dtype, device=own.device)
        part = size // ATTENTION_INTERLEAVE
        _join_kernel[(own.numel() // size,)](
            own, caption, out, out if divisor is None else divisor, part,
            QUANTISE=divisor is not None, PARTS=ATTENTION_INTERLEAVE,
            BLOCK=triton.next_power_of_2(part), num_warps=8,
        )  # fmt: skip
        return out

    def gelu(self, x: Tensor, divisor: Tensor | None = None) -> Tensor:
        x = x.contiguous()
        size = x.shape[-1]
        rows = x.numel() // size
        out = torch.empty_like(x, dtype=x.dtype if divisor is None else E4M3)
        _gelu_kernel[(triton.cdiv(rows, _GELU_ROWS), triton.cdiv(size, _FLAT))](
            x, out, out if divisor is None else divisor, rows, size,
            QUANTISE=divisor is not None, ROWS=_GELU_ROWS, BLOCK=_FLAT, num_warps=4,
        )  # fmt: skip
        return out

    def silu_gate(self, x: Tensor, divisor: Tensor | None = None) -> Tensor:
        x = x.contiguous()
        size = x.shape[-1] // 2
        dtype = x.dtype if divisor is None else E4M3
        out = torch.empty((*x.shape[:-1], size), dtype=dtype, device=x.device)
        _silu_gate_kernel[(out.numel() // size, triton.cdiv(size, _FLAT))](
            x, out, out if divisor is None else divisor, size,
            QUANTISE=divisor is not None, BLOCK=_FLAT, num_warps=4,
        )  # fmt: skip
        return out

    def add_gated(
        self,
        x: Tensor,
        update: Tensor,
        gate: Tensor,
        norm: LayerNorm1p,
        into: Tensor | None = None,
    ) -> Tensor:
        return _add_gated(x, update, gate, norm, into=into)[0]

    def add_gated_and_norm(
        self,
        x: Tensor,
        update: Tensor,
        gate: Tensor,
        norm: LayerNorm1p,
        then: nn.LayerNorm,
        divisor: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        return _add_gated(x, update, gate, norm, then, divisor)

    def standardise(self, x: Tensor) -> Tensor:
        width = x.shape[-1]
        if width & (width - 1):
            return super().standardise(x)
        x = x.contiguous()
        out = torch.empty_like(x)
        rows = x.numel() // width
        _standardise_kernel[(triton.cdiv(rows, 2 * _ROW_TOKENS),)](
            x, out, rows, WIDTH=width, ROWS=2 * _ROW_TOKENS
        )
        return out


def _add_gated(
    x: Tensor,
    update: Tensor,
    gate: Tensor,
    norm: LayerNorm1p,
    then: nn.LayerNorm | None = None,
    divisor: Tensor | None = None,
    into: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    x, update = x.contiguous(), update.contiguous()
    size, parts = x.shape[-1], gate.shape[1]
    if gate.stride(-1) != 1 or (gate.shape[0] > 1 and gate.stride(0) != parts * gate.stride(1)):
        gate = gate.contiguous()
    out = torch.empty_like(x) if into is None else into
    normed = torch.empty_like(x, dtype=x.dtype if divisor is None else E4M3) if then else out
    _add_gated_kernel[(x.numel() // size,)](
        x, update, gate, norm.weight, norm.bias, out,
        then.weight if then else out, then.bias if then else out,
        out if divisor is None else divisor, normed,
        x.shape[1] // parts, gate.stride(1), size, norm.eps, then.eps if then else 0.0,
        THEN=then is not None, QUANTISE=divisor is not None,
        BLOCK=triton.next_power_of_2(size), num_warps=4,
    )  # fmt: skip
    return out, normed
