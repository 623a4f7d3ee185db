"""Pictures of the window in every state, made with the real engine and the pocket model.

    xvfb-run -a -s "-screen 0 1280x800x24" .venv/bin/python packaging/screenshots.py FOLDER --dark
    .venv/bin/python packaging/screenshots.py FOLDER --size 1920x1080 --scale 2 --language zh_CN

The program runs as it is, in a temporary home of its own; the files it is given are drawn first.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from magi_desktop import translation
from magi_desktop.main_window import MainWindow
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.jobs import Phase
from magi_desktop.theme.style import Appearance, theme
from magi_desktop.window_dialogs import earlier_of
from magi_desktop.workshop import Workshop
from magi_engine.media.output import open_writer
from magi_engine.runtime.job.events import ChunkState
from magi_engine.runtime.request.request import Mode

PROMPTS = (
    "A yellow star bounces off the walls on a dark blue background.",
    "A green star bounces off the walls on a dark blue background.",
    "An orange triangle spins slowly in place on a white background.",
    "A pink heart moves to the left and a cyan triangle moves to the right on a black background.",
    "A pink heart grows larger on a dark green background.",
)
_SETTLE_MS = 700
_PATIENCE_S = 180


class Session:
    """One run of the program, photographed."""

    def __init__(self, home: Path, folder: Path, wishes: argparse.Namespace) -> None:
        self.home, self.folder, self.wishes = home, folder, wishes
        places = Places(*(home / n for n in ("config", "data", "cache", "logs", "videos")))
        file = SettingsFile(places.settings_file)
        preferences = Preferences(file)
        preferences.set("welcomed", True)
        preferences.set("notify", False)  # which needs a desktop
        self.shop = Workshop(places, file, preferences)
        self.window = MainWindow(self.shop)
        self.window.resize(*wishes.size)
        self.window.show()
        self.window.activateWindow()
        self.shop.start()

    # Doing things.

    def wait(self, ms: int = _SETTLE_MS) -> None:
        """Let the program run for a while."""
        loop = QEventLoop()
        QTimer.singleShot(ms, loop.quit)
        loop.exec()

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the program run until something is so.

        Raises:
            TimeoutError: it takes too long.
        """
        deadline = time.monotonic() + _PATIENCE_S
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("waited in vain")
            self.wait(20)

    def shot(self, name: str, widget: QWidget | None = None) -> None:
        """Save what a window looks like, once it has come to rest."""
        self.wait()
        path = self.folder / f"{name}.png"
        (widget or self.window).grab().save(str(path))
        print(path, flush=True)

    def compose(self, prompt: str, seconds: float, seed: int, mode: Mode = Mode.T2V) -> None:
        """Fill in the inputs."""
        draft = self.shop.draft
        draft.set_mode(mode)
        draft.set_prompt(prompt)
        draft.set(seconds=seconds, seed=seed, seed_locked=True)

    def make(self, prompt: str, seconds: float, seed: int) -> None:
        """Make a video to its end."""
        self.compose(prompt, seconds, seed)
        self.window.making.generate()
        self.until_idle()

    def until_idle(self) -> None:
        """Until nothing runs and nothing waits."""
        self.until(lambda: not self.shop.controller.busy)

    def until_chunk(self, count: int) -> None:
        """Until so many chunks are there, and the next one is half done."""
        job = self.shop.job

        def there() -> bool:
            if not job.phase.active:
                return True
            ready = sum(c.state is ChunkState.DONE for c in job.chunks)
            working = [c.step for c in job.chunks if c.state is ChunkState.DENOISING]
            return ready >= count and bool(working) and max(working) >= job.num_steps // 2

        self.until(there)

    def dialog(self, name: str, opened: Callable[[], object], settle_ms: int = 300) -> None:
        """Save a dialog, and close it."""
        opened()
        self.until(lambda: QApplication.activeModalWidget() is not None)
        self.wait(settle_ms)
        shown = QApplication.activeModalWidget()
        assert shown is not None
        self.shot(name, shown)
        shown.close()
        self.wait(100)

    def close(self) -> None:
        """End the program in order."""
        self.shop.controller.close()
        self.until_idle()
        self.window.close()
        self.shop.close()

    # The states.

    def tell(self) -> None:
        """All states, one after the other."""
        self.shot("empty")
        self.dialogs()
        self.references()
        self.generating()
        self.collections()

    def dialogs(self) -> None:
        """Everything that opens in front of the window, and the settings in full."""
        open_ = self.window.dialogs
        self.dialog("welcome", lambda: open_.welcome(greets=True), settle_ms=9000)
        self.dialog("models", open_.models, settle_ms=2000)
        self.dialog("preferences", open_.preferences)
        self.dialog("help", lambda: open_.shortcuts(self.window.menus))
        self.dialog("about", open_.about)
        self.window.generation.advanced.set_open(True)
        self.wait(200)
        self.window.inputs_scroll.ensureWidgetVisible(self.window.generation.advanced)
        self.shot("advanced")
        bar = self.window.inputs_scroll.verticalScrollBar()
        bar.setValue(bar.maximum())
        self.shot("advanced-end")
        self.window.generation.advanced.set_open(False)
        bar.setValue(0)

    def references(self) -> None:
        """The image and the video mode, empty and filled."""
        for mode, name in ((Mode.I2V, "image-empty"), (Mode.V2V, "video-empty")):
            self.shop.draft.set_mode(mode)
            self.shot(name)
        draft = self.shop.draft
        self.window.arrivals.open(draw_picture(self.home / "triangle.png"))
        self.until(lambda: draft.mode is Mode.I2V and draft.reference is not None)
        self.compose("The orange triangle moves to the right.", 3.0, 4, Mode.I2V)
        self.shot("image")
        self.window.making.generate()
        self.until_idle()
        self.window.player.commands.compare.setChecked(True)
        self.window.player.seek(50)
        self.shot("image-finished")
        self.window.player.commands.compare.setChecked(False)
        self.window.arrivals.open(draw_clip(self.home / "clip.mp4"))
        self.until(lambda: draft.mode is Mode.V2V and draft.reference is not None)
        self.compose("The blue square moves to the right.", 3.0, 5, Mode.V2V)
        self.shot("video")

    def generating(self) -> None:
        """A video on its way, held, and done."""
        self.shop.draft.set(num_steps=16)
        self.compose(PROMPTS[0], 8.0, self.wishes.seed)
        self.window.making.generate()
        self.until_chunk(0)
        self.shot("starting")
        self.until_chunk(3)
        self.window.player.seek(26)  # what is done plays while more is made
        self.shot("generating")
        self.shop.controller.pause()
        self.until(lambda: self.shop.job.phase is not Phase.RUNNING)
        self.shot("paused")
        self.shop.controller.resume()
        self.until_idle()
        self.shot("finished")
        self.shop.draft.reset("num_steps")

    def collections(self) -> None:
        """A queue with all kinds of items, a library, and a video that could not be made."""
        queue = self.shop.queue
        for number, prompt in enumerate(PROMPTS[1:]):
            self.make(prompt, 2.0, 20 + number)
        self.window.side.setCurrentWidget(self.window.library)
        self.shot("library")
        self.window.library.select(self.shop.library.items[1].id)
        self.window.library.video_actions.play.trigger()
        self.shot("library-playing")
        self.window.side.setCurrentWidget(self.window.queue)
        lost = draw_picture(self.home / "lost.png")
        self.window.arrivals.open(lost)
        self.until(lambda: self.shop.draft.mode is Mode.I2V)
        self.until(lambda: getattr(self.shop.draft.reference, "path", None) == lost)
        self.compose("A triangle that is gone.", 2.0, 1, Mode.I2V)
        lost.unlink()
        self.window.making.generate()
        self.until(lambda: self.shop.job.phase is Phase.FAILED or not self.shop.controller.busy)
        self.shot("error")
        for number, prompt in enumerate(PROMPTS[:4]):
            self.compose(prompt, 6.0, 30 + number)
            self.window.making.generate()
        self.until_chunk(2)
        ids = [item.id for item in queue.items]
        self.window.queue.select(ids[min(2, len(ids) - 1)])
        self.window.queue.list.setFocus()
        self.shot("queue")
        self.window.resize(1000, 700)
        self.shot("small")
        queue.remove(*(i.id for i in queue.items if i is not queue.running))

    def takes(self) -> None:
        """A video with takes: rows that fork, and the library's entry, open."""
        window, shop = self.window, self.shop
        shop.draft.set(num_steps=4)
        self.make(PROMPTS[0], 5.0, 3)
        self.until(lambda: len(shop.library.items) == 1)
        first = shop.library.items[0]
        for number, (chunk, text) in enumerate(((2, PROMPTS[1]), (3, PROMPTS[2]), (1, None))):
            path = shop.library.items[0].path if number == 1 else first.path
            video = earlier_of(path, shop.engine.engine.takes)
            shop.controller.generate(video.redone(chunk, text=text, seed=9))
            self.until_idle()
            self.until(lambda count=number + 2: len(shop.library.items) == count)
        window.player.open_file(first.path, 60)
        self.until(lambda: window.player.part_shown is not None)
        window.player.pause()
        window.takes.setFocus()
        window.side.setCurrentWidget(window.library)
        self.shot("takes")
        window.library.toggle_takes(first)
        self.shot("takes-open")
        commands = window.player.commands
        commands.compare.setChecked(True)
        window.player.seek(100)
        self.shot("takes-compare")
        window.takes.lead(window.takes.rows[1], 3)
        commands.wipe.setChecked(True)
        commands.wipe_right.trigger()
        self.shot("takes-wipe")

    def guide(self) -> None:
        """The pictures of the guide in the Help menu, for ``resources/guide/<language>``."""
        left, centre, right = (self.window.splitter.widget(n) for n in range(3))
        for number, prompt in enumerate(PROMPTS[1:]):
            self.shop.draft.set(num_steps=8)
            self.make(prompt, 2.0, 20 + number)
        self.compose(PROMPTS[0], 4.0, self.wishes.seed)
        self.shop.draft.reset("num_steps")
        self.shot("inputs", left)
        self.window.making.generate()
        self.until(lambda: self.shop.job.phase.active)
        self.until_chunk(2)
        self.shot("growing", centre)
        self.until_idle()
        self.until(lambda: self.window.video_bar.item is not None)
        self.shot("finished", centre)
        self.window.side.setCurrentWidget(self.window.library)
        shown = self.shop.library.items
        self.shop.library.set_favourite([shown[2].id], True)
        self.window.library.select(shown[0].id, shown[1].id)
        self.shot("library", right)


def draw_picture(path: Path) -> Path:
    """An orange triangle on a dark green ground, as a PNG file."""
    picture = Image.new("RGB", (720, 480), (20, 58, 42))
    corners = ((300, 130), (415, 330), (185, 330))
    ImageDraw.Draw(picture).polygon(corners, fill=(250, 132, 20))
    picture.save(path)
    return path


def draw_clip(path: Path) -> Path:
    """Four seconds of a blue square that moves to the right, as an MP4 file."""
    y, x = np.mgrid[:256, :448]
    with open_writer(path, 448, 256, 24) as writer:
        for n in range(96):
            frame = np.full((1, 256, 448, 3), (244, 240, 230), np.uint8)
            frame[0, (abs(x - 70 - 3 * n) < 44) & (abs(y - 128) < 44)] = (44, 84, 214)
            writer.write(frame)
    return path


def main(arguments: list[str]) -> int:
    """Make the pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description="Pictures of the window in every state.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--language", default="en", choices=list(translation.LANGUAGES))
    parser.add_argument("--size", type=_size, default=(1280, 800), help="in logical pixels")
    parser.add_argument("--scale", default="1", help="pixels of the screen per logical pixel")
    parser.add_argument("--seed", type=int, default=7, help="of the video that is watched")
    parser.add_argument(
        "--only",
        nargs="*",
        choices=["dialogs", "references", "generating", "collections", "takes", "guide"],
    )
    wishes = parser.parse_args(arguments)
    wishes.folder.mkdir(parents=True, exist_ok=True)
    os.environ["QT_SCALE_FACTOR"] = wishes.scale
    app = QApplication(["magi-desktop"])
    app.setStyle("Fusion")
    translation.install(wishes.language)
    theme().apply(Appearance.DARK if wishes.dark else Appearance.LIGHT)
    with tempfile.TemporaryDirectory() as home:
        session = Session(Path(home), wishes.folder, wishes)
        try:
            for part in wishes.only or ["tell"]:
                getattr(session, part)()
        finally:
            session.close()
    return 0


def _size(text: str) -> tuple[int, int]:
    width, height = text.split("x")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
