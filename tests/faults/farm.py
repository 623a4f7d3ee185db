"""Many clients of a farm, whose replicas are killed at random moments."""

from __future__ import annotations

import threading
from pathlib import Path
from random import Random

from magi_engine.remote.connection import Connection
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.job.events import ChunkReady, Event, Finished, Restarted
from tests.engine.serve.farms import ENGINES, FRONT, Farm
from tests.engine.serve.servers import small_request
from tests.faults.figures import Figures

_CLIENTS = 20
_CHUNKS = 5


def farm(random: Random, count: int, folder: Path) -> Figures:
    """So many kills; every video has to be made, once, and every chunk of it has to come once."""
    figures = Figures()
    farm = Farm(folder / "farm")
    farm.folder.mkdir(parents=True)
    farm.token_file.touch(0o600)
    keys = [f"{n:02}" * 20 for n in range(4)]
    farm.token_file.write_text("\n".join(keys))
    farm.start()
    seen: list[list[Event]] = [[] for _ in range(_CLIENTS)]
    announced = threading.Condition()
    chunks = 0

    def watch(client: int) -> None:
        nonlocal chunks
        connection = Connection(farm.address, keys[client % len(keys)])
        engine = RemoteEngine(connection, folder / f"records-{client}")
        output = folder / f"{client}.mp4"
        for event in engine.generate(small_request(output, client, num_frames=24 * _CHUNKS)):
            seen[client].append(event)
            with announced:
                chunks += isinstance(event, ChunkReady)
                announced.notify_all()
        engine.close()

    clients = [threading.Thread(target=watch, args=(n,)) for n in range(_CLIENTS)]
    for client in clients:
        client.start()
    for when in sorted(random.sample(range(2, _CLIENTS * _CHUNKS - _CHUNKS), count)):
        with announced:
            announced.wait_for(lambda when=when: chunks >= when)
        kind = random.choice((ENGINES, ENGINES, FRONT))
        figures.tried += 1
        figures.outcomes[f"{kind} killed"] += farm.kill_one(kind, random)
    for client in clients:
        client.join()
    for client, events in enumerate(seen):
        output = folder / f"{client}.mp4"
        figures.check(isinstance(events[-1], Finished), f"{output.name}: {events[-1]}")
        ready = [event.index for event in events if isinstance(event, ChunkReady)]
        figures.check(ready == list(range(_CHUNKS)), f"{output.name}: chunks {ready}")
        figures.outcomes["videos"] += isinstance(events[-1], Finished)
        figures.outcomes["gone on with"] += any(isinstance(e, Restarted) for e in events)
    jobs = []
    takes = 0
    for key in keys:
        connection = Connection(farm.address, key)
        jobs += connection.get("/v1/jobs")
        takes += len(connection.get("/v1/takes"))
        connection.close()
    seeds = sorted(job["request"]["seed"] for job in jobs)
    figures.check(seeds == list(range(_CLIENTS)), f"jobs of {seeds}")
    figures.check(takes == _CLIENTS, f"{takes} takes")
    for job in jobs:
        output = folder / f"{job['request']['seed']}.mp4"
        left = farm.left_of(job["id"])
        figures.check(left == ["events.jsonl", "job.json", "video.mp4"], f"{output.name}: {left}")
        same = output.is_file() and output.read_bytes() == farm.video_of(job["id"]).read_bytes()
        figures.check(same, f"{output.name} is not the farm's")
    said = farm.stop()  # Ray says itself what has died, and calls it unexpected
    figures.check("Traceback" not in said, said)
    return figures
