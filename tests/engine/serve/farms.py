"""A real farm: ``magi farm`` with a Ray cluster of its own, on this machine."""

from __future__ import annotations

import importlib.util
import os
import signal
import time
from pathlib import Path
from random import Random

import psutil
import pytest

from magi_engine.media.info import probe
from tests.engine.serve.servers import Server

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not there")
ENGINES, FRONT = "engine", "front"
_PATIENCE_S = "1200"
"""How long Ray's own parts may take to start: a busy machine is no fault."""
_LOOK_S = 0.5


class Farm(Server):
    """Two engines of one processor core each, and no graphics cards."""

    def __init__(self, home: Path, *options: str) -> None:
        super().__init__(home, *options)
        os.environ |= {
            "RAY_AUTH_MODE": "disabled",  # its token would be kept in the home of who tests
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_agent_register_timeout_ms": f"{_PATIENCE_S}000",
            "RAY_health_check_timeout_ms": f"{_PATIENCE_S}000",
            "RAY_raylet_start_wait_time_s": _PATIENCE_S,
            "RAY_worker_niceness": "0",  # 15 otherwise: on a busy machine they starve
            "RAY_worker_register_timeout_seconds": _PATIENCE_S,
            "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": _PATIENCE_S,
            "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": _PATIENCE_S,
        }

    def command(self) -> list[str]:
        return ["farm", "--cards", "0", "--engines", "2"]

    def replicas(self, kind: str) -> list[psutil.Process]:
        """The processes of a deployment of this farm."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            name = " ".join(process.info["cmdline"] or ())
            if not name.startswith(f"ray::ServeReplica:magi:{kind}"):
                continue
            if process.environ().get("XDG_DATA_HOME") == str(self.folder):
                found.append(process)
        return found

    def wait_for(self, engines: int) -> None:
        """Until there are so many."""
        while len(self.replicas(ENGINES)) != engines:
            time.sleep(_LOOK_S)

    def kill_one(self, kind: str, random: Random) -> bool:
        """As a power cut would; the engine's own process outlives it for a moment.

        Returns:
            Whether there was one.
        """
        there = self.replicas(kind)
        if there:
            random.choice(there).send_signal(signal.SIGKILL)
        return bool(there)

    def lose_power(self) -> None:
        assert self.kill_one(ENGINES, Random(1))

    def machine_of(self, replica: psutil.Process) -> str:
        """What its processes have in common."""
        return os.readlink(f"/proc/{replica.pid}/ns/pid")

    def left_of(self, job_id: str) -> list[str]:
        """The names of what there is of a job."""
        return sorted(path.name for path in self.video_of(job_id).parent.iterdir())

    def check_once(self, job_id: str, frames: int) -> None:
        """That there is one video of a job, whole, and nothing that engines before have left."""
        assert self.left_of(job_id) == ["events.jsonl", "job.json", "video.mp4"]
        assert probe(self.video_of(job_id)).frame_count == frames
