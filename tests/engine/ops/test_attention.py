from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from magi_engine.ops import attention as module
from magi_engine.ops.attention import attention, attention_by_products
from magi_engine.training.caption_batches import caption_attention


def spelled_out(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention in float64, head by head: query head i looks at group i // (heads / groups)."""
    per_group = q.shape[2] // k.shape[2]
    heads = []
    for head in range(q.shape[2]):
        keys, values = k[:, :, head // per_group].double(), v[:, :, head // per_group].double()
        scores = q[:, :, head].double() @ keys.transpose(1, 2) / math.sqrt(q.shape[3])
        heads.append(scores.softmax(-1) @ values)
    return torch.stack(heads, dim=2).float()


def random_qkv(*shape_q: int, keys: int, groups: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    n, _, _, dim = shape_q
    return (
        torch.randn(shape_q, generator=generator) * 2,
        torch.randn(n, keys, groups, dim, generator=generator) * 2,
        torch.randn(n, keys, groups, dim, generator=generator),
    )


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_consecutive_heads_share_a_group(groups: int) -> None:
    q, k, v = random_qkv(2, 7, 8, 16, keys=11, groups=groups)
    torch.testing.assert_close(attention(q, k, v), spelled_out(q, k, v), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("at_once", [1, 100, 1000, 1 << 20])
@pytest.mark.parametrize("groups", [1, 2, 8])
def test_products_are_the_same_attention(
    groups: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SCORES_AT_ONCE", at_once)
    q, k, v = random_qkv(2, 7, 8, 16, keys=11, groups=groups)
    expected = spelled_out(q, k, v)
    torch.testing.assert_close(attention_by_products(q, k, v), expected, rtol=1e-5, atol=1e-5)
    rounded = attention_by_products(*(x.bfloat16() for x in (q, k, v))).float()
    assert (rounded - expected).norm() < 0.02 * expected.norm()


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("lengths", [(9, 9, 9, 9), (1, 9, 4, 6), (3, 3, 3, 3), (5, 2, 1, 4)])
def test_each_caption_ends_at_its_length(lengths: tuple[int, ...], masked: bool) -> None:
    q, k, v = random_qkv(4, 6, 8, 8, keys=9, groups=4)
    mask = torch.arange(9) < torch.tensor(lengths)[:, None] if masked else None
    actual = caption_attention(q, k, v, lengths, mask)
    rows = [
        spelled_out(q[i : i + 1], k[i : i + 1, :n], v[i : i + 1, :n]) for i, n in enumerate(lengths)
    ]
    torch.testing.assert_close(actual, torch.cat(rows), rtol=1e-5, atol=1e-5)


def test_what_stands_in_the_padding_of_a_caption_does_not_matter() -> None:
    q, k, v = random_qkv(2, 6, 8, 8, keys=9, groups=4)
    lengths = (4, 9)
    mask = torch.arange(9) < torch.tensor(lengths)[:, None]
    for given in (None, mask):
        before = caption_attention(q, k, v, lengths, given)
        other_k, other_v = k.clone(), v.clone()
        other_k[0, 4:], other_v[0, 4:] = 50, -50
        assert torch.equal(caption_attention(q, other_k, other_v, lengths, given), before)


@pytest.mark.parametrize("head_dim", [16, 40, 128])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_masked_keys_have_no_weight_in_any_dtype(dtype: torch.dtype, head_dim: int) -> None:
    q, k, v = (x.to(dtype) for x in random_qkv(3, 5, 4, head_dim, keys=9, groups=2))
    lengths = (2, 9, 5)
    mask = torch.arange(9) < torch.tensor(lengths)[:, None]
    k[0, 2:], v[0, 2:] = 3 * q[0, :1, ::2], 1000  # what is masked would else win
    masked = caption_attention(q, k, v, lengths, mask)
    rows = [
        spelled_out(q[i : i + 1], k[i : i + 1, :n], v[i : i + 1, :n]) for i, n in enumerate(lengths)
    ]
    tolerance = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 6e-2}[dtype]
    torch.testing.assert_close(masked.float(), torch.cat(rows), rtol=tolerance, atol=tolerance)
