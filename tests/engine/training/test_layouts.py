"""Attention along a layout is dense attention with a mask, only cheaper."""

from __future__ import annotations

import pytest
import torch

from magi_engine.training.layouts import Layout, LayoutAttention, pipeline, streaming

TOKENS, HEADS, GROUPS, CHANNELS = 3, 4, 2, 8

LAYOUTS = [
    *[streaming(5, kv_range) for kv_range in range(1, 6)],
    streaming(1, 3),
    *[pipeline(5, clean, kv_range) for clean in (0, 1, 2) for kv_range in (1, 2, 5)],
]


def dense_mask(layout: Layout) -> torch.Tensor:
    """(S, S) bool: which token may look at which."""
    chunks = len(layout.sees)
    mask = torch.zeros(chunks, chunks, dtype=torch.bool)
    for own, sees in enumerate(layout.sees):
        mask[own, list(sees)] = True
    return mask.repeat_interleave(TOKENS, 0).repeat_interleave(TOKENS, 1)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_attention_along_a_layout_is_masked_attention(layout: Layout) -> None:
    tokens = TOKENS * len(layout.sees)
    dice = torch.Generator().manual_seed(tokens)
    q = torch.randn(2, tokens, HEADS, CHANNELS, generator=dice)
    k, v = (torch.randn(2, tokens, GROUPS, CHANNELS, generator=dice) for _ in range(2))
    actual = LayoutAttention(layout)(0, q, k, v)  # (2, S, heads, channels)
    dense = torch.nn.functional.scaled_dot_product_attention(
        q.transpose(1, 2),
        *(x.repeat_interleave(HEADS // GROUPS, dim=2).transpose(1, 2) for x in (k, v)),
        attn_mask=dense_mask(layout),
    )
    torch.testing.assert_close(actual, dense.transpose(1, 2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kv_range", [2, 3, 5])
def test_streaming_learns_every_chunk_after_clean_ones(kv_range: int) -> None:
    layout = streaming(5, kv_range)
    assert [layout.positions[i] for i in layout.noisy_indices] == [0, 1, 2, 3, 4]
    for own in layout.noisy_indices:
        seen = layout.sees[own]
        position = layout.positions[own]
        assert own in seen
        before = [i for i in seen if i != own]
        assert all(layout.clean[i] for i in before)
        earliest = max(0, position - kv_range + 1)
        assert [layout.positions[i] for i in before] == list(range(earliest, position))
    # A clean chunk sees itself alone, as in the sampler.
    assert all(layout.sees[i] == (i,) for i, clean in enumerate(layout.clean) if clean)


def test_streaming_without_history_holds_no_clean_chunks() -> None:
    layout = streaming(5, 1)
    assert not any(layout.clean)
    assert layout.sees == ((0,), (1,), (2,), (3,), (4,))


def test_a_pipeline_never_looks_ahead() -> None:
    layout = pipeline(5, 2, 3)
    assert layout.clean == (True, True, False, False, False)
    assert layout.sees == ((0,), (1,), (0, 1, 2), (1, 2, 3), (2, 3, 4))
    assert layout.positions == (0, 1, 2, 3, 4)
