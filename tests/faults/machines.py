"""A farm of two machines: this one, and namespaces of its kernel that are another one.

The second has an address, a name, processes, a home and a memory of its own, and shares a folder
with the first. It loses its power while it makes a video.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from magi_engine.remote.connection import Connection
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.job.events import ChunkReady, Event, Finished, Restarted
from tests.engine.serve.farms import ENGINES, Farm
from tests.engine.serve.servers import small_request
from tests.faults.figures import Figures
from tests.mounting import CannotMount

_FIRST, _SECOND, _NEAR, _FAR = "10.98.0.1", "10.98.0.2", "magi-near", "magi-far"
_RAY = str(Path(sys.executable).with_name("ray"))
_CHUNKS = 10


def machines(random: Random, count: int, folder: Path) -> Figures:
    """So many times two videos at once, and the second machine is lost: both have to be made, once,
    and here as there."""
    if sys.platform != "linux" or os.geteuid() != 0:
        raise CannotMount("machines are made by root, on Linux")
    figures = Figures()
    for number in range(count):
        _lose_one(random, folder / str(number), figures)
    return figures


def _lose_one(random: Random, folder: Path, figures: Figures) -> None:
    farm = Farm(folder / "farm", "--host", "0.0.0.0", "--cpus", "1")
    homes = folder / "first", folder / "second"
    for home in homes:
        home.mkdir(parents=True)
    # A machine without power sends nothing any more: that it is gone is only noticed in time.
    own = {"RAY_AUTH_MODE": "token", "RAY_health_check_timeout_ms": "20000"}
    os.environ |= {**own, "HOME": str(homes[0])}
    _run(_RAY, "get-auth-token", "--generate")
    (homes[1] / ".ray").mkdir()
    shutil.copy(homes[0] / ".ray" / "auth_token", homes[1] / ".ray")
    with _cable(), contextlib.ExitStack() as powered:
        powered.enter_context(_powered(homes[0], [_RAY, "start", *_HEAD, *_SMALL]))
        second = powered.enter_context(
            _powered(homes[1], [*_SPACE, _RAY, "start", *_JOIN, *_SMALL])
        )
        farm.start()
        _make_two(farm, second, random, folder, figures)
        said = farm.stop()  # Ray says itself what has died, and calls it unexpected
        figures.check("Traceback" not in said, said)
        _NOTED.unlink(missing_ok=True)


def _make_two(
    farm: Farm, second: subprocess.Popen[bytes], random: Random, folder: Path, figures: Figures
) -> None:
    seen: list[list[Event]] = [[], []]
    both = threading.Barrier(2)
    goal = random.randrange(1, 4)
    key = farm.token_file.read_text().split()[0]
    # The proxy of the second machine has this address as well, but nobody can come to it.
    address = f"https://{_FIRST}:{farm.address.rpartition(':')[2]}"

    def watch(client: int) -> None:
        engine = RemoteEngine(Connection(address, key), folder / f"records-{client}")
        request = small_request(folder / f"{client}.mp4", client, num_frames=24 * _CHUNKS)
        for event in engine.generate(request):
            seen[client].append(event)
            if isinstance(event, ChunkReady) and event.index == goal:
                both.wait()
                if client == 0:
                    places = {farm.machine_of(engine) for engine in farm.replicas(ENGINES)}
                    figures.check(len(places) == 2, f"engines on {places}")
                    _run("ip", "link", "set", _NEAR, "down")
                    second.kill()
                    figures.tried += 1
        engine.close()

    clients = [threading.Thread(target=watch, args=(n,)) for n in range(2)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    connection = Connection(address, key)
    jobs = connection.get("/v1/jobs")
    figures.check(len(jobs) == len(connection.get("/v1/takes")) == 2, f"{jobs}")
    connection.close()
    for job in jobs:
        client = job["request"]["seed"]
        output = folder / f"{client}.mp4"
        events = seen[client]
        figures.check(isinstance(events[-1], Finished), f"{output.name}: {events[-1]}")
        ready = [event.index for event in events if isinstance(event, ChunkReady)]
        figures.check(ready == list(range(_CHUNKS)), f"{output.name}: chunks {ready}")
        figures.outcomes["videos"] += isinstance(events[-1], Finished)
        figures.outcomes["gone on with"] += any(isinstance(e, Restarted) for e in events)
        same = output.is_file() and output.read_bytes() == farm.video_of(job["id"]).read_bytes()
        figures.check(same, f"{output.name} is not the farm's")
        left = farm.left_of(job["id"])
        figures.check(left == ["events.jsonl", "job.json", "video.mp4"], f"{output.name}: {left}")
    figures.check(figures.outcomes["gone on with"] == figures.tried, "it was not gone on with")


_NOTED = Path("/tmp/ray/ray_current_cluster")
"""Where Ray notes the cluster of this machine, also after its end."""
_SMALL = (
    *("--num-cpus", "1", "--num-gpus", "0", "--object-store-memory", "100000000", "--block"),
    # Free ones are waited for, and on a busy machine not for long enough.
    *("--dashboard-agent-grpc-port", "52366", "--dashboard-agent-listen-port", "52365"),
    *("--metrics-export-port", "52367", "--runtime-env-agent-port", "52368"),
)
_HEAD = ("--head", "--include-dashboard", "false", "--node-ip-address", _FIRST, "--port", "6379")
_JOIN = ("--address", f"{_FIRST}:6379", "--node-ip-address", _SECOND)
_SPACE = (
    *("ip", "netns", "exec", _FAR),
    *("unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts"),
    *("sh", "-c"),
    "mkdir -p /tmp/ray && mount -t tmpfs none /tmp/ray && mount -t tmpfs none /dev/shm && "
    'hostname second && exec "$@"',
    "sh",
)


@contextlib.contextmanager
def _cable() -> Iterator[None]:
    """Between this machine and the namespace of the second one."""
    try:
        _run("ip", "netns", "add", _FAR)
        _run("ip", "link", "add", _NEAR, "type", "veth", "peer", "name", _FAR, "netns", _FAR)
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotMount(f"there are no network namespaces here: {error}") from error
    try:
        _run("ip", "addr", "add", f"{_FIRST}/24", "dev", _NEAR)
        _run("ip", "link", "set", _NEAR, "up")
        far = ("ip", "netns", "exec", _FAR, "ip")
        _run(*far, "addr", "add", f"{_SECOND}/24", "dev", _FAR)
        _run(*far, "link", "set", _FAR, "up")
        _run(*far, "link", "set", "lo", "up")
        yield
    finally:
        _run("ip", "netns", "delete", _FAR)


@contextlib.contextmanager
def _powered(home: Path, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Ray on a machine, from when it is ready until it is switched off."""
    log = home / "ray.log"
    with log.open("wb") as opened:
        process = subprocess.Popen(
            command, env={**os.environ, "HOME": str(home)}, stdout=opened, stderr=opened
        )
    try:
        while "Ray runtime started" not in log.read_text():
            if process.poll() is not None:
                raise RuntimeError(log.read_text())
            time.sleep(0.5)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
