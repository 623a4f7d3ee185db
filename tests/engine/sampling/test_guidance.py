from __future__ import annotations

import pytest
import torch

from magi_engine.sampling.guidance import GuidanceScales, combine

RELEASED = GuidanceScales(
    t_range=[0.0, 0.0217, 0.1, 0.3, 0.999],
    history=[1.5, 1.4, 1.3, 1.2, 1.1],
    text=[7.5, 7.4, 7.3, 0.2, 0.1],
)


@pytest.mark.parametrize(
    ("time", "entry"),
    [
        (0.0, 0),
        (0.0216, 0),
        (0.0217, 1),  # an entry begins at its own time ...
        (0.3, 3),
        (0.30000001192092896, 3),  # ... whatever float32 makes of it
        (0.99, 3),
        (0.9999, 4),
        (1.0, 4),
    ],
)
def test_scales_are_looked_up_by_time(time: float, entry: int) -> None:
    history, text = RELEASED.at(torch.tensor([time]))
    assert history.item() == pytest.approx(RELEASED.history[entry])
    assert text.item() == pytest.approx(RELEASED.text[entry])


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
