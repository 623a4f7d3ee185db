from __future__ import annotations

import torch

from magi_engine.sampling.sampler import combine


def test_each_chunk_is_combined_with_its_own_scales() -> None:
    generator = torch.Generator().manual_seed(0)
    alone, history, both = torch.randn(3, 2, 16, 3, 4, 4, generator=generator)
    scales = torch.tensor([1.5, 1.0]), torch.tensor([7.5, 0.25])
    combined = combine(alone, history, both, scales)
    for i, (p, c) in enumerate([(1.5, 7.5), (1.0, 0.25)]):
        expected = (1 - p) * alone[i] + (p - c) * history[i] + c * both[i]
        torch.testing.assert_close(combined[i], expected)


def test_scales_of_one_change_nothing_but_take_the_full_condition() -> None:
    alone, history, both = torch.randn(3, 1, 2, 2, 2, 2, generator=torch.Generator().manual_seed(1))
    ones = torch.ones(1), torch.ones(1)
    torch.testing.assert_close(combine(alone, history, both, ones), both)
