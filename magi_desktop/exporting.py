"""Turning videos into other formats. All of this takes its time: it is for the background."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from magi_engine.atomic import put_in_place
from magi_engine.disk import write_error
from magi_engine.errors import MagiError, OutputError
from magi_engine.late import np
from magi_engine.media.images import read_image
from magi_engine.media.png_frames import FRAME_NAME
from magi_engine.media.stills import iter_stills
from magi_engine.media.targets import free_name

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


class ExportStopped(Exception):
    """The user does not want it any more."""


def export_all(jobs: Sequence[ExportJob], progress: Callable[[float], object]) -> list[Path]:
    """Export videos one after the other.

    What is being written stays out of sight until it is whole; an export that fails or is stopped
    leaves nothing behind, and files made before it are kept.

    Args:
        progress: told 0..1, over all videos, some times a second of video; may raise ExportStopped.

    Returns:
        The files that were made.

    Raises:
        MagiError: one failed.
        ExportStopped: ``progress`` said so.
    """
    made = []
    for index, job in enumerate(jobs):

        def report(done: float, index: int = index) -> None:
            progress((index + done) / len(jobs))

        report(0.0)
        made.append(_export(job, report))
    return made


def _export(job: ExportJob, report: Callable[[float], None]) -> Path:
    from magi_engine.media.export import export_video

    target = job.target
    sources = {job.source, *(path for path, _ in job.parts)}
    if (
        job.overwrite
        and target.exists()
        and any(s.exists() and target.samefile(s) for s in sources)
    ):
        raise OutputError("A video cannot replace itself.", "Choose another name.")
    try:
        workshop = Path(tempfile.mkdtemp(prefix=".export-", dir=target.parent))
    except FileNotFoundError as error:
        raise OutputError(
            "There is no folder {folder}.", "Choose another one.", folder=target.parent
        ) from error
    except OSError as error:
        raise write_error(error, target) from error
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
        raise write_error(error, target) from error
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
    from magi_engine.media.output import open_writer

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
