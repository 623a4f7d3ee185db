"""Connections that are cut, servers and clients that are killed: no video is lost."""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from magi_engine import atomic
from magi_engine.errors import EngineDiedError
from magi_engine.media import targets
from magi_engine.media.info import probe
from magi_engine.media.output import open_writer
from magi_engine.media.targets import part_path
from magi_engine.remote import job as remote_job
from magi_engine.remote.connection import Connection
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    Event,
    Failed,
    Finished,
    Notice,
    Paused,
    Planned,
    PromptChanged,
    Restarted,
    Stage,
    StageStarted,
)
from magi_engine.runtime.process.control import Cancel, ChangePrompt, Command
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from magi_engine.sampling.schedule import Transition
from magi_engine.serve import job as job_module
from magi_engine.serve.job import FOLDER, Job, JobAbout
from magi_engine.serve.jobs import JobBook
from magi_engine.serve.uploads import Uploads
from tests.engine.serve.cutting import CutCable
from tests.engine.serve.servers import Server, small_request

_NOBODY = 9
"""A port where nobody listens."""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_cut_cable_changes_nothing_in_the_file(server: Server, tmp_path: Path, seed: int) -> None:
    token = server.token_file.read_text().split()[0]
    cable = CutCable(int(server.address.rpartition(":")[2]), 8, 12_000, seed)
    engine = RemoteEngine(Connection(cable.address, token), tmp_path / "records")
    request = small_request(tmp_path / "a.mp4", seed=20 + seed, num_frames=96)
    events = list(engine.generate(request))
    _is_whole(events, 4)
    engine.close()
    cable.close()
    assert cable.cut > 0
    direct = Connection(server.address, token)
    job = next(j for j in direct.get("/v1/jobs") if j["request"]["seed"] == 20 + seed)
    assert (tmp_path / "a.mp4").read_bytes() == server.video_of(job["id"]).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "records"]
    direct.close()


def test_pictures_come_through_a_cut_cable(server: Server, tmp_path: Path) -> None:
    token = server.token_file.read_text().split()[0]
    cable = CutCable(int(server.address.rpartition(":")[2]), 6, 3_000, 5)
    engine = RemoteEngine(Connection(cable.address, token), tmp_path / "records")
    *_, last = engine.generate(small_request(tmp_path / "a", seed=23, num_frames=24))
    engine.close()
    cable.close()
    assert cable.cut > 0
    assert isinstance(last, Finished)
    assert last.path is not None
    assert last.path == tmp_path / "a"
    direct = Connection(server.address, token)
    job = next(j for j in direct.get("/v1/jobs") if j["request"]["seed"] == 23)
    direct.close()
    there = {p.name: p.read_bytes() for p in server.video_of(job["id"]).with_suffix("").iterdir()}
    assert {p.name: p.read_bytes() for p in last.path.iterdir()} == there
    assert len(there) == 24
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "records"]


@pytest.mark.parametrize("name", ["a.mp4", "a"])
def test_who_leaves_while_the_video_is_put_in_place_has_it_once(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    request = small_request(tmp_path / name, seed=24, num_frames=24)
    engine = server.engine(tmp_path / "records")

    def put_and_leave(source: Path, target: Path) -> None:
        atomic.put_in_place(source, target)
        if target == tmp_path / name:
            engine.close()

    with monkeypatch.context() as patching:
        patching.setattr(remote_job, "put_in_place", put_and_leave)
        list(engine.generate(request))
    assert (tmp_path / name).exists()
    next_session = server.engine(tmp_path / "records")
    *_, last = next_session.generate(request)
    next_session.close()
    assert isinstance(last, Finished)
    assert last.path == tmp_path / name
    assert sorted(path.name for path in tmp_path.iterdir()) == [name, "records"]
    assert not list((tmp_path / "records").iterdir())


def test_a_job_is_given_up_when_the_server_is_gone_for_good(server: Server, tmp_path: Path) -> None:
    token = server.token_file.read_text().split()[0]
    cable = CutCable(int(server.address.rpartition(":")[2]), 0, 0, 1)
    engine = RemoteEngine(Connection(cable.address, token), tmp_path / "records")
    events: list[Event] = []
    gone = False
    for event in engine.generate(small_request(tmp_path / "a.mp4", seed=25, num_frames=24 * 500)):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 1:
            cable.close(hang_up=True)
            gone = True
        if gone and isinstance(event, Notice):
            engine.control(Cancel())
    engine.close()
    last = events[-1]
    assert isinstance(last, Cancelled)
    assert (probe(tmp_path / "a.mp4").frame_count or 0) >= last.frames >= 48
    assert not list((tmp_path / "records").iterdir())
    direct = Connection(server.address, token)
    for job in direct.get("/v1/jobs"):
        if job["request"]["seed"] == 25:
            direct.delete(f"/v1/jobs/{job['id']}")
    direct.close()


def test_who_waits_in_line_is_told_so_again_after_a_cut(server: Server, tmp_path: Path) -> None:
    token, port = server.token_file.read_text().split()[0], int(server.address.rpartition(":")[2])
    before = server.engine(tmp_path / "before")
    long = before.generate(small_request(tmp_path / "long.mp4", seed=26, num_frames=24 * 200))
    next(event for event in long if isinstance(event, Planned))
    cable = CutCable(port, 0, 0, 1)
    engine = RemoteEngine(Connection(cable.address, token), tmp_path / "records")
    stages: list[Stage] = []
    waits = False
    for event in engine.generate(small_request(tmp_path / "a.mp4", seed=27, num_frames=24)):
        if isinstance(event, StageStarted):
            stages.append(event.stage)
            if event.stage is Stage.CONNECTING:
                cable.lead_to(port)
            elif stages.count(Stage.WAITING) == 2:
                before.control(Cancel())
        elif isinstance(event, Notice) and not waits:
            waits = True
            cable.lead_to(_NOBODY)
    assert stages[:3] == [Stage.WAITING, Stage.CONNECTING, Stage.WAITING]
    assert stages[-1] is Stage.SAMPLING
    assert isinstance(list(long)[-1], Cancelled)
    engine.close()
    before.close()
    cable.close()


def test_a_full_disk_of_the_server_ends_no_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What happens cannot be kept then, but is told."""
    monkeypatch.chdir(tmp_path)
    request = small_request(Path("a.mp4"))
    job = Job("ab" * 16, JobAbout("me", request.to_json(), "12" * 16, 1.0), request)
    job.say(Paused())
    assert [event["event"] for event in job.events_after(0)] == ["paused"]
    job.folder.mkdir(parents=True)
    (job.folder / "events.jsonl").write_text('{"number": 1, "ev{"number": 2}\n{"number": 3, "ev')
    job.say(Cancelled(None, 0))
    assert job.state == "cancelled"
    after_restart = Job(job.id, job.about, request)
    after_restart.load_events()
    assert after_restart.state == "cancelled"


def test_a_killed_server_goes_on_with_its_video_and_makes_what_waited(tmp_path: Path) -> None:
    """Who watches sees a pause; every chunk comes once, and the file is the server's."""
    server = Server(tmp_path / "server")
    server.start()
    (tmp_path / "videos").mkdir()
    engine = server.engine(tmp_path / "records")
    request = small_request(tmp_path / "videos" / "a.mp4", num_frames=24 * 5)
    later = small_request(Path("b.mp4"), seed=2).to_json()
    waiting = ""
    events: list[Event] = []
    for event in engine.generate(request):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 0:
            waiting = engine.connection.post("/v1/jobs", later)["id"]
            server.kill()
        if event == StageStarted(Stage.CONNECTING):
            server.start()
    _is_whole(events, 5)
    stages = [event.stage for event in events if isinstance(event, StageStarted)]
    waited = stages.index(Stage.CONNECTING)
    assert stages[waited + 1] is Stage.SAMPLING, "what it was at is said again"
    assert stages.count(Stage.CONNECTING) == 1
    (restart,) = [event for event in events if isinstance(event, Restarted)]
    assert restart.chunks >= 1, "it is not begun from the first chunk"
    with engine.connection.socket(f"/v1/jobs/{waiting}/events") as told:
        messages = [message for message in told if isinstance(message, str)]
    assert json.loads(messages[-1])["event"] == "finished"
    (job,) = [j for j in engine.connection.get("/v1/jobs") if j["id"] != waiting]
    assert job["state"] == "finished"
    video = server.video_of(job["id"])
    assert (tmp_path / "videos" / "a.mp4").read_bytes() == video.read_bytes()
    assert sorted(path.name for path in video.parent.iterdir()) == [
        "events.jsonl",
        "job.json",
        "video.mp4",
    ]
    assert probe(video).frame_count == 24 * 5
    assert sorted(take.chunks for take in engine.takes.all()) == [2, 5]
    engine.close()
    server.stop()


def test_what_was_made_is_kept_where_a_server_cannot_go_on(tmp_path: Path) -> None:
    """Since the picture that the video starts from is gone, say."""
    server = Server(tmp_path / "server")
    server.start()
    Image.new("RGB", (64, 64), "green").save(tmp_path / "a.png")
    changes = {"mode": Mode.I2V, "reference": str(tmp_path / "a.png"), "num_frames": 24 * 500}
    request = small_request(tmp_path / "a.mp4", **changes)
    engine = server.engine(tmp_path / "records")
    events: list[Event] = []
    for event in engine.generate(request):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 0:
            server.kill()
            shutil.rmtree(server.folder / "uploads")
        if event == StageStarted(Stage.CONNECTING):
            server.start()
    last = events[-1]
    assert isinstance(last, Failed)
    assert "reference is not on this server" in str(last.error)
    assert last.path == (video := tmp_path / "a.mp4")
    assert probe(video).frame_count == last.frames >= 24
    (job,) = engine.connection.get("/v1/jobs")
    assert video.read_bytes() == server.video_of(job["id"]).read_bytes()
    engine.close()
    server.stop()


def test_what_came_is_kept_where_the_server_has_nothing_left(
    server: Server, tmp_path: Path
) -> None:
    request = small_request(tmp_path / "a.mp4", seed=26, num_frames=24 * 500)
    engine = server.engine(tmp_path / "records")
    for event in engine.generate(request):
        if isinstance(event, ChunkReady) and event.index == 1:
            engine.close()
    connection = server.connection
    job = next(j for j in connection.get("/v1/jobs") if j["request"]["seed"] == 26)
    with connection.socket(f"/v1/jobs/{job['id']}/events") as socket:
        socket.send(json.dumps({"command": "cancel"}))
        assert any('"event": "cancelled"' in m for m in socket if isinstance(m, str))
    server.video_of(job["id"]).unlink()
    assert connection.get(f"/v1/jobs/{job['id']}")["files"] == []
    connection.close()
    next_session = server.engine(tmp_path / "records")
    *_, last = next_session.generate(request)
    next_session.close()
    assert isinstance(last, Cancelled)
    assert last.path == tmp_path / "a.mp4"
    assert probe(tmp_path / "a.mp4").frame_count == last.frames >= 48
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "records"]


def test_who_kills_every_engine_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    book = JobBook(lambda job: nullcontext(_Dying()), Uploads(10**6, 10**6), 10**9)
    job, _ = book.add("me", small_request(Path("a.mp4")).to_json(), "12" * 16, False)
    ended = threading.Event()
    job.listen(lambda: job.last and ended.set())
    while job.last is None:
        ended.wait(1)
    kinds = [event["event"] for event in job.events_after(0)]
    assert kinds == ["stage", *["restarted", "stage"] * 3, "failed"]
    book.close()


class _Dying:
    """An engine that dies at its work."""

    def generate(self, request: GenerationRequest, preview: bool) -> Iterator[Event]:
        yield StageStarted(Stage.LOADING_MODEL)
        yield Failed(EngineDiedError("It is gone.", "Try again."), None, 0)

    def control(self, command: Command) -> None: ...

    def close(self) -> None: ...


def test_a_prompt_is_in_force_once_and_where_it_was_when_an_engine_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told again, it would be that of the next chunk, with another cut in front."""
    monkeypatch.chdir(tmp_path)
    maker = _DyingOnce()
    book = JobBook(lambda job: nullcontext(maker), Uploads(10**6, 10**6), 10**9)
    job, _ = book.add("me", small_request(Path("a.mp4")).to_json(), "12" * 16, False)
    ended = threading.Event()
    job.listen(lambda: job.last and ended.set())
    book.control(job, ChangePrompt(0, "a star", Transition.CUT, at_once=True))
    while job.last is None:
        ended.wait(1)
    book.close()
    first, second = maker.prompts
    assert second == (*first, PromptChange(1, "a star", Transition.CUT))
    assert maker.told == []


class _DyingOnce:
    """An engine that dies when a prompt has come to be in force."""

    def __init__(self) -> None:
        self.prompts: list[tuple[PromptChange, ...]] = []
        self.told: list[Command] = []
        self._heard: queue.SimpleQueue[Command] = queue.SimpleQueue()

    def generate(self, request: GenerationRequest, preview: bool) -> Iterator[Event]:
        self.prompts.append(request.prompts)
        return self._events() if len(self.prompts) == 1 else iter((Cancelled(None, 0),))

    def _events(self) -> Iterator[Event]:
        yield StageStarted(Stage.SAMPLING)
        change = self._heard.get()
        assert isinstance(change, ChangePrompt)
        yield PromptChanged(1, change.text, change.transition)
        yield Failed(EngineDiedError("It is gone.", "Try again."), None, 0)

    def control(self, command: Command) -> None:
        if len(self.prompts) == 1:
            self._heard.put(command)
        else:
            self.told.append(command)

    def close(self) -> None: ...


@pytest.fixture
def saving(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when a job is about to save what has grown of its video, which may have to wait."""
    begun, save = threading.Event(), Job.save

    def tell_and_save(job: Job, closing: threading.Event) -> None:
        begun.set()
        save(job, closing)

    monkeypatch.setattr(Job, "save", tell_and_save)
    return begun


def test_a_job_is_deleted_while_its_orphan_still_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saving: threading.Event
) -> None:
    """The engine of a server that was killed outlives it by a moment; the others are made then."""
    monkeypatch.chdir(tmp_path)
    part = _orphaned()
    engine = EngineProcess()
    book = JobBook(lambda job: nullcontext(engine), Uploads(10**6, 10**6), 10**9)
    (job,) = book.of("me")
    cancelled, control = threading.Event(), book.control

    def control_and_tell(job: Job, command: Command) -> None:
        control(job, command)
        cancelled.set()

    monkeypatch.setattr(book, "control", control_and_tell)
    deleting = threading.Thread(target=book.remove, args=(job,))
    saving.wait()
    deleting.start()
    cancelled.wait()
    part.unlink(missing_ok=True)
    deleting.join()
    assert book.of("me") == []
    assert not part.parent.exists()
    book.close()


def test_a_server_that_ends_waits_for_no_orphan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saving: threading.Event
) -> None:
    """It took a minute, and then the orphan's file was taken from it."""
    monkeypatch.chdir(tmp_path)
    part = _orphaned()
    book = JobBook(lambda job: nullcontext(_Dying()), Uploads(10**6, 10**6), 10**9)
    (job,) = book.of("me")
    saving.wait()
    book.close()
    assert part.exists()
    assert job.last is None, "it is gone on with after the next start"


def test_a_damaged_line_of_one_job_does_not_keep_the_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = _orphaned().parent
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b'\n{"number": 2, "event": "\xff\xfe\n{"number": 3, "event": "cancelled"}')
    book = JobBook(lambda job: nullcontext(_Dying()), Uploads(10**6, 10**6), 10**9)
    (job,) = book.of("me")
    assert job.state == "cancelled"
    book.close()


def _orphaned() -> Path:
    """A job of a server that was killed; returns what its engine, this process, still writes."""
    folder = FOLDER / ("ab" * 16)
    folder.mkdir(parents=True)
    about = JobAbout("me", small_request(Path("a.mp4")).to_json(), "12" * 16, 1.0)
    (folder / "job.json").write_text(json.dumps(dataclasses.asdict(about)))
    (folder / "events.jsonl").write_text('{"number": 1, "event": "stage"}\n')
    part = part_path(folder / "video.mp4", ".mp4")
    part.touch()
    return part


def test_what_another_container_began_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That its engine is gone cannot be seen; but no engine outlives its server for a minute."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job_module, "_ORPHAN_TRIES", 1)
    folder = FOLDER / ("cd" * 16)
    folder.mkdir(parents=True)
    with monkeypatch.context() as there:
        there.setattr(targets, "_numbering", lambda: ("0123abcd", "0123abcd"))
        with open_writer(folder / "video.mp4", 64, 64, 24) as writer:
            writer.write(np.zeros((24, 64, 64, 3), np.uint8))
            begun = shutil.copy(writer.part, tmp_path)
    (folder / "video.mp4").unlink()
    shutil.move(begun, folder)
    job = Job(
        folder.name, JobAbout("me", "{}", "12" * 16, 1.0), small_request(folder / "video.mp4")
    )
    job.save(threading.Event())
    assert [path.name for path in folder.iterdir()] == ["video.mp4"]
    assert probe(folder / "video.mp4").frame_count == 24


def test_a_killed_client_finds_its_video_again(server: Server, tmp_path: Path) -> None:
    options = ["generate", "--engine", server.address, "--token-file", str(server.token_file)]
    options += ["--prompt", "a red ball", "--size", "64x64", "--steps", "4", "--seed", "3131"]
    command = [sys.executable, "-m", "magi_engine", *options, "--seconds", "6", "--json"]
    places = {f"XDG_{kind}_HOME": str(tmp_path / kind) for kind in ("DATA", "CACHE", "STATE")}
    environment = {**os.environ, **places}
    out = ["-o", str(tmp_path / "a.mp4")]
    with subprocess.Popen([*command, *out], env=environment, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        assert any(b'"chunk"' in line for line in first.stdout)
        first.kill()
    second = subprocess.run([*command, *out], env=environment, stdout=subprocess.PIPE, check=True)
    events = [json.loads(line) for line in second.stdout.splitlines()]
    assert [e["index"] for e in events if e["event"] == "chunk"] == list(range(6))
    connection = server.connection
    jobs = [j for j in connection.get("/v1/jobs") if j["request"]["seed"] == 3131]
    connection.close()
    assert len(jobs) == 1
    assert (tmp_path / "a.mp4").read_bytes() == server.video_of(jobs[0]["id"]).read_bytes()


def _is_whole(events: list[Event], chunks: int) -> None:
    assert sum(isinstance(event, Planned) for event in events) == 1
    ready = [event for event in events if isinstance(event, ChunkReady)]
    assert [event.index for event in ready] == list(range(chunks))
    assert {event.frames.shape for event in ready} == {(24, 64, 64, 3)}
    assert isinstance(events[-1], Finished)
