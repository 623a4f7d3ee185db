"""Which frame is due now. Knows nothing of Qt, so that time can be given by a test."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

SPEEDS = (0.25, 0.5, 1.0, 1.5, 2.0)

# A timer may wake a hair early; waiting again for so little would only make the frame late.
_EARLY_S = 0.0005


@dataclass(frozen=True)
class PlaybackStats:
    """How well playback kept its rate since the video began.

    Attributes:
        shown: frames that reached the screen while playing.
        dropped: frames that were due but never painted, because a later one was due already.
        longest_gap_s: longest time between two painted frames; waiting for the engine and
            pauses are not counted.
    """

    shown: int = 0
    dropped: int = 0
    longest_gap_s: float = 0.0


class PlaybackClock:
    """Plays the frames from `start` to `end`, which may grow while it plays.

    Due times are counted from one anchor, so rounding never adds up to a drift. At the end of
    what exists it waits while the video is not `complete`, else it stops or begins again.

    Attributes:
        fps: frames per second at speed 1.
        start, end: first frame there is, and one past the last.
        complete: nothing more will come.
        looping: begin again after the last frame.
        playing: whether it runs; stays true while it waits.
        waiting: it stands at the end of what exists, and more will come.
    """

    def __init__(self, fps: float = 24.0, now: Callable[[], float] = time.perf_counter) -> None:
        self.looping = True
        self._now = now
        self._speed = 1.0
        self.reset(fps)

    def reset(self, fps: float) -> None:
        """A new video, of which nothing exists yet. Speed and looping stay."""
        self.fps = fps
        self.start = self.end = 0
        self.complete = False
        self.playing = False
        self.waiting = False
        self._frame: int | None = None
        self._unpainted = False
        self._painted_at: float | None = None
        self._shown = self._dropped = 0
        self._longest_gap_s = 0.0
        self._anchor()

    @property
    def position(self) -> int:
        """The frame that is shown, 0 while there is none."""
        return self.start if self._frame is None else self._frame

    @property
    def speed(self) -> float:
        """1 is the video's own rate."""
        return self._speed

    @speed.setter
    def speed(self, value: float) -> None:
        self._speed = value
        self._anchor()

    @property
    def stats(self) -> PlaybackStats:
        """Counts since `reset`."""
        return PlaybackStats(self._shown, self._dropped, self._longest_gap_s)

    def play(self) -> None:
        """Run on from here; after the last frame of a complete video, from the first."""
        if self.complete and self._frame is not None and self._frame >= self.end - 1:
            self._frame = None
        self.playing, self.waiting = True, False
        self._anchor()

    def pause(self) -> None:
        """Stand still."""
        self.playing = self.waiting = False
        self._painted_at = None

    def seek(self, frame: int) -> int:
        """Go to a frame, or the nearest that exists; returns where it went."""
        self._frame = max(self.start, min(frame, self.end - 1)) if self.end > self.start else None
        self.waiting = False
        self._anchor()
        return self.position

    def set_range(self, start: int, end: int) -> None:
        """Say which frames exist now. Playback that waited goes on at once."""
        grew, was_empty = end > self.end, self.end <= self.start
        self.start, self.end = start, end
        if self._frame is not None and not start <= self._frame < end:
            self.seek(self._frame)
        elif grew and self.waiting:
            self.waiting = False
            self._anchor()
            self._anchor_frame += 1  # the next frame was due before it came
        elif was_empty:
            self._anchor()

    def finish(self) -> None:
        """Nothing more will come: playback that waited stops, or begins again."""
        self.complete = True
        if self.end <= self.start:
            self.pause()
        elif self.waiting:
            self.waiting = False
            self._anchor()

    def tick(self, ready: Callable[[int], bool]) -> int | None:
        """Move on to the frame due now.

        Args:
            ready: whether a frame can be painted at once; playback stands until it can.

        Returns:
            The frame to show, or None while the one shown stays.
        """
        if not self._running:
            return None
        if self._stalled:  # the frame that was not ready is due as soon as it is
            self._anchor_time, self._stalled = self._now(), False
        before = self.start - 1 if self._frame is None else self._frame
        elapsed = (self._now() - self._anchor_time + _EARLY_S) * self.fps * self._speed
        due = self._anchor_frame + math.floor(elapsed)
        if due <= before:
            return None
        if due < self.end or (self.complete and self.looping):
            target = self.start + (due - self.start) % (self.end - self.start)
        elif before < self.end - 1:
            target = due = self.end - 1
        else:
            self._stop_at_end()
            return None
        if not ready(target):
            self._anchor_time, self._anchor_frame = self._now(), due
            self._stalled = True
            return None
        self._dropped += due - before - 1 + self._unpainted
        self._anchor_frame -= due - target  # a new round counts from the start again
        self._frame, self._unpainted = target, True
        return target

    def _stop_at_end(self) -> None:
        if self.complete:
            self.pause()
        else:
            self.waiting, self._painted_at = True, None

    def painted(self) -> None:
        """The frame last returned by `tick` is on the screen now."""
        if not self._unpainted:
            return
        now = self._now()
        self._unpainted = False
        self._shown += 1
        if self._painted_at is not None:
            self._longest_gap_s = max(self._longest_gap_s, now - self._painted_at)
        self._painted_at = now

    def next_due_s(self) -> float | None:
        """Seconds until the next frame is due; None while only an event can bring it."""
        if not self._running or self._stalled:
            return None
        before = self.start - 1 if self._frame is None else self._frame
        due_at = self._anchor_time + (before + 1 - self._anchor_frame) / (self.fps * self._speed)
        return max(0.0, due_at - self._now())

    @property
    def _running(self) -> bool:
        return self.playing and not self.waiting and self.end > self.start

    def _anchor(self) -> None:
        """Count from now: the frame shown has just begun, or the first one is due at once."""
        self._anchor_time, self._anchor_frame = self._now(), self.position
        self._painted_at = None
        self._unpainted = self._stalled = False
