"""Proves the frozen program: built, moved, and used by somebody who has nothing else of ours.

    .venv/bin/python packaging/frozen_check.py [--built FOLDER] [--pictures FOLDER]

Builds with magi.spec (some minutes) unless given a built folder, copies it to a path with spaces
and other letters, and runs it there with an empty home, on a screen of its own; as root, under
another user. Needs Xvfb and xdotool, for pictures ImageMagick. To be run when magi.spec,
packaging/freezing.py or what the program imports changes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest import mock

import build_tools
from clean_root import require, say
from frozen_bundle import freeze
from screen import Screen, make_first_video, open_screen, wait_for

STARTS = 5
START_LIMIT_S = 2.0
NOBODY = 65534


class Person:
    """Somebody with an empty home and a copy of the program."""

    def __init__(self, place: Path, built: Path) -> None:
        self.home = place / "Jörg Müller"
        self.program = self.home / "Meine Programme" / "Magi"
        shutil.copytree(built, self.program, symlinks=True)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8"}
        self._who: list[str] = []
        if os.geteuid() == 0:
            who = str(NOBODY)
            self._who = ["setpriv", "--reuid", who, "--regid", who, "--clear-groups"]
            for path in (place, self.home, *self.home.iterdir()):
                os.chown(path, NOBODY, NOBODY)  # the program's files stay root's: read-only

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        command = [*self._who, str(self.program / "magi"), *arguments]
        return subprocess.run(
            command, env=self.environment, cwd="/", capture_output=True, text=True
        )

    def start(self, screen: Screen) -> subprocess.Popen[bytes]:
        """Start the window."""
        command = [*self._who, str(self.program / "Magi")]
        environment = {**self.environment, "DISPLAY": screen.display}
        return subprocess.Popen(command, env=environment, cwd="/", stderr=subprocess.PIPE)

    @contextmanager
    def window(self, screen: Screen) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
        """Start the window; yields its process, its identifier, and the seconds it took to come."""
        began = time.monotonic()
        process = self.start(screen)
        try:
            shown = partial(screen.windows, "Magi Desktop")
            wait_for(lambda: shown() != [] or process.poll() is not None, "the window", 120)
            took_s = time.monotonic() - began
            if process.poll() is not None:
                _, told = process.communicate()
                require(False, "the window comes", told.decode(errors="replace"))
            yield process, screen.windows("Magi Desktop")[0], took_s
            screen.press(screen.windows("Magi Desktop")[0], "ctrl+q")
            _, told = process.communicate(timeout=60)
            require(process.returncode == 0, f"the window ends well: {process.returncode}")
            require(told == b"", "nothing on stderr", told.decode(errors="replace"))
        finally:
            process.kill()
            process.wait()


def main(argv: Sequence[str]) -> int:
    """Run every check; returns 0 if all hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--built", type=Path, help="what magi.spec made: dist/Magi")
    parser.add_argument("--pictures", type=Path)
    wishes = parser.parse_args(argv)
    if not wishes.built:
        build_tools.install("bundle")
    with tempfile.TemporaryDirectory(prefix="magi frozen ü ") as folder:
        built = wishes.built or freeze(Path(folder))
        person = Person(Path(folder), built)
        say(f"{size_bytes(built) / 1e6:.0f} MB, {len(list(built.rglob('*')))} files")
        check_command_line(person)
        check_helper_process(person)
        with open_screen() as screen:
            check_video(person, screen, wishes.pictures)
            check_start(person, screen)
    say("all checks hold")
    return 0


def check_command_line(person: Person) -> None:
    """The console program: help, the doctor, a video."""
    for arguments in (("--help",), ("generate", "--help"), ("doctor",)):
        said = person.run(*arguments)
        require(said.returncode == 0, f"magi {' '.join(arguments)}", said.stderr)
        require(said.stderr == "", "nothing on stderr", said.stderr)
    target = person.home / "a vídeo.mp4"
    prompt = ("--prompt", "a red circle moves right", "--seconds", "2")
    said = person.run("generate", *prompt, "--json", "-o", str(target))
    require(said.returncode == 0 and said.stderr == "", "magi generate", said.stderr)
    last = json.loads(said.stdout.splitlines()[-1])
    require(frames(target) == 48, f"48 frames: {last}")


def check_helper_process(person: Person) -> None:
    """The process that downloads starts from the frozen program too, with all it needs."""
    from magi_engine.config.registry import Registry
    from magi_engine.errors import DownloadError
    from magi_engine.install.process import InstallProcess
    from magi_engine.install.tasks import Download, TaskFailed

    released = next(m.name for m in Registry.load().entries if m.release is not None)
    process = InstallProcess(person.home.parent / "models", log_file=person.home.parent / "log")
    ours = {"executable": str(person.program / "Magi"), "frozen": True}
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    with mock.patch.multiple(sys, create=True, **ours), mock.patch.dict(os.environ, nowhere):
        last = list(process.run(Download(released)))[-1]
    asked = isinstance(last, TaskFailed) and isinstance(last.error, DownloadError)
    require(asked, f"the helper process asks the network: {last}")


def check_video(person: Person, screen: Screen, pictures: Path | None) -> None:
    """The window's first start, a video, the end."""
    videos = person.home / "Videos" / "Magi Desktop"
    with person.window(screen) as (_, window, took_s):
        say(f"first start: the window is there after {took_s:.2f} s")
        wait_for(lambda: screen.windows("Welcome") != [], "the welcome")
        first = screen.windows("Magi Desktop")
        second = person.start(screen)
        _, told = second.communicate(timeout=60)
        alone = second.returncode == 0 and screen.windows("Magi Desktop") == first
        require(alone and told == b"", "a second start shows the first", told.decode())
        made = make_first_video(screen, window, videos)
        time.sleep(1)
        screen.picture(pictures, "frozen")
        require(frames(made) >= 24, f"a video of {frames(made)} frames")
    for log in (person.home / ".local/state/magi-desktop/log").glob("*.log"):
        faults = [x for x in log.read_text("utf-8").splitlines() if " INFO " not in x]
        require(faults == [], f"nothing bad in {log.name}: {faults[:20]}")


def check_start(person: Person, screen: Screen) -> None:
    """How long the window takes to be seen."""
    took_s = []
    for _ in range(STARTS):
        with person.window(screen) as (_, _, seconds):
            took_s.append(seconds)
            time.sleep(1)
    median_s = statistics.median(took_s)
    told = ", ".join(f"{s:.2f}" for s in took_s)
    require(median_s <= START_LIMIT_S, f"start to visible window: {median_s:.2f} s ({told})")


def frames(video: Path) -> int:
    """How many frames of a video can be decoded."""
    import av

    with av.open(str(video)) as container:
        return sum(1 for _ in container.decode(video=0))


def size_bytes(folder: Path) -> int:
    """What the files in a folder hold; one with two names counts once."""
    found = [p.lstat() for p in folder.rglob("*") if p.is_file() and not p.is_symlink()]
    return sum({stat.st_ino: stat.st_size for stat in found}.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
