"""The trials of the evaluation: what is asked of the model, and how its frames are judged.

Every trial is made from its row, its number and a seed alone, so that trials can run in any
order, in any process, and be added to later. Judging is plain image analysis of decoded frames.
"""

from __future__ import annotations

import dataclasses
import enum
import math
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from magi_engine.sampling.schedule import Transition
from magi_engine.training.analysis import (
    ClipAnalyser,
    ClipReport,
    ObjectReport,
    object_present,
    psnr,
    score,
)
from magi_engine.training.artefacts import beat, flicker, noise_level, shimmer
from magi_engine.training.captions import (
    EvaluationPrompt,
    ObjectFacts,
    PromptKind,
    SceneFacts,
    caption,
    evaluation_prompts,
    scene_facts,
    without_sizes,
)
from magi_engine.training.scenes import (
    CHUNK_FRAMES,
    DIRECTIONS,
    FRAMES_PER_SECOND,
    STRAIGHT_MOTIONS,
    Motion,
)
from magi_engine.training.simulation import simulate
from magi_engine.training.tracking import Frames
from magi_engine.training.world import Renderer, SceneOptions, sample_scenes

TEXT_CHUNKS = 3
IMAGE_CHUNKS = 4
LONG_CHUNKS = 10
MINUTE_CHUNKS = 60
CLIP_FRAMES = 48
#: The centre is compared in the frame this long after the clip's last one.
AHEAD_FRAMES = FRAMES_PER_SECOND
GOOD_PSNR = 28.0

#: As in training, every fifth text prompt asks for two objects.
_PAIR_EVERY = 5
#: What the object looks like at the end of a clip is judged over this many frames.
_END_FRAMES = 12
#: A straight mover goes at least this far in the second to predict: one at rest tells nothing.
_LEAST_TRAVEL = 0.10
#: A lost object is as wrong as can be: a whole width off.
_LOST = 1.0
#: A displacement shorter than this has no direction; the slowest objects make 0.075.
_LEAST_STEP = 0.03
#: With less room than this before the edge an object cannot show that it goes there.
_LEAST_ROOM = 0.08

_CIRCLING = (Motion.CIRCLE_CLOCKWISE, Motion.CIRCLE_COUNTERCLOCKWISE)
#: What moves so neither grows nor shrinks, and leaves the picture with no part of it.
_WHOLE_AND_SAME = (Motion.STILL, Motion.SPIN, Motion.BOUNCE, *_CIRCLING)
#: Of its diameter, an object may lose or gain this much.
_SAME_SIZE = 0.1
#: Noise is compared in these frames, as shares of the video: 100 and 1,400 of a minute's.
_NOISE_AT = (100 / 1440, 1400 / 1440)


class Row(enum.Enum):
    """What is measured."""

    T2V = "t2v"
    I2V = "i2v"
    V2V = "v2v"
    LONG = "long"
    CHANGE = "change"
    PAIR = "pair"
    CIRCLE = "circle"
    BACKDROP = "backdrop"
    MINUTE = "minute"
    AT_ONCE = "at once"
    NEW_PLACE = "new place"
    NEW_ONE = "new one"
    CUT = "cut"


@dataclass(frozen=True)
class Task:
    """What the model is asked for.

    Attributes:
        prompt: from the start.
        chunks: how many to generate after ``clip``, an image's included.
        seed: of the noise.
        image: (1, H, W, 3), the first frame of the result, or None.
        clip: (T, H, W, 3), what the result continues, or None.
        next_prompt: from chunk ``change_chunk`` on, or None.
        transition: what that chunk takes over from those before it.
        at_once: the next prompt comes only when that chunk has begun, which then starts anew.
    """

    prompt: str
    chunks: int
    seed: int
    image: Frames | None = field(default=None, repr=False)
    clip: Frames | None = field(default=None, repr=False)
    next_prompt: str | None = None
    change_chunk: int = 0
    transition: Transition = Transition.GO_ON
    at_once: bool = False


@dataclass(frozen=True)
class Outcome:
    """What was measured in one trial.

    Attributes:
        values: by the name of the measure: 0 or 1 for a yes or no, else a number. What cannot
            be told from this trial is missing.
        found: in words, what was seen.
    """

    values: dict[str, float]
    found: str


class Trial(Protocol):
    """A task and the judge of its result."""

    @property
    def task(self) -> Task: ...

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        """Measure the generated frames."""
        ...


@dataclass(frozen=True)
class TextTrial:
    """Background, colour, shape and motion as the prompt says."""

    task: Task
    expected: SceneFacts

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        report = analyser.analyse(frames)
        verdict = score(report, self.expected)
        parts = {
            "background": verdict.background,
            "colour": verdict.colour,
            "shape": verdict.shape,
            "motion": verdict.motion,
            "count": verdict.objects,
        }
        values = {name: float(right) for name, right in parts.items()}
        values |= beat(frames) | flicker(frames) | shimmer(frames)
        return Outcome(values, _said(report))


@dataclass(frozen=True)
class ImageTrial:
    """The image comes first, and its objects are there to the end."""

    task: Task
    expected: SceneFacts

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        assert self.task.image is not None
        likeness = psnr(frames[0], self.task.image[0])
        report = analyser.analyse(frames[-_END_FRAMES:])
        verdict = score(report, self.expected)
        values = {
            # An exact copy has no finite PSNR; 8 bits cannot tell more than this apart.
            "psnr": min(likeness, 60.0),
            "psnr good": float(likeness >= GOOD_PSNR),
            "same object": float(verdict.colour and verdict.shape),
        }
        found = f"first frame {likeness:.1f} dB, at the end {_names(report.objects).lower()}"
        first, *others = self.expected.objects
        if not others and first.motion in _WHOLE_AND_SAME:
            swollen = _swollen(analyser.analyse(self.task.image).objects, report.objects)
            values["size"] = float(abs(swollen - 1) <= _SAME_SIZE)
            found += f", {swollen:.2f} times as large"
        return Outcome(values, found)


@dataclass(frozen=True)
class ClipTrial:
    """A clip goes on as the laws of motion say.

    Attributes:
        goal: where the centre (x, y) has to be one second after the clip ends, in widths.
        bouncing: or straight.
    """

    task: Task
    goal: tuple[float, float]
    bouncing: bool

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        report = analyser.analyse(frames[:AHEAD_FRAMES])
        error, place = _LOST, "lost"
        if report.objects:
            x, y = report.objects[0].centres[AHEAD_FRAMES - 1] / frames.shape[2]
            if not math.isnan(x):
                error = math.hypot(x - self.goal[0], y - self.goal[1])
                place = f"at ({x:.2f}, {y:.2f})"
        kind = "bouncing" if self.bouncing else "straight"
        found = f"{place}, expected at ({self.goal[0]:.2f}, {self.goal[1]:.2f})"
        return Outcome({"error": error, f"error {kind}": error}, found)


@dataclass(frozen=True)
class LongTrial:
    """After many chunks the object is still there with its colour."""

    task: Task
    expected: ObjectFacts

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        last = frames[-CHUNK_FRAMES:]
        present = object_present(last, self.expected.colour)
        found = _names(analyser.analyse(last).objects).lower()
        return Outcome({"present": float(present)}, f"in the last chunk {found}")


@dataclass(frozen=True)
class ColourChangeTrial:
    """At the end of the first chunk of a new prompt the object has the new colour."""

    task: Task
    expected: ObjectFacts

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        end = (self.task.change_chunk + 1) * CHUNK_FRAMES
        objects = analyser.analyse(frames[end - _END_FRAMES // 2 : end]).objects
        followed = bool(objects) and objects[0].colour is self.expected.colour
        found = f"then {_names(objects)}, wanted {self.expected.colour.name}".lower()
        return Outcome({"followed": float(followed), "followed colour": float(followed)}, found)


@dataclass(frozen=True)
class DirectionChangeTrial:
    """Within the first chunk of a new prompt the object goes in the new direction.

    Its way over the second half of that chunk, or over the whole of it, has to point to that of
    the eight directions that was asked for: the whole counts since an object may reach the edge
    half-way. One that stands at the edge it is sent to, or was lost before, tells nothing about
    following and is not counted.
    """

    task: Task
    expected: ObjectFacts

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        wanted = DIRECTIONS[self.expected.motion]
        boundary = self.task.change_chunk * CHUNK_FRAMES
        # One frame before, for the first step; the analyser needs the whole to follow it.
        objects = analyser.analyse(frames[boundary - 1 : boundary + CHUNK_FRAMES]).objects
        if not objects or math.isnan(objects[0].centres[0, 0]):
            return Outcome({}, "nothing there when the prompt changed")
        centres = objects[0].centres / frames.shape[2]
        radius = float(objects[0].diameters[0]) / 2 / frames.shape[2]
        if _room(centres[0], radius, wanted) < _LEAST_ROOM:
            return Outcome({}, "no room in the direction asked for")
        halfway = centres[-1] - centres[CHUNK_FRAMES // 2]
        whole = centres[-1] - centres[0]
        followed = self.expected.motion in (_direction(halfway), _direction(whole))
        found = (
            f"went ({whole[0]:+.2f}, {whole[1]:+.2f}), ({halfway[0]:+.2f}, {halfway[1]:+.2f}) in "
            f"the second half, wanted {self.expected.motion.name.lower()}"
        )
        return Outcome({"followed": float(followed), "followed direction": float(followed)}, found)


@dataclass(frozen=True)
class CirclingTrial:
    """What is asked to circle does so, and the right way round."""

    task: Task
    expected: ObjectFacts

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        objects = analyser.analyse(frames).objects
        seen = objects[0].motion if objects else None
        values = {"circling": float(seen in _CIRCLING)}
        if seen in _CIRCLING:
            values["sense"] = float(seen is self.expected.motion)
        return Outcome(values, f"{_names(objects)}, wanted {self.expected.motion.name}".lower())


@dataclass(frozen=True)
class BackdropChangeTrial:
    """At the end of the first chunk of a new prompt the background is the new one."""

    task: Task
    expected: SceneFacts

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        end = (self.task.change_chunk + 1) * CHUNK_FRAMES
        report = analyser.analyse(frames[end - _END_FRAMES // 2 : end])
        wanted = self.expected.objects[0]
        kept = [o for o in report.objects if o.colour is wanted.colour and o.shape is wanted.shape]
        followed = report.background is self.expected.background
        return Outcome(
            {"followed": float(followed), "object kept": float(bool(kept))},
            f"then {_said(report)}",
        )


@dataclass(frozen=True)
class TransitionTrial:
    """At the end of the chunk that a transition leads to, object and background are as its prompt
    says; what is kept is in that prompt, too. Alone: nor is there another, in its first quarter of
    a second or its last."""

    task: Task
    expected: SceneFacts

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        end = (self.task.change_chunk + 1) * CHUNK_FRAMES
        begin, few = end - CHUNK_FRAMES, _END_FRAMES // 2
        at_first = analyser.analyse(frames[begin : begin + few])
        report = analyser.analyse(frames[end - few : end])
        wanted = self.expected.objects[0]
        there = [o for o in report.objects if o.colour is wanted.colour and o.shape is wanted.shape]
        values = {
            "object": float(bool(there)),
            "background": float(report.background is self.expected.background),
        }
        values["both"] = min(values.values())
        values["alone"] = float(max(len(at_first.objects), len(report.objects)) <= 1)
        return Outcome(values, f"first {_names(at_first.objects).lower()}, then {_said(report)}")


@dataclass(frozen=True)
class MinuteTrial:
    """After a minute of chunks the object is what it was: colour, size, motion, and no noisier."""

    task: Task
    expected: ObjectFacts

    def judge(self, frames: Frames, analyser: ClipAnalyser) -> Outcome:
        first = analyser.analyse(frames[CHUNK_FRAMES : 4 * CHUNK_FRAMES]).objects
        last = analyser.analyse(frames[-3 * CHUNK_FRAMES :]).objects
        present = object_present(frames[-CHUNK_FRAMES:], self.expected.colour)
        swollen = _swollen(first, last)
        values = {"present": float(present), "size": float(abs(swollen - 1) <= _SAME_SIZE)}
        if self.expected.motion is not Motion.STILL:
            values["moving"] = float(bool(last) and last[0].motion is self.expected.motion)
        early, late = (frames[int(len(frames) * share)] for share in _NOISE_AT)
        values["noisier"] = noise_level(late) - noise_level(early)
        return Outcome(
            values,
            f"{_names(first)}, at the end {_names(last)}, {swollen:.2f} times as large, "
            f"{values['noisier']:+.1f} dB noise".lower(),
        )


class TrialMaker:
    """Makes trials.

    Args:
        seed: other seeds give other trials. Neither shares a scene with the training clips.
        size: width and height of the pictures.
    """

    def __init__(self, seed: int, size: int) -> None:
        self._seed = seed
        self._size = size
        self._renderer = Renderer(size=size)

    def make(self, row: Row, index: int) -> Trial:
        """Trial ``index`` of a row."""
        makers: dict[Row, Callable[[int, int], Trial]] = {
            Row.T2V: self._text,
            Row.I2V: self._image,
            Row.V2V: self._clip,
            Row.LONG: self._long,
            Row.CHANGE: self._change,
            Row.PAIR: self._pair,
            Row.CIRCLE: self._circle,
            Row.BACKDROP: self._backdrop,
            Row.MINUTE: self._minute,
            Row.AT_ONCE: self._at_once,
            Row.NEW_PLACE: partial(self._transition, Transition.NEW_PLACE),
            Row.NEW_ONE: partial(self._transition, Transition.NEW_ONE),
            Row.CUT: partial(self._transition, Transition.CUT),
        }
        # A checksum, since Python's own hash of a string differs from process to process.
        seed = zlib.crc32(f"{row.value} {index} {self._seed}".encode()) + (1 << 32)
        return makers[row](index, seed)

    def _text(self, index: int, seed: int) -> TextTrial:
        pair = index % _PAIR_EVERY == _PAIR_EVERY - 1
        prompt = _prompt(seed, PromptKind.PAIR if pair else PromptKind.SINGLE)
        return TextTrial(Task(prompt.text, TEXT_CHUNKS, seed), prompt.expected)

    def _image(self, index: int, seed: int) -> ImageTrial:
        pair = index % _PAIR_EVERY == _PAIR_EVERY - 1
        options = SceneOptions(two_objects=float(pair), events=0.0)
        scenes = sample_scenes(1, torch.Generator().manual_seed(seed), options)
        image = self._renderer.render(scenes, simulate(scenes, 1))[0].permute(0, 2, 3, 1).numpy()
        facts = scene_facts(scenes)[0]
        text = caption(without_sizes(facts), random.Random(seed))
        return ImageTrial(Task(text, IMAGE_CHUNKS, seed, image=image), facts)

    def _clip(self, index: int, seed: int) -> ClipTrial:
        bouncing = index % 2 == 1
        motions = (Motion.BOUNCE,) if bouncing else STRAIGHT_MOTIONS
        options = SceneOptions(two_objects=0.0, events=0.0, motions=motions)
        generator = torch.Generator().manual_seed(seed)
        while True:
            scenes = sample_scenes(1, generator, options)
            paths = simulate(scenes, CLIP_FRAMES + AHEAD_FRAMES)
            before, after = paths.centre[0, 0, CLIP_FRAMES - 1], paths.centre[0, 0, -1]
            if bouncing or float((after - before).norm()) >= _LEAST_TRAVEL:
                break
        clip = self._renderer.render(scenes, simulate(scenes, CLIP_FRAMES))[0]
        task = Task(
            caption(without_sizes(scene_facts(scenes)[0]), random.Random(seed)),
            math.ceil(AHEAD_FRAMES / CHUNK_FRAMES),
            seed,
            clip=clip.permute(0, 2, 3, 1).contiguous().numpy(),
        )
        return ClipTrial(task, (float(after[0]), float(after[1])), bouncing)

    def _long(self, index: int, seed: int) -> LongTrial:
        del index
        prompt = _prompt(seed, PromptKind.SINGLE)
        return LongTrial(Task(prompt.text, LONG_CHUNKS, seed), prompt.expected.objects[0])

    def _change(self, index: int, seed: int) -> Trial:
        recolours = index % 2 == 0
        change_chunk = 1 + index // 2 % 2
        prompt = _prompt(
            seed, PromptKind.COLOUR_CHANGE if recolours else PromptKind.DIRECTION_CHANGE
        )
        task = Task(
            prompt.text,
            change_chunk + 1,
            seed,
            next_prompt=prompt.next_text,
            change_chunk=change_chunk,
        )
        assert prompt.next_expected is not None
        then = prompt.next_expected.objects[0]
        return ColourChangeTrial(task, then) if recolours else DirectionChangeTrial(task, then)

    def _pair(self, index: int, seed: int) -> TextTrial:
        del index
        prompt = _prompt(seed, PromptKind.PAIR)
        return TextTrial(Task(prompt.text, TEXT_CHUNKS, seed), prompt.expected)

    def _circle(self, index: int, seed: int) -> CirclingTrial:
        del index
        prompt = _prompt(seed, PromptKind.CIRCLING)
        return CirclingTrial(Task(prompt.text, TEXT_CHUNKS, seed), prompt.expected.objects[0])

    def _backdrop(self, index: int, seed: int) -> BackdropChangeTrial:
        change_chunk = 1 + index % 2
        prompt = _prompt(seed, PromptKind.BACKGROUND_CHANGE)
        assert prompt.next_expected is not None
        task = Task(
            prompt.text,
            change_chunk + 1,
            seed,
            next_prompt=prompt.next_text,
            change_chunk=change_chunk,
        )
        return BackdropChangeTrial(task, prompt.next_expected)

    def _minute(self, index: int, seed: int) -> MinuteTrial:
        del index
        prompt = _prompt(seed, PromptKind.LASTING)
        return MinuteTrial(Task(prompt.text, MINUTE_CHUNKS, seed), prompt.expected.objects[0])

    def _at_once(self, index: int, seed: int) -> Trial:
        trial = self._change(index, seed)
        task = dataclasses.replace(trial.task, at_once=True)
        return dataclasses.replace(trial, task=task)  # type: ignore[type-var]

    def _transition(self, transition: Transition, index: int, seed: int) -> TransitionTrial:
        change_chunk = 1 + index % 2
        if transition is Transition.CUT:  # to what has nothing to do with it
            first, then = evaluation_prompts(2, seed, PromptKind.SINGLE)
            text, expected = then.text, then.expected
        else:
            new_place = transition is Transition.NEW_PLACE
            kind = PromptKind.BACKGROUND_CHANGE if new_place else PromptKind.COLOUR_CHANGE
            first = _prompt(seed, kind)
            text, expected = first.next_text, first.next_expected
        assert expected is not None
        task = Task(
            first.text,
            change_chunk + 1,
            seed,
            next_prompt=text,
            change_chunk=change_chunk,
            transition=transition,
        )
        return TransitionTrial(task, expected)


def _prompt(seed: int, kind: PromptKind) -> EvaluationPrompt:
    return evaluation_prompts(1, seed, kind)[0]


def _said(report: ClipReport) -> str:
    """For example "red circle left and ? star ? on white"."""
    on = report.background.name if report.background is not None else "no known backdrop"
    return f"{_names(report.objects)} on {on}".lower()


def _swollen(before: Sequence[ObjectReport], after: Sequence[ObjectReport]) -> float:
    """How many times as large as before the most visible object is; NaN without one."""
    if not before or not after:
        return math.nan
    return float(np.nanmedian(after[0].diameters) / np.nanmedian(before[0].diameters))


def _names(objects: tuple[ObjectReport, ...]) -> str:
    """For example "RED CIRCLE LEFT and ? STAR ?"."""
    parts = ((o.colour, o.shape, o.motion) for o in objects)
    words = [" ".join("?" if p is None else p.name for p in part) for part in parts]
    return " and ".join(words) or "nothing"


def _room(centre: NDArray[np.float32], radius: float, direction: tuple[float, float]) -> float:
    """How far, in widths, a disc can go before it touches the edge."""
    ways = [
        ((1 - x if towards > 0 else x) - radius) / abs(towards)
        for x, towards in zip(centre.tolist(), direction, strict=True)
        if abs(towards) > 1e-6
    ]
    return min(ways)


def _direction(way: NDArray[np.float32]) -> Motion | None:
    """The nearest of the eight directions; None for hardly any movement, or an unknown one."""
    x, y = (float(v) for v in way)
    if not math.hypot(x, y) >= _LEAST_STEP:
        return None
    return max(DIRECTIONS, key=lambda m: DIRECTIONS[m][0] * x + DIRECTIONS[m][1] * y)
