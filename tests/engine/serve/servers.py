"""A real server in a process of its own, with a home of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

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
