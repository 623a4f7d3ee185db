"""Rounding a matrix to e4m3 so that its products suffer least, not its elements.

Rounding every weight to the next number leaves errors that add up in the direction of the inputs'
mean, the same in every step of a generation. Instead columns are rounded one after the other, and
what each changes in the products with the inputs that were measured, the columns still to come make
up for
(GPTQ, Frantar et al. 2022, arXiv:2210.17323).
"""

from __future__ import annotations

import torch
from torch import Tensor

from magi_engine.ops.fp8 import E4M3, E4M3_MAX

_COLUMNS_AT_ONCE = 128
_DAMPING = 0.003
"""Of the inputs' mean square, added to that of each: in directions that calibration has hardly
seen, the weights shall stay what they are."""


def nearest_e4m3(weight: Tensor) -> Tensor:
    """The e4m3 number next to each element; what is beyond the range is cut."""
    return weight.clamp(-E4M3_MAX, E4M3_MAX).to(E4M3)


def compensated_e4m3(weight: Tensor, products: Tensor) -> Tensor:
    """A matrix of e4m3 numbers near to ``weight`` that does the same to the inputs, nearly.

    Args:
        weight: (out, in), scaled so that it fits into the range of e4m3.
        products: (in, in), sum of ``x xᵀ`` over the inputs.

    Returns:
        (out, in) e4m3.
    """
    energy = products.diagonal().float()
    if energy.mean() <= 0:
        return nearest_e4m3(weight)
    # The loud columns first, while there are most others to make up for them.
    order = energy.argsort(descending=True)
    left = weight.float()[:, order]
    metric = products.float()[order][:, order] / energy.mean()
    passed_on = _inverse_factor(metric)

    rounded = torch.empty_like(left, dtype=E4M3)
    columns = left.shape[1]
    for first in range(0, columns, _COLUMNS_AT_ONCE):
        end = min(first + _COLUMNS_AT_ONCE, columns)
        lost = torch.empty_like(left[:, first:end])
        for i in range(first, end):
            rounded[:, i] = nearest_e4m3(left[:, i])
            lost[:, i - first] = (left[:, i] - rounded[:, i].float()) / passed_on[i, i]
            left[:, i:end] -= lost[:, i - first, None] * passed_on[i, i:end]
        left[:, end:] -= lost @ passed_on[first:end, end:]
    result = torch.empty_like(rounded)
    # As bytes: not every device puts e4m3 numbers in another order.
    result.view(torch.uint8)[:, order] = rounded.view(torch.uint8)
    return result


def _inverse_factor(metric: Tensor) -> Tensor:
    """Upper Cholesky factor of the inverse of ``metric``, which is damped in place.

    As much as usual, and ten times more until there is one: the sums of products are rounded, and
    where calibration heard nearly the same thing from several inputs, what is left of a direction
    may have no length.
    """
    damping = _DAMPING
    metric.diagonal().add_(damping)
    while damping < 1e3:  # finite sums need no more
        factor, failed = torch.linalg.cholesky_ex(metric)
        if not failed:
            factor, failed = torch.linalg.cholesky_ex(torch.cholesky_inverse(factor), upper=True)
        if not failed:
            return factor
        metric.diagonal().add_(9 * damping)
        damping *= 10
    raise ValueError("The sums of products of the inputs are not finite.")
