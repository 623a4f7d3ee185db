from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from magi_engine.ops.attention import attention
from magi_engine.ops.backends import available_backends
from magi_engine.ops.quantised_attention import e4m3_attention, int8_attention

RelativeError = Callable[[Tensor, Tensor], float]

SHAPES = [
    # queries, keys, heads, groups, features
    (70, 333, 4, 2, 128),
    (128, 128, 3, 1, 128),
    (300, 1, 2, 2, 128),
    (1, 129, 2, 1, 128),
    (515, 2049, 6, 2, 128),
    (64, 700, 3, 1, 64),
]


def inputs(
    queries: int, keys: int, heads: int, groups: int, features: int, offset: float = 1.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, the last two with a mean of their own in each channel."""
    generator = torch.Generator().manual_seed(queries + keys)
    q = torch.randn(1, queries, heads, features, generator=generator)
    k, v = torch.randn(2, 1, keys, groups, features, generator=generator)
    k += offset * torch.randn(features, generator=generator)
    v += offset * torch.randn(features, generator=generator)
    return q, k, v


def test_rounding_to_8_bits_costs_some_percent(relative_error: RelativeError) -> None:
    q, k, v = inputs(64, 600, 4, 2, 64, offset=0.0)
    assert 0.01 < relative_error(quantised_attention(q, k, v), attention(q, k, v)) < 0.08


def test_what_all_keys_or_values_have_in_common_costs_nothing() -> None:
    q, k, v = inputs(64, 600, 4, 2, 64, offset=0.0)
    plain = quantised_attention(q, k, v)
    # Powers of two: what is left after taking off the mean is the same to the last bits.
    torch.testing.assert_close(quantised_attention(q, k + 16, v), plain, rtol=0.02, atol=0.02)
    torch.testing.assert_close(quantised_attention(q, k, v + 16) - 16, plain, rtol=0.02, atol=0.02)


def test_a_query_that_looks_at_one_key_sees_it(relative_error: RelativeError) -> None:
    q, k, v = inputs(8, 600, 2, 2, 64, offset=0.0)
    k[:, 77] = 40 * k[:, 77] / k[:, 77].norm(dim=-1, keepdim=True)
    q[:] = k[:, 77:78]
    assert relative_error(quantised_attention(q, k, v), v[:, 77:78].expand_as(q)) < 0.05


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("name", ["fp8, Triton", "fp8, Hopper"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_kernels_do_what_the_plain_form_does(
    name: str, shape: tuple[int, ...], relative_error: RelativeError
) -> None:
    device = torch.device("cuda", 0)
    kernel = kernel_called(name, device)
    q, k, v = (x.to(device, torch.bfloat16) for x in inputs(*shape))
    exact = attention(q.double(), k.double(), v.double())
    plain = quantised_attention(q, k, v)
    try:
        actual = kernel(q, k, v)
    except RuntimeError:
        assert name == "fp8, Hopper"
        assert shape[-1] != 128
        return
    assert actual.shape == q.shape
    assert actual.dtype is q.dtype
    assert relative_error(actual, exact) < 1.1 * relative_error(plain, exact) + 0.003
    # Queries of a chunk are a view of a longer tensor, and so are keys of some chunks.
    longer = torch.cat([q, q], dim=1)[:, : q.shape[1]]
    more = (torch.cat([x, x], dim=1)[:, : x.shape[1]] for x in (k, v))
    torch.testing.assert_close(kernel(longer, *more), actual, rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("name", ["fp8, Triton", "fp8, Hopper"])
def test_the_kernels_refuse_what_they_cannot_do(name: str) -> None:
    kernel = kernel_called(name, torch.device("cuda", 0))
    q, k, v = (x.cuda().bfloat16() for x in inputs(20, 30, 2, 1, 48))
    with pytest.raises(RuntimeError, match="attention for"):
        kernel(q, k, v)
    q, k, v = (x.cuda().bfloat16().expand(2, -1, -1, -1) for x in inputs(20, 30, 2, 1, 128))
    with pytest.raises(RuntimeError, match="attention for"):
        kernel(q, k, v)


def kernel_called(name: str, device: torch.device) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    for backend in available_backends(device):
        if backend.name == name:
            assert not backend.exact
            return backend.attend
    pytest.skip(f"{name} is not for this GPU")
