"""The polynomial GELU against PyTorch's."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from magi_engine.ops.gelu import polynomial_gelu


def test_it_is_gelu_to_far_below_bfloat16_s_rounding() -> None:
    x = torch.linspace(-30, 30, 600_001)
    exact = F.gelu(x.double())
    found = polynomial_gelu(x)
    assert (found - exact).abs().max() < 2e-6
    near = x.abs() < 5
    assert ((found - exact).abs()[near] / exact.abs()[near].clamp(min=1e-9)).max() < 1e-5
    differ = found.bfloat16() != exact.float().bfloat16()
    assert differ[near].float().mean() < 0.005
