"""A video as a folder of numbered PNG files, lossless."""

from __future__ import annotations

import contextlib
import os
import shutil
from functools import partial
from pathlib import Path

from magi_engine.atomic import put_in_place, retry_while_in_use, sync_folder
from magi_engine.late import Image, PngImagePlugin
from magi_engine.media.fit import UInt8Array
from magi_engine.media.writer import FrameWriter

FRAME_NAME = "{:06d}.png"
METADATA_KEY = "Comment"


class PngFolderWriter(FrameWriter):
    """Writes `000000.png`, `000001.png`, ...; the first one carries the metadata as text."""

    def _start(self) -> None:
        self.part.mkdir()

    def _append(self, frames: UInt8Array) -> None:
        whole = self.frames_written
        try:
            for picture in frames:
                self._save(whole, picture)
                whole += 1
        except OSError:
            self.frames_written = whole  # a chunk is kept as far as it went
            raise
        sync_folder(self.part)

    def _save(self, index: int, picture: UInt8Array) -> None:
        info = None
        if index == 0 and self.video.metadata is not None:
            info = PngImagePlugin.PngInfo()
            info.add_itxt(METADATA_KEY, self.video.metadata)
        name = self.part / FRAME_NAME.format(index)
        # Under another name until it is whole, so that no frame is ever half a file.
        unfinished = name.with_suffix(".tmp")
        with unfinished.open("wb") as file:
            Image.fromarray(picture).save(file, "PNG", pnginfo=info)
            file.flush()
            os.fsync(file.fileno())
        retry_while_in_use(partial(os.replace, unfinished, name))

    def _finish(self) -> Path:
        return self._rescue()

    def _rescue(self) -> Path:
        tidy_folder(self.part)
        final = self._final_name()
        put_folder(self.part, final)
        return final

    def _release(self) -> None:
        """Nothing is held between chunks."""

    def _remove_part(self) -> None:
        shutil.rmtree(self.part, ignore_errors=True)


def put_folder(part: Path, final: Path) -> None:
    """Give a folder of frames its name. One that is there, and empty, stays the same folder: it may
    be where somebody works.

    Raises:
        OSError: it cannot be renamed or filled.
    """
    if not final.is_dir():
        put_in_place(part, final)
        return
    for frame in sorted(part.iterdir()):
        retry_while_in_use(partial(os.replace, frame, final / frame.name))
    sync_folder(final)
    part.rmdir()


def tidy_folder(folder: Path) -> int:
    """Remove a frame that was not written whole; returns the number of frames left."""
    for unfinished in folder.glob("*.tmp"):
        with contextlib.suppress(OSError):
            unfinished.unlink()
    return len(list(folder.glob("*.png")))
