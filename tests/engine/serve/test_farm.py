"""A farm on a real Ray cluster, where Ray is installed; a workflow runs this, .ci/run skips it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from magi_engine.remote.connection import Connection
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    Event,
    Finished,
    PromptChanged,
    Restarted,
)
from magi_engine.runtime.process.control import Cancel, ChangePrompt, Pause, Resume
from tests.engine.serve.farms import ENGINES, FRONT, Farm, needs_ray
from tests.engine.serve.servers import small_request

pytestmark = pytest.mark.xdist_group("farm")


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    farm = Farm(tmp_path_factory.mktemp("farm"))
    farm.folder.mkdir(parents=True)
    farm.token_file.touch(0o600)
    farm.token_file.write_text(f"{'first' * 8}\n{'second' * 8}\n")
    farm.start()
    yield farm
    farm.stop()


@pytest.fixture
def engine(farm: Farm, tmp_path: Path) -> Iterator[RemoteEngine]:
    engine = farm.engine(tmp_path / "records")
    yield engine
    engine.close()


@needs_ray
def test_the_farm_is_an_engine_as_any_other(
    farm: Farm, engine: RemoteEngine, tmp_path: Path
) -> None:
    request = small_request(tmp_path / "a.mp4", num_frames=96)
    assert engine.plan(request).num_chunks == 4
    engine.control(Pause())
    events: list[Event] = []
    begun = engine.generate(request, preview=True)
    engine.control(Pause())
    for event in begun:
        events.append(event)
        if event.kind == "paused":
            engine.control(ChangePrompt(2, "a blue star"))
            engine.control(Resume())
    kinds = [event.kind for event in events]
    assert kinds.index("paused") < kinds.index("resumed")
    assert any(isinstance(event, PromptChanged) and event.chunk == 2 for event in events)
    assert "preview" in kinds
    (job,) = engine.connection.get("/v1/jobs")
    farm.check_once(job["id"], 96)
    assert (tmp_path / "a.mp4").read_bytes() == farm.video_of(job["id"]).read_bytes()
    farm.check_parts(job["id"])


@needs_ray
@pytest.mark.parametrize("kind", [ENGINES, FRONT])
def test_whoever_watches_sees_a_pause_when_a_replica_dies(
    farm: Farm, tmp_path: Path, kind: str
) -> None:
    engine = farm.engine(tmp_path / "records")
    begun = {job["id"] for job in engine.connection.get("/v1/jobs")}
    events: list[Event] = []
    # Both engines work, so that whichever is killed has a video.
    requests = [small_request(tmp_path / f"{n}.mp4", seed=n, num_frames=240) for n in range(2)]
    other = farm.engine(tmp_path / "others")
    beside: list[Event] = []
    watching = threading.Thread(target=lambda: beside.extend(other.generate(requests[1])))
    watching.start()
    for event in engine.generate(requests[0]):
        events.append(event)
        if isinstance(event, ChunkReady) and event.index == 1:
            assert farm.kill_one(kind, Random(1))
    watching.join()
    for seen in (events, beside):
        assert isinstance(seen[-1], Finished), seen[-1]
        ready = [event for event in seen if isinstance(event, ChunkReady)]
        assert [event.index for event in ready] == list(range(10))
        assert {event.frames.shape for event in ready} == {(24, 64, 64, 3)}
    assert any(isinstance(event, Restarted) for event in (*events, *beside))
    jobs = [job for job in engine.connection.get("/v1/jobs") if job["id"] not in begun]
    assert len(jobs) == 2
    for job in jobs:
        farm.check_once(job["id"], 240)
    assert len(engine.takes.all()) == len(begun) + 2, "one of each video"
    engine.close()
    other.close()


@needs_ray
def test_everybody_has_a_turn(farm: Farm) -> None:
    tokens = farm.token_file.read_text().split()
    many, one = ({"Authorization": f"Bearer {token}"} for token in tokens)

    def begin(headers: dict[str, str], seed: int) -> str:
        body = small_request(Path("a.mp4"), seed=seed, num_frames=120).to_json()
        url = f"{farm.address}/v1/jobs"
        answer = httpx2.post(url, content=body, headers=headers, timeout=None, trust_env=False)
        return answer.json()["id"]

    first = [begin(many, seed) for seed in range(5)]
    last = begin(one, 9)
    url = farm.address.replace("http", "ws")
    ended: list[str] = []

    def wait(job: str, headers: dict[str, str]) -> None:
        with connect(
            f"{url}/v1/jobs/{job}/events",
            additional_headers=headers,
            proxy=None,
            open_timeout=None,
            ping_timeout=None,
        ) as events:
            kinds = [json.loads(m)["event"] for m in events if isinstance(m, str)]
        assert kinds[-1] == "finished"
        ended.append(job)

    waiting = [threading.Thread(target=wait, args=(job, many)) for job in first]
    waiting.append(threading.Thread(target=wait, args=(last, one)))
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    assert ended.index(last) < 4, "two were being made when it came, and it was next"


@needs_ray
def test_strangers_and_others_get_nothing(farm: Farm) -> None:
    tokens = farm.token_file.read_text().split()
    first, second = ({"Authorization": f"Bearer {token}"} for token in tokens)
    with httpx2.Client(base_url=farm.address, timeout=None, trust_env=False) as client:
        for headers in ({}, {"Authorization": "Bearer x"}):
            for path in ("/v1/machine", "/v1/jobs", "/v1/takes", "/nothing"):
                assert client.get(path, headers=headers).status_code == 401
        own = client.get("/v1/jobs", headers=first).json()
        for job in own:
            assert client.get(f"/v1/jobs/{job['id']}", headers=second).status_code == 404
        good = json.loads(small_request(Path("video.mp4")).to_json())
        for field in ("reference", "config_path", "output"):
            for path in ("../../token", "/etc/passwd"):
                answer = client.post("/v1/plan", json={**good, field: path}, headers=first)
                assert answer.status_code == 400
                assert str(farm.home) not in answer.text
        for path in ("/v1/jobs/..%2f..%2ftoken/files/0", "/v1/files/..%2f..%2ftoken"):
            answer = client.get(path, headers=first)
            assert answer.status_code in (400, 404, 405)
            assert tokens[0] not in answer.text
        upload = f"/v1/files/{'0' * 64}"
        assert client.put(upload, headers=first, content=b"PK\3\4" * 99).status_code == 400
        large = client.post("/v1/plan", headers=first, content=b" " * (1 << 21))
        assert large.status_code == 400
    host, port = urlsplit(farm.address).hostname, urlsplit(farm.address).port
    with socket.create_connection((host, port)) as raw:
        head = f"PUT {upload} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 10000000000\r\n"
        raw.sendall(f"{head}Authorization: Bearer {tokens[0]}\r\n\r\n".encode())
        assert raw.recv(4096).split()[1] == b"400"
    with httpx2.Client(base_url=farm.address, timeout=None, trust_env=False) as client:
        # Ray's proxy answers these itself: that it lives, for load balancers, and the name.
        assert client.get("/-/healthz").text == "success"
        assert client.get("/-/routes").json() == {"/": "magi"}
        assert client.get("/-/nothing").status_code == 401
    tasks = f"{farm.address.replace('http', 'ws')}/v1/tasks"
    for headers in ({}, {**first, "Origin": "https://example.org"}):
        with pytest.raises(InvalidStatus):
            connect(tasks, additional_headers=headers, proxy=None, open_timeout=None)


@needs_ray
def test_there_are_as_many_engines_as_are_needed_and_each_key_has_its_part(tmp_path: Path) -> None:
    options = ("--engines", "1-3", "--cpus", "0", "--idle", "1", "--most-each", "1")
    farm = Farm(tmp_path / "farm", *options)
    farm.folder.mkdir(parents=True)
    farm.token_file.touch(0o600)
    keys = "first" * 8, "second" * 8
    farm.token_file.write_text("\n".join(keys))
    farm.start()
    assert len(farm.replicas(ENGINES)) == 1
    watchers = [_Watcher(farm, keys[key], tmp_path / str(n)) for n, key in enumerate((0, 0, 1))]
    first, beyond, other = watchers
    first.start()
    first.shown.wait()
    beyond.start()
    other.start()
    other.shown.wait()
    assert len(farm.replicas(ENGINES)) == 2, "none for a video that is held"
    assert not beyond.shown.is_set(), "the first key had an engine"
    for one in (beyond, other):
        one.engine.control(Cancel())
        one.join()
    farm.wait_for(1)
    first.engine.control(Cancel())
    first.join()
    assert [type(one.events[-1]) for one in watchers] == [Cancelled] * 3
    assert not any(isinstance(event, Restarted) for one in watchers for event in one.events)
    farm.stop()


class _Watcher(threading.Thread):
    """Has a video made that does not end before it is stopped.

    Attributes:
        shown: set with its first chunk.
    """

    def __init__(self, farm: Farm, key: str, folder: Path) -> None:
        super().__init__()
        self.engine = RemoteEngine(Connection(farm.address, key), folder)
        self.events: list[Event] = []
        self.shown = threading.Event()
        self._request = small_request(folder.with_suffix(".mp4"), num_frames=24 * 2000)

    def run(self) -> None:
        for event in self.engine.generate(self._request):
            self.events.append(event)
            if isinstance(event, ChunkReady):
                self.shown.set()
        self.engine.close()


@needs_ray
@pytest.mark.parametrize(
    ("options", "says"),
    [(["--engines", "2", "--idle", "9"], "--idle does nothing"), (["--port", "99999"], "99999")],
)
def test_what_no_farm_can_have_is_said(options: list[str], says: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "magi_engine", "farm", "--cards", "0"]
    command += ["--folder", str(tmp_path)]
    done = subprocess.run([*command, *options], capture_output=True, text=True)
    assert done.returncode == 2
    assert says in done.stderr


@needs_ray
def test_no_farm_for_others_where_everybody_may_use_ray(tmp_path: Path) -> None:
    Farm(tmp_path)  # tells Ray to let everybody in
    command = [sys.executable, "-m", "magi_engine", "farm", "--host", "0.0.0.0"]
    command += ["--folder", str(tmp_path), "--cards", "0"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "RAY_AUTH_MODE=token" in done.stderr


def test_who_has_no_ray_is_told_what_to_install() -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'ray' else find(name, *a)\n"
        "from magi_engine.cli.main import main; sys.exit(main(['farm']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'magi-desktop[farm]'" in done.stderr
