"""What cannot be made is refused when it is asked for, in the words of an engine here."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import uvicorn
from PIL import Image

from magi_engine.install.process import InstallProcess
from magi_engine.install.tasks import Download, TaskFailed
from magi_engine.media.fit import CropBox
from magi_engine.media.output import open_writer
from magi_engine.remote.connection import Connection
from magi_engine.remote.engine import RemoteEngine
from magi_engine.remote.models import RemoteModels
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    Failed,
    Finished,
    Stage,
    StageStarted,
)
from magi_engine.runtime.process.control import Cancel
from magi_engine.runtime.request.request import Mode
from magi_engine.serve.app import application
from magi_engine.serve.jobs import JobBook
from magi_engine.serve.tokens import Tokens
from magi_engine.serve.uploads import Uploads
from tests.engine.serve.servers import Server, small_request

_FOLDERS = ("4.5B-base",)
_FAR = CropBox(0, 0, 9999, 9999)
_Changes = Callable[[Path], dict[str, Any]]
_IMPOSSIBLE: dict[str, _Changes] = {
    "unknown model": lambda _: {"model": "no-such-model"},
    "missing model": lambda _: {"model": "4.5B-base"},
    "no prompt": lambda _: {"prompts": ()},
    "a side of 50": lambda _: {"width": 50},
    "no length": lambda _: {"num_frames": 0},
    "unknown format": lambda folder: {"output": str(folder / "a.avi")},
    "unknown device": lambda _: {"device": "toaster"},
    "too large": lambda _: {"width": 8192, "height": 8192, "num_frames": 24 * 5000},
    "no picture": lambda _: {"mode": Mode.I2V},
    "missing picture": lambda folder: {"mode": Mode.I2V, "reference": str(folder / "gone.png")},
    "clip as picture": lambda folder: {"mode": Mode.I2V, "reference": _clip(folder)},
    "picture as clip": lambda folder: {"mode": Mode.V2V, "reference": _picture(folder)},
    "no media": lambda folder: {"mode": Mode.I2V, "reference": _text(folder)},
    "outside the picture": lambda folder: {
        "mode": Mode.I2V,
        "reference": _picture(folder),
        "crop": _FAR,
    },
    "outside the clip": lambda folder: {
        "mode": Mode.V2V,
        "reference": _clip(folder),
        "crop": _FAR,
    },
}


def _picture(folder: Path) -> str:
    Image.new("RGB", (80, 80), "green").save(folder / "photo.png")
    return str(folder / "photo.png")


def _clip(folder: Path) -> str:
    with open_writer(folder / "clip.mp4", 64, 64, 24) as writer:
        writer.write(np.zeros((32, 64, 64, 3), np.uint8))
    return str(folder / "clip.mp4")


def _text(folder: Path) -> str:
    (folder / "notes.png").write_text("buy milk")
    return str(folder / "notes.png")


@pytest.fixture
def client(server: Server) -> Iterator[httpx2.Client]:
    """For programs of others."""
    headers = server.connection.headers
    with httpx2.Client(
        base_url=server.address, headers=headers, timeout=None, trust_env=False
    ) as client:
        yield client


@pytest.fixture(scope="module")
def here() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    engine.unload()


@pytest.mark.parametrize("changes", _IMPOSSIBLE.values(), ids=_IMPOSSIBLE.keys())
def test_the_impossible_is_refused_at_once_and_in_the_same_words(
    engine: RemoteEngine, here: Engine, tmp_path: Path, changes: _Changes
) -> None:
    request = small_request(tmp_path / "a.mp4")
    request = dataclasses.replace(request, **changes(tmp_path))
    before = engine.connection.get("/v1/jobs")
    *_, last = here.generate(request)
    (refusal,) = engine.generate(request)
    assert isinstance(last, Failed)
    assert isinstance(refusal, Failed)
    if request.model in _FOLDERS or request.width > 64:  # of each machine, and of each moment
        assert type(refusal.error) is type(last.error)
        assert refusal.error.message.text == last.error.message.text
        assert refusal.error.hint.text == last.error.hint.text
    else:
        assert refusal.error.to_dict() == last.error.to_dict()
    assert engine.connection.get("/v1/jobs") == before
    assert not list((tmp_path / "records").glob("*"))
    assert not engine.is_making(request)


def test_a_refusal_is_an_error_as_any_other_and_leaves_its_key_free(client: httpx2.Client) -> None:
    good = json.loads(small_request(Path("video.mp4"), seed=81).to_json())
    key = {"Idempotency-Key": "81" * 16}
    before = client.get("/v1/jobs").json()
    changes = (
        {"prompts": []},
        {"model": "no-such-model"},
        {"width": 50},
        {"mode": "i2v", "reference": f"sha256:{'0' * 64}"},
        {"start": {"take": "20261128-000000-000000", "chunk": 1}},
    )
    for change in changes:
        answer = client.post("/v1/jobs", json={**good, **change}, headers=key)
        assert answer.status_code == 400, change
        said = answer.json()
        assert sorted(said) == ["error", "exact", "hint", "message"]
        assert said["message"]
        plan = client.post("/v1/plan", json={**good, **change})
        assert (plan.status_code, plan.json()) == (400, said)
    assert client.get("/v1/jobs").json() == before
    job = client.post("/v1/jobs", json=good, headers=key)
    assert job.status_code == 201
    again = client.post("/v1/jobs", json={**good, "width": 50}, headers=key)
    assert (again.status_code, again.json()["id"]) == (200, job.json()["id"])
    assert client.delete(f"/v1/jobs/{job.json()['id']}").status_code == 204


def test_a_missing_model_says_nothing_of_the_server(server: Server, client: httpx2.Client) -> None:
    good = json.loads(small_request(Path("video.mp4"), model="4.5B-base").to_json())
    answer = client.post("/v1/jobs", json=good)
    assert (answer.status_code, answer.json()["error"]) == (400, "ModelNotFoundError")
    assert "There is no folder models" in answer.json()["message"]
    assert str(server.home) not in answer.text


def test_a_task_with_a_key_that_is_not_accepted_says_so(server: Server) -> None:
    models = RemoteModels(Connection(server.address, "k" * 30))
    (last,) = models.run(Download("4.5B-base"))
    assert isinstance(last, TaskFailed)
    assert "key is not accepted" in str(last.error)
    models.close()


def test_nothing_waits_for_the_video_that_is_made(
    engine: RemoteEngine, client: httpx2.Client, tmp_path: Path
) -> None:
    good = json.loads(small_request(Path("video.mp4"), seed=82).to_json())
    events = engine.generate(small_request(tmp_path / "a.mp4", num_frames=None))
    next(event for event in events if isinstance(event, ChunkReady))
    assert client.post("/v1/jobs", json={**good, "width": 50}).status_code == 400
    assert client.get("/v1/findings").status_code == 409
    waiting = client.post("/v1/jobs", json=good)
    assert (waiting.status_code, waiting.json()["state"]) == (201, "waiting")
    assert [job["state"] for job in client.get("/v1/jobs").json()][:2] == ["waiting", "running"]
    assert client.delete(f"/v1/jobs/{waiting.json()['id']}").status_code == 204
    engine.control(Cancel())
    assert isinstance(list(events)[-1], Cancelled)


def test_what_may_have_been_begun_is_kept(server: Server, tmp_path: Path) -> None:
    """A key that is no longer accepted says nothing of the video."""
    engine = server.engine(tmp_path / "records")
    picture = Path(_picture(tmp_path))
    request = small_request(
        tmp_path / "a.mp4", seed=83, mode=Mode.I2V, reference=str(picture), num_frames=24
    )
    assert next(iter(engine.generate(request))) == StageStarted(Stage.WAITING)
    engine.close()
    stranger = RemoteEngine(Connection(server.address, "k" * 30), tmp_path / "records")
    (refusal,) = stranger.generate(request)
    assert isinstance(refusal, Failed)
    stranger.close()
    picture.unlink()
    again = server.engine(tmp_path / "records")
    assert again.is_making(request)
    *_, last = again.generate(request)
    assert isinstance(last, Finished), "it needs its picture no more"
    jobs = again.connection.get("/v1/jobs")
    (job, *_) = [job for job in jobs if job["request"].get("seed") == 83]
    assert (tmp_path / "a.mp4").read_bytes() == server.video_of(job["id"]).read_bytes()
    again.close()


def test_the_page_of_the_api_says_what_is_answered(client: httpx2.Client) -> None:
    paths = client.get("/v1/openapi.json").json()["paths"]
    assert sorted(paths["/v1/jobs"]["post"]["responses"]) == ["200", "201", "default"]
    error = paths["/v1/jobs"]["post"]["responses"]["default"]["content"]["application/json"]
    job, key = f"/v1/jobs/{'0' * 32}", {"Idempotency-Key": "x"}
    asked = [
        (404, client.get("/v1/nothing")),
        (405, client.put("/v1/jobs")),
        (404, client.get(f"/v1/files/{'0' * 64}")),
        (404, client.get(job)),
        (400, client.get(f"{job}/files/first")),
        (400, client.post("/v1/jobs?preview=perhaps")),
        (400, client.post("/v1/jobs", headers=key)),
    ]
    for status, answer in asked:
        assert answer.status_code == status, answer.url
        assert sorted(answer.json()) == sorted(error["schema"]["required"]), answer.url
    wrong = asked[1][1]
    assert wrong.headers["allow"] == "GET, POST"
    assert wrong.json()["message"] == "That cannot be asked with PUT."
    assert wrong.json()["hint"] == "Use GET or POST."


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/plan"])
@pytest.mark.parametrize("body", ["", "{", "[1]", "null", '{"seed": NaN}'])
def test_a_body_that_is_no_json_request_is_said_to_be_none(
    client: httpx2.Client, path: str, body: str
) -> None:
    answer = client.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["message"] == "The body is no request in JSON."
    assert answer.json()["hint"] == "Send one as the page of the API says."


def test_bytes_are_no_task(server: Server) -> None:
    with server.connection.socket("/v1/tasks") as tasks:
        tasks.send(b"\xff")
        (said,) = tasks
    assert json.loads(said)["error"]["message"]["text"] == "That is no task."


class _Slow:
    """Answers when so many have asked."""

    models_dir = None

    def __init__(self, many: int) -> None:
        self._asked = threading.Barrier(many)

    def prospects(self) -> dict[str, Any]:
        self._asked.wait()
        return {}


def test_who_waits_for_an_engine_keeps_nobody_else_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    many, uploads, tokens = 60, Uploads(), Tokens(tmp_path / "token")
    book = JobBook(lambda _job: contextlib.nullcontext(), uploads)  # type: ignore[arg-type]
    app = application(_Slow(many), InstallProcess(), book, uploads, tokens)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(app, log_config=None))
    headers = {"Authorization": f"Bearer {(tmp_path / 'token').read_text().strip()}"}
    with (
        socket.create_server(("127.0.0.1", 0), backlog=many) as listening,
        ThreadPoolExecutor(many + 1) as threads,
    ):
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/v1/models"
        serving = threads.submit(server.run, sockets=[listening])
        calm: dict[str, Any] = {"headers": headers, "timeout": None, "trust_env": False}
        asked = [threads.submit(httpx2.get, address, **calm) for _ in range(many)]
        assert {one.result().status_code for one in asked} == {200}
        server.should_exit = True
        serving.result()
    book.close()
