"""Engines on other machines: server, client and window are killed at any moment."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random

import psutil

from magi_desktop.settings import VERSION
from magi_engine.remote.connection import Connection
from magi_engine.runtime.job.events import ChunkReady, Event, Failed, Finished
from tests.engine.serve.servers import Server, small_request
from tests.faults.figures import Figures, frame_count, start
from tests.faults.kills import TINY, WINDOW, read_lines

_CHUNKS = 6


def servers(rng: Random, count: int, folder: Path) -> Figures:
    """The server, at any moment of a video: what was finished is here as there."""
    figures = Figures()
    server = Server(folder / "server")
    server.start()
    for number in range(count):
        engine = server.engine(folder / "records")
        output = folder / f"{number}.mp4"
        request = small_request(output, seed=number, num_frames=24 * _CHUNKS)
        chunks, goal, killed = 0, rng.randrange(_CHUNKS), False
        events: list[Event] = []
        for event in engine.generate(request):
            events.append(event)
            chunks += isinstance(event, ChunkReady)
            if not killed and chunks == goal:
                time.sleep(rng.uniform(0, 0.3))
                server.kill()
                killed = True
                server.start()
        last = events[-1]
        figures.tried += killed
        figures.outcomes[last.kind] += 1
        _check_same(figures, engine.connection, server, number, output)
        shown = [event.index for event in events if isinstance(event, ChunkReady)]
        figures.check(shown == list(range(len(shown))), f"{number}: chunks {shown}")
        if isinstance(last, Failed):
            kept = 0 if last.path is None else frame_count(last.path)
            figures.check(kept >= 24 * (len(shown) - 1), f"{number}: {kept} frames of {shown}")
            earlier = engine.unfinished(request)
            rest = request if earlier is None else earlier.resumed()
            figures.outcomes["gone on with" if earlier else "from its beginning"] += 1
            output.unlink(missing_ok=True)
            *_, last = engine.generate(rest)
        whole = isinstance(last, Finished) and frame_count(output) == 24 * _CHUNKS
        figures.check(whole, f"{number}: {last}")
        engine.close()
    figures.check_words(server.stop(), "the server")
    return figures


def clients(rng: Random, count: int, folder: Path) -> Figures:
    """``magi generate --engine``, killed at any moment and begun again: each video is made once."""
    figures = Figures()
    server = Server(folder / "server")
    server.start()
    connection, home = server.connection, folder / "home"
    command = ["-m", "magi_engine", "generate", "--json", *TINY[:-4], *TINY[-2:]]
    command += ["--engine", server.address, "--token-file", server.token_file, "--seconds", "4"]
    number = 0
    while figures.tried < count:
        number += 1
        output = folder / f"{number}.mp4"
        whole = [*command, "--seed", number, "-o", output]
        for _ in range(rng.randrange(1, 4)):
            process = start(whole, home)
            if rng.random() < 0.3:
                time.sleep(rng.uniform(0, 3))
            else:
                read_lines(process, rng.randrange(1, 30))
            figures.tried += process.poll() is None
            process.kill()
            _, errors = process.communicate()
            figures.check_words(errors, number)
            if output.exists():
                break
        if not output.exists():
            process = start(whole, home)
            _, errors = process.communicate()
            figures.check_words(errors, number)
            figures.check(process.returncode == 0, f"{number}: {process.returncode} {errors}")
        figures.outcomes["videos"] += 1
        _check_same(figures, connection, server, number, output)
        left = [path.name for path in folder.glob(f".{number}.mp4*")]
        figures.check(not left, f"{number}: left {left}")
    connection.close()
    figures.check_words(server.stop(), "the server")
    return figures


def _check_same(
    figures: Figures, connection: Connection, server: Server, seed: int, output: Path
) -> None:
    jobs = [j for j in connection.get("/v1/jobs") if j["request"]["seed"] == seed]
    figures.check(len(jobs) == 1, f"{output.name} was made {len(jobs)} times")
    there = server.video_of(jobs[0]["id"])
    if output.exists() or there.exists():
        same = output.exists() and there.exists() and output.read_bytes() == there.read_bytes()
        figures.check(same, f"{output.name} is not the server's")


_ALL_MADE = """
import json, sys
from PySide6.QtCore import QTimer
from magi_desktop import main_window
from magi_desktop.app import main

made = main_window.MainWindow.__init__

def started(window, workshop):
    made(window, workshop)
    loaded = []
    workshop.queue.loaded.connect(lambda: loaded.append(True))

    def look(again=False):
        all_made = loaded and not workshop.controller.busy and not workshop.queue.items
        settled = workshop.library.loaded and all_made
        if settled and again:
            print(json.dumps([[i.request.seed, i.complete, str(i.path)]
                              for i in workshop.library.items]), flush=True)
            window.close()
        else:  # what was made is described before it is taken in
            workshop.library._pool.waitForDone(60_000 if settled else 0)
            QTimer.singleShot(200, lambda: look(settled))

    QTimer.singleShot(500, look)

main_window.MainWindow.__init__ = started
sys.exit(main(["magi-desktop"]))
"""


def windows(rng: Random, count: int, folder: Path) -> Figures:
    """The window with three videos to be made elsewhere: after the next start all are made, once,
    and each is the server's."""
    figures = Figures()
    server = Server(folder / "server")
    server.start()
    connection = server.connection
    for number in range(count):
        home = folder / str(number)
        (home / "config").mkdir(parents=True)
        settings = {"version": VERSION, "preferences": {"engine_address": server.address}}
        (home / "config" / "settings.json").write_text(json.dumps(settings))
        (home / "config" / "engine.key").write_text(server.token_file.read_text())
        process = start(["-c", WINDOW], home, MAGI_DESKTOP_HOME=str(home))
        read_lines(process, rng.choice((1, 1, 2, 3, 4)))
        time.sleep(rng.choice((0.0, rng.uniform(0, 0.02), rng.uniform(0, 2))))
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        _, errors = process.communicate()
        psutil.wait_procs(children)
        figures.tried += 1
        figures.check_words(errors, number)
        told, errors = start(["-c", _ALL_MADE], home, MAGI_DESKTOP_HOME=str(home)).communicate()
        figures.check_words(errors, number)
        jobs = connection.get("/v1/jobs")
        there = {server.video_of(job["id"]).read_bytes() for job in jobs}
        try:
            found = json.loads(told)
        except ValueError:
            figures.check(False, f"{number}: the next start says {told!r} {errors!r}")
            continue
        right = sorted(seed for seed, whole, _ in found if whole) == [1, 2, 3] and len(found) == 3
        figures.check(right, f"{number}: {found}")
        figures.check(len(jobs) == 3, f"{number}: {len(jobs)} were made")
        same = {Path(path).read_bytes() for _, _, path in found} == there
        figures.check(same, f"{number}: not the server's")
        for job in jobs:
            connection.delete(f"/v1/jobs/{job['id']}")
    connection.close()
    figures.check_words(server.stop(), "the server")
    return figures
