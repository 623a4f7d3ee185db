"""Two of everything at once, and a video without an end."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.engine.install.hub_server import HubServer
from tests.engine.install.test_process import put_special_tokens, release_files
from tests.faults.figures import REPOSITORY, Figures, frame_count, start
from tests.faults.kills import TINY, generate

_WARM_CHUNKS = 20
_MOST_GROWTH_BYTES = 40 << 20


def twice(rng: random.Random, count: int, folder: Path) -> Figures:
    """Each command beside itself: both end in order, and one result is right."""
    figures = Figures()
    server = HubServer(release_files(1_000_000))
    try:
        for number in range(count):
            place = folder / str(number)
            place.mkdir()
            _two(figures, place, _generation(place, rng.choice(("a.mp4", "a.gif", "a"))))
            videos = [path for path in place.iterdir() if path.name.startswith("a")]
            figures.check(bool(videos), f"{number}: no video")
            for video in videos:
                figures.check(frame_count(video) == 24, f"{video.name} of {number} is not whole")
            left = [path.name for path in place.iterdir() if path.name.startswith(".")]
            figures.check(not left, f"{number}: left {left}")
            models = place / "models"
            put_special_tokens(models)
            download = ("models", "download", "4.5B-distill", "--models-dir", models, "--yes")
            codes = _two(figures, place, download, HF_ENDPOINT=server.url)
            figures.check(0 in codes, f"{number}: neither has downloaded: {codes}")
            for path, data in server.files.items():
                same = (models / path).is_file() and (models / path).read_bytes() == data
                figures.check(same, f"{number}: {path} is not whole")
            _two(figures, place, ("models", "mirror", "http://127.0.0.1:9"))
            _two(figures, place, ("recover", place))
    finally:
        server.shutdown()
        server.server_close()
    return figures


def _generation(place: Path, name: str) -> tuple[object, ...]:
    return ("generate", *TINY, "--seconds", "1", "-o", place / name)


def _two(figures: Figures, place: Path, command: Sequence[object], **own: str) -> list[int]:
    """Runs a command twice at the same time; returns how both ended."""
    home = place.parent / "home"
    both = [start(["-m", "magi_engine", *command], home, REPOSITORY, **own) for _ in range(2)]
    codes = []
    for process in both:
        said, errors = process.communicate()
        figures.tried += 1
        figures.check_words(said + errors, command[0])
        figures.outcomes[f"{command[0]}: {process.returncode}"] += 1
        codes.append(process.returncode)
    return codes


def endless(_rng: random.Random, count: int, folder: Path) -> Figures:
    """``--until-stopped`` for ``count`` chunks: memory and open files stay as they are."""
    figures = Figures()
    output = folder / "a.mp4"
    process = generate(folder / "home", output, "--until-stopped", "--size", "32x32")
    assert process.stdout is not None
    seen = psutil.Process(process.pid)
    frames = chunks = 0
    before = (0, 0)
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] != "chunk":
            continue
        frames, chunks = frames + event["num_frames"], chunks + 1
        if chunks == _WARM_CHUNKS:
            before = seen.memory_info().rss, seen.num_fds()
        if chunks == count:
            break
    after = seen.memory_info().rss, seen.num_fds()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate()
    figures.tried = chunks
    figures.check_words(errors, "endless")
    growth = after[0] - before[0]
    figures.check(growth < _MOST_GROWTH_BYTES, f"it grew by {growth >> 20} MB")
    figures.check(after[1] <= before[1] + 2, f"open files: {before[1]}, then {after[1]}")
    figures.check(frame_count(output) >= frames, f"{frame_count(output)} of {frames} frames")
    figures.outcomes[f"MB grown from chunk {_WARM_CHUNKS} on"] = max(0, growth >> 20)
    return figures
