"""Opening a writer by the target's name, and finishing what a killed process left behind."""

from __future__ import annotations

import contextlib
import os
from fractions import Fraction
from pathlib import Path

from magi_engine.atomic import put_in_place
from magi_engine.disk import write_error
from magi_engine.errors import MediaReadError
from magi_engine.late import av
from magi_engine.media.animations import GifWriter, WebpWriter
from magi_engine.media.clips import as_rate
from magi_engine.media.frames import decode_frames
from magi_engine.media.growing import GROWING, Mp4Writer, WebmWriter, is_header, make_ordinary
from magi_engine.media.png_frames import PngFolderWriter, put_folder, tidy_folder
from magi_engine.media.targets import free_name, output_suffix, part_path, target_of
from magi_engine.media.writer import FrameWriter, VideoFormat, WriteOptions, check_video

# The growing file of each format: GIF and WebP are made from an MP4 at the end.
_WRITERS: dict[str, tuple[type[FrameWriter], str]] = {
    ".mp4": (Mp4Writer, ".mp4"),
    ".webm": (WebmWriter, ".webm"),
    ".gif": (GifWriter, ".mp4"),
    ".webp": (WebpWriter, ".mp4"),
    "": (PngFolderWriter, ""),
}


def open_writer(
    path: str | Path,
    width: int,
    height: int,
    fps: float | Fraction,
    metadata: str | None = None,
    options: WriteOptions | None = None,
) -> FrameWriter:
    """Start a video; its suffix says the format: .mp4, .webm, .gif, .webp, none = PNG folder.

    Args:
        metadata: JSON text put into the file from the start; `read_metadata` reads it back.

    Raises:
        InvalidRequestError: unknown suffix, a size or rate that cannot be.
        OutputError: the target exists (see `WriteOptions.overwrite` and `free_name`), or its
            folder is missing or may not be written to.
        DiskFullError: there is no room for even the header.
    """
    target = Path(os.path.abspath(path))
    suffix = output_suffix(target)
    kind, part_suffix = _WRITERS[suffix]
    if suffix:
        check_video(width, height)
    video = VideoFormat(width, height, as_rate(fps), metadata)
    return kind(target, part_path(target, part_suffix), video, options or WriteOptions())


def recover_partial(part: str | Path) -> Path | None:
    """Finish an output whose process was killed and give it its name, or a free one like it.

    A GIF or WebP comes back as the MP4 it would have been made from. None: its process was killed
    before the first chunk; nothing was in it, and it is removed.

    Raises:
        OutputError: not an unfinished output, or it cannot be renamed.
        MediaReadError: it holds no complete frame; it is left as it is.
    """
    part = Path(part)
    target = target_of(part)
    try:
        if part.is_dir():
            if tidy_folder(part) == 0:
                if not any(part.iterdir()):
                    part.rmdir()
                    return None
                raise _no_frame(part)
        else:
            if is_header(part):
                part.unlink()
                return None
            part.open("rb").close()  # what may not be read may well hold frames
            try:
                next(decode_frames(part))
            except MediaReadError as error:
                raise _no_frame(part) from error
            target = target.with_suffix(part.suffix)
        if part.suffix in GROWING:
            with contextlib.suppress(OSError, av.error.FFmpegError):
                make_ordinary(part)
        final = free_name(target)
        if part.is_dir():
            put_folder(part, final)
        else:
            if final.is_dir():
                final.rmdir()
            put_in_place(part, final)
    except OSError as error:
        raise write_error(error, target) from error
    return final


def _no_frame(part: Path) -> MediaReadError:
    return MediaReadError("{name} holds no complete frame.", "Delete it.", name=part.name)
