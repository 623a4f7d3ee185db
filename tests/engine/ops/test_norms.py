from __future__ import annotations

import pytest
import torch

from magi_engine.ops.norms import LayerNorm1p


def random_norm(dtype: torch.dtype) -> LayerNorm1p:
    generator = torch.Generator().manual_seed(2)
    norm = LayerNorm1p(24, 1e-6, dtype)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(24, generator=generator))
        norm.bias.copy_(torch.randn(24, generator=generator))
    return norm


def test_the_stored_weight_is_the_scale_minus_one() -> None:
    norm = random_norm(torch.float32)
    x = torch.randn(3, 5, 24, generator=torch.Generator().manual_seed(3)) * 4 + 2
    wide = x.double()
    mean, variance = wide.mean(-1, keepdim=True), wide.var(-1, keepdim=True, correction=0)
    expected = (wide - mean) / (variance + 1e-6).sqrt() * (norm.weight.double() + 1) + norm.bias
    torch.testing.assert_close(norm(x).double(), expected, rtol=1e-5, atol=1e-5)


def test_a_fresh_norm_only_normalises() -> None:
    x = torch.randn(4, 24, generator=torch.Generator().manual_seed(4)) * 3 - 1
    out = LayerNorm1p(24, 1e-6, torch.float32)(x)
    torch.testing.assert_close(out.mean(-1), torch.zeros(4), rtol=0, atol=1e-6)
    torch.testing.assert_close(out.std(-1, correction=0), torch.ones(4), rtol=1e-4, atol=0)


@pytest.mark.parametrize("own", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("given", [torch.float32, torch.bfloat16])
def test_computes_in_the_dtype_of_its_parameters(own: torch.dtype, given: torch.dtype) -> None:
    norm = random_norm(own)
    x = torch.randn(4, 24, generator=torch.Generator().manual_seed(4)).to(given)
    out = norm(x)
    assert out.dtype is own
    assert torch.equal(out, norm(x.to(own)))
