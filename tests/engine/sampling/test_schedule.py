"""What the transformer will be asked, counted: times, windows, ranges, passes."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from magi_engine.errors import InvalidRequestError
from magi_engine.sampling.schedule import (
    CacheChunks,
    Direction,
    Pass,
    SamplerSettings,
    Transition,
    check_steps,
    check_window,
    cuts_groups,
    forwards,
    guidance_scales,
    legal_steps,
    schedule_times,
    step_code,
    step_intervals,
)

MODES = ("8,16,16", "16,16,8")


def settings(**changes: Any) -> SamplerSettings:
    usual = SamplerSettings(
        num_steps=16,
        window_size=4,
        cfg_number=1,
        cfg_t_range=(0.0, 0.0217, 0.1, 0.3, 0.999),
        prev_chunk_scales=(1.5, 1.5, 1.5, 1.0, 1.0),
        text_scales=(7.5, 7.5, 7.5, 0.0, 0.0),
        noise2clean_kvrange=(5, 4, 3, 2),
        clean_chunk_kvrange=1,
        clean_t=0.9999,
        chunk_width=6,
        shortcut_mode="8,16,16",
        distill=True,
        distill_nearly_clean_chunk_threshold=0.3,
    )
    return dataclasses.replace(usual, **changes)


def shifted(x: float) -> float:
    """The spec's shift by 3, of the square."""
    square = x * x
    return square / 3 / (1 + (1 / 3 - 1) * square)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("num_steps", [1, 4, 8, 16, 20, 32, 64])
def test_equal_steps_are_squared_and_shifted(num_steps: int, mode: str) -> None:
    expected = [shifted(i / num_steps) for i in range(num_steps + 1)]
    assert schedule_times(num_steps, mode) == pytest.approx(expected, rel=0, abs=3e-7)


@pytest.mark.parametrize(("mode", "base"), [(MODES[0], (0, 2, 3)), (MODES[1], (0, 1, 2))])
def test_twelve_steps_are_unequal(mode: str, base: tuple[int, ...]) -> None:
    points = [quarter / 4 + sixteenths / 16 for quarter in range(4) for sixteenths in base] + [1]
    assert schedule_times(12, mode) == pytest.approx([*map(shifted, points)], rel=0, abs=3e-7)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("num_steps", range(1, 65))
def test_times_rise_from_noise_to_clean(num_steps: int, mode: str) -> None:
    times = schedule_times(num_steps, mode)
    assert len(times) == num_steps + 1
    assert times[0] == 0
    assert times[-1] == pytest.approx(1, abs=2e-7)
    assert sorted(set(times)) == times


@pytest.mark.parametrize("num_steps", [*range(1, 12), *range(13, 129)])
def test_times_are_rounded_as_pytorch_rounds(num_steps: int) -> None:
    squared = torch.linspace(0, 1, num_steps + 1) ** 2
    expected = squared * (1 / 3) / (1 + (1 / 3 - 1) * squared)
    # Units in float32's last place: not every processor rounds a linspace alike (two were seen),
    # nor does PyTorch's build for Windows (five).
    np.testing.assert_allclose(schedule_times(num_steps, MODES[0]), expected, rtol=6e-7)


@pytest.mark.parametrize(
    ("num_steps", "window", "mode", "expected"),
    [
        (12, 4, MODES[0], [2, 1, 1]),
        (12, 4, MODES[1], [1, 1, 2]),
        (12, 2, MODES[0], [2, 1, 1, 2, 1, 1]),
        (12, 3, MODES[0], [2, 1, 1, 2]),
        (12, 6, MODES[1], [1, 1]),
        (24, 4, MODES[1], [1, 1, 2, 1, 1, 2]),
        (16, 4, MODES[0], [1, 1, 1, 1]),
        (8, 1, MODES[1], [1] * 8),
    ],
)
def test_intervals_repeat_when_steps_come_in_threes(
    num_steps: int, window: int, mode: str, expected: list[float]
) -> None:
    assert step_intervals(num_steps, window, mode) == expected


def test_the_step_code_tells_how_long_a_step_is() -> None:
    assert [step_code(n, 1) for n in (8, 16, 64)] == [4, 8, 32]
    assert [step_code(12, interval) for interval in (1, 2)] == [8, 4]


@pytest.mark.parametrize("window", range(1, 9))
@pytest.mark.parametrize("kv_stages", [0, 1, 2, 3, 4, 5])
def test_legal_steps_split_evenly_and_nothing_else_passes(window: int, kv_stages: int) -> None:
    legal = list(itertools.takewhile(lambda n: n <= 128, legal_steps(window, kv_stages)))
    assert legal
    for steps in range(-4, 129):
        if steps in legal:
            assert steps > 0
            assert steps % window == steps % max(1, kv_stages) == 0
            check_steps(steps, window, kv_stages)
            settings(
                num_steps=steps, window_size=window, noise2clean_kvrange=(3,) * kv_stages
            )  # the sampler takes it
        else:
            with pytest.raises(InvalidRequestError, match=f"^{steps} steps? do(es)? not"):
                check_steps(steps, window, kv_stages)


@pytest.mark.parametrize("window", [3, 6])
def test_twelve_steps_fit_every_window_that_divides_them(window: int) -> None:
    """As in the release, which counts the groups of three anew in each stage."""
    check_steps(12, window, 4)
    assert cuts_groups(12, window)
    assert not cuts_groups(24, window)
    assert not any(cuts_groups(12, other) for other in (1, 2, 4))


@pytest.mark.parametrize("steps", [128, 256, 1000])
def test_many_steps_are_slow_but_legal(steps: int) -> None:
    check_steps(steps, 4, 4)


@pytest.mark.parametrize(
    ("steps", "window", "kv_stages", "hint"),
    [
        (17, 4, 4, "Choose 16 or 20 steps."),
        (0, 8, 4, "Choose 8 steps."),
        (100, 8, 17, "Choose 136 steps."),
        (13, 3, 1, "Choose 12 or 15 steps."),
    ],
)
def test_the_error_names_the_nearest_legal_steps(
    steps: int, window: int, kv_stages: int, hint: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        check_steps(steps, window, kv_stages)
    assert str(caught.value.hint) == hint


@pytest.mark.parametrize("window", [-1, 0, 9, 16])
def test_windows_beyond_eight_are_refused(window: int) -> None:
    for refuse in (check_window, lambda window: settings(num_steps=144, window_size=window)):
        with pytest.raises(InvalidRequestError) as caught:
            refuse(window)
        assert str(caught.value.hint) == "Choose a window from 1 to 8."


@pytest.mark.parametrize("window", range(1, 9))
@pytest.mark.parametrize(("num_chunks", "offset"), [(1, 0), (3, 0), (11, 0), (4, 3), (13, 2)])
def test_windows_are_the_formula_of_the_spec(window: int, num_chunks: int, offset: int) -> None:
    length = 4
    schedule = settings(num_steps=length * window, window_size=window)
    found = [f for f in forwards(schedule, num_chunks, 6 * offset + 1) if not f.fills_prefix]
    expected = []
    for stage in range(num_chunks - offset + window - 1):
        newest = offset + stage
        first, last = max(offset, newest - window + 1), min(num_chunks, newest + 1)
        for index in range(length):
            steps = tuple((newest - chunk) * length + index for chunk in range(first, last))
            clean = first - 1 if index == 0 and first > offset else None
            expected.append((range(first, last), steps, clean))
    assert [(f.chunks, f.steps, f.clean) for f in found] == expected
    finished = [f.chunks[0] for f in found if f.finishes]
    assert finished == list(range(offset, num_chunks))


def test_a_video_without_end_starts_like_any_other() -> None:
    endless = list(itertools.islice(forwards(settings(), None), 60))
    assert endless == list(forwards(settings(), 20))[:60]


def test_nothing_to_denoise_is_no_forward_at_all() -> None:
    assert list(forwards(settings(), 2, 12)) == []


def test_history_gets_shorter_as_a_chunk_gets_cleaner() -> None:
    found = [
        (step, last - first)
        for f in forwards(settings(), 20)
        for chunk, step, (first, last) in zip(
            f.chunks, f.steps, f.ranges[len(f.ranges) - len(f.chunks) :], strict=True
        )
        if chunk == 9
    ]
    assert [step for step, _ in found] == list(range(16))
    assert [seen for _, seen in found] == [5] * 4 + [4] * 4 + [3] * 4 + [2] * 4


def test_history_begins_with_the_video() -> None:
    first = next(forwards(settings(noise2clean_kvrange=(9,)), 4, 12))
    assert (first.clean, first.ranges, first.chunks) == (0, ((0, 1),), range(0))


def test_an_empty_range_sees_everything() -> None:
    # The range of clean chunks rules the prefix alone.
    schedule = settings(noise2clean_kvrange=(), clean_chunk_kvrange=2)
    assert {first for f in forwards(schedule, 12) for first, _ in f.ranges} == {0}


@pytest.mark.parametrize(
    ("ranges", "clean", "read"),
    [((5, 4, 3, 2), -1, 2), ((2, 5), -1, 5), ((5, 4, 3, 2), 1, 1), ((), -1, 8), ((), 3, 3)],
)
def test_what_a_chunk_of_a_prefix_sees(ranges: tuple[int, ...], clean: int, read: int) -> None:
    schedule = settings(noise2clean_kvrange=ranges, clean_chunk_kvrange=clean)
    prefix = [f for f in forwards(schedule, 12, 60) if f.fills_prefix]
    assert prefix[-1].clean == 9
    assert prefix[-1].ranges == ((10 - read, 10),)
    # Those that nobody looks at are left out.
    assert prefix[0].clean == (6 if read == 1 else 0)


def test_the_oldest_chunk_goes_along_twice_once_it_is_nearly_clean() -> None:
    for forward in forwards(settings(), 6):
        assert forward.copies_oldest == (forward.timesteps[forward.clean is not None] > 0.3)
        (seen,) = forward.seen
        assert len(seen) == len(forward.ranges) + forward.copies_oldest
    guided = settings(cfg_number=3, distill=False)
    assert not any(f.copies_oldest for f in forwards(guided, 6))


def test_passes_of_weight_zero_are_left_out() -> None:
    schedule = settings(num_steps=64, cfg_number=3, distill=False)
    kinds = {f.passes for f in forwards(schedule, 6)}
    assert kinds == {(Pass.TEXT, Pass.HISTORY, Pass.ALONE), (Pass.HISTORY,)}
    always = dataclasses.replace(schedule, text_scales=(7.5,) * 5, prev_chunk_scales=(1.0,) * 5)
    assert {f.passes for f in forwards(always, 6)} == {(Pass.TEXT, Pass.HISTORY)}
    for forward in forwards(schedule, 6):
        assert len(forward.scales) == len(forward.chunks)


@pytest.mark.parametrize(
    ("time", "entry"),
    [
        (0.0, 0),
        (0.0216, 0),
        (0.0217, 1),  # an entry begins at its own time ...
        (0.3, 3),
        (0.30000001192092896, 3),  # ... whatever float32 makes of it
        (0.99, 3),
        (0.9999, 4),
        (1.0, 4),
    ],
)
def test_scales_are_looked_up_by_time(time: float, entry: int) -> None:
    history, text = (1.5, 1.4, 1.3, 1.2, 1.1), (7.5, 7.4, 7.3, 0.2, 0.1)
    schedule = settings(prev_chunk_scales=history, text_scales=text)
    assert guidance_scales(schedule, [time]) == [(history[entry], text[entry])]


@pytest.mark.parametrize("prefix", [0, 30])
@pytest.mark.parametrize("clean", [-1, 1, 2, 4])
@pytest.mark.parametrize("ranges", [(5, 4, 3, 2), (1, 1, 1, 1), (2, 3), (7,), ()])
@pytest.mark.parametrize("window", range(1, 9))
def test_the_cache_holds_what_later_forwards_look_at(
    window: int, ranges: tuple[int, ...], clean: int, prefix: int
) -> None:
    schedule = settings(
        num_steps=window * max(1, len(ranges)) * 2,
        window_size=window,
        noise2clean_kvrange=ranges,
        clean_chunk_kvrange=clean,
    )
    video = list(forwards(schedule, 20, prefix))
    chunks = CacheChunks.of(schedule, 20, prefix)
    kept = [0]
    for number, forward in enumerate(video):
        end = forward.chunks.start if forward.chunks else forward.first + 1
        seen = [first for later in video[number:] for first, _ in later.ranges if first < end]
        kept.append(end - min(seen, default=end))
    assert chunks.kept == max(kept)
    assert chunks.forward == max(len(seen) for f in video for seen in f.seen)
    assert chunks.work == max(
        f.first + len(f.ranges) + f.copies_oldest - min(first for first, _ in f.ranges)
        for f in video
    )


@pytest.mark.parametrize("window", range(1, 9))
def test_the_span_does_not_grow_with_the_video(window: int) -> None:
    schedule = settings(num_steps=window * 4, window_size=window, cfg_number=3, distill=False)
    (chunks,) = {CacheChunks.of(schedule, n) for n in (20, 40, 80, None)}
    # Window 1 needs four clean chunks of history, window 4 one: the window plus history is 5.
    assert chunks.kept <= 4
    assert chunks.work <= 4 + window
    if window in (1, 4):
        assert (chunks.kept, chunks.work) == (5 - window, 5)


def test_a_video_without_end_has_to_forget() -> None:
    with pytest.raises(InvalidRequestError):
        CacheChunks.of(settings(noise2clean_kvrange=()), None)


@pytest.mark.parametrize("window", [1, 2, 4])
def test_transitions_say_what_a_chunk_sees(window: int) -> None:
    schedule = settings(num_steps=16, window_size=window, noise2clean_kvrange=(5, 4, 3, 2))
    kinds = {3: Transition.NEW_PLACE, 5: Transition.NEW_ONE, 7: Transition.CUT}
    plain, changed = list(forwards(schedule, 10)), list(forwards(schedule, 10, 0, Direction(kinds)))
    for before, after in zip(plain, changed, strict=True):
        read = int(before.clean is not None)
        assert dataclasses.replace(after, ranges=before.ranges) == before, "nothing else changes"
        for chunk, step, old, new in zip(
            before.chunks, before.steps, before.ranges[read:], after.ranges[read:], strict=True
        ):
            match kinds.get(chunk):
                case Transition.NEW_PLACE:
                    assert new == ((chunk, chunk + 1) if step < 12 else old)
                case Transition.NEW_ONE:
                    assert new == (old if step < 8 else (chunk, chunk + 1))
                case _:
                    assert new == (max(old[0], 7) if chunk >= 7 else old[0], chunk + 1)


def test_a_cut_right_after_a_clip_reads_nothing_of_it() -> None:
    schedule = settings(noise2clean_kvrange=(5, 4, 3, 2), clean_chunk_kvrange=1)
    cut = forwards(schedule, 8, 18, Direction({3: Transition.CUT}))
    assert not any(forward.fills_prefix for forward in cut)
    # The next chunk still looks back over one that does not.
    for kind in (Transition.NEW_PLACE, Transition.NEW_ONE):
        read = [f.clean for f in forwards(schedule, 8, 36, Direction({6: kind})) if f.fills_prefix]
        assert read == [2, 3, 4, 5]


@pytest.mark.parametrize("window", [1, 2, 4, 8])
@pytest.mark.parametrize("after", [3, 9, 20, 30])
def test_chunks_start_anew_behind_the_oldest(window: int, after: int) -> None:
    """Each is denoised from step 0 to the end in turn, read clean once, and none is left out."""
    schedule = settings(num_steps=16, window_size=window, noise2clean_kvrange=(5, 4, 3, 2))
    direction, made = Direction(), []
    oldest, before = -1, {}
    steps_of: dict[int, list[int]] = {chunk: [] for chunk in range(9)}
    for forward in forwards(schedule, 9, 0, direction):
        made.append(forward)
        for chunk, step in zip(forward.chunks, forward.steps, strict=True):
            if step == 0:
                steps_of[chunk] = []
            steps_of[chunk].append(step)
        if len(made) == after:
            oldest = forward.chunks[0]
            direction.restart_from = oldest + 1
            before = {chunk: len(steps) for chunk, steps in steps_of.items()}
    assert direction.restart_from is None
    assert [f.chunks[0] for f in made if f.finishes] == list(range(9)), "all, in their order"
    assert [f.clean for f in made if f.clean is not None] == list(range(8)), "each once"
    assert all(steps == list(range(16)) for steps in steps_of.values())
    begins = {f.chunks[f.steps.index(0)]: i for i, f in enumerate(made) if 0 in f.steps}
    assert all(begins[chunk] >= after for chunk in range(oldest + 1, 9)), "with the new prompt"
    assert begins[oldest] < after, "the oldest goes on"
    assert before[oldest] > 0
