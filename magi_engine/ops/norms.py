"""Layer norms of the transformer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm1p(nn.Module):
    """Layer norm whose stored weight is the scale minus one (spec section 2).

    ``forward`` takes (..., size) in any float dtype, computes in the dtype of its own
    parameters and returns that dtype.
    """

    def __init__(self, size: int, eps: float, dtype: torch.dtype) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.zeros(size, dtype=dtype))
        self.bias = nn.Parameter(torch.zeros(size, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self.weight.dtype)
        return F.layer_norm(x, (x.shape[-1],), self.weight + 1, self.bias, self.eps)
