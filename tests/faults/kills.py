"""Processes that are killed at any moment: what was announced is there afterwards."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from magi_engine.errors import MagiError
from magi_engine.json_text import read_json
from magi_engine.media.output import recover_partial
from magi_engine.media.targets import find_partials
from magi_engine.takes.store import Take, TakeStore
from tests.engine.install.hub_server import HubServer
from tests.engine.install.test_process import put_special_tokens, release_files
from tests.faults.figures import Figures, frame_count, start
from tests.faults.takes import check_made, check_takes, takes_of

_SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
_NAMES = ("a.mp4", "a.mp4", "a.webm", "a.gif", "a.webp", "a")
_LONGEST_START_S = 3.0
TINY = ("--size", "64x64", "--steps", "4", "--seed", "5", "--prompt", "a red circle")


def generate(home: Path, output: Path, *options: str) -> subprocess.Popen[str]:
    """A small video that is being made."""
    command = ["-m", "magi_engine", "generate", "--json", *TINY, "-o", output, *options]
    return start(command, home)


def generation(rng: random.Random, count: int, folder: Path) -> Figures:
    """``magi generate``, in any format, at any moment from its start on."""
    figures = Figures()
    home, right = folder / "home", []
    for number in range(count):
        place = folder / str(number)
        place.mkdir()
        output = place / rng.choice(_NAMES)
        process = generate(home, output, "--seconds", "4")
        lines: list[str] = []
        if rng.random() < 0.2:
            time.sleep(rng.uniform(0, _LONGEST_START_S))
        else:
            lines += read_lines(process, rng.randrange(1, 36))
            time.sleep(rng.choice((0.0, rng.uniform(0, 0.05))))
        number_sent = rng.choice(_SIGNALS)
        process.send_signal(number_sent)
        said, errors = process.communicate()
        what = f"{output.name} {number}, signal {number_sent}"
        figures.tried += 1
        figures.check_words(errors, what)
        lines += said.splitlines()
        take = check_video(figures, output, takes_of(home), lines, what, right)
        if take is not None and not take.finished and rng.random() < 0.2:
            _resume(figures, home, output if output.exists() else take.name, what)
        shutil.rmtree(home / "data", ignore_errors=True)
    return figures


def _resume(figures: Figures, home: Path, what_there_is: object, what: str) -> None:
    """The rest of a video that was killed can be made."""
    whole = home / "whole.mp4"
    command = ["-m", "magi_engine", "resume", what_there_is, "--quiet", "--overwrite", "-o", whole]
    process = start(command, home)
    _, errors = process.communicate()
    figures.check_words(errors, what)
    right = process.returncode == 0 and frame_count(whole) == 96
    figures.check(right, f"{what}: not resumed: {process.returncode} {errors}")
    figures.outcomes["resumed"] += right


def check_video(
    figures: Figures,
    output: Path,
    takes: TakeStore,
    lines: list[str],
    what: str,
    right: list[NDArray[np.float32]],
) -> Take | None:
    """After the end, however it came: all chunks that were announced are in a video and its take,
    but perhaps the one that was being written, and nothing else is left.

    Args:
        right: as for :func:`check_takes`.
    """
    events = [json.loads(line) for line in lines if line.endswith("}")]
    chunks = [event["num_frames"] for event in events if event["event"] == "chunk"]
    over = [e for e in events if e["event"] in ("finished", "cancelled", "failed")]
    try:
        for part in find_partials(output.parent):
            recover_partial(part)
    except MagiError as error:
        figures.check(False, f"{what}: not recovered: {error}")
    videos = list(output.parent.iterdir())
    frames = sum(map(frame_count, videos))
    needed = sum(chunks if over else chunks[:-1])
    figures.check(frames >= needed, f"{what}: {frames} frames of {sum(chunks)} announced")
    figures.check(len(videos) <= 1, f"{what}: left {[path.name for path in videos]}")
    if over:
        figures.outcomes["ended in order"] += 1
    elif frames < sum(chunks):
        figures.outcomes["without the chunk that was just announced"] += 1
    elif not videos:
        figures.outcomes["before the first chunk"] += 1
    else:
        figures.outcomes["all announced chunks kept"] += 1
    announced = len(chunks) if over else len(chunks[:-1])
    return check_takes(figures, takes, what, announced=announced, frames=frames, right=right)


def read_lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """The next lines it says, or fewer if it ends."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if len(lines) == count:
            break
    return lines


SETTINGS = """
import dataclasses, sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from magi_desktop.settings import SettingsFile
from magi_engine.config.added import AddedModels
from magi_engine.weights.manifest import Manifest

app, folder = QCoreApplication([]), Path(sys.argv[1])
file = SettingsFile(folder / "settings.json")
count = file.section("count").get("n", 0)
(folder / "weights").write_bytes(b"w")
while True:
    count += 1
    file.set_section("count", {"n": count})
    file.flush()
    AddedModels.change(lambda old: dataclasses.replace(old, mirror=f"http://127.0.0.1/{count}"))
    Manifest.load(folder).note("weights", f"{count:064x}", "test")
    print(count, flush=True)
"""


def settings(rng: random.Random, count: int, folder: Path) -> Figures:
    """Settings, the list of models and the manifest, while they are written all the time."""
    figures = Figures()
    home = folder / "home"
    for number in range(count):
        process = start(["-c", SETTINGS, folder], home)
        lines = read_lines(process, rng.randrange(1, 40))
        time.sleep(rng.uniform(0, 0.01))
        process.kill()
        said, errors = process.communicate()
        lines += said.splitlines()
        figures.tried += 1
        figures.check_words(errors, number)
        check_settings(figures, folder, int(lines[-1]) if lines else 0)
        figures.outcomes["writes"] += 3 * len(lines)
    return figures


def check_settings(figures: Figures, folder: Path, last: int) -> None:
    """All three files hold what was last said to be written, or what came later."""
    try:
        found = {
            "settings": read_json(folder / "settings.json")["count"]["n"],
            "models": int(
                read_json(next(folder.rglob("models.json")))["mirror"].rpartition("/")[2]
            ),
            "manifest": int(read_json(folder / "verified.json")["weights"]["sha256"], 16),
        }
    except (OSError, ValueError, KeyError, StopIteration) as error:
        figures.check(last == 0, f"after {last}: {error!r}")
        return
    for name, value in found.items():
        figures.check(value >= last, f"{name}: {value} after {last}")
    figures.outcomes["nothing lost"] += 1


_MODEL = "4.5B-distill"
_FAULTS: tuple[Callable[[HubServer], None], ...] = (
    lambda server: setattr(server, "cut_every", 300_000),
    lambda server: setattr(server, "ranges", False),
    lambda server: setattr(server, "statuses", [429, 500, 503] * 2),
    lambda server: setattr(server, "tree_statuses", [503]),
    lambda server: setattr(server, "html", True),
    lambda server: setattr(server, "denied", (403, "GatedRepo")),
    lambda server: server.wrong.update(server.files),
    lambda server: server.gone.update(server.files),
)
_NO_FAULT = {
    "cut_every": None, "ranges": True, "html": False, "denied": None
}  # fmt: skip


def downloads(rng: random.Random, count: int, folder: Path) -> Figures:
    """``magi models download`` from a server that fails in any way as well."""
    figures = Figures()
    server = HubServer(release_files(2_000_000))
    server.piece, server.pause_s = 1 << 14, 0.002
    models, home = folder / "models", folder / "home"
    put_special_tokens(models)
    command = ["-m", "magi_engine", "models", "download", _MODEL, "--models-dir", models]
    try:
        while figures.tried < count:
            for name, value in _NO_FAULT.items():
                setattr(server, name, value)
            server.statuses, server.tree_statuses = [], []
            server.wrong, server.gone = set(), set()
            if rng.random() < 0.4:
                rng.choice(_FAULTS)(server)
            sent, goal = sum(server.served.values()), rng.randrange(1, 1_500_000)
            process = start([*command, "--yes"], home, HF_ENDPOINT=server.url)
            patience = time.monotonic() + rng.uniform(2, 6)
            while process.poll() is None and time.monotonic() < patience:
                if sum(server.served.values()) >= sent + goal:
                    break
                time.sleep(0.002)
            killed = process.poll() is None
            process.kill()
            _, errors = process.communicate()
            figures.tried += killed
            figures.check_words(errors, f"attempt {figures.tried}")
            whole = [path for path in server.files if (models / path).exists()]
            for path in whole:
                same = (models / path).read_bytes() == server.files[path]
                figures.check(same, f"{path} is in its place and is not whole")
            ready = process.returncode == 0
            figures.check(not ready or len(whole) == len(server.files), "ready too early")
            figures.outcomes["killed" if killed else "ready" if ready else "refused"] += 1
            if ready:
                sizes = sum(map(len, server.files.values()))
                again = sum(server.served.values()) - sizes
                figures.outcomes["MB sent twice"] += max(0, again) // 1_000_000
                server.served.clear()
                shutil.rmtree(models)
                put_special_tokens(models)
    finally:
        server.shutdown()
        server.server_close()
    return figures


WINDOW = """
import os, sys, traceback
from PySide6.QtCore import QTimer
from magi_desktop import main_window
from magi_desktop.app import main

made = main_window.MainWindow.__init__

def started(window, workshop):
    made(window, workshop)
    workshop.preferences.set("welcomed", True)
    workshop.preferences.set("asked_about_updates", True)
    workshop.job.ended.connect(lambda event: print("made", event.path, flush=True))

    def go():
        try:
            queue()
        except BaseException:  # else nobody would hear of it
            traceback.print_exc()
            os._exit(1)

    def queue():
        workshop.draft.set_prompt("a red circle")
        workshop.draft.set(width=64, height=64, num_steps=4, seconds=2.0, seed_locked=True)
        for seed in (1, 2, 3):
            workshop.draft.set(seed=seed)
            workshop.controller.generate(workshop.draft.request())
        workshop.store.read(lambda c: print("queued", flush=True), lambda _: None, workshop)

    workshop.queue.loaded.connect(lambda: QTimer.singleShot(0, go))

main_window.MainWindow.__init__ = started
sys.exit(main(["magi-desktop"]))
"""

_NEXT_START = """
import json, sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from magi_desktop.engine_thread import EngineThread
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.controller import Controller
from magi_desktop.state.jobs import JobState
from magi_desktop.state.library import Library
from magi_desktop.state.queue import JobQueue
from magi_desktop.state.store import Store
from tests.desktop.engine import ScriptedEngine

app, places = QCoreApplication([]), Places.of_user()
store = Store(places.database)
queue, library = JobQueue(store), Library(store, places.thumbnails)
queue.set_paused(True)
preferences = Preferences(SettingsFile(places.settings_file))
thread = EngineThread(ScriptedEngine())
controller = Controller(thread, JobState(), queue, library, preferences, places.videos)
store.open()

def look():
    store.read(lambda c: None, lambda _: say(), store)

def say():
    print(json.dumps({
        "notices": store.notices,
        "queue": [item.request.seed for item in queue.items],
        "library": [(i.request.seed, i.complete, str(i.path)) for i in library.items],
    }), flush=True)
    library.close(); store.close(); app.exit()

library._recover_now(places.videos)
library.rescan(places.videos)
library._pool.waitForDone()

def settled():
    if library.loaded and not library._waiting_folders:
        library._pool.waitForDone()
        QTimer.singleShot(200, look)
    else:
        QTimer.singleShot(20, settled)

queue.loaded.connect(settled)
app.exec()
"""


def window(rng: random.Random, count: int, folder: Path) -> Figures:
    """The window with three videos to make: after the next start each of them is in the library or
    waits, and none does both."""
    figures = Figures()
    for number in range(count):
        home = folder / str(number)
        process = start(["-c", WINDOW], home, MAGI_DESKTOP_HOME=str(home))
        lines = read_lines(process, rng.choice((1, 1, 2, 3, 4)))
        time.sleep(rng.choice((0.0, rng.uniform(0, 0.02), rng.uniform(0, 2))))
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        said, errors = process.communicate()
        _, alive = psutil.wait_procs(children, timeout=300)
        figures.check(not alive, f"{number}: the engine outlived the window")
        figures.tried += 1
        figures.check_words(errors, number)
        lines += said.splitlines()
        told, errors = start(["-c", _NEXT_START], home, MAGI_DESKTOP_HOME=str(home)).communicate()
        figures.check_words(errors, number)
        try:
            found = json.loads(told)
        except ValueError:
            figures.check(False, f"{number}: the next start says {told!r} {errors!r}")
            continue
        complete = [seed for seed, whole, _ in found["library"] if whole]
        everything = sorted([*found["queue"], *complete])
        figures.check(not found["notices"], found["notices"])
        figures.check(everything == [1, 2, 3], f"{number}: {found} after {lines}")
        made = sum(line.startswith("made") for line in lines)
        figures.check(len(complete) >= made, f"{number}: {made} were made: {found}")
        check_made(figures, takes_of(home), [Path(path) for _, _, path in found["library"]])
        figures.outcomes["videos complete"] += len(complete)
        figures.outcomes["videos waiting"] += len(found["queue"])
        shutil.rmtree(home, ignore_errors=True)
    return figures
