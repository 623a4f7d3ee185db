"""What a person does on Windows once the program is set up, step by step: for windows_check.py.

By keys in the program's window where that is how it is done, else by command; every step waits for
what it has to bring about.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from clean_root import require, say
from screen import Screen, wait_for
from wine_root import Windows

NAME = "Magi Desktop"
_ODD = "ü 圆 🎈"
_VIDEO_S = 900
"""How long a pocket video may take in wine on a busy machine."""
_FIRST_CARD = (1140, 150)
"""Where the window, as large as the screen, shows the newest video of its library."""
_PICTURE = (
    "from PIL import Image, ImageDraw; import sys; p = Image.new('RGB', (256, 256), 'white');"
    "ImageDraw.Draw(p).ellipse((60, 60, 190, 190), 'red'); p.save(sys.argv[1])"
)


class Walk:
    """A user's way through the program.

    Args:
        program: the folder the installer filled.
        data: where the program keeps the user's environment and database.
        pictures: where to put pictures of the screen; None: nowhere.
    """

    def __init__(
        self, windows: Windows, screen: Screen, program: Path, data: Path, pictures: Path | None
    ) -> None:
        self.windows, self.screen, self.pictures = windows, screen, pictures
        self.program, self.data = program, data
        self.videos = windows.home / "Videos" / NAME

    def by_keys(self) -> None:
        """A sentence; paused, gone on with and finished. One stopped half way is kept."""
        began, before = time.monotonic(), self._finished()
        self._write("a red circle moves right")
        self._press("ctrl+Return")
        self._grows("a video begins")
        self._press("ctrl+p")
        time.sleep(20)
        self._picture("paused")
        require(self._finished() == before, "paused, it does not end")
        self._press("ctrl+p")
        wait_for(lambda: self._finished() > before, "a video", _VIDEO_S)
        say(f"a first video is there after {time.monotonic() - began:.0f} s")
        self._picture("video")
        self._press("ctrl+Return")
        self._grows("a second one begins")
        self._press("ctrl+period")

        def asked() -> bool:  # if that loses more than a moment's work
            return len(self.screen.windows(NAME)) > 1

        wait_for(lambda: asked() or self._unfinished() == [], "it to stop or to ask", 120)
        self._picture("stop")
        if asked():
            question = min(self.screen.windows(NAME), key=self.screen.width)
            self.screen.press(question, "Tab", "space")  # Enter would keep on making it
        wait_for(lambda: self._unfinished() == [], "it to stop", _VIDEO_S)
        require(self._finished() == before + 2, "stopped, what there is of it is kept")

    def from_a_picture(self) -> None:
        """A picture with an odd name, opened with the program while that runs."""
        picture = self.windows.home / "Pictures" / f"{_ODD}.png"
        picture.parent.mkdir(exist_ok=True)
        self._python(_PICTURE, self.windows.path(picture))
        before = self._finished()
        self.windows.run(
            "wine", self.windows.path(self.program / "Magi.exe"), self.windows.path(picture)
        )
        wait_for(lambda: "i2v" in self._drafted(), "the window to take the picture", 120)
        self._picture("picture")
        self._write("the red circle moves to the left")
        self._press("ctrl+Return")
        wait_for(lambda: self._finished() > before, "a video from a picture", _VIDEO_S)
        self._picture("picture-video")

    def export(self) -> None:
        """A video of the library, as an animation, by Windows' own dialog."""
        self._press("ctrl+l")
        self.screen.click(self._window, *_FIRST_CARD, button=3)
        wait_for(lambda: len(self.screen.windows(NAME)) > 1, "the menu of a video", 120)
        self._picture("library")
        self._press(*["Down"] * 6, "Right", "Down", "Down", "Return")
        dialog = "Export as GIF"
        wait_for(lambda: self.screen.windows(dialog) != [], "where to export to is asked", 120)
        asked = self.screen.windows(dialog)[0]
        self.screen.press_until(asked, "Return", lambda: any(self.videos.glob("[!.]*.gif")))
        self._picture("exported")
        say("ok   exported as GIF")

    def killed(self) -> None:
        """The engine's process, then the window's: what was made is kept, and both come back."""
        before = self._finished()
        self._press("ctrl+Return")
        self._grows("another one begins")
        self._kill("magi_engine.runtime.process.launch")
        wait_for(lambda: self._unfinished() == [], "what there is of it to be kept", _VIDEO_S)
        self._picture("engine-killed")
        require(self._finished() == before + 1, "the engine was killed: the chunks are kept")
        self._press("ctrl+Return")
        self._grows("another engine takes its place")
        self._kill("magi_desktop")
        self.windows.shut_down()
        require(self._unfinished() != [], "the window was killed: a file is left half made")
        self.open()
        wait_for(lambda: self._unfinished() == [], "the next start to recover it", _VIDEO_S)
        require(self._finished() == before + 2, "it is in the folder of videos")
        self._picture("recovered")

    def open(self) -> None:
        """Start the program, which is set up."""
        self.windows.start("wine", self.windows.path(self.program / "Magi.exe"))
        wait_for(lambda: self.screen.windows(NAME) != [], "the program's window", 300)
        time.sleep(15)

    def by_command(self) -> None:
        """Paths that are long, odd, and on another drive; a video goes on from a video."""
        deep = self.windows.disk.joinpath("lang", *[f"{n}{_ODD}".ljust(60, "x") for n in range(5)])
        deep.mkdir(parents=True)
        other = self.windows.root / "home" / "drive-d"
        other.mkdir(exist_ok=True)
        (self.windows.disk.parent / "dosdevices" / "d:").symlink_to("/home/drive-d")
        for folder in (self.windows.disk / "lang", other):
            self.windows.own(folder)
        first = self.windows.path(deep / f"{_ODD}.mp4")
        require(len(first) > 260, f"a path of {len(first)} characters")
        self._magi("generate", "--prompt", f"a {_ODD}", "--seconds", "1", "-o", first)
        self._magi(
            *("generate", "--video", first, "--prompt", "it goes on", "--seconds", "1"),
            *("--prepend-source", "-o", f"D:\\{_ODD}.mp4"),
        )
        self._magi("generate", "--like", first, "-o", "D:\\again.gif")
        made = sorted(path.name for path in other.iterdir())
        require(made == sorted([f"{_ODD}.mp4", "again.gif"]), f"on another drive: {made}")

    def fp8(self) -> None:
        """The pocket model in 8 bits: killed while it is measured, gone on with, used, removed."""
        self._shorten_captions()
        command = ("models", "quantize", "pocket-fp8")
        models = self.data / "models"
        before = set(models.rglob("*.safetensors"))
        process = self.windows.start("wine", self._magi_com, *command)
        wait_for(lambda: any(models.rglob(".calibration*")), "a caption to be measured", _VIDEO_S)
        self._kill("quantize")
        process.wait(60)
        self._magi(*command, limit_s=2 * _VIDEO_S)
        left = [path.name for path in models.rglob(".*") if path.is_file()]
        require(left == [], f"nothing unfinished is left: {left}")
        self._magi(
            "generate",
            "--prompt",
            "x",
            "--model",
            "pocket-fp8",
            "--seconds",
            "1",
            "-o",
            r"C:\fp8.mp4",
        )
        self._magi("models", "remove", "pocket-fp8", "--yes")
        require(set(models.rglob("*.safetensors")) == before, "the model is removed")

    def _shorten_captions(self) -> None:
        """Of the sentences the copy is measured with, three are enough to go on after the first."""
        captions = next(self._environment.rglob("_resources/calibration/pocket.txt"))
        few = captions.read_text(encoding="utf-8").splitlines()[:3]
        captions.unlink()  # it has other names elsewhere
        captions.write_text("\n".join(few), encoding="utf-8")
        self.windows.own(captions)

    def _drafted(self) -> str:
        """The mode the window is in, as its settings file has it."""
        said = json.loads((self.data / "settings.json").read_text(encoding="utf-8"))
        return said.get("draft", {}).get("mode", "")

    @property
    def _magi_com(self) -> str:
        return self.windows.path(self.program / "magi.com")

    def _magi(self, *command: str, limit_s: float = _VIDEO_S) -> None:
        began = time.monotonic()
        done = self.windows.run("wine", self._magi_com, *command, limit_s=limit_s)
        what = f"magi {command[0]} {command[1]} ({time.monotonic() - began:.0f} s)"
        require(done.returncode == 0, what, done.stdout)

    def _python(self, code: str, *arguments: str) -> None:
        python = self.windows.path(self._environment / "python.exe")
        require(self.windows.run("wine", python, "-c", code, *arguments).returncode == 0, "Python")

    @property
    def _environment(self) -> Path:
        return next((self.data / "environments").glob("*-cpu-*"))

    def _write(self, text: str) -> None:
        self._press("ctrl+e", "ctrl+a")
        self.screen.type(self._window, text)

    def _press(self, *keys: str) -> None:
        self.screen.press(self._window, *keys)
        time.sleep(1)

    @property
    def _window(self) -> str:
        return max(self.screen.windows(NAME), key=self.screen.width)

    def _finished(self) -> int:
        return len(list(self.videos.glob("[!.]*.mp4")))

    def _unfinished(self) -> list[Path]:
        return list(self.videos.glob(".*part*"))

    def _grows(self, what: str) -> None:
        """Wait until a file is being written that holds a chunk."""
        wait_for(lambda: any(_size(path) > 4000 for path in self._unfinished()), what, _VIDEO_S)

    def _kill(self, word: str) -> None:
        """End at once what runs with a word on its command line."""
        found = subprocess.run(["pgrep", "-u", str(self.windows.user_id), "-f", word], text=True,
                               stdout=subprocess.PIPE).stdout.split()  # fmt: skip
        require(found != [], f"{word} runs")
        for pid in found:
            os.kill(int(pid), signal.SIGKILL)

    def _picture(self, name: str) -> None:
        self.screen.picture(self.pictures, f"windows-{name}")

    def by_window(self) -> tuple[Callable[[], None], ...]:
        """What is done in the window, in order."""
        return (self.by_keys, self.from_a_picture, self.export, self.killed)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
