from __future__ import annotations

import pytest

from magi_engine.config.sizes import check_size, nearest_legal_sizes
from magi_engine.errors import InvalidRequestError


def test_a_legal_size_is_its_own_and_only_neighbour() -> None:
    assert nearest_legal_sizes(1280, 720) == [(1280, 720)]
    check_size(1280, 720)


def test_neighbours_are_legal_and_the_nearest_comes_first() -> None:
    assert nearest_legal_sizes(1920, 1080) == [(1920, 1088), (1920, 1072)]
    assert nearest_legal_sizes(100, 130)[0] == (96, 128)
    for width, height in nearest_legal_sizes(333, 77):
        check_size(width, height)


@pytest.mark.parametrize("size", [(1920, 1080), (0, 720), (-16, 16), (8, 8), (721, 720)])
def test_an_illegal_size_names_legal_ones(size: tuple[int, int]) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_size(*size)
    width, height = nearest_legal_sizes(*size)[0]
    assert f"{width}x{height}" in str(caught.value.hint)
