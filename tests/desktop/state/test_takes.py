"""Which takes belong together, and where they fork."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from magi_desktop.state.takes import take_rows
from magi_desktop.state.videos import LibraryItem
from magi_engine.runtime.request.request import PromptChange, TakeStart
from tests.desktop.state.helpers import request


def item(take: str, start: TakeStart | None = None, chunks: int = 4, **values) -> LibraryItem:
    """A take of a video, as the library knows it."""
    made = request(take=take, start=start, **values)
    path = Path(f"/videos/{take}.mp4")
    size = (24 * chunks, 24.0, made.width, made.height, True)
    return LibraryItem(uuid.uuid4().hex, path, made.to_json(), made.prompt, 0.0, *size)


def test_takes_stand_below_what_they_fork_from() -> None:
    first = item("20260101-000000-000000")
    other = item("20260101-000000-00000f")
    second = item(
        "20260101-000000-000010",
        TakeStart("20260101-000000-000000", 2),
        prompts=(PromptChange(0, "a ball"), PromptChange(2, "a cube")),
    )
    third = item("20260101-000000-000020", TakeStart("20260101-000000-000000", 1), chunks=6)
    of_second = item(
        "20260101-000000-000030",
        TakeStart("20260101-000000-000010", 3, None, "20260101-000000-000000"),
    )
    rows = take_rows([of_second, third, other, second, first], first.family)
    assert [row.item for row in rows] == [first, second, of_second, third]
    assert [row.parent for row in rows] == [None, 0, 1, 0]
    assert [row.number for row in rows] == [1, 2, 4, 3]
    assert [(row.fork, len(row.parts)) for row in rows] == [(0, 4), (2, 4), (3, 4), (1, 6)]
    assert [row.prompt for row in rows][:2] == ["a red circle", "a cube"]


def test_a_take_whose_beginning_is_gone_stands_by_itself() -> None:
    origin = "20260101-000000-000000"
    left = item("20260101-000000-000030", TakeStart("20260101-000000-000010", 3, None, origin))
    also = item("20260101-000000-000020", TakeStart(origin, 1))
    rows = take_rows([left, also], left.family)
    assert [(row.item, row.parent, row.fork) for row in rows] == [(also, None, 1), (left, None, 3)]


def test_takes_that_call_each_other_their_beginning_are_all_there() -> None:
    one, two = "20260101-000000-000001", "20260101-000000-000002"
    rows = take_rows(
        [item(one, TakeStart(two, 1, None, one)), item(two, TakeStart(one, 1, None, one))], one
    )
    assert {row.item.lineage.take for row in rows} == {one, two}


def test_damaged_settings_belong_to_no_other_video() -> None:
    broken = LibraryItem("x", Path("/v.mp4"), "{", "", 0.0, 24, 24.0, 64, 64, True)
    assert broken.family == "x"
    (row,) = take_rows([broken, item("20260101-000000-000001")], "x")
    assert (row.fork, len(row.parts)) == (0, 1)


def test_with_a_clip_in_front_parts_begin_where_its_chunks_do() -> None:
    origin = "20260101-000000-000000"
    noted: dict[str, Any] = {"source_frames": 40, "first_frames": 16}
    first = item(origin, chunks=5, **noted)
    prompts = (PromptChange(0, "a ball"), PromptChange(1, "a cube"))
    second = item("20260101-000000-000010", TakeStart(origin, 1), 5, prompts=prompts, **noted)
    _, row = take_rows([first, second], origin)
    # The clip in two parts, the short first chunk, two whole ones.
    edges = [(part.start, part.stop) for part in row.parts]
    assert edges == [(0, 24), (24, 40), (40, 56), (56, 80), (80, 104), (104, 120)]
    assert (row.fork, row.prompt) == (3, "a cube")
    assert [row.part_at(frame) for frame in (0, 39, 40, 55, 56, 500)] == [0, 1, 2, 2, 3, 5]
