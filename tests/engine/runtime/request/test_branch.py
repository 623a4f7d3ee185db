"""What a video that begins with an earlier one is asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from magi_engine.errors import TakeError
from magi_engine.media.output import open_writer
from magi_engine.runtime.request.branch import Earlier, Leg, joined
from magi_engine.runtime.request.metadata import names_another_computer
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    TakeStart,
)
from magi_engine.sampling.schedule import Transition
from magi_engine.takes.store import About, TakeStore

PROMPTS = (PromptChange(0, "a"), PromptChange(1, "b"), PromptChange(3, "d"))


@pytest.fixture
def earlier(tmp_path: Path) -> Earlier:
    """Four seconds with three prompts."""
    made = GenerationRequest(Mode.T2V, "pocket", 64, 64, 96, PROMPTS)
    store = TakeStore(tmp_path / "takes")
    writer = store.begin(About(made.to_json(), 24.0, 6, False, 24, 24, 96))
    for _ in range(4):
        writer.append(np.zeros((1, 16, 6, 2, 2), np.float32))
    return Earlier.of_take(store.find(writer.name))


def test_a_transition_alone_leaves_all_prompts_as_they_were(earlier: Earlier) -> None:
    cut = PromptChange(2, "b", Transition.CUT)
    assert earlier.redone(2, transition=Transition.CUT).prompts == (*PROMPTS[:2], cut, PROMPTS[2])


def test_a_transition_stays_unless_another_is_asked_for(earlier: Earlier) -> None:
    begun = PromptChange(1, "b", Transition.NEW_PLACE)
    request = dataclasses.replace(earlier.request, prompts=(PROMPTS[0], begun, PROMPTS[2]))
    placed = dataclasses.replace(earlier, request=request)
    assert placed.redone(1).prompts == request.prompts
    new = PromptChange(1, "new", Transition.NEW_PLACE)
    assert placed.redone(1, text="new").prompts == (PROMPTS[0], new)
    gone_on = placed.redone(1, transition=Transition.GO_ON).prompts
    assert gone_on == (PROMPTS[0], PromptChange(1, "b"), PROMPTS[2])


def test_new_words_count_to_the_end(earlier: Earlier) -> None:
    assert earlier.redone(1, text="new").prompts == (PROMPTS[0], PromptChange(1, "new"))


def test_a_shorter_video_has_no_prompt_behind_its_end(earlier: Earlier) -> None:
    shorter = earlier.redone(0, seconds=3.0)
    assert (shorter.num_frames, shorter.prompts) == (72, PROMPTS[:2])
    assert earlier.redone(0, seconds=3.1).prompts == PROMPTS


def test_a_job_that_was_interrupted_is_found_again(earlier: Earlier, tmp_path: Path) -> None:
    store = TakeStore(tmp_path / "takes")
    about = earlier.take.about
    longer = dataclasses.replace(earlier.request, num_frames=240)
    assert Earlier.unfinished(longer, store) is None
    assert Earlier.unfinished(earlier.request, store) is None, "it is finished"
    noted = dataclasses.replace(longer, take="x", prompts=(PromptChange(0, "directed"),))
    writer = store.begin(dataclasses.replace(about, request=noted.to_json(), num_frames=240))
    assert Earlier.unfinished(longer, store) is None, "nothing is there yet"
    for _ in range(2):
        writer.append(np.zeros((1, 16, 6, 2, 2), np.float32))
    found = Earlier.unfinished(longer, store)
    assert found is not None
    assert found.resumed().start == TakeStart(writer.name, 2)
    assert found.resumed().prompt == "directed"
    assert Earlier.unfinished(dataclasses.replace(longer, seed=1), store) is None
    chunk = found.take.folder / "000001.safetensors"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    assert Earlier.unfinished(longer, store) is None, "damaged"


def partly_kept(folder: Path, kept: int, seconds: int, video: str = "part.mp4") -> Earlier:
    """A file of so many of five planned seconds, and the latents of fewer or more."""
    made = GenerationRequest(Mode.T2V, "pocket", 64, 64, 120, PROMPTS)
    store = TakeStore(folder / "takes")
    writer = store.begin(About(made.to_json(), 24.0, 6, False, 24, 24, 120))
    for _ in range(kept):
        writer.append(np.zeros((1, 16, 6, 2, 2), np.float32))
    made = dataclasses.replace(made, take=writer.name)
    with open_writer(folder / video, 64, 64, 24, made.to_json()) as file:
        file.write(np.zeros((seconds * 24, 64, 64, 3), np.uint8))
    return Earlier.of_video(folder / video, store)


@pytest.mark.parametrize("name", ["part.mp4", "part.webm", "part.gif", "part"])
def test_of_a_video_that_is_partly_kept_nothing_is_dropped(tmp_path: Path, name: str) -> None:
    earlier = partly_kept(tmp_path, 2, 5, name)
    assert (earlier.frames, earlier.chunks, earlier.take.chunks) == (120, 5, 2)
    assert earlier.finished
    for beyond in (lambda: earlier.extended(1.0), lambda: earlier.redone(3)):
        with pytest.raises(TakeError) as raised:
            beyond()
        assert str(raised.value) == (
            f"Only the first 2 s of {name} are kept for redoing. "
            "Continue it from its file: magi generate --video FILE."
        )
    assert [earlier.chunk_at(second) for second in (0.5, 2.5, 4.5, 5.0)] == [0, 2, 4, 5]
    for chunk in range(3):
        again = earlier.redone(chunk)
        assert again.start == TakeStart(earlier.take.name, chunk, str(tmp_path / name))
        assert again.num_frames == 120


def test_of_a_video_of_which_nothing_is_kept_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(TakeError, match=r"What it takes to redo part\.mp4 was not kept"):
        partly_kept(tmp_path, 0, 5).extended(1.0)


@pytest.mark.parametrize(("kept", "seconds"), [(2, 2), (3, 2), (2, 3)])
def test_a_video_that_was_stopped_is_gone_on_with(tmp_path: Path, kept: int, seconds: int) -> None:
    """Also where a kill came between a chunk's frames and its latents."""
    earlier = partly_kept(tmp_path, kept, seconds)
    assert not earlier.finished
    start = earlier.resumed().start
    assert start is not None
    assert start.chunk == kept
    if seconds <= kept:
        assert earlier.extended(1.0).num_frames == (kept + 1) * 24


@pytest.mark.parametrize(
    "video", [r"\\other\share\video.mp4", "//other/share/video.mp4", r"\/other\share\video.mp4"]
)
def test_a_shared_video_on_another_computer_is_named(earlier: Earlier, video: str) -> None:
    own = earlier.redone(1)
    assert names_another_computer(own) is None
    start = TakeStart(earlier.take.name, 1, video)
    assert names_another_computer(dataclasses.replace(own, start=start)) is not None


def test_a_way_through_takes_says_what_it_was_joined_from() -> None:
    def take(name: str, *prompts: PromptChange, frames: int | None = 96) -> GenerationRequest:
        return GenerationRequest(Mode.T2V, "pocket", 64, 64, frames, prompts, seed=3, take=name)

    first = take("a", PromptChange(0, "a ball"), PromptChange(1, "a cube"))
    cut = Transition.CUT
    second = take("b", PromptChange(0, "a ball"), PromptChange(2, "a star", cut), frames=90)
    way = joined([Leg(first, range(2)), Leg(second, range(2, 4))])
    assert way.prompts == (
        PromptChange(0, "a ball"),
        PromptChange(1, "a cube"),
        PromptChange(2, "a star", cut),
    )
    assert (way.num_frames, way.take, way.start) == (90, None, None)
    assert [leg["take"] for leg in way.extra["joined_from"]] == ["a", "b"]
    assert GenerationRequest.from_json(way.to_json()) == way
    # Back on the first one, whose prompt counts again; and the same words are not said twice.
    back = joined([Leg(second, range(1)), Leg(first, range(1, 3)), Leg(first, range(3, 4))])
    assert back.prompts == (PromptChange(0, "a ball"), PromptChange(1, "a cube"))
