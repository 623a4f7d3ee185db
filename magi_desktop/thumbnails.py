"""Small pictures of videos, made in the background: one for the card, a few that move."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from magi_desktop import background
from magi_engine.atomic import replacing
from magi_engine.errors import MagiError
from magi_engine.late import Image, np
from magi_engine.media.fit import UInt8Array
from magi_engine.media.images import read_image
from magi_engine.media.info import MediaKind, probe
from magi_engine.media.png_frames import FRAME_NAME
from magi_engine.media.stills import iter_stills

logger = logging.getLogger(__name__)

WIDTH, HEIGHT = 320, 180
"""The box a thumbnail fits into, in pixels."""
FRAMES = 24
"""Pictures of an animation, spread evenly over the video."""

_KEPT_THUMBNAILS = 240  # some 40 MB
_KEPT_ANIMATIONS = 6  # some 25 MB
_KEPT_FILES = 8000
_FIRST_FRAME = FRAME_NAME.format(0)


class Thumbnails(QObject):
    """Makes pictures one after the other, in one thread, and forgets the oldest.

    Args:
        folder: where thumbnails are kept between starts; may be deleted at any time.

    Signals:
        ready: path of a video whose thumbnail is here now.
        animation_ready: path of a video whose moving pictures are here now.
        failed: path of a video of which no picture can be made.
    """

    ready = Signal(object)
    animation_ready = Signal(object)
    failed = Signal(object)

    def __init__(self, folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._folder = folder
        self._pictures: OrderedDict[Path, QImage] = OrderedDict()
        self._animations: OrderedDict[Path, list[QImage]] = OrderedDict()
        self._hopeless: set[Path] = set()
        self._wanted: list[Path] = []
        self._animated: Path | None = None
        self._stop = threading.Event()
        self._busy = False
        self._forgotten: set[Path] = set()
        """Files that became others while a picture was being made."""
        self._pool = background.Pool(self)
        self._pool.run(_tidy, folder, _KEPT_FILES)

    def picture(self, path: Path) -> QImage | None:
        """The thumbnail, if it is here already."""
        return _recent(self._pictures, path)

    def animation(self, path: Path) -> list[QImage] | None:
        """The moving pictures, if they are here already."""
        return _recent(self._animations, path)

    def want(self, paths: Sequence[Path]) -> None:
        """Make the thumbnails of what is on the screen, in this order, and of nothing else."""
        self._wanted = [p for p in paths if p not in self._pictures and p not in self._hopeless]
        self._go_on()

    def want_animation(self, path: Path | None) -> None:
        """Make the moving pictures of one video before all else; None: of no more."""
        if path != self._animated:
            self._stop.set()
            self._animated = path
            self._go_on()

    def forget(self, path: Path) -> None:
        """The file is another one now, or is back: look at it afresh."""
        self._pictures.pop(path, None)
        self._animations.pop(path, None)
        self._hopeless.discard(path)
        self._forgotten.add(path)

    def close(self) -> None:
        """Make nothing more; waits for the picture under way."""
        self._wanted, self._animated = [], None
        self._forgotten.clear()
        self._stop.set()
        for task in background.under_way(self):
            task.cancel()
        self._pool.waitForDone(2000)

    def _go_on(self) -> None:
        if self._busy:
            return
        self._forgotten.clear()
        animated = self._animated
        if (
            animated is not None
            and animated not in self._animations
            and animated not in self._hopeless
        ):
            self._busy, self._stop = True, threading.Event()
            self._pool.run(
                _make_animation,
                animated,
                self._stop,
                then=lambda frames: self._keep_animation(animated, frames),
                failed=lambda error: self._give_up(animated, error),
            )
        elif self._wanted:
            path = self._wanted.pop(0)
            self._busy = True
            self._pool.run(
                _thumbnail,
                path,
                self._folder,
                then=lambda picture: self._keep(path, picture),
                failed=lambda error: self._give_up(path, error),
            )

    def _keep(self, path: Path, picture: QImage) -> None:
        self._busy = False
        if path in self._forgotten:
            self._wanted.insert(0, path)
        else:
            _remember(self._pictures, path, picture, _KEPT_THUMBNAILS)
            self.ready.emit(path)
        self._go_on()

    def _keep_animation(self, path: Path, frames: list[QImage] | None) -> None:
        self._busy = False
        if frames is not None and path not in self._forgotten:
            _remember(self._animations, path, frames, _KEPT_ANIMATIONS)
            self.animation_ready.emit(path)
        self._go_on()

    def _give_up(self, path: Path, error: Exception) -> None:
        logger.info("no picture of %s: %s", path, error)
        self._busy = False
        if path in self._forgotten:
            self._wanted.insert(0, path)
        else:
            self._hopeless.add(path)
            self.failed.emit(path)
        self._go_on()


def first_picture(path: Path, width: int, height: int) -> UInt8Array:
    """The first frame of a video or of a folder of PNG frames, ``(height, width, 3)``.

    Raises:
        MediaReadError: there is none.
    """
    if path.is_dir():
        return read_image(path / _FIRST_FRAME, width, height)
    return next(iter_stills(path, [0], width, height))


def to_image(picture: UInt8Array) -> QImage:
    """A picture of its own from ``(height, width, 3)`` uint8."""
    height, width = picture.shape[:2]
    flat = np.ascontiguousarray(picture)
    return QImage(flat.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


# In the worker thread.


def _thumbnail(path: Path, folder: Path) -> QImage:
    stat = path.stat()
    key = f"{path}|{stat.st_mtime_ns}|{stat.st_size}"
    kept = folder / f"{hashlib.sha256(key.encode('utf-8', 'replace')).hexdigest()[:32]}.jpg"
    image = QImage(str(kept)) if kept.is_file() else QImage()
    if not image.isNull():
        return image.convertToFormat(QImage.Format.Format_RGB888)
    picture = first_picture(path, *_size(path))
    try:
        _save(picture, kept)
    except OSError as error:  # a full disk: it is made anew the next time
        logger.info("a thumbnail cannot be kept: %s", error)
    return to_image(picture)


def _make_animation(path: Path, stop: threading.Event) -> list[QImage] | None:
    """Pictures spread over the video; None if nobody wants them any more."""
    width, height = _size(path)
    if path.is_dir():
        names = sorted(path.glob("*.png"))
        chosen = [names[n * len(names) // FRAMES] for n in range(min(FRAMES, len(names)))]
        pictures = (read_image(name, width, height) for name in chosen)
    else:
        duration = probe(path).duration_s or 1.0
        pictures = iter_stills(path, [n * duration / FRAMES for n in range(FRAMES)], width, height)
    frames = []
    for picture in pictures:
        if stop.is_set():
            return None
        frames.append(to_image(picture))
    return frames


def _size(path: Path) -> tuple[int, int]:
    """The video's shape in the box."""
    info = probe(path / _FIRST_FRAME if path.is_dir() else path)
    if info.kind is MediaKind.IMAGE and not path.is_dir():
        raise MagiError("{name} is not a video.", name=path.name)
    scale = min(WIDTH / info.width, HEIGHT / info.height)
    return max(1, round(info.width * scale)), max(1, round(info.height * scale))


def _save(picture: UInt8Array, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as unfinished:
        Image.fromarray(picture).save(unfinished, "JPEG", quality=88)


def _tidy(folder: Path, most: int) -> None:
    """Delete the oldest thumbnails when there are too many."""
    with contextlib.suppress(OSError):
        files = sorted(folder.glob("*.jpg"), key=lambda f: f.stat().st_mtime, reverse=True)
        for file in files[most:]:
            file.unlink(missing_ok=True)


def _recent(cache: OrderedDict, path: Path):
    if path in cache:
        cache.move_to_end(path)
    return cache.get(path)


def _remember(cache: OrderedDict, path: Path, value: object, most: int) -> None:
    cache[path] = value
    cache.move_to_end(path)
    while len(cache) > most:
        cache.popitem(last=False)
