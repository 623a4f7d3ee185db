"""Small videos and what is in them, whatever the format."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import av.error
import numpy as np
from PIL import Image

from magi_engine.media.output import open_writer
from magi_engine.media.writer import WriteOptions

METADATA = json.dumps({"prompt": 'a "red" ball & ü 球', "seed": 7, "long": "x" * 3000})
SUFFIXES = [".mp4", ".webm", ".gif", ".webp", ""]
SIZE = 64


def moving(count: int, size: int = SIZE) -> np.ndarray:
    """A red disc crossing a gradient; (T, size, size, 3)."""
    down, across = np.mgrid[:size, :size]
    scale = size / 64
    background = np.stack([across * 2 / scale, down * 2 / scale, np.full_like(down, 128)], -1)
    pictures = np.repeat(background[None], count, 0).astype(np.uint8)
    for index, picture in enumerate(pictures):
        disc = (across - (10 + index) * scale) ** 2 + (down - 32 * scale) ** 2 < 80 * scale**2
        picture[disc] = (220, 40, 40)
    return pictures


def decode(path: Path) -> list[np.ndarray]:
    if path.is_dir():
        return [np.asarray(Image.open(file)) for file in sorted(path.glob("*.png"))]
    if path.suffix == ".webp":
        with Image.open(path) as image:
            frames = []
            for index in range(getattr(image, "n_frames", 1)):
                image.seek(index)
                frames.append(np.asarray(image.convert("RGB")))
            return frames
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def playable_frames(path: Path) -> int:
    """Frames another process sees in a file that is still growing or was cut off."""
    count = 0
    with av.open(str(path)) as container:
        try:
            for _ in container.decode(video=0):
                count += 1
        except av.error.InvalidDataError:
            pass
    return count


def write_all(target: Path, frames: np.ndarray, options: WriteOptions | None = None) -> Path:
    size = frames.shape[1]
    with open_writer(target, size, size, 24, METADATA, options) as writer:
        for start in range(0, len(frames), 24):
            writer.write(frames[start : start + 24])
    assert writer.result is not None
    return writer.result


# What the child processes below run: a writer of endless chunks. `setuid` is for a test that runs
# as root, whom no folder refuses.
CHILD = """
import os, resource, sys
import numpy as np
from magi_engine.errors import MagiError
from magi_engine.media.output import open_writer

target, mode = sys.argv[1:]
frames = np.random.default_rng(0).integers(0, 255, (24, 64, 64, 3), dtype=np.uint8)
if mode == "readonly" and os.geteuid() == 0:
    os.setuid(65534)
if mode == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
try:
    with open_writer(target, 64, 64, 24, '{"seed": 7}') as writer:
        for chunk in range(3 if mode == "stop" else 60):
            writer.write(frames)
            print(writer.frames_written, flush=True)
        if mode == "stop":
            sys.stdin.read()
except MagiError as error:
    print(type(error).__name__, "|", error.message, "|", error.hint, flush=True)
"""


def child(target: Path, mode: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(target), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
