"""The judge is right about clips whose truth is known, and not to be fooled."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from magi_engine.training.analysis import ClipAnalyser, analyse_clip, object_present, psnr, score
from magi_engine.training.captions import scene_facts
from magi_engine.training.motion_analysis import classify_motion
from magi_engine.training.scenes import Background, Colour, Motion, SceneBatch
from magi_engine.training.silhouettes import Outline, gaussian_blur
from magi_engine.training.simulation import simulate
from magi_engine.training.tracking import connected_components, find_background, nearest_colour
from magi_engine.training.world import Renderer, SceneOptions, sample_scenes


@pytest.fixture(scope="module")
def analyser() -> ClipAnalyser:
    return ClipAnalyser()


@pytest.fixture(scope="module")
def renderer() -> Renderer:
    return Renderer()


def film(renderer: Renderer, scenes: SceneBatch, frames: int, first: int = 0) -> np.ndarray:
    drawn = renderer.render(scenes, simulate(scenes, frames, first))
    return drawn.permute(0, 1, 3, 4, 2).numpy()


def degraded(frames: np.ndarray, seed: int) -> np.ndarray:
    """Blur, 4-pixel blocks and noise: about what a small autoencoder does, 30 dB."""
    rng = np.random.default_rng(seed)
    count, height, width, _ = frames.shape
    blocks = (count, height // 4, 4, width // 4, 4, 3)
    soft = gaussian_blur(frames, 0.7).astype(np.float32).reshape(blocks)
    soft = 0.5 * soft + 0.5 * soft.mean((2, 4), keepdims=True)
    soft += rng.normal(0, 2, (count, height // 4, 1, width // 4, 1, 3))
    noisy = soft.reshape(frames.shape) + rng.normal(0, 5, frames.shape)
    return noisy.round().clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("worse", "length", "count"), [(False, 72, 32), (True, 48, 16)])
def test_the_judge_is_right(
    analyser: ClipAnalyser, renderer: Renderer, worse: bool, length: int, count: int
) -> None:
    scenes = sample_scenes(count, torch.Generator().manual_seed(length), SceneOptions(events=0.0))
    right = {"background": 0, "objects": 0, "colour": 0, "shape": 0, "motion": 0}
    for n, facts in enumerate(scene_facts(scenes)):
        frames = film(renderer, scenes[n : n + 1], length)[0]
        report = analyser.analyse(degraded(frames, n) if worse else frames)
        verdict = score(report, facts)
        for part in right:
            right[part] += getattr(verdict, part)
    assert right["background"] == right["objects"] == right["colour"] == count
    assert right["shape"] >= count - 1
    assert right["motion"] >= count - 1


def test_centres_and_sizes_are_measured_to_half_a_pixel(
    analyser: ClipAnalyser, renderer: Renderer
) -> None:
    options = SceneOptions(two_objects=0.0, events=0.0)
    scenes = sample_scenes(8, torch.Generator().manual_seed(9), options)
    paths = simulate(scenes, 24)
    for n in range(8):
        report = analyser.analyse(film(renderer, scenes[n : n + 1], 24)[0])
        truth = paths.centre[n, 0].numpy() * 128
        assert np.abs(report.objects[0].centres - truth).max() < 0.5
        # All shapes have about the area of a disc of their radius or a little less.
        ratio = report.objects[0].diameters / (2 * 128 * paths.radius[n, 0].numpy())
        assert 0.7 < ratio.min() <= ratio.max() < 1.05


def test_a_change_is_seen_in_the_parts_before_and_after(
    analyser: ClipAnalyser, renderer: Renderer
) -> None:
    options = SceneOptions(two_objects=0.0, events=1.0, motions=(Motion.LEFT, Motion.UP))
    scenes = sample_scenes(12, torch.Generator().manual_seed(4), options)
    after = scene_facts(scenes, 1)
    for n in range(12):
        frame = int(scenes.event_frame[n])
        later = film(renderer, scenes[n : n + 1], 24, first=frame)[0]
        verdict = score(analyser.analyse(later), after[n])
        assert verdict.colour
        changed_motion = scenes.motion[n, 0, 0] != scenes.motion[n, 0, 1]
        assert verdict.motion or not changed_motion


def test_a_mover_that_rests_at_the_edge_has_still_moved(
    analyser: ClipAnalyser, renderer: Renderer
) -> None:
    options = SceneOptions(two_objects=0.0, events=0.0, motions=(Motion.LEFT,))
    scenes = sample_scenes(3, torch.Generator().manual_seed(4), options)
    for frames in film(renderer, scenes, 240):
        report = analyser.analyse(frames)
        assert report.objects[0].motion is Motion.LEFT


def outline_of(path: np.ndarray) -> Outline:
    """A round object of 0.2 widths on a path (T, 2) in widths of 128 pixels."""
    count = len(path)
    centre = (path * 128).astype(np.float32)
    diameter = np.full(count, 25.6, np.float32)
    reach = np.full((count, 4), 12.8, np.float32)
    return Outline(centre, diameter, reach, np.zeros((count, 9), complex))


def test_motions_that_nobody_named_get_no_name() -> None:
    t = np.linspace(0, 1, 72)
    zigzag = np.stack([0.2 + 0.6 * t, 0.5 + 0.15 * np.sin(14 * t)], 1)
    in_mid_air = np.stack([0.5 - 0.3 * np.abs(t - 0.5), 0.35 + 0.3 * t], 1)
    assert classify_motion(outline_of(zigzag), 128) is None
    assert classify_motion(outline_of(in_mid_air), 128) is None
    too_short = np.full((5, 2), 0.5)
    assert classify_motion(outline_of(too_short), 128) is None


def test_directions_are_told_apart_to_half_an_eighth_turn() -> None:
    t = np.linspace(0, 0.4, 48)[:, None]
    for degrees, motion in ((0, Motion.RIGHT), (20, Motion.RIGHT), (25, Motion.DOWN_RIGHT)):
        angle = math.radians(degrees)
        path = 0.3 + t * np.array([[math.cos(angle), math.sin(angle)]])
        assert classify_motion(outline_of(path), 128) is motion


def test_presence_needs_the_colour_in_nearly_all_frames(renderer: Renderer) -> None:
    options = SceneOptions(two_objects=0.0, events=0.0, motions=(Motion.STILL,))
    scenes = sample_scenes(1, torch.Generator().manual_seed(2), options)
    scenes.colour.fill_(int(Colour.GREEN))
    scenes.start.fill_(0.5)  # so that the first column, copied below, is backdrop only
    frames = film(renderer, scenes, 20)[0]
    assert object_present(frames, Colour.GREEN)
    assert not object_present(frames, Colour.RED)
    emptied = frames.copy()
    emptied[12:] = emptied[12:, :, :1]
    assert not object_present(emptied, Colour.GREEN)


def test_noise_has_no_background_and_no_objects() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3)).astype(np.uint8)
    report = analyse_clip(noise)
    assert report.background is None
    assert report.objects == ()
    assert not object_present(noise, Colour.RED)


def test_backgrounds_and_colours_by_their_own_values() -> None:
    assert find_background(np.full((2, 32, 32, 3), 20, np.uint8)) is Background.BLACK
    assert nearest_colour(np.array([225, 45, 50], np.float32)) is Colour.RED
    assert nearest_colour(np.array([128, 128, 128], np.float32)) is None


def test_components_are_those_of_a_flood_fill() -> None:
    mask = np.random.default_rng(1).random((40, 30)) < 0.55
    labels = connected_components(mask)
    assert ((labels > 0) == mask).all()
    unvisited = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    regions = 0
    while unvisited:
        regions += 1
        stack = [unvisited.pop()]
        label = labels[stack[0]]
        while stack:
            y, x = stack.pop()
            assert labels[y, x] == label
            for near in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)):
                if near in unvisited:
                    unvisited.remove(near)
                    stack.append(near)
    assert regions == labels.max() == len(np.unique(labels)) - 1


def test_psnr_by_hand() -> None:
    black = np.zeros((2, 2, 3), np.uint8)
    assert math.isinf(psnr(black, black))
    assert psnr(black, black + 255) == pytest.approx(0.0)
    assert psnr(black, black + 1) == pytest.approx(48.1308, abs=1e-3)
