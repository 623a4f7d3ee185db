"""What somebody who watches a job is told, in which order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi import WebSocketDisconnect

from magi_engine.media.targets import part_path
from magi_engine.runtime.job.events import Cancelled, DecodingStarted, Finished, Restarted
from magi_engine.runtime.process.control import ChangePrompt
from magi_engine.serve.app import _hear, _tell
from magi_engine.serve.job import Job, JobAbout
from tests.engine.serve.servers import small_request


class _Watcher:
    """Notes what it is told; ``when_bytes_come`` happens once."""

    def __init__(self, when_bytes_come: Callable[[], object]) -> None:
        self.told: list[str | bytes] = []
        self._when_bytes_come = when_bytes_come

    async def send_text(self, text: str) -> None:
        self.told.append(json.loads(text)["event"])

    async def send_bytes(self, data: bytes) -> None:
        if not any(isinstance(one, bytes) for one in self.told):
            self._when_bytes_come()
        self.told.append(data)


def _job() -> Job:
    request = small_request(Path("jobs") / ("ab" * 16) / "video.mp4")
    job = Job("ab" * 16, JobAbout("me", request.to_json(), "12" * 16, 1.0), request)
    job.folder.mkdir(parents=True)
    return job


def test_the_file_of_the_engine_that_goes_on_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though where that is comes to be known only after the restart was told."""
    monkeypatch.chdir(tmp_path)
    job = _job()

    class Watcher(_Watcher):
        async def send_text(self, text: str) -> None:
            await super().send_text(text)
            if self.told[-1] == "restarted":
                job.made_again(job.wished)
                job.output.parent.mkdir()
                part_path(job.output, ".mp4").write_bytes(b"new")

        async def send_bytes(self, data: bytes) -> None:
            await super().send_bytes(data)
            if data == b"new":
                job.say(Cancelled(None, 0))

    part_path(job.output, ".mp4").write_bytes(b"old")
    watcher = Watcher(lambda: job.say(Restarted(1)))
    asyncio.run(_tell(watcher, job, 0, 0))  # type: ignore[arg-type]
    assert watcher.told == [b"old", "restarted", b"new", "cancelled"]


@pytest.mark.skipif("os.name == 'nt'", reason="a file that is open cannot be replaced there")
def test_all_that_grew_comes_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the last chunk would wait for the whole file to be fetched."""
    monkeypatch.chdir(tmp_path)
    job = _job()
    part = part_path(job.output, ".mp4")
    part.write_bytes(b"one")

    def finish() -> None:
        with part.open("ab") as file:
            file.write(b"two")
        job.say(DecodingStarted(1))
        part.with_name("fresh").write_bytes(b"ordinary file")
        part.with_name("fresh").replace(part)
        part.replace(job.output)
        job.say(Finished(job.output, 48, 1.0))

    watcher = _Watcher(finish)
    asyncio.run(_tell(watcher, job, 0, 0))  # type: ignore[arg-type]
    assert watcher.told == [b"one", "decoding", b"two", "finished"]
    late = _Watcher(finish)
    asyncio.run(_tell(late, job, 1, 6))  # type: ignore[arg-type]
    assert late.told == ["finished"]


def test_a_folder_of_pictures_in_its_place_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines say where it is from the root on."""
    monkeypatch.chdir(tmp_path)
    job = _job()
    pictures = job.folder.absolute() / "video"
    pictures.mkdir()
    (pictures / "0.png").write_bytes(b"picture")
    job.say(Finished(pictures, 1, 1.0))
    assert [path.read_bytes() for path in job.files()] == [b"picture"]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"from_chunk": -1}, "from_chunk"),
        ({"from_chunk": "1"}, "from_chunk"),
        ({"text": "a \ud800"}, "text"),
        ({"command": "jump"}, "command"),
    ],
)
def test_a_command_that_is_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, object], field: str
) -> None:
    monkeypatch.chdir(tmp_path)
    good = {"command": "change_prompt", "from_chunk": 0, "text": "a star", "id": "1"}
    passed_on: list[object] = []

    class Socket:
        def __init__(self) -> None:
            self.comes = [{**good, **wrong}, good]
            self.told: list[object] = []

        async def receive_text(self) -> str:
            if not self.comes:
                raise WebSocketDisconnect
            return json.dumps(self.comes.pop(0))

        async def send_text(self, text: str) -> None:
            self.told.append(json.loads(text))

    class Book:
        def control(self, _job: Job, command: object) -> None:
            passed_on.append(command)

    socket = Socket()
    asyncio.run(_hear(socket, _job(), Book()))  # type: ignore[arg-type]
    assert socket.told == [{"refused": field}, {"heard": "1"}]
    assert passed_on == [ChangePrompt(0, "a star")]
