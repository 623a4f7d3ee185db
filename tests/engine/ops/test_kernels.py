"""The plain steps between the products, which the fused ones are held to."""

from __future__ import annotations

import torch

from magi_engine.ops.kernels import Kernels


def test_a_float32_factor_is_not_rounded_before_it_multiplies() -> None:
    values = torch.randn(1, 50, 8, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    factor = torch.tensor(1.2975)  # nearly halfway between two bfloat16 numbers
    expected = (values.double() * factor.double()).bfloat16()
    rounded_first = (values.double() * factor.bfloat16().double()).bfloat16()
    assert not torch.equal(rounded_first, expected), "as PyTorch has it on a graphics card"
    assert torch.equal(Kernels().scaled(values, factor), expected)
    room = torch.zeros_like(values)
    assert Kernels().scaled(values, factor, room) is room
    assert torch.equal(room, expected)
