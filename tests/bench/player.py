"""Does the player hold 24 frames/s? Run with ``python -m tests.bench.player``.

Plays 10 s in a real window, from memory (as while generating: a chunk comes every second) and from
a file, alone and beside a process that multiplies matrices on two threads like the engine. Uses
the display there is; on a machine without one, ``xvfb-run -s "-screen 0 1920x1080x24"``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication

from magi_desktop.player.clock import PlaybackStats
from magi_desktop.player.player import Player
from magi_engine.media.fit import UInt8Array
from magi_engine.media.output import open_writer
from magi_engine.media.writer import WriteOptions

SIZES = ((128, 128), (720, 720), (1280, 720))
WINDOW = (1280, 1000)
FPS = 24
SECONDS = 10
CHUNK = 24

_LOAD = """
import os, torch
os.nice(5)
torch.set_num_threads(2)
a = torch.randn(1024, 1024)
print("ready", flush=True)
while True:
    a = torch.tanh(a @ a)
"""


def chunks(width: int, height: int, seconds: int = SECONDS) -> list[UInt8Array]:
    """Moving gradients with noise: a picture that costs something to decode."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:height, 0:width]
    base = np.stack([rows * 200 // height, columns * 200 // width, (rows + columns) % 200], -1)
    noisy = (base + rng.integers(0, 40, base.shape)).astype(np.uint8)
    steps = range(seconds * FPS)
    frames = [np.roll(noisy, 3 * step, axis=1) for step in steps]
    return [np.stack(frames[first : first + CHUNK]) for first in range(0, len(frames), CHUNK)]


@contextmanager
def engine_load(on: bool) -> Iterator[None]:
    """Keep two threads of another process busy with matrix products, at nice 5."""
    if not on:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", _LOAD], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def wait(milliseconds: int) -> None:
    """Let the window live."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def play_from_memory(player: Player, video: list[UInt8Array]) -> PlaybackStats:
    """A chunk a second; the first second is there before it begins."""
    player.begin(FPS, None, CHUNK)
    player.append(0, video[0])
    for index, chunk in enumerate(video[1:], 1):
        wait(900)
        player.append(index * CHUNK, chunk)
    wait(SECONDS * 1000 - 900 * (len(video) - 1) + 500)
    return player.stats


def play_from_file(player: Player, path: Path) -> PlaybackStats:
    """Ten seconds from the first frame on."""
    loop = QEventLoop()
    player.first_frame_shown.connect(loop.quit)
    player.open_file(path)
    loop.exec()
    wait(SECONDS * 1000)
    return player.stats


def main() -> None:
    """Print a Markdown table."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    app = QApplication([])
    player = Player()
    player.resize(*WINDOW)
    player.show()
    player.commands.loop.setChecked(False)
    print(f"Platform {app.platformName()}, window {WINDOW[0]}x{WINDOW[1]}\n")
    print("| video | from | beside the engine's load | shown | dropped | longest gap |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for width, height in SIZES:
            video = chunks(width, height)
            path = Path(folder) / f"{width}x{height}.mp4"
            with open_writer(
                path, width, height, FPS, None, WriteOptions(preset="veryfast")
            ) as writer:
                for chunk in video:
                    writer.write(chunk)
            for load in (False, True):
                with engine_load(load):
                    wait(500)
                    _report(width, height, "memory", load, play_from_memory(player, video))
                    _report(width, height, "file", load, play_from_file(player, path))
    player.close()


def _report(width: int, height: int, source: str, load: bool, stats: PlaybackStats) -> None:
    gap = f"{stats.longest_gap_s * 1000:.0f} ms"
    beside = "yes" if load else "no"
    print(
        f"| {width}x{height} | {source} | {beside} | {stats.shown} | {stats.dropped} | {gap} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
