from __future__ import annotations

import hashlib
from statistics import NormalDist

import pytest
import torch

from magi_engine.sampling.noise import GivenNoise, SeededNoise

SHAPE = (1, 16, 6, 4, 4)


def test_a_seed_gives_these_numbers_on_every_machine() -> None:
    source = SeededNoise(1234)
    first, second = source.next_chunk(SHAPE), source.next_chunk(SHAPE)
    assert first.flatten()[:4].tolist() == [
        -0.7328197956085205,
        -1.4135035276412964,
        -0.08430702984333038,
        -0.21629349887371063,
    ]
    assert second.flatten()[:2].tolist() == [1.042572021484375, -1.4362106323242188]
    digest = hashlib.sha256(first.numpy().tobytes() + second.numpy().tobytes()).hexdigest()
    assert digest == "ab8d59de046ae28ec44d3ea7aef99d0910ca0f1b983576184dd13353c66feaf8"


def test_the_numbers_are_the_normal_quantiles_of_the_generators_uniform_ones() -> None:
    uniform = torch.rand(SHAPE, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    expected = torch.tensor([NormalDist().inv_cdf(u) for u in uniform.flatten().tolist()])
    noise = SeededNoise(5).next_chunk(SHAPE)
    torch.testing.assert_close(noise.flatten(), expected, rtol=2e-7, atol=1e-9)


def test_noise_is_standard_normal() -> None:
    noise = SeededNoise(0).next_chunk((1, 16, 6, 64, 64)).double()
    assert abs(noise.mean()) < 0.005
    assert abs(noise.std() - 1) < 0.005
    assert abs((noise**4).mean() - 3) < 0.05
    assert noise.isfinite().all()
    assert abs((noise[:, :, 1:] * noise[:, :, :-1]).mean()) < 0.005, "frames are independent"


@pytest.mark.parametrize("threads", [1, 4])
def test_the_number_of_threads_does_not_matter(threads: int) -> None:
    before = torch.get_num_threads()
    shape = (1, 16, 6, 90, 90)  # large enough to be split over threads
    expected = SeededNoise(3).next_chunk(shape)
    try:
        torch.set_num_threads(threads)
        assert torch.equal(SeededNoise(3).next_chunk(shape), expected)
    finally:
        torch.set_num_threads(before)


def test_chunks_and_seeds_differ_and_the_global_generator_is_left_alone() -> None:
    state = torch.get_rng_state()
    source = SeededNoise(1)
    first, second = source.next_chunk(SHAPE), source.next_chunk(SHAPE)
    assert not torch.equal(first, second)
    assert not torch.equal(SeededNoise(2).next_chunk(SHAPE), first)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_uniform_zero_is_not_infinite_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    # One draw in 2^53 is 0: nothing but a patch can show it.
    monkeypatch.setattr(
        torch, "rand", lambda shape, **options: torch.zeros(shape, **_only(options))
    )
    assert SeededNoise(0).next_chunk((1, 2)).isfinite().all()


def _only(options: dict) -> dict:
    return {"dtype": options["dtype"]}


def test_given_noise_comes_out_in_pieces_without_what_is_skipped() -> None:
    noise = torch.arange(20.0, dtype=torch.float64).reshape(1, 1, 10, 1, 2)
    source = GivenNoise(noise, skip=4)
    first, second = source.next_chunk((1, 1, 2, 1, 2)), source.next_chunk((1, 1, 4, 1, 2))
    assert first.dtype is torch.float32
    assert first.flatten().tolist() == [8, 9, 10, 11]
    assert second.flatten().tolist() == [12, 13, 14, 15, 16, 17, 18, 19]


def test_skipped_chunks_change_nothing_for_those_after() -> None:
    shape = (1, 16, 6, 2, 2)
    whole = SeededNoise(7)
    chunks = [whole.next_chunk(shape) for _ in range(4)]
    late = SeededNoise(7, skip=2)
    assert torch.equal(late.next_chunk(shape), chunks[2])
    assert torch.equal(late.next_chunk(shape), chunks[3])
