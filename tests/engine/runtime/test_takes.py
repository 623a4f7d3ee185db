"""Videos that share their beginning with an earlier one, made with a tiny random model."""

from __future__ import annotations

import dataclasses
import errno
from pathlib import Path

import numpy as np
import pytest

from magi_engine import atomic
from magi_engine.errors import InvalidRequestError, TakeError
from magi_engine.media.frames import decode_frames
from magi_engine.media.writer import WriteOptions
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    ChunksShared,
    Event,
    Failed,
    Notice,
    Progress,
    Stage,
)
from magi_engine.runtime.process.control import Cancel, ChangePrompt
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from magi_engine.sampling.schedule import Transition
from magi_engine.takes.store import Take, TakeStore
from tests.engine.runtime.outcomes import MakeRequest, finished, of_kind, run, stages_of

OVERWRITE = WriteOptions(overwrite=True)
ALONE = SamplingOverrides(window_size=1, num_steps=4)
"""One chunk at a time: then what a chunk sees does not depend on where the job began."""
PROMPTS = (PromptChange(0, "a red ball"), PromptChange(2, "a blue cube"))


def made(engine: Engine, request: GenerationRequest) -> Path:
    end = finished(run(engine, request))
    assert end.path is not None
    return end.path


def anew(request: GenerationRequest, tmp_path: Path, name: str) -> GenerationRequest:
    return dataclasses.replace(request, output=str(tmp_path / name))


def take_of(store: TakeStore, video: Path) -> Take:
    return Earlier.of_video(video, store).take


def latents(take: Take) -> np.ndarray:
    return np.concatenate([take.read(chunk) for chunk in range(take.chunks)], axis=2)


def pictures(path: Path) -> np.ndarray:
    return np.stack([f.picture.to_ndarray(format="rgb24") for f in decode_frames(path)])


def chunks_of(events: list[Event]) -> dict[int, np.ndarray]:
    """The frames of each chunk before they are encoded."""
    return {chunk.index: chunk.frames for chunk in of_kind(events, ChunkReady)}


def assert_same_frames(whole: dict[int, np.ndarray], part: dict[int, np.ndarray]) -> None:
    """But for rounding: a level here and there; other noise is 50 levels away.

    An encoder makes more of a level: files are the same only where they are copied.
    """
    for index, frames in part.items():
        assert np.abs(whole[index].astype(int) - frames).mean() <= 0.5


def test_each_chunk_is_kept_as_it_was_sampled(
    engine: Engine, store: TakeStore, make_request: MakeRequest
) -> None:
    request = make_request(num_frames=60, prompts=PROMPTS)
    events = run(engine, request)
    path = finished(events).path
    assert path is not None
    take = take_of(store, path)
    assert (take.chunks, take.frames, take.finished) == (3, 60, True)
    for chunk in of_kind(events, ChunkReady):
        assert np.array_equal(take.read(chunk.index), chunk.latents.numpy())
    assert GenerationRequest.from_json(take.about.request) == read_request(path)


@pytest.mark.parametrize("mode", [Mode.T2V, Mode.I2V, Mode.V2V])
@pytest.mark.parametrize("chunk", [0, 1, 2])
def test_redone_unchanged_it_is_the_same_video(
    engine: Engine,
    store: TakeStore,
    make_request: MakeRequest,
    image: Path,
    clip: Path,
    tmp_path: Path,
    mode: Mode,
    chunk: int,
) -> None:
    reference = {Mode.T2V: None, Mode.I2V: str(image), Mode.V2V: str(clip)}[mode]
    request = make_request(
        mode=mode, reference=reference, num_frames=60, sampling=ALONE, prompts=PROMPTS
    )
    video = made(engine, request)
    again = anew(Earlier.of_video(video, store).redone(chunk), tmp_path, "again.mp4")
    events = run(engine, again)
    assert stages_of(events).count(Stage.ENCODING_REFERENCE) == 0, "nothing is encoded again"
    path = finished(events).path
    assert path is not None
    first, second = take_of(store, video), take_of(store, path)
    assert np.abs(latents(first) - latents(second)).max() <= 1e-5
    assert all(np.array_equal(first.read(c), second.read(c)) for c in range(chunk))
    assert np.array_equal(pictures(video)[: 24 * chunk], pictures(path)[: 24 * chunk])
    assert len(pictures(path)) == 60
    assert [c.index for c in of_kind(events, ChunkReady)] == list(range(chunk, first.chunks))


def test_a_source_clip_in_front_stays_as_it_is(
    engine: Engine, store: TakeStore, make_request: MakeRequest, clip: Path, tmp_path: Path
) -> None:
    request = make_request(
        mode=Mode.V2V, reference=str(clip), num_frames=60, sampling=ALONE, prepend_source=True
    )
    video = made(engine, request)
    source = take_of(store, video).about.source_frames
    assert source > 0
    again = anew(Earlier.of_video(video, store).redone(1), tmp_path, "again.mp4")
    first, second = pictures(video), pictures(made(engine, again))
    assert len(first) == len(second) == source + 60
    shared = source + take_of(store, video).about.first_frames
    assert np.array_equal(first[:shared], second[:shared])


@pytest.mark.parametrize("case", ["from the first chunk", "without the file", "as an animation"])
def test_a_source_clip_is_in_front_also_where_nothing_is_copied(
    engine: Engine,
    store: TakeStore,
    make_request: MakeRequest,
    clip: Path,
    tmp_path: Path,
    case: str,
) -> None:
    request = make_request(
        mode=Mode.V2V, reference=str(clip), num_frames=40, sampling=ALONE, prepend_source=True
    )
    video = made(engine, request)
    source = take_of(store, video).about.source_frames
    earlier, before = Earlier.of_video(video, store), pictures(video)
    if case == "without the file":
        earlier = Earlier.of_take(earlier.take)
    again = earlier.redone(0 if case == "from the first chunk" else 1)
    name = "again.gif" if case == "as an animation" else "again.mp4"
    path = made(engine, anew(again, tmp_path, name))
    after = pictures(path)
    assert len(before) == len(after) == source + 40
    assert np.abs(before[:source].astype(int) - after[:source]).mean() < 8
    assert take_of(store, path).about.source_frames == source
    assert read_request(path).source_frames == source


def test_a_source_clip_that_is_gone_is_said(
    engine: Engine, store: TakeStore, make_request: MakeRequest, clip: Path, tmp_path: Path
) -> None:
    request = make_request(
        mode=Mode.V2V, reference=str(clip), num_frames=40, sampling=ALONE, prepend_source=True
    )
    earlier = Earlier.of_video(made(engine, request), store)
    clip.unlink()
    events = run(engine, anew(earlier.redone(0), tmp_path, "again.mp4"))
    assert any(str(clip) in str(notice.message) for notice in of_kind(events, Notice))
    path = finished(events).path
    assert path is not None
    assert len(pictures(path)) == 40
    assert not read_request(path).prepend_source


def test_other_words_and_another_seed_change_what_comes_after(
    engine: Engine, store: TakeStore, make_request: MakeRequest, tmp_path: Path
) -> None:
    video = made(engine, make_request(num_frames=72))
    earlier = Earlier.of_video(video, store)
    request = earlier.redone(1, text="a green star", transition=Transition.CUT, seed=77)
    path = made(engine, anew(request, tmp_path, "again.mp4"))
    again = read_request(path)
    assert again.prompts[-1] == PromptChange(1, "a green star", Transition.CUT)
    assert again.start is not None
    assert (again.seed, again.start.chunk) == (77, 1)
    first, second = take_of(store, video), take_of(store, path)
    assert np.array_equal(first.read(0), second.read(0))
    assert np.abs(first.read(1) - second.read(1)).max() > 0.1


def test_without_the_file_the_shared_chunks_are_decoded(
    engine: Engine, store: TakeStore, make_request: MakeRequest, tmp_path: Path
) -> None:
    first = run(engine, make_request(num_frames=60, sampling=ALONE))
    video = finished(first).path
    assert video is not None
    earlier = Earlier.of_video(video, store)
    video.unlink()
    events = run(engine, anew(earlier.redone(2), tmp_path, "again.mp4"))
    path = finished(events).path
    assert path is not None
    assert not of_kind(events, ChunksShared)
    assert [(c.index, c.first_frame) for c in of_kind(events, ChunkReady)] == [
        (0, 0),
        (1, 24),
        (2, 48),
    ]
    assert_same_frames(chunks_of(first), chunks_of(events))
    assert len(pictures(path)) == 60
    assert take_of(store, path).chunks == 3


def test_extending_is_what_a_longer_video_would_have_been(
    engine: Engine, store: TakeStore, make_request: MakeRequest, tmp_path: Path
) -> None:
    """Without the token that counts the chunks left; the cut off last chunk is made whole."""
    common = {"sampling": ALONE, "special_tokens": ()}
    events = run(engine, make_request(num_frames=120, **common))
    whole = finished(events).path
    assert whole is not None
    part = anew(make_request(num_frames=36, **common), tmp_path, "part0.mp4")
    video = made(engine, part)
    for step, made_now in enumerate(({1, 2}, {3}, {4})):
        request = Earlier.of_video(video, store).extended(1.0)
        more = run(engine, anew(request, tmp_path, f"part{step + 1}.mp4"))
        assert set(chunks_of(more)) == made_now
        assert_same_frames(chunks_of(events), chunks_of(more))
        video = finished(more).path
        assert video is not None
    assert len(pictures(video)) == 120
    difference = latents(take_of(store, whole)) - latents(take_of(store, video))
    assert np.abs(difference).max() <= 1e-5


def test_the_rest_of_a_video_that_was_stopped(
    engine: Engine, store: TakeStore, make_request: MakeRequest, tmp_path: Path
) -> None:
    request = make_request(num_frames=96, sampling=ALONE)
    whole = chunks_of(run(engine, anew(request, tmp_path, "whole.mp4")))
    events: list[Event] = []
    for event in engine.generate(request):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 1:
            engine.control(Cancel())
    end = events[-1]
    assert isinstance(end, Cancelled)
    assert end.path is not None
    earlier = Earlier.of_video(end.path, store)
    assert 2 <= earlier.take.chunks < 4
    assert not earlier.take.finished
    rest = run(engine, anew(earlier.resumed(), tmp_path, "rest.mp4"))
    assert set(chunks_of(rest)) == set(range(earlier.take.chunks, 4))
    assert_same_frames(whole, chunks_of(rest))
    path = finished(rest).path
    assert path is not None
    assert np.array_equal(pictures(path)[: earlier.take.frames], pictures(end.path))
    assert len(pictures(path)) == 96
    assert take_of(store, path).finished


@pytest.mark.parametrize("chunk", [0, 1, 3])
def test_a_full_disk_keeps_the_video(
    engine: Engine,
    store: TakeStore,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
    chunk: int,
) -> None:
    real = atomic.put_in_place

    def full(source: Path, target: Path) -> None:
        if target.suffix == ".safetensors" and target.stem == f"{chunk:06}":
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr(atomic, "put_in_place", full)
    events = run(engine, make_request(num_frames=96))
    path = finished(events).path
    assert path is not None
    assert len(pictures(path)) == 96
    assert ["redo this video" in str(n.message) for n in of_kind(events, Notice)] == [True]
    assert take_of(store, path).chunks == chunk, "what was kept stays"


def test_none_are_kept_where_none_are_wanted(
    store: TakeStore, make_request: MakeRequest, tmp_path: Path
) -> None:
    other = TakeStore(tmp_path / "takes")
    other.limit_bytes = 0
    video = made(Engine(takes_dir=other.folder), make_request())
    assert read_request(video).take is None
    assert other.all() == []
    with pytest.raises(TakeError, match="was not kept"):
        Earlier.of_video(video, other)


def refusal(engine: Engine, request: GenerationRequest) -> str:
    end = run(engine, request)[-1]
    assert isinstance(end, Failed)
    assert isinstance(end.error, InvalidRequestError | TakeError)
    assert end.path is None
    return str(end.error)


def test_what_cannot_be_shared_is_said(
    engine: Engine, store: TakeStore, make_request: MakeRequest, tmp_path: Path
) -> None:
    earlier = Earlier.of_video(made(engine, make_request(num_frames=60)), store)
    redone = anew(earlier.redone(2), tmp_path, "again.mp4")
    beyond = refusal(engine, anew(earlier.redone(4), tmp_path, "a.mp4"))
    assert beyond.startswith("Chunk 5 cannot be made anew: that video has 3 chunks.")
    shorter = dataclasses.replace(redone, num_frames=48)
    assert "Nothing is left" in refusal(engine, shorter)
    wider = dataclasses.replace(redone, width=redone.width + 16)
    assert "another size" in refusal(engine, wider)
    slower = dataclasses.replace(redone, sampling=SamplingOverrides(fps=12))
    assert "24 frames per second cannot go on with 12. Choose 24" in refusal(engine, slower)
    path = earlier.take.folder / "000001.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "damaged" in refusal(engine, redone)
    store.remove(earlier.take.name)
    assert "no longer kept" in refusal(engine, redone)


def test_a_prompt_that_is_followed_at_once(
    engine: Engine, store: TakeStore, make_request: MakeRequest
) -> None:
    """Chunks of a wide window start anew behind the one that is finished next."""
    wide = SamplingOverrides(window_size=4, num_steps=8)
    request = make_request(num_frames=192, sampling=wide, dtype="float32")
    plain = take_of(store, made(engine, request))
    events = []
    for event in engine.generate(dataclasses.replace(request, writing=OVERWRITE)):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 1:
            engine.control(ChangePrompt(7, "a blue cube", at_once=True))
    path = finished(events).path
    assert path is not None
    change = read_request(path).prompts[-1]
    assert change.text == "a blue cube"
    assert change.chunk in (3, 4), "one chunk at most still has the old words"
    take = take_of(store, path)
    assert take.chunks == 8
    for chunk in range(change.chunk):
        assert np.abs(take.read(chunk) - plain.read(chunk)).max() <= 1e-4
    assert np.abs(take.read(change.chunk) - plain.read(change.chunk)).max() > 0.1
    last = of_kind(events, Progress)[-1]
    assert (last.chunks_done, last.fraction) == (7, 1)
