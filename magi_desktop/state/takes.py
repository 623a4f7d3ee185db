"""The takes of one video, and where they fork."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from dataclasses import dataclass

from magi_desktop.state.videos import LibraryItem
from magi_engine.errors import MagiError

_CHUNK_FRAMES = 24


@dataclass(frozen=True)
class TakeRow:
    """A take among those of the same video.

    Attributes:
        number: from 1, in the order they were made in.
        parent: the row of the take it shares its beginning with; None: of none that is there.
        fork: the first of its parts that is its own.
        parts: their frames: of a clip in front, and of its chunks, the shared ones included.
    """

    item: LibraryItem
    number: int
    parent: int | None
    fork: int
    parts: tuple[range, ...]

    @property
    def prompt(self) -> str:
        """What its own part was made from, in one line."""
        try:
            request = self.item.request
            own = self.fork - request.parts_in_front
            said = [p.text for p in request.prompts if p.chunk <= own]
        except MagiError:
            said = []
        return " ".join(said[-1].split()) if said else self.item.prompt

    def part_at(self, frame: int) -> int:
        """The part that holds a frame; behind its end, the last one."""
        return max(0, bisect.bisect_right([part.start for part in self.parts], frame) - 1)


def made_order(item: LibraryItem) -> tuple[str, float]:
    """Sorts takes by when they were begun: their names say it, to the microsecond."""
    return item.lineage.take or "", item.created


def take_rows(items: Iterable[LibraryItem], family: str) -> list[TakeRow]:
    """The takes of a video that are there, each below the one it forks from."""
    takes = sorted((i for i in items if i.family == family and not i.missing), key=made_order)
    known = {i.lineage.take for i in takes if i.lineage.take is not None}
    children: dict[str | None, list[tuple[int, LibraryItem]]] = {}
    for number, item in enumerate(takes, 1):
        start = item.lineage.start
        children.setdefault(
            start.take if start is not None and start.take in known else None, []
        ).append((number, item))
    rows: list[TakeRow] = []

    def add(take: str | None, parent: int | None) -> None:
        for number, item in children.pop(take, []):
            rows.append(_row(item, number, parent))
            if item.lineage.take is not None:
                add(item.lineage.take, len(rows) - 1)

    add(None, None)
    while children:  # takes that damaged files call each other's beginning
        add(next(iter(children)), None)
    return rows


def _row(item: LibraryItem, number: int, parent: int | None) -> TakeRow:
    frames = max(1, item.frames)
    try:
        parts, in_front = item.request.parts_of(frames), item.request.parts_in_front
    except MagiError:
        firsts = range(0, frames, _CHUNK_FRAMES)
        parts, in_front = [range(f, min(f + _CHUNK_FRAMES, frames)) for f in firsts], 0
    start = item.lineage.start
    fork = 0 if start is None else min(in_front + start.chunk, len(parts))
    return TakeRow(item, number, parent, fork, tuple(parts))
