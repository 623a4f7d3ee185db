"""What decoded frames may have that nobody asked for, counted where it is put in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from magi_engine.training.artefacts import beat, flicker, noise_level, shimmer
from magi_engine.training.scenes import Motion
from magi_engine.training.world import SceneOptions, render, sample_scenes, simulate


def test_the_beat_is_counted_where_it_is() -> None:
    levels = np.full(71, 2.0)
    levels[3::4] = 3.0
    levels[[23, 47]] = 6.0
    signs = np.where(np.arange(71) % 2, -1, 1)
    heights = np.concatenate([[100], 100 + np.cumsum(levels * signs)])
    frames = np.broadcast_to(heights[:, None, None, None], (72, 8, 8, 3)).astype(np.uint8)
    assert beat(frames) == pytest.approx({"fourth": 1.5, "border": 2.0})
    assert beat(np.zeros((72, 8, 8, 3), np.uint8)) == {}


def test_flicker_is_the_colour_of_frames_at_the_ends_of_what_is_decoded_at_once() -> None:
    frames = np.full((72, 64, 64, 3), 250.0)
    for number, frame in enumerate(frames):
        left = 2 + number // 2
        ends = number % 12 in (0, 11)
        frame[19:35, left - 1 : left + 15] = 160 if ends else 200  # its soft edge is not counted
        frame[20:34, left : left + 14] = 250
        frame[20:34, left : left + 14] -= np.array([50, 220, 210]) * (0.95 if ends else 1.0)
    assert flicker(frames.astype(np.uint8))["flicker"] == pytest.approx(8.0, abs=0.5)
    assert flicker(np.zeros((72, 8, 8, 3), np.uint8)) == {}


@pytest.mark.parametrize("motion", [Motion.BOUNCE, Motion.GROW, Motion.SPIN])
def test_what_moves_does_not_flicker(motion: Motion) -> None:
    options = SceneOptions(
        num_chunks=3, two_objects=0.0, events=0.0, held_starts=0.0, motions=(motion,)
    )
    scenes = sample_scenes(1, torch.Generator().manual_seed(1), options)
    frames = render(scenes, simulate(scenes, 72))[0].permute(0, 2, 3, 1).numpy()
    assert flicker(frames)["flicker"] < 0.3
    assert shimmer(frames)["shimmer"] < 0.02


def test_shimmer_is_what_changes_in_the_backdrop_alone() -> None:
    frames = np.full((24, 64, 64, 3), 120, np.uint8)
    frames[::2, ::8] += 4  # an eighth of the rows, in every other frame
    frames[:, 20:34, 20:34] = np.random.default_rng(1).integers(200, 255, (24, 14, 14, 3))
    assert shimmer(frames)["shimmer"] == pytest.approx(0.5, abs=0.02)
    assert shimmer(np.random.default_rng(2).integers(0, 255, (4, 8, 8, 3)).astype(np.uint8)) == {}


def test_noise_is_counted_in_the_backdrop_alone() -> None:
    dice = np.random.default_rng(1)
    frame = np.full((64, 64, 3), 120.0) + dice.normal(0, 4, (64, 64, 3))
    quiet = np.full((64, 64, 3), 120, np.uint8)
    level = noise_level(frame.round().astype(np.uint8))
    # Of three channels of normal noise, the mean square without the largest tenth is 0.797 of all.
    assert level == pytest.approx(10 * np.log10(16 * 0.797), abs=0.3)
    frame[20:34, 20:34] = dice.uniform(0, 255, (14, 14, 3))
    assert noise_level(frame.round().astype(np.uint8)) == pytest.approx(level, abs=0.3)
    assert noise_level(quiet) == pytest.approx(10 * np.log10(1 / 12), abs=0.1)
