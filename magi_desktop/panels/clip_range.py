"""Which seconds of a clip a ``ClipPart`` means, and back."""

from __future__ import annotations

from dataclasses import dataclass

from magi_engine.media.clips import FRAME_GROUP, MAX_PART_S, OFFICIAL_FRAMES, ClipPart, ClipPartKind


@dataclass(frozen=True)
class ClipRange:
    """A clip of ``duration_s`` whose frames are taken at ``fps``."""

    duration_s: float
    fps: float

    @property
    def shortest_s(self) -> float:
        """The least that a video can start from; the whole clip if that is shorter still."""
        return min(FRAME_GROUP / self.fps, self.duration_s)

    @property
    def longest_s(self) -> float:
        """The most that is of use."""
        return min(MAX_PART_S, self.duration_s)

    def span(self, part: ClipPart) -> tuple[float, float]:
        """Start and end of a part in seconds, inside the clip."""
        if part.kind is ClipPartKind.RANGE:
            end = min(part.end_s, self.duration_s)
            return min(part.start_s, end), end
        wanted = OFFICIAL_FRAMES / self.fps if part.seconds is None else part.seconds
        length = min(wanted, self.duration_s)
        if part.kind is ClipPartKind.START:
            return 0.0, length
        return self.duration_s - length, self.duration_s

    def part(self, kind: ClipPartKind, start_s: float, end_s: float) -> ClipPart:
        """The part of a kind for a span; the usual length is not written down."""
        start_s, end_s = self.clamped(start_s, end_s)
        length = end_s - start_s
        if kind is ClipPartKind.RANGE:
            return ClipPart.range(start_s, end_s)
        usual = min(OFFICIAL_FRAMES / self.fps, self.duration_s)
        seconds = None if abs(length - usual) < 0.5 / self.fps else length
        return ClipPart(kind, seconds)

    def clamped(self, start_s: float, end_s: float) -> tuple[float, float]:
        """The span nearest to a wish that lies in the clip and is neither too short nor too long.

        The start gives way to a length that cannot be.
        """
        end_s = min(max(end_s, self.shortest_s), self.duration_s)
        length = min(max(end_s - start_s, self.shortest_s), self.longest_s)
        return max(0.0, end_s - length), end_s

    def moved(self, start_s: float, end_s: float, by_s: float) -> tuple[float, float]:
        """A span shifted as far as the clip goes."""
        by_s = min(max(by_s, -start_s), self.duration_s - end_s)
        return start_s + by_s, end_s + by_s

    def with_start(self, start_s: float, end_s: float) -> tuple[float, float]:
        """A span with another start; the end stays."""
        least, most = end_s - self.longest_s, end_s - self.shortest_s
        return max(0.0, min(max(start_s, least), most)), end_s

    def with_end(self, start_s: float, end_s: float) -> tuple[float, float]:
        """A span with another end; the start stays."""
        least, most = start_s + self.shortest_s, start_s + self.longest_s
        return start_s, min(max(end_s, least), most, self.duration_s)
