"""Disks that lose their power, and disks that fill up. Needs root on Linux."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

from tests.faults.figures import Figures, frame_count, start
from tests.faults.kills import (
    SETTINGS,
    check_settings,
    check_video,
    generate,
    read_lines,
)
from tests.faults.takes import takes_of
from tests.mounting import CannotMount, mounted

_SHUTDOWN = 0x8004587D
_NOTHING_IS_FLUSHED = 2
"""EXT4_IOC_SHUTDOWN and EXT4_GOING_FLAGS_NOLOGFLUSH: from now on nothing reaches the disk, as if
it had lost its power. https://github.com/torvalds/linux/blob/master/fs/ext4/ext4.h"""
_LOWEST_BYTES, _HIGHEST_BYTES = 16_384, 140_000


def _cut(disk: Path) -> None:
    import fcntl  # which Windows lacks

    opened = os.open(disk, os.O_RDONLY)
    try:
        fcntl.ioctl(opened, _SHUTDOWN, struct.pack("I", _NOTHING_IS_FLUSHED))
    finally:
        os.close(opened)


def power(rng: random.Random, count: int, folder: Path) -> Figures:
    """A generation, or settings, on a disk whose power goes: what was announced is on it."""
    figures = Figures()
    image, right = folder / "disk.img", []
    for number in range(count):
        with image.open("wb") as file:
            file.truncate(48 << 20)
        try:
            subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise CannotMount(str(error)) from error
        makes_video = rng.random() < 0.7
        place = ("-o", "loop", str(image))
        with mounted(folder / "disk", *place) as disk:
            home, output = disk / "home", disk / "videos" / rng.choice(("a.mp4", "a.webm", "a"))
            home.mkdir()
            output.parent.mkdir()
            os.sync()  # the folder itself was there long before
            if makes_video:
                process = generate(home, output, "--seconds", "4")
            else:
                process = start(["-c", SETTINGS, disk / "videos"], disk / "videos" / "home")
            lines = read_lines(process, rng.randrange(4, 40))
            time.sleep(rng.choice((0.0, rng.uniform(0, 0.05))))
            _cut(disk)
            # What it says after the cut does not count.
            process.kill()
            process.communicate()
        figures.tried += 1
        with mounted(folder / "disk", *place) as disk:
            if makes_video:
                check_video(figures, output, takes_of(home), lines, f"cut {number}", right)
            else:
                check_settings(figures, disk / "videos", int(lines[-1]) if lines else 0)
    return figures


def full(rng: random.Random, count: int, folder: Path) -> Figures:
    """Disks that have room for a part of a video, or of its latents: it is said, and that part is
    kept."""
    figures = Figures()
    videos = folder / "videos"
    for number in range(count):
        size = rng.randrange(_LOWEST_BYTES, _HIGHEST_BYTES)
        name = rng.choice(("a.mp4", "a.webm", "a.gif", "a.webp", "a"))
        video_there = rng.random() < 0.75
        with mounted(folder / "disk", "-t", "tmpfs", "-o", f"size={size}", "tmpfs") as disk:
            what = f"{name} on a disk of {size} bytes ({number})"
            figures.tried += 1
            if video_there:
                _full_of_video(figures, folder / "home", disk, name, what)
                continue
            videos.mkdir()
            _full_of_latents(figures, disk, videos / name, what)
            shutil.rmtree(videos)
    return figures


def _full_of_video(figures: Figures, home: Path, disk: Path, name: str, what: str) -> None:
    process = generate(home, disk / name, "--seconds", "4")
    said, errors = process.communicate()
    events = [json.loads(line) for line in said.splitlines()]
    figures.check_words(errors, what)
    videos = list(disk.iterdir())
    frames = sum(map(frame_count, videos))
    if process.returncode == 0:
        figures.check(frames == 96, f"{what}: finished with {frames} frames")
        figures.outcomes["enough room"] += 1
        return
    figures.check("The disk is full" in errors, f"{what}: {errors}")
    told = re.search(r"first ([\d.]+) s are kept", errors)
    kept = 0 if told is None else round(float(told[1]) * 24)
    ended = events[-1] if events else {}
    figures.check(ended.get("frames", 0) <= frames, f"{what}: {ended} {frames}")
    figures.check(frames >= kept - 1, f"{what}: {kept} announced, {frames} there")
    figures.check(frames > 0 or not videos, f"{what}: left {videos}")
    figures.outcomes["a part kept" if frames else "no room for a chunk"] += 1


def _full_of_latents(figures: Figures, home: Path, output: Path, what: str) -> None:
    """All that the program keeps for itself is on the full disk, and the video is elsewhere."""
    process = generate(home, output, "--seconds", "4")
    said, errors = process.communicate()
    figures.check_words(errors, what)
    frames = frame_count(output) if output.exists() else 0
    figures.check(process.returncode == 0 and frames == 96, f"{what}: {frames} frames, {errors}")
    takes = takes_of(home).all()
    whole = [take for take in takes if take.finished and take.read(take.chunks - 1) is not None]
    told = "what it takes to redo this video is not kept" in said
    figures.check(told != bool(whole), f"{what}: {said[-1000:]}")
    figures.outcomes["latents kept" if whole else "latents not kept, and said"] += 1
