"""What strangers, other people and hostile files try: refused, with nothing said of the server."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import json
import os
import pickle
import socket
import struct
import sys
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from PIL import Image
from starlette.types import Message, Receive, Scope, Send
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from magi_engine.errors import InvalidRequestError, MediaReadError
from magi_engine.remote.connection import Connection
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.job.events import Finished
from magi_engine.runtime.request.request import PromptChange
from magi_engine.serve.guard import MOST_CONNECTIONS, Guard, has_place, peer
from magi_engine.serve.tokens import Tokens
from magi_engine.serve.uploads import Uploads
from tests.engine.serve.servers import Server, small_request

_CALM: dict[str, Any] = {"timeout": None, "trust_env": False}
_PATHS = ("../../token", "/etc/passwd", "..\\..\\token", "file:///etc/passwd", "a\0b", "C:\\x")


@pytest.fixture
def tokens(server: Server) -> list[str]:
    return server.token_file.read_text().split()


@pytest.fixture
def client(server: Server, tokens: list[str]) -> Iterator[httpx2.Client]:
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    with httpx2.Client(base_url=server.address, headers=headers, **_CALM) as client:
        yield client


def _says_nothing(server: Server, tokens: list[str], answer: httpx2.Response) -> None:
    assert str(server.home) not in answer.text
    assert "root:" not in answer.text
    assert not any(token in answer.text for token in tokens)


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer x", "Basic Zmlyc3Q6", f"Bearer {'first' * 7}", "Bearer ü"],
)
def test_without_the_key_nothing_is_said(
    server: Server, tokens: list[str], header: str | None
) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    paths = [
        "/v1/machine",
        "/v1/jobs",
        "/v1/takes",
        "/v1/installed",
        "/nothing",
        "/v1/docs/../jobs",
    ]
    for path in paths:
        answer = httpx2.get(server.address + path, headers=headers, **_CALM)
        assert answer.status_code == 401
        _says_nothing(server, tokens, answer)
    with pytest.raises(InvalidStatus):
        connect(f"{server.address.replace('http', 'ws')}/v1/tasks", proxy=None, open_timeout=None)


def test_no_field_of_a_request_names_a_path(
    server: Server, tokens: list[str], client: httpx2.Client, tmp_path: Path
) -> None:
    good = json.loads(small_request(Path("video.mp4")).to_json())
    assert client.post("/v1/plan", json=good).status_code == 200
    before = sorted(server.home.rglob("*"))
    fields = ["model", "reference", "config_path", "output", "device", "dtype", "attention"]
    for path in _PATHS:
        bad = [{**good, name: path} for name in (*fields, "mode", "fit", "take", "format")]
        bad.append({**good, "start": {"take": path, "chunk": 1}})
        bad.append({**good, "start": {"take": "20261128-000000-000000", "chunk": 1, "video": path}})
        bad.append({**good, "writing": {**good["writing"], "preset": path}})
        bad.append({**good, "sampling": {"shortcut_mode": path}})
        for request in bad:
            answer = client.post("/v1/plan", content=json.dumps(request))
            changed = next(k for k in request if request[k] != good.get(k))
            _says_nothing(server, tokens, answer)
            if changed != "take":  # a note of an earlier video, which does not count
                assert answer.status_code == 400, (changed, path, answer.text)
    assert sorted(server.home.rglob("*")) == before


def test_half_a_letter_breaks_nothing(client: httpx2.Client) -> None:
    """JSON can say one that no UTF-8 can."""
    good = json.loads(small_request(Path("video.mp4"), seed=70).to_json())
    half = "\ud800"
    said = {"text": half, "chunk": 0}
    bad = ({"output": f"{half}.mp4"}, {"output": f"a.{half}"}, {half: 1}, {"prompts": [said]})
    for changes in bad:
        for path in ("/v1/plan", "/v1/jobs"):
            answer = client.post(path, content=json.dumps({**good, **changes}))
            assert answer.status_code in (200, 201, 400), (path, changes, answer.text)
    jobs = client.get("/v1/jobs")
    assert jobs.status_code == 200
    mine = [job for job in jobs.json() if job["request"].get("seed") == 70]
    assert mine, "what the engine takes is none of the server's business"
    for job in mine:
        assert client.get(f"/v1/jobs/{job['id']}").status_code == 200
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204


def test_no_address_leads_out_of_the_jobs(
    server: Server, tokens: list[str], client: httpx2.Client
) -> None:
    host, port = urlsplit(server.address).hostname, urlsplit(server.address).port
    for path in (
        "/v1/jobs/../../token",
        "/v1/jobs/%2e%2e/token",
        "/v1/jobs/..%2f..%2ftoken/files/0",
        "/v1/files/..%2f..%2ftoken",
        "/v1/takes/..%2f..%2ftoken",
        "/v1/installed/..%2ftoken/licence",
        "/v1/jobs/%00",
        "//etc/passwd",
    ):
        with socket.create_connection((host, port)) as raw:
            head = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
            raw.sendall(f"{head}Authorization: Bearer {tokens[0]}\r\n\r\n".encode())
            answer = b"".join(iter(lambda: raw.recv(4096), b""))
        assert answer.split()[1] in (b"400", b"404", b"405"), path
        assert tokens[0].encode() not in answer
        assert str(server.home).encode() not in answer


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../evil", b"0" * 100)
    return buffer.getvalue()


def _huge_png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1_000_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "data",
    [
        _zip(),
        pickle.dumps({"a": 1}),
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n" + b"#" * 100,
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        _huge_png(),
        b"\x89PNG\r\n\x1a\n" + b"x" * 100,
        b"\0\0\0\x20ftypisom" + b"\xff" * 200,
        b"",
    ],
    ids=["zip", "pickle", "playlist", "concat", "50000x50000", "broken", "broken mp4", "empty"],
)
def test_only_media_that_can_be_decoded_is_taken(
    server: Server, tokens: list[str], client: httpx2.Client, data: bytes
) -> None:
    digest = hashlib.sha256(data).hexdigest()
    answer = client.put(f"/v1/files/{digest}", content=data)
    assert answer.status_code == 400
    assert answer.json()["error"] == "MediaReadError"
    _says_nothing(server, tokens, answer)
    assert client.get(f"/v1/files/{digest}").status_code == 404
    assert not list(server.folder.rglob("*.part"))


def test_a_file_of_another_hash_is_not_taken(client: httpx2.Client) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + b"0" * 100
    assert client.put(f"/v1/files/{'0' * 64}", content=picture).status_code == 400
    assert client.put("/v1/files/..%2f..%2ftoken", content=picture).status_code in (404, 405)
    assert client.put("/v1/files/ABC", content=picture).status_code == 400


def test_bodies_are_bounded(
    server: Server,
    tokens: list[str],
    client: httpx2.Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert client.post("/v1/plan", content=b"[" * 2_000_000).status_code == 400
    assert client.post("/v1/plan", content=b"[" * 900_000).status_code == 400
    host, port = urlsplit(server.address).hostname, urlsplit(server.address).port
    with socket.create_connection((host, port)) as raw:
        head = f"PUT /v1/files/{'0' * 64} HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n"
        raw.sendall(f"{head}Authorization: Bearer {tokens[0]}\r\n\r\n".encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 400")

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"\x89PNG\r\n\x1a\n" + b"0" * 10_000

    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidRequestError, match="more than"):
        asyncio.run(Uploads(1_000_000, 10**9).take("me", "0" * 64, endless()))
    assert not list(tmp_path.rglob("*.part"))


def test_slow_requests_end(server: Server, tokens: list[str]) -> None:
    where = urlsplit(server.address).hostname, urlsplit(server.address).port
    with socket.create_connection(where) as head, socket.create_connection(where) as body:
        head.sendall(b"GET /v1/machine HTTP/1.1\r\nHost:")
        said = "POST /v1/plan HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n"
        body.sendall(f"{said}Authorization: Bearer {tokens[0]}\r\n\r\nx".encode())
        assert body.recv(100).startswith(b"HTTP/1.1 400")
        with contextlib.suppress(ConnectionResetError):
            assert head.recv(100) == b""


def test_connections_are_bounded(server: Server, tokens: list[str], client: httpx2.Client) -> None:
    where = urlsplit(server.address).hostname, urlsplit(server.address).port
    client.close()
    hello = "GET /v1/tasks HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    hello += "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    hello += f"Authorization: Bearer {tokens[0]}\r\n\r\n"
    with contextlib.ExitStack() as held:

        def greetings(count: int) -> list[bytes]:
            """All at once: who does not answer pings is hung up on, in time."""
            ones, answers = [], []
            for _ in range(count):
                ones.append(held.enter_context(socket.create_connection(where)))
                with contextlib.suppress(ConnectionError):
                    ones[-1].sendall(hello.encode())
            for one in ones:
                answers.append(b"")
                with contextlib.suppress(ConnectionError):
                    answers[-1] = one.recv(100)
            return answers

        answers = greetings(MOST_CONNECTIONS + 50)
        accepted = sum(answer.startswith(b"HTTP/1.1 101") for answer in answers)
        assert MOST_CONNECTIONS / 4 < accepted <= MOST_CONNECTIONS / 2
        assert b"" in answers
        if sys.platform != "darwin":  # which has one address of its own only
            other = httpx2.HTTPTransport(local_address="127.0.0.2", trust_env=False)
            headers = {"Authorization": f"Bearer {tokens[1]}"}
            with httpx2.Client(transport=other, **_CALM) as others:
                answer = others.get(f"{server.address}/v1/jobs", headers=headers)
            assert answer.status_code == 200, "one address does not shut out the others"
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    answered = False
    while not answered:  # it takes a moment to see that they are gone
        with contextlib.suppress(httpx2.TransportError):
            answer = httpx2.get(f"{server.address}/v1/jobs", headers=headers, **_CALM)
            answered = answer.status_code == 200


def test_nobody_takes_all_places() -> None:
    inside: list[str] = []
    for who in "abca":
        while has_place(who, inside, 200):
            inside.append(who)
    assert [inside.count(who) for who in "abc"] == [100, 50, 25]
    inside = [who for who in inside if who != "a"]
    while has_place("d", inside, 200):
        inside.append("d")
    assert inside.count("d") == 63, "what was given back can be had"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::1", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", False),
    ],
)
def test_of_a_far_network_all_addresses_are_one(one: str, other: str, same: bool) -> None:
    assert (peer((one, 1)) == peer((other, 2))) is same


def test_a_key_leaves_places_for_others(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.touch(0o600)
    keys = ["first" * 8, "second" * 8]
    path.write_text("\n".join(keys))

    async def all_at_once() -> list[int]:
        statuses: list[int] = []
        ended = asyncio.Event()

        async def works(_scope: Scope, _receive: Receive, send: Send) -> None:
            await ended.wait()
            await send({"type": "http.response.start", "status": 200})

        async def send(message: Message) -> None:
            if "status" in message:
                statuses.append(message["status"])

        guard = Guard(works, Tokens(path), 10)

        def ask(key: str, number: int) -> asyncio.Task[None]:
            headers = [(b"authorization", f"Bearer {key}".encode())]
            client = f"192.0.2.{number}", 1
            scope = {"type": "http", "path": "/v1/jobs", "headers": headers, "client": client}
            return asyncio.create_task(guard(scope, None, send))  # type: ignore[arg-type]

        asked = [ask(keys[0], n) for n in range(9)] + [ask(keys[1], n) for n in range(2)]
        await asyncio.sleep(0)
        ended.set()
        await asyncio.gather(*asked)
        await ask(keys[0], 1)
        return statuses

    assert asyncio.run(all_at_once()) == [429] * 4 + [200] * 8


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_keys_are_read_however_an_editor_of_windows_saves_them(
    tmp_path: Path, encoding: str
) -> None:
    path = tmp_path / "token"
    path.touch(0o600)
    path.write_text(f"{'first' * 8}\n{'second' * 8}\n", encoding=encoding)
    assert Tokens(path).owner(f"Bearer {'first' * 8}") is not None
    headers = Connection.with_file("http://127.0.0.1:9", path).headers
    assert headers == {"Authorization": f"Bearer {'first' * 8}"}


def test_requests_of_one_address_are_bounded(tmp_path: Path) -> None:
    tokens = Tokens(tmp_path / "token")
    guard = Guard(lambda *_: None, tokens, 1)  # type: ignore[arg-type, return-value]
    allowed = sum(guard._is_slow_enough("1.2.3.4") for _ in range(20_000))
    assert 1000 <= allowed < 5000
    assert guard._is_slow_enough("5.6.7.8")


def test_jobs_and_takes_of_another_are_not_there(
    server: Server, tokens: list[str], engine: RemoteEngine, tmp_path: Path
) -> None:
    *_, last = engine.generate(small_request(tmp_path / "a.mp4", seed=11))
    assert isinstance(last, Finished)
    job = engine.connection.get("/v1/jobs")[0]["id"]
    take = engine.takes.all()[0].name
    other = {"Authorization": f"Bearer {tokens[1]}"}
    with httpx2.Client(base_url=server.address, headers=other, **_CALM) as stranger:
        assert stranger.get("/v1/jobs").json() == []
        assert stranger.get("/v1/takes").json() == []
        for real, forged in (
            (f"/v1/jobs/{job}", f"/v1/jobs/{'0' * 32}"),
            (f"/v1/jobs/{job}/files/0", f"/v1/jobs/{'0' * 32}/files/0"),
            (f"/v1/takes/{take}", "/v1/takes/20261128-000000-000000"),
        ):
            answers = [stranger.get(path) for path in (real, forged)]
            assert answers[0].status_code == answers[1].status_code >= 400
            assert answers[0].text == answers[1].text
        assert stranger.delete(f"/v1/jobs/{job}").status_code == 404
        redo = json.loads(small_request(Path("b.mp4"), seed=11).to_json())
        redo["start"] = {"take": take, "chunk": 1}
        assert stranger.post("/v1/jobs", json=redo).json()["error"] == "TakeError"
    socket_address = f"{server.address.replace('http', 'ws')}/v1/jobs/{job}/events"
    with pytest.raises(InvalidStatus) as refused:
        connect(socket_address, additional_headers=other, proxy=None, open_timeout=None)
    assert refused.value.response.status_code == 404
    assert engine.connection.get(f"/v1/jobs/{job}")["state"] == "finished"


def test_a_key_of_a_request_is_not_another_ones(
    server: Server, tokens: list[str], client: httpx2.Client
) -> None:
    request = small_request(Path("a.mp4"), seed=12).to_json()
    key = {"Idempotency-Key": "12" * 16}
    first = client.post("/v1/jobs", content=request, headers=key)
    again = client.post("/v1/jobs", content=request, headers=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]
    other = {**key, "Authorization": f"Bearer {tokens[1]}"}
    theirs = httpx2.post(f"{server.address}/v1/jobs", content=request, headers=other, **_CALM)
    assert theirs.status_code == 201
    for token, job in zip(tokens, (first.json()["id"], theirs.json()["id"]), strict=True):
        headers = {"Authorization": f"Bearer {token}"}
        gone = httpx2.delete(f"{server.address}/v1/jobs/{job}", headers=headers, **_CALM)
        assert gone.status_code == 204
    assert client.get(f"/v1/jobs/{first.json()['id']}").status_code == 404


def test_pages_of_other_sites_are_refused(server: Server, tokens: list[str]) -> None:
    headers = {"Authorization": f"Bearer {tokens[0]}"}
    with pytest.raises(InvalidStatus) as refused:
        connect(
            f"{server.address.replace('http', 'ws')}/v1/tasks",
            additional_headers=headers,
            origin="https://evil.example",  # type: ignore[arg-type]
            proxy=None,
            open_timeout=None,
        )
    assert refused.value.response.status_code == 403
    broken = {**headers, "Origin": "http://["}
    assert httpx2.get(f"{server.address}/v1/jobs", headers=broken, **_CALM).status_code == 403
    own = {**headers, "Origin": server.address}
    assert httpx2.get(f"{server.address}/v1/machine", headers=own, **_CALM).status_code == 200


def test_nothing_asked_for_stands_in_the_log(tmp_path: Path) -> None:
    server = Server(tmp_path / "server", log_file=tmp_path / "log.txt")
    server.start()
    engine = server.engine(tmp_path / "records")
    secret = "a purple hippo\n2026 ERROR forged\x1b[31m"
    request = small_request(tmp_path / "a.mp4", prompts=(PromptChange(0, secret),))
    *_, last = engine.generate(request)
    assert isinstance(last, Finished)
    httpx2.get(
        f"{server.address}/v1/jobs/%0aERROR%1b[31m", headers=engine.connection.headers, **_CALM
    )
    engine.close()
    server.stop()
    logs = [tmp_path / "log.txt", *server.folder.glob("*.log")]
    text = "".join(path.read_text(encoding="utf-8") for path in logs)
    assert "GET '/v1/jobs/\\nERROR\\x1b[31m' 404" in text
    assert "hippo" not in text
    assert "\x1b" not in text
    assert "\nERROR" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes and no modes")
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_a_token_file_that_is_no_file_is_said(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "token"
    if kind == "folder":
        path.mkdir()
        said = f"{path} is a folder, not a file. Choose a file in it."
    else:
        os.mkfifo(path)
        said = f"{path} is a pipe or a device, not a file. Save what comes from it as a file first."
    path.chmod(0o755)
    with pytest.raises(InvalidRequestError) as refused:
        Tokens(path)
    assert str(refused.value) == said


def test_the_tokens_are_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "token"
    tokens = Tokens(path)
    token = path.read_text().strip()
    assert len(token) >= 40
    assert tokens.owner(f"Bearer {token}") == Tokens(path).owner(f"bearer {token}") is not None
    assert tokens.owner(f"Bearer {token[:-1]}") is None
    assert tokens.owner(f"Basic {token}") is None
    if sys.platform != "win32":  # where a user's folders are the user's alone
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o644)
        with pytest.raises(InvalidRequestError, match="Others can read"):
            Tokens(path)
        path.chmod(0o600)
    path.write_text("short\n")
    with pytest.raises(InvalidRequestError, match="less than"):
        Tokens(path)


def test_uploads_are_their_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32)).save(buffer, "PNG")
    data = buffer.getvalue()
    digest = hashlib.sha256(data).hexdigest()

    async def body() -> AsyncIterator[bytes]:
        yield data

    uploads = Uploads(10**6, 10**6)
    asyncio.run(uploads.take("me", digest, body()))
    assert uploads.has("me", digest)
    assert not uploads.has("you", digest)
    with pytest.raises(InvalidRequestError):
        uploads.path_of("you", f"sha256:{digest}")
    with pytest.raises(MediaReadError):
        asyncio.run(uploads.take("me", hashlib.sha256(b"").hexdigest(), _nothing()))


async def _nothing() -> AsyncIterator[bytes]:
    return
    yield b""
