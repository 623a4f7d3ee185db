"""An engine in another process, over loopback: everything as with one's own."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Generator
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import av
import numpy as np
import pytest
from PIL import Image

from magi_engine.cli import engines
from magi_engine.cli.exit_codes import FAILURE
from magi_engine.cli.main import main
from magi_engine.errors import InvalidRequestError, RemoteError
from magi_engine.media.frames import decode_frames
from magi_engine.media.output import open_writer
from magi_engine.media.writer import WriteOptions
from magi_engine.messages import Message
from magi_engine.remote.connection import Connection, Unreachable
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    Event,
    Failed,
    Finished,
    Notice,
    Planned,
    PreviewReady,
    Progress,
    PromptChanged,
    Stage,
    StageStarted,
    event_from_dict,
)
from magi_engine.runtime.process.control import Cancel, ChangePrompt, Pause, Resume
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import GenerationRequest, Mode
from tests.engine.serve.cutting import CutCable
from tests.engine.serve.servers import Server, small_request


def test_the_video_here_is_that_there_byte_for_byte(
    server: Server, engine: RemoteEngine, tmp_path: Path
) -> None:
    request = small_request(tmp_path / "a.mp4")
    *_, last = engine.generate(request, preview=True)
    assert isinstance(last, Finished)
    assert (last.path, last.frames) == (tmp_path / "a.mp4", 48)
    (job, *_) = engine.connection.get("/v1/jobs")
    assert (tmp_path / "a.mp4").read_bytes() == server.video_of(job["id"]).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "records"]
    assert not list((tmp_path / "records").iterdir())


def test_any_part_of_a_video_can_be_asked_for(
    server: Server, engine: RemoteEngine, tmp_path: Path
) -> None:
    *_, last = engine.generate(small_request(tmp_path / "a.mp4", seed=6))
    assert isinstance(last, Finished)
    server.check_parts(engine.connection.get("/v1/jobs")[0]["id"])


def test_events_are_those_of_an_engine_here(engine: RemoteEngine, tmp_path: Path) -> None:
    request = small_request(tmp_path / "a.mp4", seed=2)
    chunks: list[ChunkReady] = []
    planned: list[Planned] = []
    previews: list[PreviewReady] = []
    for event in engine.generate(request, preview=True):
        if isinstance(event, ChunkReady):
            chunks.append(event)
        planned += [event] if isinstance(event, Planned) else []
        previews += [event] if isinstance(event, PreviewReady) else []
    assert planned[0].plan.request == request
    assert planned[0].plan.num_chunks == 2
    assert [(c.index, c.first_frame, c.frames.shape) for c in chunks] == [
        (0, 0, (24, 64, 64, 3)),
        (1, 24, (24, 64, 64, 3)),
    ]
    assert previews
    assert previews[0].frames.shape == (6, 8, 8, 3)
    last = next(f for i, f in enumerate(decode_frames(tmp_path / "a.mp4")) if i == 47)
    rgb = last.picture.to_ndarray(format="rgb24").astype(int)
    assert np.abs(rgb - chunks[1].frames[-1]).mean() < 4  # another conversion of colours


def test_estimates_are_that_machines(engine: RemoteEngine, tmp_path: Path) -> None:
    plan = engine.plan(small_request(tmp_path / "a.mp4"))
    assert (plan.model, plan.num_chunks, plan.device) == ("pocket", 2, engine.machine().device)
    assert plan.request.output == str(tmp_path / "a.mp4")
    prospects = engine.prospects()
    assert prospects["pocket"].plan.model == "pocket"  # type: ignore[union-attr]
    with pytest.raises(InvalidRequestError, match="multiples of 16"):
        engine.plan(small_request(tmp_path / "a.mp4", width=50))


def test_commands_reach_the_job(engine: RemoteEngine, tmp_path: Path) -> None:
    request = small_request(tmp_path / "a.mp4", seed=3, num_frames=None)
    events = engine.generate(request)
    kinds: list[str] = []
    event: Event | None = None
    engine.control(Pause())
    for event in events:
        kinds.append(event.kind)
        if event.kind == "paused":
            engine.control(ChangePrompt(0, "a blue star", at_once=True))
            engine.control(Resume())
        if isinstance(event, PromptChanged):
            assert event.text == "a blue star"
        if isinstance(event, ChunkReady) and "prompt_changed" in kinds:
            engine.control(Cancel())
    assert kinds.index("paused") < kinds.index("resumed") < kinds.index("prompt_changed")
    assert isinstance(event, Cancelled)
    assert event.path is not None
    assert event.path.is_file()


def test_only_a_whole_video_replaces_what_was_there(engine: RemoteEngine, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"an earlier one")
    over = WriteOptions(overwrite=True)
    events = engine.generate(small_request(path, seed=31, num_frames=None, writing=over))
    next(event for event in events if isinstance(event, ChunkReady))
    engine.control(Cancel())
    *_, last = events
    assert isinstance(last, Cancelled)
    assert last.path == tmp_path / "a-2.mp4"
    assert path.read_bytes() == b"an earlier one"
    *_, last = engine.generate(small_request(path, seed=31, writing=over))
    assert isinstance(last, Finished)
    assert last.path == path
    assert read_request(path).seed == 31


@pytest.mark.parametrize("name", ["a.webm", "a", "in_front.mp4"])
def test_what_happens_is_told_though_frames_come_at_the_end(
    engine: RemoteEngine, tmp_path: Path, name: str
) -> None:
    """Of a growing WebM, of pictures, and of the clip in front, none are read."""
    changes: dict[str, object] = {}
    if name == "in_front.mp4":
        clip = tmp_path / "clip.mp4"
        with open_writer(clip, 64, 64, 24) as writer:
            writer.write(np.zeros((32, 64, 64, 3), np.uint8))
        changes = {"mode": Mode.V2V, "reference": str(clip), "prepend_source": True}
    request = small_request(tmp_path / name, seed=7, num_frames=24 * 500, **changes)
    events: list[Event] = []
    for event in engine.generate(request):
        events.append(event)
        if isinstance(event, Progress) and event.chunks_done == 2:
            engine.control(Cancel())
    last, ready = events[-1], [e for e in events if isinstance(e, ChunkReady)]
    assert isinstance(last, Cancelled)
    assert 40 <= last.frames < 24 * 500
    if name != "a":
        assert sum(len(e.frames) for e in ready) == last.frames
        assert last.path is not None
        *_, shown = decode_frames(last.path)
        rgb = shown.picture.to_ndarray(format="rgb24").astype(int)
        assert np.abs(rgb - ready[-1].frames[-1]).mean() < 4  # another conversion of colours


def test_it_is_said_that_nobody_answers(tmp_path: Path) -> None:
    engine = RemoteEngine(Connection("http://127.0.0.1:9", "k" * 30), tmp_path)
    events = engine.generate(small_request(tmp_path / "a.mp4"))
    assert next(events) == StageStarted(Stage.CONNECTING)
    notice = next(events)
    assert isinstance(notice, Notice)
    assert "http://127.0.0.1:9 does not answer. Check the address" in str(notice.message)
    engine.control(Cancel())
    assert list(events) == [Cancelled(None, 0)]
    engine.close()


def test_an_address_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nobody = Connection("http://127.0.0.1:9", "k" * 30)
    engine = RemoteEngine(nobody, tmp_path, first_tries=2)
    (last,) = engine.generate(small_request(tmp_path / "a.mp4"))
    assert isinstance(last, Failed)
    assert "http://127.0.0.1:9 does not answer. Check the address" in str(last.error)
    assert not list(tmp_path.iterdir()), "nothing was begun"
    monkeypatch.setattr(engines, "_FIRST_TRIES", 2)
    (tmp_path / "token").write_text("k" * 30)
    options = ["--engine", nobody.address, "--token-file", str(tmp_path / "token"), "--quiet"]
    for command in ("generate", "audition"):
        made = ["--prompt", "a ball", "-o", str(tmp_path / "b")]
        assert main([command, *made, *options]) == FAILURE
        assert "does not answer. Check the address" in capsys.readouterr().err


def test_a_video_that_was_begun_is_waited_for_however_long(tmp_path: Path) -> None:
    begun = RemoteEngine(Connection("http://127.0.0.1:9", "k" * 30), tmp_path)
    request = small_request(tmp_path / "a.mp4")
    with contextlib.closing(cast("Generator[Event]", begun.generate(request))) as events:
        next(events)
    begun.close()
    again = RemoteEngine(Connection("http://127.0.0.1:9", "k" * 30), tmp_path, first_tries=1)
    events = again.generate(request)
    assert next(events) == StageStarted(Stage.CONNECTING)
    again.control(Cancel())
    *_, last = events
    assert last == Cancelled(None, 0)
    again.close()


def test_who_has_answered_once_is_waited_for_however_long(server: Server, tmp_path: Path) -> None:
    cable = CutCable(urlsplit(server.address).port or 0, 0, 0, seed=1)
    token = server.token_file.read_text().split()[0]
    engine = RemoteEngine(Connection(cable.address, token), tmp_path / "records", first_tries=1)
    *_, last = engine.generate(small_request(tmp_path / "a.mp4", seed=41))
    assert isinstance(last, Finished)
    cable.close(hang_up=True)
    events = engine.generate(small_request(tmp_path / "b.mp4", seed=42))
    assert next(events) == StageStarted(Stage.CONNECTING)
    engine.control(Cancel())
    *_, last = events
    assert last == Cancelled(None, 0)
    engine.close()


def test_a_job_is_stopped_while_nobody_answers(tmp_path: Path) -> None:
    engine = RemoteEngine(Connection("http://127.0.0.1:9", "k" * 30), tmp_path)
    events = engine.generate(small_request(tmp_path / "a.mp4"))
    engine.control(Cancel())
    assert list(events) == [Cancelled(None, 0)]
    with pytest.raises(RemoteError, match="does not answer"):
        engine.machine()
    engine.close()


@pytest.mark.parametrize("events_before", [0, 1, 2])
def test_who_leaves_while_nobody_answers_hears_no_more(tmp_path: Path, events_before: int) -> None:
    engine = RemoteEngine(Connection("http://127.0.0.1:9", "k" * 30), tmp_path / "records")
    events = engine.generate(small_request(tmp_path / "a.mp4"))
    assert len(list(itertools.islice(events, events_before))) == events_before
    engine.close()
    assert all(isinstance(event, Notice) for event in events)
    assert list(engine.generate(small_request(tmp_path / "b.mp4"))) == []


@pytest.mark.parametrize("events_before", [0, 1, 2])
def test_who_leaves_at_the_beginning_does_not_wait_for_the_end(
    server: Server, tmp_path: Path, events_before: int
) -> None:
    engine = server.engine(tmp_path / "records")
    events = engine.generate(small_request(tmp_path / "a.mp4", seed=60 + events_before))
    assert len(list(itertools.islice(events, events_before))) == events_before
    engine.close()
    assert list(events) == []


def test_a_closed_connection_reaches_nobody(server: Server) -> None:
    connection = Connection(server.address, "k" * 30)
    connection.close()
    with pytest.raises(Unreachable):
        connection.get("/v1/jobs")
    with pytest.raises(Unreachable):
        next(connection.fetch("/v1/jobs/a/files/0", 0))


def test_the_same_request_is_gone_on_with(engine: RemoteEngine, tmp_path: Path) -> None:
    """As after a restart of the window: another engine object, the same records."""
    request = small_request(tmp_path / "a.mp4", seed=4)
    events = engine.generate(request)
    next(events)
    again = RemoteEngine(engine.connection, tmp_path / "records")
    before = len(engine.connection.get("/v1/jobs"))
    assert isinstance(list(again.generate(request))[-1], Finished)
    assert len(engine.connection.get("/v1/jobs")) == before


def test_pictures_travel_by_their_content(
    server: Server, engine: RemoteEngine, tmp_path: Path
) -> None:
    picture = tmp_path / "photo of mine.png"
    Image.new("RGB", (80, 80), "green").save(picture)
    request = small_request(
        tmp_path / "a.mp4", mode=Mode.I2V, reference=str(picture), num_frames=24
    )
    *_, last = engine.generate(request)
    assert isinstance(last, Finished)
    said = read_request(tmp_path / "a.mp4")
    assert said.reference is not None
    assert str(server.home) not in said.to_json()
    assert "mine" not in said.to_json()


def test_takes_there_are_gone_on_with(engine: RemoteEngine, tmp_path: Path) -> None:
    *_, last = engine.generate(small_request(tmp_path / "a.mp4", seed=5))
    assert isinstance(last, Finished)
    earlier = Earlier.of_video(tmp_path / "a.mp4", engine.takes)
    request = earlier.redone(1, text="a blue star")
    events = list(engine.generate(_at(request, tmp_path / "b.mp4")))
    assert isinstance(events[-1], Finished)
    assert [e.index for e in events if isinstance(e, ChunkReady)] == [1]
    first, second = (_packets(tmp_path / name) for name in ("a.mp4", "b.mp4"))
    assert first[:24] == second[:24]
    assert first[24:] != second[24:]


def test_a_key_that_is_not_accepted(server: Server, tmp_path: Path) -> None:
    engine = RemoteEngine(Connection(server.address, "k" * 30), tmp_path)
    with pytest.raises(RemoteError, match="key is not accepted"):
        engine.machine()
    (event,) = engine.generate(small_request(tmp_path / "a.mp4"))
    assert isinstance(event, Failed)
    assert isinstance(event.error, RemoteError)
    engine.close()


_NO_ADDRESSES = """
192.0.2.1:8611
ftp://h:1
http://[::1
http://h:x
http://h:99999
http://h:0
http://a b:1
http://h\0:1
http://me@h:1
https://h:1#zz
"""


@pytest.mark.parametrize("address", [*_NO_ADDRESSES.split("\n"), f"http://{'a' * 300}:1"])
def test_what_is_no_address_is_said(address: str) -> None:
    with pytest.raises(InvalidRequestError, match="no address of an engine"):
        Connection(address, "k" * 30)


@pytest.mark.parametrize("address", ["", " "])
def test_that_there_is_no_address_is_said(address: str) -> None:
    with pytest.raises(InvalidRequestError, match="There is no address of an engine"):
        Connection(address, "k" * 30)


def test_events_are_whole_again_after_json(tmp_path: Path) -> None:
    notice = Notice(Message("{count} videos", count=3))
    assert event_from_dict(json.loads(json.dumps(notice.to_exact_dict()))) == notice
    failed = Failed(InvalidRequestError("{a} is wrong.", "Try {b}.", a="x", b=2), None, 3)
    back = event_from_dict(json.loads(json.dumps(failed.to_exact_dict())))
    assert isinstance(back, Failed)
    assert type(back.error) is InvalidRequestError
    assert back.error.whole == failed.error.whole


def _at(request: GenerationRequest, output: Path) -> GenerationRequest:
    return dataclasses.replace(request, output=str(output))


def _packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]
