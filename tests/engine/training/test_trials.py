"""Trials measure what is in the frames: all of it when the world itself is the model."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from magi_engine.training.analysis import ClipAnalyser
from magi_engine.training.captions import SceneFacts
from magi_engine.training.report import MEASURES
from magi_engine.training.scenes import (
    CHUNK_FRAMES,
    DIRECTIONS,
    NO_EVENT,
    STRAIGHT_MOTIONS,
    Background,
    Colour,
    EventKind,
    Motion,
    SceneBatch,
)
from magi_engine.training.simulation import simulate
from magi_engine.training.tracking import Frames
from magi_engine.training.trials import (
    CLIP_FRAMES,
    BackdropChangeTrial,
    CirclingTrial,
    ClipTrial,
    ColourChangeTrial,
    DirectionChangeTrial,
    ImageTrial,
    LongTrial,
    MinuteTrial,
    Outcome,
    Row,
    Task,
    TextTrial,
    TransitionTrial,
    Trial,
    TrialMaker,
)
from magi_engine.training.world import Renderer, SceneOptions, sample_scenes


class World:
    """Films trials perfectly, with the renderer instead of a model."""

    def __init__(self) -> None:
        self.renderer = Renderer()

    def film(self, scenes: SceneBatch, frames: int, first: int = 0) -> Frames:
        drawn = self.renderer.render(scenes, simulate(scenes, frames, first))
        return drawn[0].permute(0, 2, 3, 1).numpy()

    def stage(self, facts: SceneFacts, seed: int, then: SceneFacts | None = None) -> SceneBatch:
        """A scene that shows ``facts``, and from frame 24 on perhaps ``then``."""
        count = len(facts.objects)
        turns = then is not None and then.objects[0].motion is not facts.objects[0].motion
        motions = None
        if count == 1:
            motions = STRAIGHT_MOTIONS if turns else (facts.objects[0].motion,)
        options = SceneOptions(
            two_objects=float(count == 2),
            events=float(turns),
            colour_events=0.0,
            num_chunks=2,
            motions=motions,
        )
        wanted = torch.tensor([o.motion for o in facts.objects])
        later = wanted if then is None else torch.tensor([o.motion for o in then.objects])
        scenes = sample_scenes(3000, torch.Generator().manual_seed(seed), options)
        fits = (scenes.motion[:, :count, 0] == wanted).all(1)
        fits &= (scenes.motion[:, :count, 1] == later).all(1)
        scene = scenes[fits][:1]
        scene.background.fill_(facts.background)
        for slot, wished in enumerate(facts.objects):
            scene.shape[:, slot] = wished.shape
            scene.colour[:, slot] = wished.colour
        if then is not None and not turns:
            scene.event_kind.fill_(EventKind.COLOUR)
            scene.event_frame.fill_(CHUNK_FRAMES)
            scene.event_object.fill_(0)
            scene.colour[:, 0, 1] = then.objects[0].colour
        return scene

    def perform(self, trial: Trial, seed: int) -> Frames:
        frames = trial.task.chunks * CHUNK_FRAMES
        if isinstance(trial, TextTrial):
            return self.film(self.stage(trial.expected, seed), frames)
        if isinstance(trial, LongTrial):
            facts = SceneFacts(Background.BLACK, (trial.expected,))
            return self.film(self.stage(facts, seed), frames)
        raise TypeError(trial)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def maker() -> TrialMaker:
    return TrialMaker(seed=5, size=128)


@pytest.fixture(scope="module")
def analyser() -> ClipAnalyser:
    return ClipAnalyser()


def mean(outcomes: list[Outcome], name: str) -> float:
    values = [o.values[name] for o in outcomes if name in o.values]
    return math.fsum(values) / len(values)


def test_text_trials_accept_what_they_ask_for_and_nothing_else(
    world: World, maker: TrialMaker, analyser: ClipAnalyser
) -> None:
    trials = [maker.make(Row.T2V, i) for i in range(10)]
    films = [world.perform(t, seed=i) for i, t in enumerate(trials)]
    right = [t.judge(f, analyser) for t, f in zip(trials, films, strict=True)]
    for part in ("background", "colour", "count"):
        assert mean(right, part) == 1
    assert mean(right, "shape") >= 0.9
    assert mean(right, "motion") >= 0.9
    assert sum(len(t.expected.objects) == 2 for t in trials if isinstance(t, TextTrial)) == 2
    # The world has no beat.
    assert 0.9 < mean(right, "fourth") < 1.1
    assert 0.9 < mean(right, "border") < 1.1
    shuffled = films[3:] + films[:3]
    wrong = [t.judge(f, analyser) for t, f in zip(trials, shuffled, strict=True)]
    for part in ("background", "colour", "shape", "motion"):
        assert mean(wrong, part) <= 0.4


def test_image_trials_compare_the_first_frame_and_the_last_half_second(
    world: World, maker: TrialMaker, analyser: ClipAnalyser
) -> None:
    for index in range(5):  # the last one has two objects
        trial = maker.make(Row.I2V, index)
        assert isinstance(trial, ImageTrial)
        assert trial.task.image is not None
        frames = np.repeat(trial.task.image, 96, axis=0)
        right = {"psnr": 60.0, "psnr good": 1, "same object": 1}
        first, *others = trial.expected.objects
        if not others and first.motion not in (*STRAIGHT_MOTIONS, Motion.GROW, Motion.SHRINK):
            right["size"] = 1
        assert trial.judge(frames, analyser).values == right
        gone = np.concatenate([frames[:-12], np.full_like(frames[:12], 18)])
        assert trial.judge(gone, analyser).values["same object"] == 0
        other = maker.make(Row.I2V, index + 1)
        assert other.task.image is not None
        assert trial.judge(np.repeat(other.task.image, 96, 0), analyser).values["psnr good"] == 0


@pytest.mark.parametrize("motion", [Motion.SPIN, Motion.BOUNCE, Motion.CIRCLE_CLOCKWISE])
def test_image_trials_compare_the_size_of_what_neither_grows_nor_leaves(
    world: World, maker: TrialMaker, analyser: ClipAnalyser, motion: Motion
) -> None:
    some = maker.make(Row.T2V, 0)
    assert isinstance(some, TextTrial)
    what = dataclasses.replace(some.expected.objects[0], motion=motion)
    facts = SceneFacts(Background.NAVY, (what,))
    scene = world.stage(facts, seed=2)
    film = world.film(scene, 96)
    trial = ImageTrial(Task("", 4, 1, image=film[:1]), facts)
    assert trial.judge(film, analyser).values["size"] == 1
    scene.radius.mul_(1.2)
    assert trial.judge(world.film(scene, 96), analyser).values["size"] == 0
    assert trial.judge(np.full_like(film, 18), analyser).values["size"] == 0  # it is gone
    moved = SceneFacts(Background.NAVY, (dataclasses.replace(what, motion=Motion.LEFT),))
    assert "size" not in ImageTrial(trial.task, moved).judge(film, analyser).values


def test_clip_trials_measure_the_distance_to_the_exact_continuation(
    world: World, maker: TrialMaker, analyser: ClipAnalyser
) -> None:
    for index in range(6):
        trial = maker.make(Row.V2V, index)
        assert isinstance(trial, ClipTrial)
        assert trial.task.clip is not None
        assert len(trial.task.clip) == CLIP_FRAMES
        # The same scene, found again by where it leads.
        scenes = _scene_of(trial)
        frames = world.film(scenes, CHUNK_FRAMES, first=CLIP_FRAMES)
        kind = "error bouncing" if index % 2 else "error straight"
        values = trial.judge(frames, analyser).values
        assert set(values) == {"error", kind}
        assert values["error"] < 0.005
        # One that stops where the clip ends is off by at least what straight movers travel.
        stopped = np.repeat(trial.task.clip[-1:], CHUNK_FRAMES, axis=0)
        if not trial.bouncing:
            assert trial.judge(stopped, analyser).values["error"] > 0.09
        empty = np.full_like(frames, 18)
        assert trial.judge(empty, analyser).values["error"] == 1.0


def _scene_of(trial: ClipTrial) -> SceneBatch:
    """The scene a clip trial was made from: drawn again from the trial's own seed."""
    motions = (Motion.BOUNCE,) if trial.bouncing else STRAIGHT_MOTIONS
    options = SceneOptions(two_objects=0.0, events=0.0, motions=motions)
    generator = torch.Generator().manual_seed(trial.task.seed)
    for _ in range(50):
        scenes = sample_scenes(1, generator, options)
        end = simulate(scenes, 1, first_frame=CLIP_FRAMES + CHUNK_FRAMES - 1).centre[0, 0, 0]
        if torch.allclose(end, torch.tensor(trial.goal)):
            return scenes
    raise AssertionError("the trial is not made from its seed")


def test_long_trials_look_for_the_colour_in_the_last_chunk(
    world: World, maker: TrialMaker, analyser: ClipAnalyser
) -> None:
    for index in range(4):
        trial = maker.make(Row.LONG, index)
        assert isinstance(trial, LongTrial)
        assert trial.task.chunks == 10
        frames = world.perform(trial, seed=index)
        assert len(frames) == 240
        assert trial.judge(frames, analyser).values == {"present": 1}
        frames[-CHUNK_FRAMES:] = frames[-1, 0, 0]  # it vanishes
        assert trial.judge(frames, analyser).values == {"present": 0}


def test_changes_have_to_show_within_one_chunk(
    world: World, maker: TrialMaker, analyser: ClipAnalyser
) -> None:
    counted = 0
    for index in range(12):
        trial = maker.make(Row.CHANGE, index)
        assert isinstance(trial, ColourChangeTrial | DirectionChangeTrial)
        assert trial.task.change_chunk == (1, 1, 2, 2)[index % 4]
        assert trial.task.next_prompt not in (None, trial.task.prompt)
        first = dataclasses.replace(trial.task, change_chunk=1, chunks=2)
        trial = dataclasses.replace(trial, task=first)
        scene = _change_of(world, trial, index)
        values = trial.judge(world.film(scene, 48), analyser).values
        if isinstance(trial, DirectionChangeTrial) and not values:
            continue
        counted += 1
        kind = "colour" if index % 2 == 0 else "direction"
        assert values == {"followed": 1, f"followed {kind}": 1}, index
        scene.event_frame.fill_(NO_EVENT)
        ignored = trial.judge(world.film(scene, 48), analyser).values
        assert ignored.get("followed", 0) == 0
    assert counted >= 11


def test_pairs_are_two_objects(world: World, maker: TrialMaker, analyser: ClipAnalyser) -> None:
    for index in range(2):
        trial = maker.make(Row.PAIR, index)
        values = trial.judge(world.perform(trial, seed=index), analyser).values
        assert {values[part] for part in ("colour", "shape", "motion", "count")} == {1}


def test_circling_has_a_sense(world: World, maker: TrialMaker, analyser: ClipAnalyser) -> None:
    other = {
        Motion.CIRCLE_CLOCKWISE: Motion.CIRCLE_COUNTERCLOCKWISE,
        Motion.CIRCLE_COUNTERCLOCKWISE: Motion.CIRCLE_CLOCKWISE,
    }
    for index in range(3):
        trial = maker.make(Row.CIRCLE, index)
        assert isinstance(trial, CirclingTrial)
        wrong = dataclasses.replace(trial.expected, motion=other[trial.expected.motion])
        still = dataclasses.replace(trial.expected, motion=Motion.STILL)
        for facts, values in (
            (trial.expected, {"circling": 1, "sense": 1}),
            (wrong, {"circling": 1, "sense": 0}),
            (still, {"circling": 0}),
        ):
            scene = world.stage(SceneFacts(Background.GREY, (facts,)), seed=index)
            assert trial.judge(world.film(scene, 72), analyser).values == values


def test_a_changed_background_has_to_show(
    world: World, maker: TrialMaker, analyser: ClipAnalyser
) -> None:
    for index in range(2):
        trial = maker.make(Row.BACKDROP, index)
        assert isinstance(trial, BackdropChangeTrial)
        start = trial.task.change_chunk * CHUNK_FRAMES
        scene = world.stage(trial.expected, seed=index)
        scene.background[:, 0] = (trial.expected.background + 1) % len(Background)
        scene.event_kind.fill_(EventKind.BACKGROUND)
        for event, followed in ((start, 1), (NO_EVENT, 0)):
            scene.event_frame.fill_(event)
            frames = world.film(scene, start + CHUNK_FRAMES)
            values = trial.judge(frames, analyser).values
            assert values == {"followed": followed, "object kept": 1}


@pytest.mark.parametrize("row", [Row.NEW_PLACE, Row.NEW_ONE, Row.CUT])
def test_a_transition_leads_to_what_its_prompt_says(
    world: World, maker: TrialMaker, analyser: ClipAnalyser, row: Row
) -> None:
    for index in range(2):
        trial = maker.make(row, index)
        assert isinstance(trial, TransitionTrial)
        assert trial.task.transition.name == row.name
        assert trial.task.next_prompt
        count = trial.task.chunks * CHUNK_FRAMES
        scene = world.stage(trial.expected, seed=index)
        frames = world.film(scene, count)
        right = {"object": 1, "background": 1, "both": 1, "alone": 1}
        assert trial.judge(frames, analyser).values == right
        one = dataclasses.replace(trial.expected.objects[0], motion=Motion.STILL)
        twins = SceneFacts(trial.expected.background, (one, one))
        some_more = world.film(world.stage(twins, seed=index), count)
        for few in (slice(-CHUNK_FRAMES, 6 - CHUNK_FRAMES), slice(-6, None)):
            mixed = frames.copy()
            mixed[few] = some_more[few]
            assert trial.judge(mixed, analyser).values == right | {"alone": 0}
        scene.background.fill_((trial.expected.background + 1) % len(Background))
        values = trial.judge(world.film(scene, count), analyser).values
        assert values == right | {"background": 0, "both": 0}


def test_a_minute_later_the_object_is_the_same(
    world: World, maker: TrialMaker, analyser: ClipAnalyser
) -> None:
    trials = [maker.make(Row.MINUTE, index) for index in range(6)]
    trial = next(t for t in trials if t.expected.motion is Motion.BOUNCE)  # type: ignore[attr-defined]
    assert isinstance(trial, MinuteTrial)
    assert trial.task.chunks == 60
    scene = world.stage(SceneFacts(Background.NAVY, (trial.expected,)), seed=1)
    frames = world.film(scene, 10 * CHUNK_FRAMES)
    right = {"present": 1, "size": 1, "moving": 1, "noisier": pytest.approx(0, abs=0.2)}
    assert trial.judge(frames, analyser).values == right
    scene.radius.mul_(1.2)
    swollen = np.concatenate([frames[:168], world.film(scene, 72, first=168)])
    assert trial.judge(swollen, analyser).values["size"] == 0
    parked = frames.copy()
    parked[168:] = parked[168]
    assert trial.judge(parked, analyser).values["moving"] == 0
    dice = np.random.default_rng(1)
    noisy = frames.copy()
    late = int(240 * 1400 / 1440)
    noisy[late] = (noisy[late] + dice.normal(0, 2, noisy[late].shape)).clip(0, 255).astype(np.uint8)
    assert trial.judge(noisy, analyser).values["noisier"] > 5


def _change_of(
    world: World, trial: ColourChangeTrial | DirectionChangeTrial, seed: int
) -> SceneBatch:
    """A scene with the change that the trial asks for at frame 24."""
    then = trial.expected
    if isinstance(trial, ColourChangeTrial):
        before = dataclasses.replace(then, colour=Colour((then.colour + 1) % 8))
    else:
        opposite = tuple(-x for x in DIRECTIONS[then.motion])
        motion = min(DIRECTIONS, key=lambda m: math.dist(DIRECTIONS[m], opposite))
        before = dataclasses.replace(then, motion=motion)
    first, second = (SceneFacts(Background.WHITE, (o,)) for o in (before, then))
    return world.stage(first, seed, second)


def test_an_object_at_the_edge_is_not_asked_to_pass_it(maker: TrialMaker, world: World) -> None:
    trial = maker.make(Row.CHANGE, 1)
    assert isinstance(trial, DirectionChangeTrial)
    facts = SceneFacts(Background.WHITE, (trial.expected,))
    scene = world.stage(facts, seed=1)
    late = world.film(scene, 48, first=24 * 8)  # long at rest at the edge it is sent to
    assert trial.judge(late, ClipAnalyser()).values == {}


def test_trials_depend_on_row_number_and_seed_alone(maker: TrialMaker) -> None:
    again = TrialMaker(seed=5, size=128)
    again.make(Row.LONG, 0)  # whatever was made before
    other = TrialMaker(seed=6, size=128)
    for row in Row:
        one, two = maker.make(row, 3).task, again.make(row, 3).task
        assert (one.prompt, one.seed, one.next_prompt) == (two.prompt, two.seed, two.next_prompt)
        assert one.seed != other.make(row, 3).task.seed
        assert one.seed != maker.make(row, 4).task.seed
        for mine, yours in ((one.image, two.image), (one.clip, two.clip)):
            assert (mine is None) == (yours is None)
            if mine is not None and yours is not None:
                assert np.array_equal(mine, yours)


def test_every_promise_of_the_table_is_measured_by_some_trial(
    world: World, maker: TrialMaker, analyser: ClipAnalyser
) -> None:
    names = {row: set[str]() for row in Row}
    for row in Row:
        for index in (0, 1, 4):  # both kinds of each row, and two objects
            trial = maker.make(row, index)
            frames = np.repeat(_some_frames(world, trial), trial.task.chunks * CHUNK_FRAMES, 0)
            names[row] |= set(trial.judge(frames, analyser).values)
        if row in (Row.T2V, Row.CIRCLE):  # what nothing moves in, tells less
            trial = maker.make(row, 0)
            facts = trial.expected  # type: ignore[attr-defined]
            if not isinstance(facts, SceneFacts):
                facts = SceneFacts(Background.GREY, (facts,))
            film = world.film(world.stage(facts, seed=1), trial.task.chunks * CHUNK_FRAMES)
            names[row] |= set(trial.judge(film, analyser).values)
    for measure in MEASURES:
        assert measure.name in names[measure.row]


def _some_frames(world: World, trial: Trial) -> Frames:
    """One picture with something in the middle of it."""
    scene = sample_scenes(1, torch.Generator().manual_seed(3), SceneOptions(two_objects=0))
    scene.start.fill_(0.5)
    return world.film(scene, 1)
