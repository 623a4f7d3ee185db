"""A real server in a process of its own, with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil

from magi_engine.remote.connection import Connection
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)


class Server:
    """``magi serve`` on loopback; started again, it has the same folder and the same port.

    Attributes:
        address: what its first line says.
    """

    def __init__(self, home: Path, *options: str, log_file: Path | None = None) -> None:
        self.home, self._options = home, options
        self._log = [] if log_file is None else ["--log-file", str(log_file)]
        self.address, self._port = "", "0"
        self._process: subprocess.Popen[str] | None = None

    @property
    def folder(self) -> Path:
        return self.home / "serve"

    @property
    def token_file(self) -> Path:
        return self.folder / "token"

    @property
    def connection(self) -> Connection:
        return Connection.with_file(self.address, self.token_file)

    def start(self) -> None:
        self.home.mkdir(exist_ok=True)
        places = {f"XDG_{kind}_HOME": str(self.home / kind) for kind in ("DATA", "CACHE", "STATE")}
        environment = {**os.environ, **places, "OMP_NUM_THREADS": "1"}
        command = ["-X", "utf8", "-m", "magi_engine", *self._log, *self.command()]
        command += ["--folder", str(self.folder)]
        self._process = subprocess.Popen(
            [sys.executable, *command, "--port", self._port, *self._options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().strip()
        assert self.address.startswith("http"), self.address + self._process.stdout.read()
        self._process.stdout.readline()
        self._port = str(urlsplit(self.address).port)

    def open_files(self) -> int:
        """How many it has, connections among them."""
        assert self._process is not None
        return psutil.Process(self._process.pid).num_fds()

    def command(self) -> list[str]:
        """Of the program, without what all servers are told."""
        return ["serve"]

    def kill(self) -> None:
        """As a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def lose_power(self) -> None:
        """And have it again."""
        self.kill()
        self.start()

    def stop(self) -> str:
        """In good order; returns what it has printed since its first lines."""
        assert self._process is not None
        self._process.terminate()
        printed, _ = self._process.communicate()
        return printed

    def engine(self, records: Path) -> RemoteEngine:
        """A client's engine."""
        return RemoteEngine(self.connection, records)

    def video_of(self, job_id: str) -> Path:
        """Where the server has a job's video."""
        return self.folder / "jobs" / job_id / "video.mp4"

    def check_parts(self, job_id: str) -> None:
        """That players and downloads get any part of a video, and its size without it."""
        whole = self.video_of(job_id).read_bytes()
        url, size = f"{self.address}/v1/jobs/{job_id}/files/0", len(whole)
        with httpx2.Client(
            headers=self.connection.headers, timeout=None, trust_env=False
        ) as client:
            head = client.head(url)
            assert (head.status_code, head.content) == (200, b"")
            assert head.headers["content-length"] == str(size)
            assert head.headers["accept-ranges"] == "bytes"
            for asked, first, last in (
                ("0-0", 0, 0),
                ("100-199", 100, 199),
                ("-5", size - 5, size - 1),
                (f"{size - 7}-", size - 7, size - 1),
                (f"0-{size + 5}", 0, size - 1),
            ):
                part = client.get(url, headers={"Range": f"bytes={asked}"})
                assert part.status_code == 206, asked
                assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
                assert part.content == whole[first : last + 1], asked
            two = client.get(url, headers={"Range": "bytes=0-1,10-12"})
            assert two.headers["content-type"].startswith("multipart/byteranges")
            assert whole[:2] in two.content
            assert whole[10:13] in two.content
            assert client.get(url, headers={"Range": f"bytes={size}-"}).status_code == 416
            assert client.get(url).content == whole


def small_request(output: Path, seed: int = 1, **changes: object) -> GenerationRequest:
    """Two seconds of the pocket model, in a second or so."""
    values: dict[str, object] = {
        "mode": Mode.T2V,
        "model": "pocket",
        "width": 64,
        "height": 64,
        "num_frames": 48,
        "prompts": (PromptChange(0, "a red ball"),),
        "seed": seed,
        "output": str(output),
        "sampling": SamplingOverrides(num_steps=4),
    }
    return GenerationRequest(**(values | changes))  # type: ignore[arg-type]
