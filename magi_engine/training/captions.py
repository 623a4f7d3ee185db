"""English captions of scenes, in many wordings, and fresh prompts for the evaluation.

A caption names colour, shape and motion of every object, and its size unless that is the usual
one: what neither a caption nor a history tells, each chunk would guess anew. It names the
background in most cases, speed now and then. What can be seen before it moves may be "it", and may
have any size. All text is plain English in ASCII, so that caption cleaning changes nothing but the
case.
"""

from __future__ import annotations

import dataclasses
import enum
import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from magi_engine.training.scenes import (
    Background,
    Colour,
    Motion,
    SceneBatch,
    Shape,
    SizeBand,
    SpeedBand,
    size_band,
    speed_band,
)
from magi_engine.training.wording import (
    BACKGROUND_WORDS,
    COLOUR_WORDS,
    FAST_WORDS,
    LARGE_WORDS,
    SHAPE_WORDS,
    SLOW_WORDS,
    SMALL_WORDS,
    MotionWords,
    motion_words,
)
from magi_engine.training.world import SceneOptions, sample_scenes

_RESIZING = (Motion.GROW, Motion.SHRINK)
_CIRCLING = (Motion.CIRCLE_CLOCKWISE, Motion.CIRCLE_COUNTERCLOCKWISE)
_BACKGROUND_SHARE = 0.86
_SPEED_SHARE = 0.40
_SHORT_SHARE = 0.25
_PRONOUN_SHARE = 0.35
_BACKGROUND_SHARE_OF_PRONOUNS = 0.3
_SEEN_SIZE_SHARE = 0.25


@dataclass(frozen=True)
class ObjectFacts:
    """What a caption may say about one object in one segment."""

    shape: Shape
    colour: Colour
    motion: Motion
    speed: SpeedBand
    size: SizeBand


@dataclass(frozen=True)
class SceneFacts:
    """What a caption may say about a scene in one segment: its backdrop and 1 or 2 objects."""

    background: Background
    objects: tuple[ObjectFacts, ...]


class PromptKind(enum.Enum):
    """Which capability a set of evaluation prompts asks for."""

    SINGLE = "single"
    PAIR = "pair"
    COLOUR_CHANGE = "colour change"
    DIRECTION_CHANGE = "direction change"
    BACKGROUND_CHANGE = "background change"
    CIRCLING = "circling"
    LASTING = "lasting"


_CHANGES = (PromptKind.COLOUR_CHANGE, PromptKind.DIRECTION_CHANGE, PromptKind.BACKGROUND_CHANGE)


@dataclass(frozen=True)
class EvaluationPrompt:
    """A prompt and what its video has to show.

    Attributes:
        text: the prompt from the start.
        expected: what it asks for.
        next_text: the prompt after the change, or None where nothing changes.
        next_expected: what that one asks for, or None.
    """

    text: str
    expected: SceneFacts
    next_text: str | None = None
    next_expected: SceneFacts | None = None


def scene_facts(scenes: SceneBatch, segment: int = 0) -> list[SceneFacts]:
    """The facts of every scene before (segment 0) or after (1) its event; equal without one."""
    columns = zip(
        scenes.background[:, segment].tolist(),
        scenes.count.tolist(),
        scenes.shape.tolist(),
        scenes.colour[:, :, segment].tolist(),
        scenes.motion[:, :, 0].tolist(),
        scenes.motion[:, :, segment].tolist(),
        scenes.speed[:, :, segment].tolist(),
        scenes.radius.tolist(),
        strict=True,
    )
    facts = []
    for background, count, shapes, colours, firsts, motions, speeds, radii in columns:
        objects = []
        for k in range(count):
            motion = Motion(motions[k])
            band = speed_band(motion, speeds[k])
            # Whatever has grown or shrunk has no size to speak of.
            size = SizeBand.NORMAL if firsts[k] in _RESIZING else size_band(radii[k])
            objects.append(ObjectFacts(Shape(shapes[k]), Colour(colours[k]), motion, band, size))
        facts.append(SceneFacts(Background(background), tuple(objects)))
    return facts


def describe(scenes: SceneBatch, index: int, segment: int, rng: random.Random) -> str:
    """One caption of one scene in one segment, in a random wording."""
    return caption(scene_facts(scenes[index : index + 1], segment)[0], rng)


def describe_batch(scenes: SceneBatch, segment: int, rng: random.Random) -> list[str]:
    """One caption of every scene in one segment."""
    return [caption(facts, rng) for facts in scene_facts(scenes, segment)]


def without_sizes(facts: SceneFacts) -> SceneFacts:
    """The facts but for sizes, as someone would tell them who shows a picture."""
    objects = (dataclasses.replace(o, size=SizeBand.NORMAL) for o in facts.objects)
    return dataclasses.replace(facts, objects=tuple(objects))


def caption_corpus(count: int, seed: int) -> list[str]:
    """``count`` captions of random scenes, before and after events: text for a tokenizer."""
    generator = torch.Generator().manual_seed(seed)
    scenes = sample_scenes(count, generator)
    facts = zip(scene_facts(scenes, 0), scene_facts(scenes, 1), strict=True)
    rng = random.Random(seed)
    return [caption(rng.choice(pair), rng) for pair in facts]


def evaluation_prompts(
    count: int, seed: int, kind: PromptKind = PromptKind.SINGLE
) -> list[EvaluationPrompt]:
    """Fresh prompts with what they ask for; every one names the background.

    Colour changes keep a straight motion and direction changes are from one straight direction
    to another, so that both can be told from the frames alone.
    """
    rng = random.Random(f"{kind.value} {seed}")
    prompts = []
    for before, after in _evaluation_facts(count, seed, kind):
        text = caption(before, rng, always_background=True)
        if kind not in _CHANGES:
            prompts.append(EvaluationPrompt(text, before))
        else:
            new = caption(after, rng, always_background=True)
            prompts.append(EvaluationPrompt(text, before, new, after))
    return prompts


def caption(
    facts: SceneFacts,
    rng: random.Random,
    *,
    always_background: bool = False,
    seen: SceneFacts | None = None,
    sizes_seen: bool = True,
) -> str:
    """A random wording of ``facts``.

    Args:
        seen: what the picture or the clip shows that the video goes on from.
        sizes_seen: it shows sizes that are right; else they are named as if nothing were seen.
    """
    if seen is not None:
        always_background |= facts.background is not seen.background
    if seen is not None and sizes_seen:
        if rng.random() >= _SEEN_SIZE_SHARE:
            facts = without_sizes(facts)
        if _one_and_the_same(facts, seen) and rng.random() < _PRONOUN_SHARE:
            named = always_background or rng.random() < _BACKGROUND_SHARE_OF_PRONOUNS
            backdrop = _backdrop(facts.background, False, rng) if named else ""
            return _sentence_of_it(facts.objects[0], backdrop, rng)
    short = rng.random() < _SHORT_SHARE
    backdrop = ""
    if always_background or rng.random() < _BACKGROUND_SHARE:
        backdrop = _backdrop(facts.background, short, rng)
    if short:
        parts = [_noun(o, rng) + " " + _participle(o, rng) for o in facts.objects]
        text = " and ".join(parts)
        return f"{text} {backdrop}".strip()
    return _sentence(facts, backdrop, rng)


def _evaluation_facts(
    count: int, seed: int, kind: PromptKind
) -> Iterator[tuple[SceneFacts, SceneFacts]]:
    """Facts before and after, ``count`` of them, that fit the kind of prompt."""
    straight = tuple(m for m in Motion if Motion.LEFT <= m <= Motion.DOWN_RIGHT)
    options = {
        PromptKind.SINGLE: SceneOptions(two_objects=0.0, events=0.0, motions=tuple(Motion)),
        PromptKind.PAIR: SceneOptions(two_objects=1.0, events=0.0),
        PromptKind.COLOUR_CHANGE: SceneOptions(
            two_objects=0.0, events=1.0, colour_events=1.0, motions=straight
        ),
        PromptKind.DIRECTION_CHANGE: SceneOptions(
            two_objects=0.0, events=1.0, colour_events=0.0, motions=straight
        ),
        PromptKind.BACKGROUND_CHANGE: SceneOptions(
            two_objects=0.0, events=1.0, background_events=1.0, motions=tuple(Motion)
        ),
        PromptKind.CIRCLING: SceneOptions(two_objects=0.0, events=0.0, motions=_CIRCLING),
        PromptKind.LASTING: SceneOptions(
            two_objects=0.0, events=0.0, motions=(Motion.BOUNCE, *_CIRCLING, Motion.STILL)
        ),
    }[kind]
    generator = torch.Generator().manual_seed(seed)
    found = 0
    while found < count:
        scenes = sample_scenes(count, generator, options)
        if kind is PromptKind.DIRECTION_CHANGE:
            scenes = scenes[scenes.motion[:, 0, 1] != Motion.STILL]
        pairs = list(zip(scene_facts(scenes, 0), scene_facts(scenes, 1), strict=True))
        yield from pairs[: count - found]
        found += len(pairs)


def _sentence(facts: SceneFacts, backdrop: str, rng: random.Random) -> str:
    """A whole sentence with articles and a full stop."""
    nouns = [_with_article(_noun(o, rng)) for o in facts.objects]
    form = rng.random()
    if form < 0.45:  # "A red ball moves to the left on a white background."
        clauses = [n + " " + _verb(o, rng) for n, o in zip(nouns, facts.objects, strict=True)]
    elif form < 0.70:  # "A red ball is moving ..."
        clauses = [
            f"{n} is {_participle(o, rng)}" for n, o in zip(nouns, facts.objects, strict=True)
        ]
    else:  # "A red ball moving ...", "There is a red ball moving ..."
        clauses = [n + " " + _participle(o, rng) for n, o in zip(nouns, facts.objects, strict=True)]
    joined = rng.choice((" and ", " while ", ", and ") if form < 0.70 else (" and ", " and "))
    text = joined.join(clauses)
    if form >= 0.85:
        text = rng.choice(("There is ", "A video of ", "We see ", "A clip of ")) + text
    elif backdrop and rng.random() < 0.15:
        return f"{_capital(backdrop)}, {text}."
    return f"{_capital(text)} {backdrop}".rstrip() + "."


def _one_and_the_same(facts: SceneFacts, seen: SceneFacts) -> bool:
    looks = [[(o.shape, o.colour) for o in scene.objects] for scene in (facts, seen)]
    return len(facts.objects) == 1 and looks[0] == looks[1]


def _sentence_of_it(facts: ObjectFacts, backdrop: str, rng: random.Random) -> str:
    """For example "It starts moving to the left."."""
    clauses = [_verb(facts, rng)]
    if facts.motion is not Motion.STILL:
        clauses += [f"{word} {_participle(facts, rng)}" for word in ("is", "starts", "starts")]
        words = motion_words(facts.motion, rng)
        clauses.append("starts to " + _with_speed(words.infinitive, words, facts, rng))
    clause = rng.choice(clauses)
    return f"{rng.choice(('It', 'It', 'The shape'))} {clause} {backdrop}".rstrip() + "."


def _noun(facts: ObjectFacts, rng: random.Random) -> str:
    """For example "red ball" or "small red ball"."""
    text = f"{rng.choice(COLOUR_WORDS[facts.colour])} {rng.choice(SHAPE_WORDS[facts.shape])}"
    if facts.size is SizeBand.NORMAL:
        return text
    words = SMALL_WORDS if facts.size is SizeBand.SMALL else LARGE_WORDS
    return f"{rng.choice(words)} {text}"


def _verb(facts: ObjectFacts, rng: random.Random) -> str:
    """For example "moves slowly to the left"."""
    words = motion_words(facts.motion, rng)
    return _with_speed(words.verb, words, facts, rng)


def _participle(facts: ObjectFacts, rng: random.Random) -> str:
    """For example "moving slowly to the left"."""
    words = motion_words(facts.motion, rng)
    return _with_speed(words.participle, words, facts, rng)


def _with_speed(verb: str, words: MotionWords, facts: ObjectFacts, rng: random.Random) -> str:
    """The verb and what follows it, sometimes with an adverb of speed between them."""
    adverb = ""
    share = 1.0 if facts.motion is Motion.SPIN else _SPEED_SHARE
    if facts.speed is not SpeedBand.NORMAL and rng.random() < share:
        choices = SLOW_WORDS if facts.speed is SpeedBand.SLOW else FAST_WORDS
        adverb = " " + rng.choice(choices)
    return f"{verb}{adverb} {words.rest}".rstrip()


def _backdrop(background: Background, short: bool, rng: random.Random) -> str:
    """For example "on a black background" or "on black"."""
    name = rng.choice(BACKGROUND_WORDS[background])
    if short and rng.random() < 0.4:
        return f"on {name}"
    place = rng.choice(("on", "on", "on", "against", "in front of", "across", "over"))
    ground = rng.choice(("background", "background", "background", "backdrop"))
    return f"{place} {_with_article(name)} {ground}"


def _with_article(noun: str) -> str:
    """For example "a red ball" or "an orange ball"."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
