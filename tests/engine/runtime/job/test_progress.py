"""Estimates that can be checked: a machine that takes exactly a second per chunk and step."""

from __future__ import annotations

import pytest
import torch

from magi_engine.runtime.job.control import Stopwatch
from magi_engine.runtime.job.events import Progress
from magi_engine.runtime.job.progress import ProgressMeter
from magi_engine.runtime.request.length import LengthPlan
from magi_engine.sampling.schedule import Direction, forwards
from tests.engine.sampling.test_schedule import settings


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _run(
    num_chunks: int | None, steps: int, window: int, up_to: int
) -> list[tuple[float, Progress]]:
    """(seconds since the start, event) of each step; a decoding takes 2 s."""
    clock = _Clock()
    schedule = settings(num_steps=steps, window_size=window)
    meter = ProgressMeter(
        LengthPlan(num_chunks, 0, 0, 0, None, 24, 24, 0),
        lambda: forwards(schedule, num_chunks),
        lambda forward: float(len(forward.chunks)),
        steps,
        Stopwatch(clock),
    )
    events: list[tuple[float, Progress]] = []
    for forward in forwards(schedule, num_chunks):
        seconds = float(len(forward.chunks))
        clock.now += seconds
        event = meter.step_done(forward, seconds, lambda: torch.zeros(1))
        events.append((clock.now - 100, event))
        if forward.finishes:
            clock.now += 2
            meter.chunk_done(24, 2.0, beside=False)
        if len(events) >= up_to:
            break
    return events


@pytest.mark.parametrize(("steps", "window"), [(8, 1), (8, 2), (16, 4)])
def test_estimates_are_right_once_a_chunk_is_done(steps: int, window: int) -> None:
    chunks = 6
    total = chunks * steps + chunks * 2
    for elapsed, event in _run(chunks, steps, window, up_to=1000):
        assert event.elapsed_s == pytest.approx(elapsed)
        if event.chunks_done:
            assert event.eta_s == pytest.approx(total - elapsed)
            assert event.frames_per_second == pytest.approx(24 / (steps + 2))


@pytest.mark.parametrize("num_chunks", [6, None])
def test_the_next_chunk_comes_when_it_was_said_to(num_chunks: int | None) -> None:
    events = _run(num_chunks, steps=16, window=4, up_to=30)
    finished_at = {}
    for elapsed, event in events:
        if event.active[0].step == 16:
            finished_at[event.active[0].index] = elapsed + 2
    for elapsed, event in events:
        due = finished_at.get(event.active[0].index)
        if due is not None and event.chunks_done:
            assert elapsed + event.next_chunk_s == pytest.approx(due)


@pytest.mark.parametrize(("steps", "window"), [(8, 1), (8, 2), (16, 4)])
def test_what_starting_anew_behind_the_oldest_chunk_costs(steps: int, window: int) -> None:
    """By the schedule itself: what is computed with a restart, less what is without."""
    chunks = 9
    plain = settings(num_steps=steps, window_size=window)
    whole = sum(len(forward.chunks) for forward in forwards(plain, chunks))
    for number, (_, event) in enumerate(_run(chunks, steps, window, up_to=5 * steps // window)):
        direction, computed = Direction(), 0
        for index, forward in enumerate(forwards(plain, chunks, 0, direction)):
            computed += len(forward.chunks)
            if index == number:
                assert event.at_once is not None
                direction.restart_from = event.at_once.chunk
        assert event.at_once is not None
        assert event.at_once.chunk == event.active[0].index + 1 + (event.active[0].step == steps)
        assert event.at_once.lost_s == pytest.approx(computed - whole)


def test_the_stopwatch_stands_still_in_a_pause() -> None:
    clock = _Clock()
    watch = Stopwatch(clock)
    clock.now += 3
    watch.pause()
    clock.now += 1000
    assert watch.seconds == 3
    watch.resume()
    clock.now += 2
    assert watch.seconds == 5
