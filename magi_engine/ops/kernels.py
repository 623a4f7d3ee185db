"""What stands between the matrix products of a transformer block, one method per pass over memory.

:class:`Kernels` spells each out in PyTorch; it runs on every device and under autograd.
:class:`magi_engine.ops.fused_kernels.FusedKernels` has the same methods as one kernel each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from magi_engine.ops.fp8 import to_e4m3
from magi_engine.ops.norms import LayerNorm1p
from magi_engine.ops.rope import apply_rotary

ATTENTION_INTERLEAVE = 8
"""The release reorders the joined attention outputs in groups of eight, whatever the heads."""

_STD_EPS = 1e-5


class Heads(NamedTuple):
    """What attention looks with and at: (N, S, heads or groups, head_dim) each."""

    q: Tensor
    k: Tensor
    v: Tensor
    qx: Tensor


class Kernels:
    """The plain form of every fused step.

    A ``divisor`` (features,) means that the result feeds an fp8 linear: it comes out as e4m3,
    divided and clamped as in :func:`magi_engine.ops.fp8.to_e4m3`.
    """

    name = "PyTorch"

    def layer_norm(self, x: Tensor, norm: nn.LayerNorm, divisor: Tensor | None = None) -> Tensor:
        """Layer norm over the last axis of (..., D)."""
        return _quantised(norm(x), divisor)

    def head_norm(
        self,
        x: Tensor,
        norm: LayerNorm1p,
        rotary: tuple[Tensor, Tensor] | None,
        scale: Tensor | None = None,
        into: Tensor | None = None,
    ) -> Tensor:
        """Norm of every head, then rotation.

        Args:
            x: (N, S, heads, head_dim), any strides but the last.
            rotary: cosines and sines (S, angles), see :func:`apply_rotary`.
            scale: float32 scalar that x is multiplied by first.
            into: contiguous memory for the result.

        Returns:
            The shape of x, contiguous, in its dtype.
        """
        given = x.dtype
        x = norm(x if scale is None else x * scale)
        if rotary is not None:
            x = apply_rotary(x, *rotary)
        return x.to(given) if into is None else into.copy_(x)

    def scaled(self, x: Tensor, scale: Tensor | None, into: Tensor | None = None) -> Tensor:
        """``x * scale`` in the dtype of x; ``scale`` is a float32 scalar, ``into`` as above."""
        if scale is not None:
            # Not a plain product: PyTorch would round a scalar to the dtype of x before it.
            x = (x.float() * scale).to(x.dtype)
        return x if into is None else into.copy_(x)

    def heads(
        self,
        x: Heads,
        norms: tuple[LayerNorm1p, LayerNorm1p, LayerNorm1p],
        rotary: tuple[Tensor, Tensor],
        scales: Sequence[Tensor | None],
        into: Sequence[Tensor | None],
    ) -> Heads:
        """:meth:`head_norm` of all that attention looks with and at, and values :meth:`scaled`.

        Args:
            norms: of q, k and qx. Only the first two are rotated.
            scales, into: see :meth:`head_norm`, one for each of ``x``.
        """
        of_q, of_k, of_qx = norms
        return Heads(
            self.head_norm(x.q, of_q, rotary, scales[0], into[0]),
            self.head_norm(x.k, of_k, rotary, scales[1], into[1]),
            self.scaled(x.v, scales[2], into[2]),
            self.head_norm(x.qx, of_qx, None, scales[3], into[3]),
        )

    def join(self, own: Tensor, caption: Tensor, divisor: Tensor | None = None) -> Tensor:
        """Both attention outputs (N, S, D) side by side in the release's order, (N, S, 2D)."""
        pair = [x.unflatten(-1, (ATTENTION_INTERLEAVE, -1)) for x in (own, caption)]
        return _quantised(torch.stack(pair, dim=-2).flatten(-3), divisor)

    def gelu(self, x: Tensor, divisor: Tensor | None = None) -> Tensor:
        """GELU of (..., D)."""
        return _quantised(F.gelu(x), divisor)

    def silu_gate(self, x: Tensor, divisor: Tensor | None = None) -> Tensor:
        """SiLU of the first half of (..., 2D) times the second half, (..., D)."""
        gate, value = x.chunk(2, dim=-1)
        return _quantised(F.silu(gate) * value, divisor)

    def add_gated(
        self,
        x: Tensor,
        update: Tensor,
        gate: Tensor,
        norm: LayerNorm1p,
        into: Tensor | None = None,
    ) -> Tensor:
        """``x + norm(update * gate)`` in float32, in the dtype of x.

        Args:
            x, update: (N, S, D).
            gate: (N, R, D) float32, for R equal parts of S.
            into: contiguous memory for the result, perhaps that of x.
        """
        by_part = update.float().unflatten(1, (gate.shape[1], -1)) * gate[:, :, None]
        added = x.float() + norm(by_part.flatten(1, 2))
        return added.to(x.dtype) if into is None else into.copy_(added)

    def add_gated_and_norm(
        self,
        x: Tensor,
        update: Tensor,
        gate: Tensor,
        norm: LayerNorm1p,
        then: nn.LayerNorm,
        divisor: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """:meth:`add_gated`, and what :meth:`layer_norm` makes of it."""
        x = self.add_gated(x, update, gate, norm)
        return x, self.layer_norm(x, then, divisor)

    def standardise(self, x: Tensor) -> Tensor:
        """``(x - mean) / (std + 1e-5)`` over the last axis."""
        std, mean = torch.std_mean(x, dim=-1, keepdim=True, correction=0)
        return (x - mean) / (std + _STD_EPS)


def _quantised(x: Tensor, divisor: Tensor | None) -> Tensor:
    return x if divisor is None else to_e4m3(x, divisor)
