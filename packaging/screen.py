"""A screen of its own (Xvfb) for a check, and its keys, from outside the program."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_POLL_S = 0.01
_AGAIN_S = 3.0
_PATIENCE_S = 300.0


class InVain(Exception):
    """What was waited for has not come."""


class Screen:
    """One screen, without a window manager. Needs xdotool, and ImageMagick for pictures."""

    def __init__(self, display: str) -> None:
        self.display = display
        """As ``DISPLAY`` names it."""

    def windows(self, name: str) -> list[str]:
        """Identifiers of the visible windows whose title contains ``name``."""
        return sorted(self._xdotool("search", "--onlyvisible", "--name", name).split())

    def width(self, window: str) -> int:
        """Of a window, in pixels; 0 if it is gone."""
        told = self._xdotool("getwindowgeometry", "--shell", window)
        return next((int(n) for n in re.findall(r"(?m)^WIDTH=(\d+)$", told)), 0)

    def press(self, window: str, *keys: str) -> None:
        """Press keys in a window."""
        self._xdotool("windowfocus", window, "key", "--delay", "30", *keys)

    def press_until(self, window: str, key: str, happened: Callable[[], bool]) -> None:
        """Press a key, again and again should it have come too early, until something happens."""
        end = time.monotonic() + _PATIENCE_S
        while not happened():
            if time.monotonic() > end:
                raise InVain(f"{key} did nothing")
            self.press(window, key)
            with contextlib.suppress(InVain):
                wait_for(happened, key, _AGAIN_S)

    def type(self, window: str, text: str) -> None:
        """Type into what has the focus in a window."""
        self._xdotool("windowfocus", window, "type", "--delay", "8", text)

    def click(self, window: str, x: int, y: int, button: int = 1) -> None:
        """Click into a window, so many pixels from its top left corner."""
        place = ("--window", window, str(x), str(y))
        self._xdotool("windowfocus", window, "mousemove", *place, "click", str(button))

    def picture(self, folder: Path | None, name: str) -> None:
        """A picture of the screen, for a person to look at."""
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            command = ["import", "-window", "root", str(folder / f"{name}.png")]
            subprocess.run(command, check=True, env=self._environment)

    def _xdotool(self, *arguments: str) -> str:
        return subprocess.run(
            ["xdotool", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=self._environment,
        ).stdout

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "DISPLAY": self.display}


@contextlib.contextmanager
def open_screen() -> Iterator[Screen]:
    """A new screen, for as long as it is used."""
    read, write = os.pipe()
    command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1400x900x24"]
    command.append("-noreset")  # or it starts anew, deaf for a moment, whenever nobody is there
    command.append("-r")  # no key repeats itself where a busy machine lets it go late
    server = subprocess.Popen(command, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as pipe:
            yield Screen(f":{pipe.readline().strip()}")
    finally:
        server.terminate()
        server.wait()


def wait_for(condition: Callable[[], bool], what: str, limit_s: float = 300) -> float:
    """Wait until something holds; returns how long that took, in seconds.

    Raises:
        InVain: it does not.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > limit_s:
            raise InVain(f"waited {limit_s:.0f} s in vain for: {what}")
        time.sleep(_POLL_S)
    return time.monotonic() - began


def make_first_video(screen: Screen, window: str, videos: Path) -> Path:
    """From the window's very first start to a finished video, by keys alone.

    Args:
        window: the program's.
        videos: the folder of videos.
    """
    wait_for(lambda: screen.windows("Welcome") != [], "the welcome")
    screen.press(screen.windows("Welcome")[0], "Return")  # start with the pocket model
    wait_for(lambda: screen.windows("Welcome") == [], "the welcome to close")
    screen.press(window, "ctrl+e")
    screen.type(window, "a red circle moves right")
    screen.press(window, "ctrl+Return")
    wait_for(lambda: any(videos.glob("[!.]*.mp4")), "a video", 900)  # hidden: not finished yet
    return next(videos.glob("[!.]*.mp4"))
