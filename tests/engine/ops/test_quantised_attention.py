from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from magi_engine.ops.attention import Attention, attention
from magi_engine.ops.compiled import kernels_of
from magi_engine.ops.quantised_attention import e4m3_attention, int8_attention
from magi_engine.ops.quantised_kernels import HOPPER, INT8, Form, QuantisedAttention

RelativeError = Callable[[Tensor, Tensor], float]

SHAPES = [
    # queries, keys, heads, groups, features
    (70, 333, 4, 2, 128),
    (128, 128, 3, 1, 128),
    (300, 1, 2, 2, 128),
    (1, 129, 2, 1, 128),
    (515, 2049, 6, 2, 128),
    (1000, 700, 24, 8, 128),
]
RECIPES = {HOPPER: e4m3_attention, INT8: int8_attention}
both = pytest.mark.parametrize("recipe", [e4m3_attention, int8_attention])


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


@pytest.mark.parametrize(("recipe", "most"), [(e4m3_attention, 0.08), (int8_attention, 0.03)])
def test_rounding_to_8_bits_costs_some_percent(
    recipe: Attention, most: float, relative_error: RelativeError
) -> None:
    q, k, v = inputs(64, 600, 4, 2, 64, offset=0.0)
    assert 0.01 < relative_error(recipe(q, k, v), attention(q, k, v)) < most


@both
def test_what_all_keys_or_values_have_in_common_costs_nothing(recipe: Attention) -> None:
    q, k, v = inputs(64, 600, 4, 2, 64, offset=0.0)
    plain = recipe(q, k, v)
    # Powers of two: what is left after taking off the mean is the same to the last bits.
    torch.testing.assert_close(recipe(q, k + 16, v), plain, rtol=0.02, atol=0.02)
    torch.testing.assert_close(recipe(q, k, v + 16) - 16, plain, rtol=0.02, atol=0.02)


def test_many_keys_in_bfloat16_lean_to_no_side(relative_error: RelativeError) -> None:
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(1, 32, 2, 128, generator=generator).bfloat16()
    k, v = (x.bfloat16() for x in torch.randn(2, 1, 12150, 1, 128, generator=generator))
    exact = attention(q.float(), k.float(), v.float())
    assert relative_error(e4m3_attention(q, k, v), exact) < 0.065


def test_what_others_see_besides_changes_nothing_of_what_is_seen(
    relative_error: RelativeError,
) -> None:
    q, k, v = inputs(64, 700, 4, 2, 64)
    exact = attention(q, k[:, :400], v[:, :400])
    alone = e4m3_attention(q, k[:, :400], v[:, :400], least=300)
    assert relative_error(alone, exact) < 0.08
    for strength in (1, 100):
        later = [torch.cat([x[:, :400], strength * x[:, 400:]], dim=1) for x in (k, v)]
        along = e4m3_attention(q, *later, count=400, least=300)
        # Not to the last bit: a few numbers are below normal then.
        assert relative_error(along, alone) < 0.01


@both
def test_a_query_that_looks_at_one_key_sees_it(
    recipe: Attention, relative_error: RelativeError
) -> None:
    q, k, v = inputs(8, 600, 2, 2, 64, offset=0.0)
    k[:, 77] = 40 * k[:, 77] / k[:, 77].norm(dim=-1, keepdim=True)
    q[:] = k[:, 77:78]
    assert relative_error(recipe(q, k, v), v[:, 77:78].expand_as(q)) < 0.05


def test_keys_that_fill_no_tile_count_alone(relative_error: RelativeError) -> None:
    for count in (1, 127, 128, 129, 300):
        q, k, v = inputs(16, count, 2, 1, 64)
        assert relative_error(int8_attention(q, k, v), attention(q, k, v)) < 0.03


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("form", [HOPPER, INT8])
def test_the_kernels_do_what_the_plain_form_does(
    form: Form,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    relative_error: RelativeError,
) -> None:
    kernel, recipe = kernel_of(form), RECIPES[form]
    q, k, v = (x.to("cuda", dtype) for x in inputs(*shape))
    exact = attention(q.double(), k.double(), v.double())
    plain = recipe(q, k, v)
    actual = kernel(q, k, v)
    assert actual.shape == q.shape
    assert actual.dtype is q.dtype
    assert relative_error(actual, exact) < 1.05 * relative_error(plain, exact) + 0.001
    # Queries of a chunk are a view of a longer tensor, and so are keys of some chunks.
    longer = torch.cat([q, q], dim=1)[:, : q.shape[1]]
    more = (torch.cat([x, x], dim=1)[:, : x.shape[1]] for x in (k, v))
    torch.testing.assert_close(kernel(longer, *more), actual, rtol=0, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("form", [HOPPER, INT8])
def test_kernels_of_queries_that_see_more_and_more(
    form: Form, relative_error: RelativeError
) -> None:
    kernel, counts = kernel_of(form), [300, 1, 999, 640]
    assert isinstance(kernel, QuantisedAttention)
    q, k, v = (x.to("cuda", torch.bfloat16) for x in inputs(4 * 130, 999, 6, 2, 128))
    for some in (counts, counts[:1], counts[2:]):
        queries = q.clone().split(130, dim=1)[: len(some)]
        given = [own.clone() for own in queries]
        prepared = kernel.prepare(queries, k, v, some)
        for own, count, attend in zip(given, some, prepared, strict=True):
            seen = k[:, :count], v[:, :count]
            exact = attention(own.double(), *(x.double() for x in seen))
            error = relative_error(RECIPES[form](own, *seen), exact)
            if form is HOPPER:
                least = min(some)
                error = relative_error(e4m3_attention(own, k, v, count, least), exact)
            assert relative_error(attend(), exact) < 1.05 * error + 0.001


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("form", [HOPPER, INT8])
def test_the_kernels_refuse_what_they_cannot_do(
    form: Form,
) -> None:
    kernel = kernel_of(form)
    q, k, v = (x.cuda().bfloat16() for x in inputs(20, 30, 2, 1, 64))
    with pytest.raises(RuntimeError, match="attention for"):
        kernel(q, k, v)
    q, k, v = (x.cuda().bfloat16().expand(2, -1, -1, -1) for x in inputs(20, 30, 2, 1, 128))
    with pytest.raises(RuntimeError, match="attention for"):
        kernel(q, k, v)
    q, k, v = (x.cuda() for x in inputs(20, 30, 2, 1, 128))
    with pytest.raises(RuntimeError, match="attention for"):
        kernel(q, k, v)


def kernel_of(form: Form) -> Attention:
    if form is HOPPER and torch.cuda.get_device_capability() != (9, 0):
        pytest.skip("no Hopper")
    return QuantisedAttention(kernels_of(torch.device("cuda", 0), None), form)
