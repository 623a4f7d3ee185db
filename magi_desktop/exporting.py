"""Turning videos into other formats without holding the window up."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from magi_desktop import background
from magi_engine.atomic import put_in_place
from magi_engine.errors import MagiError, OutputError
from magi_engine.late import np
from magi_engine.media import export_video, free_name, iter_stills, open_writer, read_image
from magi_engine.media.png_frames import FRAME_NAME
from magi_engine.media.targets import output_error

FORMATS = {".mp4": "MP4", ".webm": "WebM", ".gif": "GIF", ".webp": "WebP", "": "PNG"}
"""Suffix of the target, and what people call the format; none is a folder of PNG frames."""


@dataclass(frozen=True)
class ExportJob:
    """One video and the file (or, without a suffix, the folder of PNG frames) to make of it."""

    source: Path
    target: Path
    overwrite: bool = False
    """Whether the user agreed to replace ``target``; else a free name like it is taken."""
    parts: Sequence[tuple[Path, range]] = ()
    """Files and their frames, one after the other; none: all of ``source``."""
    metadata: str | None = None
    """What the new file says of itself; None: what ``source`` says."""


class Export(QObject):
    """Exports videos one after the other.

    What is being written stays out of sight until it is whole; an export that fails or is
    cancelled leaves nothing behind.

    Signals:
        progressed: 0..1, over all videos.
        finished: list of the files that were made.
        failed: the MagiError that ended it; files made before it are kept.
        cancelled: it was stopped; files made before are kept.
    """

    progressed = Signal(float)
    finished = Signal(list)
    failed = Signal(object)
    cancelled = Signal()

    def __init__(self, jobs: Sequence[ExportJob], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.jobs = tuple(jobs)
        self._stop = threading.Event()

    def start(self) -> None:
        background.run(self._run, then=self._end, failed=self.failed.emit, owner=self)

    def cancel(self) -> None:
        """Stop within a second of video."""
        self._stop.set()

    def _run(self) -> list[Path] | None:
        """The files that were made; None if it was stopped. In a thread of its own."""
        made = []
        for index, job in enumerate(self.jobs):

            def report(done: float, index: int = index) -> None:
                if self._stop.is_set():
                    raise _StoppedError
                self.progressed.emit((index + done) / len(self.jobs))

            try:
                report(0.0)
                made.append(_export(job, report))
            except _StoppedError:
                return None
        return made

    def _end(self, made: list[Path] | None) -> None:
        if made is None:
            self.cancelled.emit()
        else:
            self.finished.emit(made)


class _StoppedError(Exception):
    pass


def _export(job: ExportJob, report) -> Path:
    target = job.target
    if job.overwrite and target.exists() and target.samefile(job.source):
        raise OutputError("A video cannot replace itself.", "Choose another name.")
    try:
        workshop = Path(tempfile.mkdtemp(prefix=".export-", dir=target.parent))
    except FileNotFoundError as error:
        raise OutputError(
            "There is no folder {folder}.", "Choose another one.", folder=target.parent
        ) from error
    except OSError as error:
        raise output_error(error, target) from error
    try:
        made = export_video(
            *(job.source, workshop / target.name),
            on_progress=report,
            parts=job.parts,
            metadata=job.metadata,
        )
        final = target if job.overwrite and not target.is_dir() else free_name(target)
        if final.is_dir():
            final.rmdir()  # an empty folder of that name; Windows would not replace it
        put_in_place(made, final)
    except MagiError as error:
        # Nothing of it is kept, whatever the writer's hint says about the part it kept.
        raise _without_remains(error, workshop) from error
    except OSError as error:
        raise output_error(error, target) from error
    finally:
        with contextlib.suppress(OSError):
            shutil.rmtree(workshop)
    return final


def gif_bytes(source: Path, fps: float, num_frames: int, width: int, height: int) -> int:
    """About how large a GIF of a video is: as many times a second from its middle as it has
    seconds. Takes a moment: makes that second.

    Raises:
        MediaReadError: it cannot be read.
    """
    width, height = width - width % 2, height - height % 2
    count = min(num_frames, round(fps))
    numbers = range((num_frames - count) // 2, (num_frames + count) // 2)
    if source.is_dir():
        pictures = [read_image(source / FRAME_NAME.format(n), width, height) for n in numbers]
    else:
        pictures = list(iter_stills(source, [(n + 0.5) / fps for n in numbers], width, height))
    with tempfile.TemporaryDirectory() as folder:
        with open_writer(Path(folder) / "second.gif", width, height, fps) as writer:
            writer.write(np.stack(pictures))
        return round(writer.close().stat().st_size * num_frames / len(pictures))


def _without_remains(error: MagiError, workshop: Path) -> MagiError:
    """The error with a hint that does not name a file about to be deleted."""
    if isinstance(error, OutputError) and any(workshop.iterdir()):
        return type(error)(
            error.message,
            "Free some space, or choose another folder or format.",
        )
    return error
