from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch

from magi_engine.ops.rope import apply_rotary, rotary_angles, rotary_angles_at, rotary_places

TAU = "6.283185307179586476925286766559005768394338798750211641949889"
BANDS = torch.tensor([1.0, 0.3, 0.05])


def position(index: int, count: int, rescale: float) -> float:
    """Centred, stretched to the size the model was trained at; the spec's words in float64."""
    centred = index - (count - 1) / 2
    return centred if count == 1 else centred / (count - 1) * (count / rescale - 1)


@pytest.mark.parametrize(
    ("chunks", "chunk_width", "height", "width"),
    [([0], 6, 4, 6), ([3, 4, 5], 2, 3, 5), ([7, 2], 6, 1, 4), ([1], 1, 1, 1), ([0, 9], 3, 16, 16)],
)
def test_angles_are_the_spec_in_loops(
    chunks: list[int], chunk_width: int, height: int, width: int
) -> None:
    rescale = math.sqrt(height * width / 256)
    angles = [
        [
            axis * band
            for axis in (
                chunk * chunk_width + frame,
                position(row, height, rescale),
                position(column, width, rescale),
            )
            for band in BANDS.tolist()
        ]
        for chunk in chunks
        for frame in range(chunk_width)
        for row in range(height)
        for column in range(width)
    ]
    expected = torch.tensor(angles, dtype=torch.float64)
    cos, sin = rotary_angles(BANDS, chunks, chunk_width, height, width)
    assert cos.dtype is sin.dtype is torch.float32
    torch.testing.assert_close(cos.double(), expected.cos(), rtol=0, atol=1e-5)
    torch.testing.assert_close(sin.double(), expected.sin(), rtol=0, atol=1e-5)
    places = rotary_places(chunks, chunk_width, height, width)
    assert all(map(torch.equal, rotary_angles_at(places, BANDS), (cos, sin)))


def test_hours_into_a_video_the_angles_are_right() -> None:
    """Against exact arithmetic; in float32 the angles alone are off by 1e-3 there."""
    bands = 10000 ** (-torch.arange(16, dtype=torch.float32) / 16)
    cos, sin = rotary_angles(bands, [10_000], 6, 2, 2)
    for frame in range(6):
        for index, band in enumerate(bands.tolist()):
            turns = Fraction(60_000 + frame) * Fraction(band)
            rest = float(turns - round(turns / Fraction(TAU)) * Fraction(TAU))
            assert cos[frame * 4, index].item() == pytest.approx(math.cos(rest), abs=1e-7)
            assert sin[frame * 4, index].item() == pytest.approx(math.sin(rest), abs=1e-7)


def test_rotation_is_multiplication_of_complex_numbers() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 3, 32, generator=generator)
    angles = torch.randn(5, 12, generator=generator, dtype=torch.float64) * 10
    numbers = torch.complex(x[..., :12].double(), x[..., 12:24].double())
    turned = numbers * torch.polar(torch.ones_like(angles), angles)[:, None]
    expected = torch.cat([turned.real, turned.imag, x[..., 24:].double()], dim=-1)
    actual = apply_rotary(x, angles.cos().float(), angles.sin().float())
    torch.testing.assert_close(actual.double(), expected, rtol=0, atol=1e-5)
    assert torch.equal(actual[..., 24:], x[..., 24:]), "the rest of a head passes through"


def test_only_distances_in_time_matter_to_a_product() -> None:
    generator = torch.Generator().manual_seed(1)
    q, k = torch.randn(2, 1, 8, 1, 24, generator=generator)

    def scores(first: int) -> torch.Tensor:
        cos, sin = rotary_angles(BANDS, [first], 2, 2, 2)
        return (apply_rotary(q, cos, sin)[0, :, 0] @ apply_rotary(k, cos, sin)[0, :, 0].T).double()

    torch.testing.assert_close(scores(0), scores(11), rtol=0, atol=1e-4)
