"""First chunks of several videos in one batch: each as it is alone."""

from __future__ import annotations

import pytest
import torch

from magi_engine.model.special_tokens import SpecialToken
from magi_engine.sampling.memory import Memory
from magi_engine.sampling.noise import SeededNoise
from magi_engine.sampling.schedule import Direction, Transition


class OnHost(Memory):
    cache_on_host = True  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("cfg_number", "prefix_frames", "memory"),
    [(1, 0, None), (1, 1, None), (1, 5, None), (3, 0, None), (3, 5, None), (1, 5, OnHost())],
)
def test_each_is_as_it_is_alone(
    toy, cfg_number: int, prefix_frames: int, memory: Memory | None
) -> None:
    settings = toy.settings(window_size=2, num_steps=4, cfg_number=cfg_number)
    num_chunks = prefix_frames // 2 + 1
    # Two have the same words, one has others, and one has none.
    words = [toy.track(SpecialToken.HQ, seed=n) for n in (1, 1, 2)]
    empty = toy.track()
    empty.change(0, torch.zeros(0, 16))
    starts = list(zip([*words, empty], [7, 8, 7, 9], strict=True))

    def chunks(first: int, count: int) -> torch.Tensor:
        (captions, seed), *others = starts[first : first + count]
        [made] = toy.chunks(
            settings,
            num_chunks,
            captions=captions,
            noise=SeededNoise(seed),
            prefix_frames=prefix_frames,
            memory=memory,
            direction=Direction({num_chunks - 1: Transition.NEW_PLACE}),
            along=[(track, SeededNoise(number)) for track, number in others],
        ).values()
        return made

    together = chunks(0, 4)
    assert len(together) == 4
    for index in range(4):
        for captions, _ in starts:
            captions.reopen(0)
        alone = chunks(index, 1)
        assert (together[index] - alone[0]).abs().max() <= 1e-5
    assert (together[0] - together[1]).abs().max() > 0.1
    assert (together[0] - together[2]).abs().max() > 1e-3


def test_it_has_one_chunk(toy) -> None:
    settings = toy.settings(window_size=1, num_steps=4)
    along = [(toy.track(), SeededNoise(1))]
    with pytest.raises(ValueError, match="one chunk"):
        next(iter(toy.events(settings, 2, along=along)))
