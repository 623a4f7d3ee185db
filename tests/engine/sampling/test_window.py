from __future__ import annotations

import itertools

import pytest

from magi_engine.sampling.window import CacheChunks, HistoryRule, Stage, stages


@pytest.mark.parametrize("window", range(1, 9))
@pytest.mark.parametrize(("num_chunks", "offset"), [(1, 0), (3, 0), (11, 0), (4, 3), (13, 2)])
def test_stages_are_the_formula_of_the_spec(window: int, num_chunks: int, offset: int) -> None:
    length = 3
    found = list(stages(num_chunks, length * window, window, offset))
    expected = []
    for stage in range(num_chunks - offset + window - 1):
        newest = offset + stage
        first, last = max(offset, newest - window + 1), min(num_chunks, newest + 1)
        steps = tuple((newest - chunk) * length for chunk in range(first, last))
        expected.append(Stage(first, last, steps, length, rereads_clean=first > offset))
    assert found == expected


def test_a_video_without_end_starts_like_any_other() -> None:
    endless = list(itertools.islice(stages(None, 8, 4, 0), 20))
    assert endless == list(stages(20, 8, 4, 0))[:20]


def test_nothing_to_denoise_is_no_stage_at_all() -> None:
    assert list(stages(2, 8, 4, 2)) == []


RULE = HistoryRule((5, 4, 3, 2), clean=1, num_steps=16)


def test_history_gets_shorter_as_a_chunk_gets_cleaner() -> None:
    seen = [9 - RULE.first_seen(9, step) + 1 for step in range(16)]
    assert seen == [5] * 4 + [4] * 4 + [3] * 4 + [2] * 4
    assert RULE.first_seen_clean(9) == 9


def test_history_begins_with_the_video() -> None:
    assert RULE.first_seen(2, 0) == 0
    assert HistoryRule((5,), clean=3, num_steps=4).first_seen_clean(1) == 0


def test_an_empty_range_sees_everything() -> None:
    rule = HistoryRule((), clean=1, num_steps=16)
    assert {rule.first_seen(40, step) for step in range(16)} == {0}
    assert rule.first_seen_clean(40) == 0
    assert rule.first_seen_in_prefix(40) == 40, "clean_chunk_kvrange rules the prefix alone"


@pytest.mark.parametrize(("ranges", "chunks"), [((5, 4, 3, 2), 2), ((2, 5), 5), ((), 8)])
def test_minus_one_is_the_last_of_the_noisy_ranges(ranges: tuple[int, ...], chunks: int) -> None:
    rule = HistoryRule(ranges, clean=-1, num_steps=20)
    assert 40 + 1 - rule.first_seen_in_prefix(40) == chunks
    assert rule.first_seen_clean(40) == (40 + 1 - chunks if ranges else 0)


@pytest.mark.parametrize("offset", [0, 5])
@pytest.mark.parametrize("clean", [-1, 1, 2, 4])
@pytest.mark.parametrize("ranges", [(5, 4, 3, 2), (1, 1, 1, 1), (2, 3), (7,)])
@pytest.mark.parametrize("window", range(1, 9))
def test_nothing_older_than_the_oldest_needed_is_ever_seen_again(
    window: int, ranges: tuple[int, ...], clean: int, offset: int
) -> None:
    steps = window * len(ranges) * 2
    rule = HistoryRule(ranges, clean, steps)
    video = list(stages(20, steps, window, offset))
    for number, stage in enumerate(video):
        seen = [
            rule.first_seen(chunk, start + index)
            for later in video[number:]
            for chunk, start in zip(later.chunks, later.steps, strict=True)
            for index in range(later.length)
        ]
        seen += [rule.first_seen_clean(s.first - 1) for s in video[number:] if s.rereads_clean]
        assert rule.oldest_needed(stage) <= min(seen)


@pytest.mark.parametrize("window", range(1, 9))
def test_the_span_does_not_grow_with_the_video(window: int) -> None:
    rule = HistoryRule((5, 4, 3, 2), clean=1, num_steps=window * 4)
    needed = {CacheChunks.of(rule, window, n, 0, copies=False) for n in (20, 40, 80, None)}
    (chunks,) = needed
    # Window 1 needs four clean chunks of history, window 4 one: the window plus history is 5.
    assert chunks.kept <= 4
    assert chunks.work <= 4 + window
    if window in (1, 4):
        assert chunks == CacheChunks(kept=5 - window, work=5)
