"""The steps of :class:`magi_engine.ops.kernels.Kernels` as one kernel each (``cuda/fused.cu``).

Everything is computed in float32 and rounded where the plain form rounds, so the two differ only
by the order of sums; GELU is a polynomial, and divisions are within some millionths. Threads take
eight numbers at a time: what is not made of whole eights is left to the plain form.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from magi_engine.ops import compiled
from magi_engine.ops.fp8 import E4M3
from magi_engine.ops.kernels import ATTENTION_INTERLEAVE, Heads, Kernels
from magi_engine.ops.norms import LayerNorm1p

_AT_ONCE = 8
_WARP = 32
_HEAD, _HEADS_AT_ONCE = 128, 8
"""What the kernel for all heads of a token takes: their width, and how many of a kind."""
_MOST_THREADS = 256
_MOST_COLUMNS = _AT_ONCE * _MOST_THREADS * 4
"""Of a row whose numbers stay in the registers of a block."""
_ROWS_AT_ONCE = 4
"""Of a thread, as in the source."""
_ROWS_OF_BLOCK = 2
"""In norms of rows, as in the source."""


class FusedKernels(Kernels):
    """See :class:`Kernels`; inference only, and all inputs on the card of ``kernels``."""

    name = "CUDA"

    def __init__(self, kernels: compiled.Kernels) -> None:
        self._kernels = kernels

    def _get(self, name: str, x: Tensor) -> compiled.Kernel:
        return self._kernels.get("fused.cu", name, x.dtype)

    def layer_norm(self, x: Tensor, norm: nn.LayerNorm, divisor: Tensor | None = None) -> Tensor:
        x = x.contiguous()
        size = x.shape[-1]
        if not _fits_a_block(size) or not _fits(x, floats=(divisor,), norms=(norm,)):
            return super().layer_norm(x, norm, divisor)
        out = _empty_like(x, divisor)
        self._get(f"layer_norm_{_passes(size)}", x)(
            _row_blocks(rows := x.numel() // size), _row_threads(size),
            x.data_ptr(), out.data_ptr(), *_norm(norm), _address(divisor), rows, size, norm.eps,
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
        cos, sin = (None, None) if rotary is None else (part.contiguous() for part in rotary)
        half = 0 if cos is None else cos.shape[-1]
        dense = x.stride(2) == width and x.stride(0) == length * x.stride(1)
        if (
            not _fits_a_warp(width)
            or not dense
            or half % _AT_ONCE
            or x.stride(1) % _AT_ONCE
            or not _fits(x, into, floats=(cos, sin, scale), norms=(norm,))
        ):
            return super().head_norm(x, norm, rotary, scale, into)
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device) if into is None else into
        rows, lanes = videos * length * heads, width // _AT_ONCE
        self._get("head_norm", x)(
            (-(-rows * lanes // _MOST_THREADS),), _MOST_THREADS,
            x.data_ptr(), out.data_ptr(), *_norm(norm), _address(cos), _address(sin),
            _address(scale), rows, heads, length, x.stride(1), lanes, half, norm.eps,
        )  # fmt: skip
        return out

    def scaled(self, x: Tensor, scale: Tensor | None, into: Tensor | None = None) -> Tensor:
        videos, length, heads, width = x.shape
        size = heads * width
        dense = x.stride()[2:] == (width, 1) and x.stride(0) == length * x.stride(1)
        if (
            scale is None
            or not dense
            or size % _AT_ONCE
            or x.stride(1) % _AT_ONCE
            or not _fits(x, into, floats=(scale,))
        ):
            return super().scaled(x, scale, into)
        out = torch.empty(x.shape, dtype=x.dtype, device=x.device) if into is None else into
        rows = videos * length
        self._get("scaled", x)(
            (-(-rows * size // _AT_ONCE // _MOST_THREADS),), _MOST_THREADS,
            x.data_ptr(), out.data_ptr(), _address(scale), rows, x.stride(1), size,
        )  # fmt: skip
        return out

    def heads(
        self,
        x: Heads,
        norms: tuple[LayerNorm1p, LayerNorm1p, LayerNorm1p],
        rotary: tuple[Tensor, Tensor],
        scales: Sequence[Tensor | None],
        into: Sequence[Tensor | None],
    ) -> Heads:
        cos, sin = (part.contiguous() for part in rotary)
        of_q, of_k, of_qx = norms
        half = cos.shape[-1]
        videos, length, heads, width = x.q.shape
        groups = x.k.shape[2]
        if (
            not _side_by_side(x)
            or width != _HEAD
            or heads % _HEADS_AT_ONCE
            or groups % _HEADS_AT_ONCE
            or half % _AT_ONCE
            or of_q.eps != of_k.eps
            or of_q.weight.dtype is not of_k.weight.dtype
            or not _fits(x.q, *into, floats=(cos, sin, *scales), norms=norms)
        ):
            return super().heads(x, norms, rotary, scales, into)
        out = Heads(
            *(
                torch.empty(part.shape, dtype=part.dtype, device=part.device)
                if room is None
                else room
                for part, room in zip(x, into, strict=True)
            )
        )
        tokens, sections = videos * length, 2 * (heads + groups) // _HEADS_AT_ONCE
        warps = _MOST_THREADS // _WARP
        self._get("all_heads", x.q)(
            (-(-tokens // warps), sections), _MOST_THREADS,
            x.q.data_ptr(), *(part.data_ptr() for part in out),
            of_q.weight.data_ptr(), of_q.bias.data_ptr(), *_norm(of_k), *_norm(of_qx),
            cos.data_ptr(), sin.data_ptr(), *(_address(scale) for scale in scales),
            tokens, heads, groups, length, half, of_q.eps, of_qx.eps,
        )  # fmt: skip
        return out

    def join(self, own: Tensor, caption: Tensor, divisor: Tensor | None = None) -> Tensor:
        own, caption = own.contiguous(), caption.contiguous()
        size = own.shape[-1]
        part = size // ATTENTION_INTERLEAVE
        if size % (ATTENTION_INTERLEAVE * _AT_ONCE) or not _fits(own, caption, floats=(divisor,)):
            return super().join(own, caption, divisor)
        out = _empty_like(own, divisor, 2 * size)
        rows = own.numel() // size
        self._get("join", own)(
            (-(-rows // _ROWS_AT_ONCE), _blocks(2 * size)), _MOST_THREADS,
            own.data_ptr(), caption.data_ptr(), out.data_ptr(), _address(divisor), rows, part,
        )  # fmt: skip
        return out

    def gelu(self, x: Tensor, divisor: Tensor | None = None) -> Tensor:
        x = x.contiguous()
        size = x.shape[-1]
        if size % _AT_ONCE or not _fits(x, floats=(divisor,)):
            return super().gelu(x, divisor)
        rows = x.numel() // size
        out = _empty_like(x, divisor)
        self._get("gelu", x)(
            (-(-rows // _ROWS_AT_ONCE), _blocks(size)), _MOST_THREADS,
            x.data_ptr(), out.data_ptr(), _address(divisor), rows, size,
        )  # fmt: skip
        return out

    def silu_gate(self, x: Tensor, divisor: Tensor | None = None) -> Tensor:
        x = x.contiguous()
        size = x.shape[-1] // 2
        if size % _AT_ONCE or not _fits(x, floats=(divisor,)):
            return super().silu_gate(x, divisor)
        rows = x.numel() // (2 * size)
        out = _empty_like(x, divisor, size)
        self._get("silu_gate", x)(
            (rows, _blocks(size)), _MOST_THREADS,
            x.data_ptr(), out.data_ptr(), _address(divisor), rows, size,
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
        if not _can_add(x, update, gate, (norm,), into=into):
            return super().add_gated(x, update, gate, norm, into)
        return self._add_gated(x, update, gate, norm, into=into)[0]

    def add_gated_and_norm(
        self,
        x: Tensor,
        update: Tensor,
        gate: Tensor,
        norm: LayerNorm1p,
        then: nn.LayerNorm,
        divisor: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        if not _can_add(x, update, gate, (norm, then), divisor):
            return super().add_gated_and_norm(x, update, gate, norm, then, divisor)
        return self._add_gated(x, update, gate, norm, then, divisor)

    def _add_gated(
        self,
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
        normed = out if then is None else _empty_like(x, divisor)
        follows = (0, 0, 0) if then is None else _norm(then)
        self._get(f"add_gated_{_passes(size)}", x)(
            _row_blocks(rows := x.numel() // size), _row_threads(size),
            x.data_ptr(), update.data_ptr(), int(update.dtype is torch.float32), gate.data_ptr(),
            *_norm(norm), out.data_ptr(),
            *follows, _address(divisor), 0 if then is None else normed.data_ptr(),
            rows, x.shape[1] // parts, gate.stride(1), size,
            norm.eps, 0.0 if then is None else then.eps,
        )  # fmt: skip
        return out, normed

    def standardise(self, x: Tensor) -> Tensor:
        width = x.shape[-1]
        x = x.contiguous()
        if not _fits_a_warp(width) or not _fits(x):
            return super().standardise(x)
        out = torch.empty_like(x)
        rows, lanes = x.numel() // width, width // _AT_ONCE
        self._get("standardise", x)(
            (-(-rows * lanes // _MOST_THREADS),), _MOST_THREADS,
            x.data_ptr(), out.data_ptr(), rows, lanes,
        )  # fmt: skip
        return out


def _side_by_side(x: Heads) -> bool:
    """Whether all are columns of one matrix, in their order, with nothing before and after them."""
    step = sum(part.shape[2] * part.shape[3] for part in x)
    at = x.q.data_ptr()
    for part in x:
        videos, length, heads, width = part.shape
        if part.data_ptr() != at or part.stride()[1:] != (step, width, 1):
            return False
        if videos > 1 and part.stride(0) != length * step:
            return False
        at += heads * width * part.element_size()
    return True


def _address(x: Tensor | None) -> int:
    return 0 if x is None else x.data_ptr()


def _norm(norm: nn.LayerNorm | LayerNorm1p) -> tuple[int, int, int]:
    """Weights, bias, and whether they are float32."""
    return norm.weight.data_ptr(), norm.bias.data_ptr(), int(norm.weight.dtype is torch.float32)


def _empty_like(x: Tensor, divisor: Tensor | None, size: int | None = None) -> Tensor:
    shape = x.shape if size is None else (*x.shape[:-1], size)
    return torch.empty(shape, dtype=x.dtype if divisor is None else E4M3, device=x.device)


def _fits(
    x: Tensor,
    *same: Tensor | None,
    floats: tuple[Tensor | None, ...] = (),
    norms: tuple[nn.LayerNorm | LayerNorm1p, ...] = (),
) -> bool:
    """Whether ``same`` are of the type of ``x``, ``floats`` float32 and weights of norms one of the
    two, and all begin where sixteen bytes can be read at once."""
    weights = [weight for norm in norms for weight in (norm.weight, norm.bias)]
    typed = (
        all(y is None or y.dtype is x.dtype for y in same)
        and all(y is None or y.dtype is torch.float32 for y in floats)
        and all(y.dtype in (x.dtype, torch.float32) for y in weights)
        and all(norm.weight.dtype is norm.bias.dtype for norm in norms)
    )
    return typed and all(
        y is None or y.dim() == 0 or y.data_ptr() % 16 == 0 for y in (x, *same, *floats, *weights)
    )


def _fits_a_block(size: int) -> bool:
    return size % _AT_ONCE == 0 and size <= _MOST_COLUMNS


def _fits_a_warp(width: int) -> bool:
    return width & (width - 1) == 0 and _AT_ONCE <= width <= _AT_ONCE * _WARP


def _can_add(
    x: Tensor,
    update: Tensor,
    gate: Tensor,
    norms: tuple[nn.LayerNorm | LayerNorm1p, ...],
    divisor: Tensor | None = None,
    into: Tensor | None = None,
) -> bool:
    # The first and the last layer's projection is float32.
    same, floats = (into,), (gate, divisor)
    if update.dtype is torch.float32:
        floats += (update,)
    else:
        same += (update,)
    fits = _fits(x, *same, floats=floats, norms=norms)
    return fits and _fits_a_block(x.shape[-1]) and gate.stride(1) % _AT_ONCE == 0


def _passes(size: int) -> int:
    """How often the threads of a block go over a row; there are kernels for one, two and four."""
    passes = -(-size // (_AT_ONCE * _MOST_THREADS))
    return 4 if passes == 3 else passes


def _row_blocks(rows: int) -> tuple[int]:
    return (-(-rows // _ROWS_OF_BLOCK),)


def _row_threads(size: int) -> int:
    """Of a block for rows of ``size``: whole warps, in which as few threads as can be are idle."""
    eights = size // _AT_ONCE
    passes = -(-eights // _MOST_THREADS)
    return -(-eights // passes // _WARP) * _WARP


def _blocks(columns: int) -> int:
    return -(-columns // (_AT_ONCE * _MOST_THREADS))
