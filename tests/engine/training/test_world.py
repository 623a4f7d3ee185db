"""The world's scenes, motion and rendering."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
import torch

from magi_engine.training.scenes import (
    BACKGROUND_RGB,
    COLOUR_RGB,
    DIRECTIONS,
    NO_EVENT,
    RADIUS_LIMITS,
    STRAIGHT_MOTIONS,
    EventKind,
    Motion,
    SceneBatch,
    Shape,
    SizeBand,
    size_band,
)
from magi_engine.training.shapes import distance_tile, extents, extents_table
from magi_engine.training.simulation import simulate, walls
from magi_engine.training.world import SceneOptions, render, sample_scenes


def scenes_of(count: int, seed: int = 3, **options: object) -> SceneBatch:
    chosen = replace(SceneOptions(), **options)
    return sample_scenes(count, torch.Generator().manual_seed(seed), chosen)


def test_the_same_seed_gives_the_same_scenes_and_another_seed_others() -> None:
    first, again, other = scenes_of(64), scenes_of(64), scenes_of(64, seed=4)
    for field in fields(SceneBatch):
        assert torch.equal(getattr(first, field.name), getattr(again, field.name))
    assert not torch.equal(first.start, other.start)


def test_every_word_of_the_vocabulary_is_drawn() -> None:
    scenes = scenes_of(4000, background_events=0.3)
    for values, size in (
        (scenes.shape, len(Shape)),
        (scenes.colour, len(COLOUR_RGB)),
        (scenes.background, len(BACKGROUND_RGB)),
        (scenes.motion, len(Motion)),
        (scenes.event_kind, len(EventKind)),
    ):
        assert values.unique().tolist() == list(range(size))
    assert 0.17 < float((scenes.count == 2).float().mean()) < 0.23
    assert 0.22 < float((scenes.event_frame != NO_EVENT).float().mean()) < 0.28


def test_circles_never_spin_and_two_objects_differ_in_colour() -> None:
    scenes = scenes_of(4000)
    assert not ((scenes.shape == Shape.CIRCLE) & (scenes.motion[..., 0] == Motion.SPIN)).any()
    for segment in (0, 1):
        pair = scenes.colour[scenes.count == 2][:, :, segment]
        assert (pair[:, 0] != pair[:, 1]).all()


def test_every_object_stays_fully_in_the_picture_for_ten_seconds() -> None:
    scenes = scenes_of(1500)
    paths = simulate(scenes, 240)
    low, high = walls(extents_table()[scenes.shape][:, :, None], paths.radius)
    turned = scenes.motion[:, :, 0] == Motion.SPIN  # their extents turn with them
    inside = (paths.centre >= low - 1e-4) & (paths.centre <= high + 1e-4)
    assert inside[~turned].all()
    reach = 1.25 * paths.radius[turned][..., None]
    centre = paths.centre[turned]
    assert ((centre >= reach - 1e-4) & (centre <= 1 - reach + 1e-4)).all()


def test_two_objects_never_overlap() -> None:
    scenes = scenes_of(400, two_objects=1.0)
    frames = simulate(scenes, 120)
    reach = extents_table()[scenes.shape][:, :, None] * frames.radius[..., None]
    turned = (scenes.motion[:, :, 0] == Motion.SPIN)[:, :, None, None]
    reach = torch.where(turned, 1.25 * frames.radius[..., None], reach)
    low, high = frames.centre - reach[..., :2], frames.centre + reach[..., 2:]
    apart = (high[:, 0] <= low[:, 1] + 1e-4) | (high[:, 1] <= low[:, 0] + 1e-4)
    assert apart.any(-1).all()


@pytest.mark.parametrize("motion", STRAIGHT_MOTIONS)
def test_straight_movers_keep_their_direction_and_come_to_rest_at_the_edge(motion: Motion) -> None:
    scenes = scenes_of(32, motions=(motion,), two_objects=0.0, events=0.0)
    paths = simulate(scenes, 600)
    steps = paths.centre[:, 0].diff(dim=1)
    assert (steps @ torch.tensor(DIRECTIONS[motion]) > -1e-6).all()
    first = steps[:, 0] * 24  # constant speed at the start
    wanted = torch.tensor(DIRECTIONS[motion]) * scenes.speed[:, :1, 0]
    assert torch.allclose(first, wanted, atol=1e-4)
    low, high = walls(extents_table()[scenes.shape[:, 0]], scenes.radius[:, 0])
    end = paths.centre[:, 0, -1]
    gap = torch.minimum((end - low).abs(), (high - end).abs()).amin(-1)
    assert (gap < 1e-3).all()
    assert (steps[:, -1].norm(dim=-1) < 1e-5).all()


def test_bouncing_is_a_step_by_step_reflection() -> None:
    """The closed form against the slow, obvious simulation."""
    scenes = scenes_of(16, motions=(Motion.BOUNCE,), two_objects=0.0, events=0.0)
    paths = simulate(scenes, 240)
    low, high = walls(extents_table()[scenes.shape[:, 0]], scenes.radius[:, 0])
    for n in range(16):
        place = scenes.start[n, 0].double()
        angle = float(scenes.heading[n, 0, 0])
        speed = float(scenes.speed[n, 0, 0])
        velocity = torch.tensor([math.cos(angle), math.sin(angle)]).double() * speed
        reflections = 0
        for frame in range(240):
            assert torch.allclose(paths.centre[n, 0, frame].double(), place, atol=2e-4)
            place = place + velocity / 24
            for axis in (0, 1):
                for wall, sign in ((float(low[n, axis]), 1), (float(high[n, axis]), -1)):
                    if (place[axis] - wall) * sign < 0:
                        place[axis] = 2 * wall - place[axis]
                        velocity[axis] = -velocity[axis]
                        reflections += 1
        assert reflections >= 3


def test_circling_keeps_its_distance_and_sense() -> None:
    for motion, sense in ((Motion.CIRCLE_CLOCKWISE, 1), (Motion.CIRCLE_COUNTERCLOCKWISE, -1)):
        scenes = scenes_of(32, motions=(motion,), two_objects=0.0, events=0.0)
        heading = scenes.heading[:, 0, 0]
        hub = scenes.start[:, 0] - scenes.orbit[:, :1] * torch.stack(
            [heading.cos(), heading.sin()], -1
        )
        spokes = simulate(scenes, 96).centre[:, 0] - hub[:, None]
        assert torch.allclose(spokes.norm(dim=-1), scenes.orbit[:, :1].expand(-1, 96), atol=1e-4)
        a, b = spokes[:, :-1], spokes[:, 1:]
        assert (sense * (a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]) > 0).all()


def test_growing_and_shrinking_end_at_the_limits() -> None:
    for motion, limit in ((Motion.GROW, RADIUS_LIMITS[1]), (Motion.SHRINK, RADIUS_LIMITS[0])):
        radius = simulate(scenes_of(16, motions=(motion,), events=0.0), 240).radius[:, 0]
        assert torch.allclose(radius[:, -1], torch.full((16,), limit))
        assert (radius[:, 24] - radius[:, 0]).abs().min() > 0.02


def test_there_are_three_sizes_and_none_between() -> None:
    scenes = scenes_of(3000)
    resizes = (scenes.motion[..., 0] == Motion.GROW) | (scenes.motion[..., 0] == Motion.SHRINK)
    there = torch.arange(2) < scenes.count[:, None]
    sizes = scenes.radius[there & ~resizes].unique()
    torch.testing.assert_close(sizes, torch.tensor([0.107, 0.132, 0.160]))
    # Each is as likely, whatever an object does: its motion tells nothing about its size.
    for motion in (Motion.STILL, Motion.BOUNCE, Motion.CIRCLE_CLOCKWISE):
        alone = scenes_of(900, motions=(motion,), two_objects=0.0).radius[:, 0]
        shares = [float((alone == size).float().mean()) for size in sizes]
        assert min(shares) > 0.25, motion
    assert [size_band(float(size)) for size in sizes] == list(SizeBand)


def test_a_wrong_size_lasts_for_some_chunks_and_then_comes_right() -> None:
    right = scenes_of(600, events=0.0)
    wrong = scenes_of(600, events=0.0, wrong_sizes=1.0)
    assert torch.equal(right.radius, wrong.radius)
    assert not right.excess.any()
    sizes, usual = simulate(wrong, 240).radius, simulate(right, 240).radius
    share = sizes / usual - 1
    assert set(wrong.wrong_chunks[wrong.excess.any(1)].tolist()) == {1, 2, 3, 4}
    for chunks in range(1, 5):
        some = wrong.wrong_chunks == chunks
        excess, end = wrong.excess[some, :, None], 24 * chunks
        torch.testing.assert_close(share[some, :, :end], excess.expand(-1, -1, end))
        after_half_a_second = share[some, :, end + 11 : end + 12]
        torch.testing.assert_close(after_half_a_second, excess / math.e, atol=1e-5, rtol=1e-4)
    assert share[:, :, -1].abs().max() < 1e-3
    off = wrong.excess != 0
    assert torch.equal(wrong.wrong_chunks > 0, off.any(1))
    there = torch.arange(2) < wrong.count[:, None]
    resizes = (wrong.motion[..., 0] == Motion.GROW) | (wrong.motion[..., 0] == Motion.SHRINK)
    assert torch.equal(off, there & ~resizes)
    some = scenes_of(600, wrong_sizes=0.3).excess.any(1).float().mean()
    assert 0.2 < float(some) < 0.35


def test_a_wrong_size_is_as_large_as_another_only_where_a_caption_names_the_right_one() -> None:
    wrong = scenes_of(3000, events=0.0, wrong_sizes=1.0, num_chunks=5)
    rests = (wrong.motion[..., 0] == Motion.STILL) & (wrong.count == 1)[:, None]
    small, large = wrong.radius < 0.11, wrong.radius > 0.15
    for some, least, most in (
        (~small & ~large, -0.09, 0.09),
        (large, -0.18, 0.09),  # the next size is 17.5 % smaller
        (small & ~rests, -0.09, 0.09),
        (small & rests, -0.09, 0.18),  # the next size is 23 % larger
    ):
        excess = wrong.excess[some & (wrong.excess != 0)]
        assert least <= float(excess.min()) < 0.9 * least
        assert 0.9 * most < float(excess.max()) <= most


def test_what_rests_with_a_wrong_size_keeps_inside_the_picture() -> None:
    wrong = scenes_of(
        900, events=0.0, two_objects=0.0, wrong_sizes=1.0, num_chunks=5, motions=(Motion.STILL,)
    )
    paths = simulate(wrong, 120)
    reach = extents_table()[wrong.shape[:, :1]][:, :, None]
    low, high = walls(reach, paths.radius[:, :1])
    centre = paths.centre[:, :1]
    assert (centre >= low - 1e-6).all()
    assert (centre <= high + 1e-6).all()


def test_events_show_first_in_their_frame() -> None:
    scenes = scenes_of(600, events=1.0, num_chunks=5)
    assert set(scenes.event_frame.tolist()) == {24, 48, 72, 96}
    paths = simulate(scenes, 120)
    never = torch.full_like(scenes.event_frame, NO_EVENT)
    undisturbed = simulate(replace(scenes, event_frame=never), 120)
    for n in range(len(scenes)):
        frame, which = int(scenes.event_frame[n]), int(scenes.event_object[n])
        colours = paths.colour[n, which]
        if scenes.event_kind[n] == EventKind.COLOUR:
            assert colours[frame - 1] != colours[frame]
            assert torch.equal(paths.centre[n], undisturbed.centre[n])
            assert torch.equal(paths.radius[n], undisturbed.radius[n])
            assert torch.equal(paths.angle[n], undisturbed.angle[n])
            continue
        assert colours[0] == colours[-1]
        assert scenes.motion[n, which, 0] != scenes.motion[n, which, 1]
        before, after = paths.centre[n, which, frame - 1 : frame + 1]
        assert (after - before).norm() < 0.03  # from wherever it is then
        new = Motion(int(scenes.motion[n, which, 1]))
        if new is not Motion.STILL:
            turned = after - before
            assert float(turned @ torch.tensor(DIRECTIONS[new])) > 0.9 * float(turned.norm()) > 0


def test_a_continuation_equals_the_longer_simulation() -> None:
    scenes = scenes_of(64)
    whole, tail = simulate(scenes, 150), simulate(scenes, 50, first_frame=100)
    assert torch.allclose(whole.centre[:, :, 100:], tail.centre, atol=1e-6)
    assert torch.equal(whole.colour[:, :, 100:], tail.colour)


def test_a_held_start_stands_still_and_then_moves_as_without() -> None:
    held = scenes_of(64, held_starts=1.0, events=0.0)
    free = replace(held, hold_frames=torch.zeros_like(held.hold_frames))
    paths, plain = simulate(held, 60), simulate(free, 60)
    assert (paths.centre[:, :, :4] == paths.centre[:, :, :1]).all()
    assert torch.equal(paths.centre[:, :, 3:], plain.centre[:, :, :57])


def test_extents_are_where_the_drawn_shape_ends() -> None:
    axis = torch.linspace(-1.5, 1.5, 256)
    for shape in Shape:
        inside = distance_tile(shape) <= 0
        columns, rows = axis[inside.any(0)], axis[inside.any(1)]
        drawn = (-columns[0], -rows[0], columns[-1], rows[-1])
        assert [float(v) for v in drawn] == pytest.approx(extents(shape), abs=0.02)


def test_drawing_covers_the_right_area_in_the_right_colour() -> None:
    scenes = scenes_of(24, two_objects=0.0, events=0.0)
    paths = simulate(scenes, 3)
    frames = render(scenes, paths)
    assert frames.shape == (24, 3, 3, 128, 128)
    assert frames.dtype is torch.uint8
    rgb = torch.tensor(list(COLOUR_RGB.values())).float()
    for n in range(24):
        x, y = (paths.centre[n, 0, 2] * 128).long().tolist()
        middle = frames[n, 2, :, y - 1 : y + 1, x - 1 : x + 1].float().mean((1, 2))
        assert (middle - rgb[scenes.colour[n, 0, 0]]).abs().max() < 5
    circles = (scenes.shape[:, 0] == Shape.CIRCLE).nonzero()[:, 0]
    assert len(circles)
    for n in circles.tolist():
        wanted = math.pi * (float(paths.radius[n, 0, 2]) * 128) ** 2
        backdrop = frames[n, 2, :, :, :1].float()
        corner = backdrop if float(paths.centre[n, 0, 2, 0]) > 0.5 else frames[n, 2, :, :, -1:]
        object_pixels = ((frames[n, 2].float() - corner).abs().sum(0) > 60).sum()
        assert float(object_pixels) == pytest.approx(wanted, rel=0.1)


def test_drawing_many_at_once_equals_drawing_each_alone() -> None:
    scenes = scenes_of(6, two_objects=0.5)
    paths = simulate(scenes, 12)
    together = render(scenes, paths)
    for n in range(6):
        part = slice(n, n + 1)
        assert torch.equal(render(scenes[part], paths[part])[0], together[n])


def test_batches_can_be_joined_and_selected() -> None:
    scenes = scenes_of(10)
    joined = SceneBatch.cat([scenes[:4], scenes[4:]])
    assert len(joined) == 10
    assert torch.equal(joined.start, scenes.start)
    mask = scenes.count == 1
    assert len(scenes[mask]) == int(mask.sum())


def test_a_background_changes_at_its_event_and_nothing_else_does() -> None:
    scenes = scenes_of(12, events=1.0, background_events=1.0, num_chunks=2)
    assert (scenes.event_kind == EventKind.BACKGROUND).all()
    assert (scenes.background[:, 0] != scenes.background[:, 1]).all()
    frames = render(scenes, simulate(scenes, 26))
    never = replace(scenes, event_frame=torch.full_like(scenes.event_frame, NO_EVENT))
    as_before = render(never, simulate(never, 26))
    assert torch.equal(frames[:, :24], as_before[:, :24])
    repainted = replace(never, background=never.background.flip(1))
    assert torch.equal(frames[:, 24:], render(repainted, simulate(repainted, 26))[:, 24:])
    # Without such events everything is drawn as ever: other trials stay the same.
    plain, other = scenes_of(400), scenes_of(400, background_events=0.3)
    others = other.event_kind != EventKind.BACKGROUND
    assert torch.equal(plain.start, other.start)
    assert torch.equal(plain.colour[others], other.colour[others])
