"""Crop frames of a locked shape."""

from __future__ import annotations

import itertools
import random

import pytest

from magi_desktop.panels.crop_geometry import Corner, CropGeometry
from magi_engine.media.fit import CropBox

SHAPES = list(itertools.product([(1280, 720), (333, 777), (20000, 40), (17, 16)], [1, 16 / 9, 0.4]))


def _inside(box: CropBox, g: CropGeometry) -> bool:
    return (
        box.left >= 0
        and box.top >= 0
        and box.width > 0
        and box.height > 0
        and box.left + box.width <= g.width
        and box.top + box.height <= g.height
    )


@pytest.mark.parametrize(("size", "aspect"), SHAPES)
def test_the_largest_frame_touches_two_sides(size: tuple[int, int], aspect: float) -> None:
    g = CropGeometry(*size, aspect)
    box = g.largest
    assert _inside(box, g)
    assert box.width == pytest.approx(g.width, abs=0.05) or box.height == pytest.approx(
        g.height, abs=0.05
    )
    assert box.left * 2 + box.width == pytest.approx(g.width, abs=0.1)


@pytest.mark.parametrize(("size", "aspect"), SHAPES)
def test_no_gesture_leaves_the_picture_or_the_shape(size: tuple[int, int], aspect: float) -> None:
    g, rng = CropGeometry(*size, aspect), random.Random(f"{size}{aspect}")
    frame = g.largest
    for _ in range(300):
        far = rng.uniform(-1.5, 1.5) * g.width, rng.uniform(-1.5, 1.5) * g.height
        frame = rng.choice(
            (
                g.moved(frame, *far),
                g.scaled(frame, rng.uniform(0.2, 3)),
                g.dragged(frame, rng.choice(list(Corner)), *far),
            )
        )
        assert _inside(frame, g)
        assert g.adopt(frame) == frame
        assert frame.width == pytest.approx(frame.height * aspect, abs=0.05 * max(1, aspect))


def test_moving() -> None:
    g = CropGeometry(1280, 720, 1)
    assert g.moved(g.largest, 100, 50) == CropBox(380, 0, 720, 720)
    assert g.moved(g.largest, 9999, 0) == CropBox(560, 0, 720, 720)


def test_dragging_a_corner_keeps_the_opposite_one() -> None:
    g = CropGeometry(1000, 1000, 2)
    frame = CropBox(200, 300, 400, 200)
    assert g.dragged(frame, Corner.BOTTOM_RIGHT, 800, 0) == CropBox(200, 300, 600, 300)
    assert g.dragged(frame, Corner.TOP_LEFT, 400, 500) == CropBox(400, 400, 200, 100)
    smallest = g.dragged(frame, Corner.TOP_LEFT, 5000, 5000)
    assert (smallest.left + smallest.width, smallest.top + smallest.height) == (600, 500)
    assert smallest.width == 50


def test_another_shape_keeps_place_and_relative_size() -> None:
    square, wide = CropGeometry(1280, 720, 1), CropGeometry(1280, 720, 16 / 9)
    half = square.scaled(square.moved(square.largest, 100, 0), 0.5)
    again = wide.adopt(half)
    assert again.width == pytest.approx(640, abs=0.1)
    assert again.left + again.width / 2 == pytest.approx(half.left + half.width / 2, abs=0.1)
    assert square.adopt(again).width == pytest.approx(360, abs=0.1)
    assert wide.adopt(square.largest) == wide.largest
    assert square.adopt(None) == square.largest


def test_whether_there_is_anything_to_crop() -> None:
    assert CropGeometry(1920, 1080, 16 / 9).is_whole
    assert not CropGeometry(1920, 1080, 1).is_whole
