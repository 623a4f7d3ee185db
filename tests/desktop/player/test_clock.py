"""The playback clock, with time given by the test."""

from __future__ import annotations

import pytest

from magi_desktop.player.clock import PlaybackClock


class Time:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def clock(time: Time) -> PlaybackClock:
    clock = PlaybackClock(24.0, time)
    clock.play()
    return clock


def always(_frame: int) -> bool:
    return True


def run(clock: PlaybackClock, time: Time, seconds: float) -> list[int]:
    """Play as the player does: wake up when the next frame is due."""
    until, shown = time.seconds + seconds, []
    while True:
        frame = clock.tick(always)
        if frame is not None:
            shown.append(frame)
            clock.painted()
        due = clock.next_due_s()
        if due is None or time.seconds + due > until:
            time.seconds = until
            return shown
        time.seconds += due


def test_begins_with_the_first_frame_as_soon_as_it_exists(clock: PlaybackClock, time: Time) -> None:
    assert clock.tick(always) is None
    time.seconds += 5
    clock.set_range(0, 24)
    assert clock.tick(always) == 0


def test_every_frame_is_shown_once_and_none_is_late(clock: PlaybackClock, time: Time) -> None:
    clock.set_range(0, 240)
    assert run(clock, time, 10 - 1 / 48) == list(range(240))
    assert clock.stats.dropped == 0
    assert clock.stats.shown == 240
    assert clock.stats.longest_gap_s == pytest.approx(1 / 24)


def test_does_not_drift_when_the_timer_wakes_late(clock: PlaybackClock, time: Time) -> None:
    clock.set_range(0, 10_000)
    clock.tick(always)
    clock.painted()
    start = time.seconds
    for _ in range(2000):
        due = clock.next_due_s()
        assert due is not None
        time.seconds += due + 0.009  # always 9 ms late, never by a frame
        clock.tick(always)
        clock.painted()
    assert clock.position == 2000
    assert time.seconds - start == pytest.approx(2000 / 24 + 0.009)
    assert clock.stats.dropped == 0


def test_frames_that_came_too_late_are_dropped_and_counted(
    clock: PlaybackClock, time: Time
) -> None:
    clock.set_range(0, 100)
    clock.tick(always)
    clock.painted()
    time.seconds += 5.5 / 24
    assert clock.tick(always) == 5
    clock.painted()
    assert clock.stats.dropped == 4
    assert clock.stats.longest_gap_s == pytest.approx(5.5 / 24)


def test_a_frame_replaced_before_it_was_painted_counts_as_dropped(
    clock: PlaybackClock, time: Time
) -> None:
    clock.set_range(0, 100)
    clock.tick(always)
    time.seconds += 1 / 24
    clock.tick(always)
    clock.painted()
    assert (clock.stats.shown, clock.stats.dropped) == (1, 1)


def test_waits_at_the_end_of_what_exists_and_plays_on(clock: PlaybackClock, time: Time) -> None:
    clock.set_range(0, 24)
    assert run(clock, time, 3) == list(range(24))
    assert clock.waiting
    assert clock.playing
    assert clock.next_due_s() is None
    clock.set_range(0, 48)
    assert not clock.waiting
    assert clock.tick(always) == 24  # at once: it was due long ago
    clock.painted()
    assert run(clock, time, 1)[-1] == 47
    assert clock.stats.dropped == 0
    assert clock.stats.longest_gap_s == pytest.approx(1 / 24)  # waiting is no gap


def test_loops_when_finished(clock: PlaybackClock, time: Time) -> None:
    clock.set_range(0, 24)
    clock.finish()
    assert run(clock, time, 2.01) == [*range(24), *range(24), 0]
    assert clock.stats.dropped == 0


def test_a_pause_of_the_program_longer_than_the_video_does_not_break_the_loop(
    clock: PlaybackClock, time: Time
) -> None:
    clock.set_range(0, 24)
    clock.finish()
    clock.tick(always)
    time.seconds += 100.5 / 24
    assert clock.tick(always) == 100 % 24
    time.seconds += 1 / 24
    assert clock.tick(always) == 101 % 24


def test_stops_after_the_last_frame_without_looping(clock: PlaybackClock, time: Time) -> None:
    clock.looping = False
    clock.set_range(0, 24)
    clock.finish()
    assert run(clock, time, 3) == list(range(24))
    assert not clock.playing
    clock.play()
    assert clock.tick(always) == 0


@pytest.mark.parametrize("looping", [True, False])
def test_finishing_ends_the_wait(clock: PlaybackClock, time: Time, looping: bool) -> None:
    clock.looping = looping
    clock.set_range(0, 24)
    run(clock, time, 3)
    clock.finish()
    assert run(clock, time, 0.5)[:2] == ([0, 1] if looping else [])
    assert clock.playing is looping


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0])
def test_speed(clock: PlaybackClock, time: Time, speed: float) -> None:
    clock.set_range(0, 1000)
    run(clock, time, 1.01)
    assert clock.position == 24
    clock.speed = speed
    run(clock, time, 4.01)
    assert clock.position == 24 + 4 * 24 * speed


def test_seeking_goes_on_from_there_and_stays_inside(clock: PlaybackClock, time: Time) -> None:
    clock.set_range(0, 48)
    assert clock.seek(30) == 30
    assert run(clock, time, 2.1 / 24) == [31, 32]
    assert clock.seek(1000) == 47
    assert clock.seek(-5) == 0


def test_stands_until_a_frame_that_must_be_read_is_there(clock: PlaybackClock, time: Time) -> None:
    clock.set_range(0, 48)
    clock.tick(always)
    clock.painted()
    time.seconds += 1 / 24
    assert clock.tick(lambda _frame: False) is None
    assert clock.next_due_s() is None  # the frame's arrival wakes the player
    time.seconds += 1
    assert clock.tick(always) == 1
    clock.painted()
    assert clock.stats.dropped == 0
    assert clock.stats.longest_gap_s == pytest.approx(1 + 1 / 24)


def test_a_loop_stands_until_its_first_frame_is_read_again(
    clock: PlaybackClock, time: Time
) -> None:
    clock.set_range(0, 24)
    clock.finish()
    clock.seek(23)
    time.seconds += 1 / 24
    assert clock.tick(lambda _frame: False) is None
    time.seconds += 1
    assert clock.tick(always) == 0
    assert run(clock, time, 1.1 / 24) == [1]


def test_frames_that_are_gone_move_the_position(clock: PlaybackClock) -> None:
    clock.set_range(0, 48)
    clock.pause()
    clock.seek(3)
    clock.set_range(24, 72)
    assert clock.position == 24
