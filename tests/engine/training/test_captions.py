"""Captions say what the scene shows, in many ways."""

from __future__ import annotations

import random
import re

import pytest
import torch

from magi_engine.training.captions import (
    PromptKind,
    SceneFacts,
    caption,
    caption_corpus,
    describe,
    describe_batch,
    evaluation_prompts,
    scene_facts,
    without_sizes,
)
from magi_engine.training.scenes import RADIUS, Background, EventKind, Motion, Shape, SizeBand
from magi_engine.training.wording import (
    BACKGROUND_WORDS,
    COLOUR_WORDS,
    FAST_WORDS,
    LARGE_WORDS,
    SHAPE_WORDS,
    SLOW_WORDS,
    SMALL_WORDS,
)
from magi_engine.training.world import SceneOptions, sample_scenes


def some_facts(count: int, seed: int = 1) -> list[SceneFacts]:
    scenes = sample_scenes(count, torch.Generator().manual_seed(seed))
    return scene_facts(scenes)


def says_any(text: str, words: tuple[str, ...]) -> bool:
    return any(re.search(rf"\b{re.escape(word)}\b", text.lower()) for word in words)


def test_every_caption_names_colour_and_shape_of_every_object_and_usually_the_backdrop() -> None:
    rng = random.Random(0)
    with_backdrop = 0
    for facts in some_facts(1500):
        text = caption(facts, rng)
        assert text.isascii()
        for item in facts.objects:
            pairs = tuple(
                f"{c} {s}" for c in COLOUR_WORDS[item.colour] for s in SHAPE_WORDS[item.shape]
            )
            assert says_any(text, pairs), (text, item)
        rest = text.lower()
        for item in facts.objects:  # "orange" or "blue" of an object is no backdrop
            for word in COLOUR_WORDS[item.colour]:
                for shape in SHAPE_WORDS[item.shape]:
                    rest = rest.replace(f"{word} {shape}", "")
        with_backdrop += says_any(rest, BACKGROUND_WORDS[facts.background])
    assert 0.80 < with_backdrop / 1500 < 0.92


def test_motion_words_tell_all_motions_apart() -> None:
    """Without adverbs and nouns, no wording of one motion is a wording of another."""
    rng = random.Random(0)
    wordings: dict[str, Motion] = {}
    for facts in some_facts(6000):
        if len(facts.objects) != 1:
            continue
        item = facts.objects[0]
        text = caption(facts, rng).lower().rstrip(".")
        for names in (COLOUR_WORDS[item.colour], BACKGROUND_WORDS[facts.background]):
            for word in sorted(names, key=len, reverse=True):
                text = text.replace(word, "")
        text = re.sub("|".join({*SLOW_WORDS, *FAST_WORDS}), "", text)
        shapes = sorted(SHAPE_WORDS[item.shape], key=len, reverse=True)
        phrase = re.split("|".join(map(re.escape, shapes)), text, maxsplit=1)[1]
        phrase = re.split(r" (?:on|against|over|across|in front of)\b(?! the spot)", phrase)[0]
        key = " ".join(phrase.split())
        assert wordings.setdefault(key, item.motion) is item.motion, key
    assert len(wordings) > 150
    assert set(wordings.values()) == set(Motion)


def test_what_is_seen_may_be_it_and_a_change_is_always_named() -> None:
    options = SceneOptions(events=1.0, background_events=0.4)
    scenes = sample_scenes(600, torch.Generator().manual_seed(3), options)
    rng = random.Random(0)
    pronouns = 0
    for seen, facts in zip(scene_facts(scenes, 0), scene_facts(scenes, 1), strict=True):
        text = caption(facts, rng, seen=seen)
        item, shown = facts.objects[0], seen.objects[0]
        if re.match(r"(It|The shape) ", text):
            pronouns += 1
            assert not re.search(r"starts to \w*(s|ing)\b", text)
            assert len(facts.objects) == 1
            assert (item.shape, item.colour) == (shown.shape, shown.colour)
        else:
            assert says_any(text, COLOUR_WORDS[item.colour])
        if facts.background is not seen.background:
            assert says_any(text, BACKGROUND_WORDS[facts.background])
            of_wrong_size = caption(facts, rng, seen=seen, sizes_seen=False)
            assert says_any(of_wrong_size, BACKGROUND_WORDS[facts.background])
    assert 60 < pronouns < 240


def test_what_spins_is_always_said_to_be_slow_or_fast() -> None:
    """It has one of three speeds, and only the middle one goes without saying."""
    options = SceneOptions(two_objects=0.0, events=0.0, motions=(Motion.SPIN,))
    scenes = sample_scenes(300, torch.Generator().manual_seed(5), options)
    rng = random.Random(0)
    speeds: dict[str, set[float]] = {"slow": set(), "fast": set(), "": set()}
    for index, facts in enumerate(scene_facts(scenes)):
        text = caption(facts, rng, seen=facts if index % 2 else None)
        slow, fast = says_any(text, SLOW_WORDS), says_any(text, FAST_WORDS)
        assert not (slow and fast)
        said = "slow" if slow else "fast" if fast else ""
        speeds[said].add(float(scenes.speed[index, 0, 0]))
    (slow,), (normal,), (fast,) = speeds["slow"], speeds[""], speeds["fast"]
    assert slow < normal < fast


def test_a_size_is_named_unless_it_is_the_usual_one_or_is_seen() -> None:
    options = SceneOptions(two_objects=0.0, events=0.0, motions=(Motion.STILL, Motion.BOUNCE))
    scenes = sample_scenes(400, torch.Generator().manual_seed(5), options)
    rng = random.Random(0)
    silent = 0
    for facts, radius in zip(scene_facts(scenes), scenes.radius[:, 0].tolist(), strict=True):
        text = caption(facts, rng)
        said = (says_any(text, SMALL_WORDS), says_any(text, LARGE_WORDS))
        right = [radius == pytest.approx(RADIUS[s]) for s in (SizeBand.SMALL, SizeBand.LARGE)]
        assert said == tuple(right)
        shown = caption(facts, rng, seen=facts)
        named = (says_any(shown, SMALL_WORDS), says_any(shown, LARGE_WORDS))
        assert named in (said, (False, False))
        silent += any(said) and not any(named)
        wrong = caption(facts, rng, seen=facts, sizes_seen=False)
        assert (says_any(wrong, SMALL_WORDS), says_any(wrong, LARGE_WORDS)) == said
        assert not says_any(caption(without_sizes(facts), rng), SMALL_WORDS + LARGE_WORDS)
    assert 150 < silent < 266  # of about as many


def test_captions_vary() -> None:
    facts = some_facts(1)[0]
    rng = random.Random(0)
    assert len({caption(facts, rng) for _ in range(200)}) > 120


def test_the_same_seed_gives_the_same_captions() -> None:
    assert caption_corpus(50, 7) == caption_corpus(50, 7)
    assert caption_corpus(50, 7) != caption_corpus(50, 8)


def test_segments_are_described_as_they_are() -> None:
    options = SceneOptions(events=1.0, colour_events=1.0, two_objects=0.0)
    scenes = sample_scenes(50, torch.Generator().manual_seed(1), options)
    assert (scenes.event_kind == EventKind.COLOUR).all()
    before = describe_batch(scenes, 0, random.Random(0))
    after = describe_batch(scenes, 1, random.Random(0))
    for n, facts in enumerate(scene_facts(scenes, 1)):
        assert says_any(after[n], COLOUR_WORDS[facts.objects[0].colour])
        old = scene_facts(scenes, 0)[n].objects[0].colour
        assert says_any(before[n], COLOUR_WORDS[old])
        assert facts.objects[0].colour is not old


def test_one_scene_is_described_like_the_batch() -> None:
    scenes = sample_scenes(3, torch.Generator().manual_seed(1))
    assert (
        describe(scenes, 0, 0, random.Random(5)) == describe_batch(scenes, 0, random.Random(5))[0]
    )


@pytest.mark.parametrize("kind", PromptKind)
def test_evaluation_prompts_ask_for_what_they_say(kind: PromptKind) -> None:
    prompts = evaluation_prompts(60, 1, kind)
    assert len(prompts) == 60
    assert prompts == evaluation_prompts(60, 1, kind)
    assert [p.text for p in prompts] != [p.text for p in evaluation_prompts(60, 2, kind)]
    for prompt in prompts:
        assert says_any(prompt.text, BACKGROUND_WORDS[prompt.expected.background])
        assert len(prompt.expected.objects) == (2 if kind is PromptKind.PAIR else 1)
        changes = kind.value.endswith("change")
        assert (prompt.next_expected is not None) == changes
        if prompt.next_expected is None:
            continue
        old, new = prompt.expected.objects[0], prompt.next_expected.objects[0]
        assert (old.colour is not new.colour) == (kind is PromptKind.COLOUR_CHANGE)
        assert (old.motion is not new.motion) == (kind is PromptKind.DIRECTION_CHANGE)
        assert old.shape is new.shape
        backgrounds = {prompt.expected.background, prompt.next_expected.background}
        assert len(backgrounds) == (2 if kind is PromptKind.BACKGROUND_CHANGE else 1)


def test_single_prompts_cover_the_vocabulary() -> None:
    prompts = evaluation_prompts(400, 1)
    assert {p.expected.objects[0].motion for p in prompts} == set(Motion)
    assert {p.expected.objects[0].shape for p in prompts} == set(Shape)
    assert {p.expected.background for p in prompts} == set(Background)
