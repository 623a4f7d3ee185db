"""GELU by a polynomial, for kernels that would otherwise wait for the error function.

``x * Phi(x)``, with the tail ``Q = 1 - Phi`` as two to the power of a polynomial: log2 of Q is so
smooth that degree 7 is within 4e-6 of it on [0, 6], a thousandth of bfloat16's rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor

GELU_TAIL = (
    -0.9999943375587463,
    -1.1512691974639893,
    -0.45840978622436523,
    -0.05402068793773651,
    0.00853946153074503,
    -0.0009388679172843695,
    6.268139986786991e-05,
    -1.8896262190537527e-06,
)
"""Coefficients of log2(Q(a)) for 0 <= a <= 6, the constant first: a least-squares fit on Chebyshev
nodes."""

GELU_TAIL_END = 6.0
"""Beyond it Q is below 1e-9 and counts as constant."""


def polynomial_gelu(x: Tensor) -> Tensor:
    """What the kernel computes; float32 (...) -> (...)."""
    a = x.abs().clamp(max=GELU_TAIL_END)
    power = torch.zeros_like(a)
    for coefficient in reversed(GELU_TAIL):
        power = power * a + coefficient
    tail = x * torch.exp2(power)
    return torch.where(x > 0, x - tail, tail)
