"""Connections to an engine on another machine are cut at any moment of a job."""

from __future__ import annotations

from pathlib import Path
from random import Random

from magi_engine.remote.connection import Connection
from magi_engine.remote.engine import RemoteEngine
from magi_engine.runtime.job.events import ChunkReady, Finished
from tests.engine.serve.cutting import CutCable
from tests.engine.serve.servers import Server, small_request
from tests.faults.figures import Figures

_CUTS_OF_A_JOB = 10
_CHUNKS = 4


def cuts(random: Random, count: int, folder: Path) -> Figures:
    """So many cuts; every file has to be the server's, and every event has to come once."""
    figures = Figures()
    server = Server(folder / "server")
    server.start()
    key = server.token_file.read_text().split()[0]
    direct = Connection(server.address, key)
    port = int(server.address.rpartition(":")[2])
    while figures.tried < count:
        seed = random.randrange(10**6)
        most = min(_CUTS_OF_A_JOB, count - figures.tried)
        cable = CutCable(port, most, random.choice((2_000, 8_000, 20_000)), seed)
        engine = RemoteEngine(Connection(cable.address, key), folder / "records")
        output = folder / f"{figures.tried}.mp4"
        request = small_request(output, seed=seed, num_frames=24 * _CHUNKS)
        events = list(engine.generate(request))
        engine.close()
        cable.close()
        figures.tried += max(cable.cut, 1)
        figures.outcomes["cut"] += cable.cut
        figures.outcomes["videos"] += 1
        figures.check(isinstance(events[-1], Finished), events[-1])
        chunks = [event.index for event in events if isinstance(event, ChunkReady)]
        figures.check(chunks == list(range(_CHUNKS)), f"{output.name}: chunks {chunks}")
        jobs = [j for j in direct.get("/v1/jobs") if j["request"]["seed"] == seed]
        figures.check(len(jobs) == 1, f"{output.name} was made {len(jobs)} times")
        same = (
            output.is_file() and output.read_bytes() == server.video_of(jobs[0]["id"]).read_bytes()
        )
        figures.check(same, f"{output.name} is not the server's")
    direct.close()
    figures.check_words(server.stop(), "the server")
    return figures
