"""Opening media files so that whatever is wrong with them becomes one clear sentence."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

from magi_engine.errors import (
    MagiError,
    MediaReadError,
    folder_error,
    is_path_too_long,
    path_too_long,
    pipe_error,
    too_long_error,
)
from magi_engine.late import av
from magi_engine.messages import Message

MAX_FRAME_PIXELS = 36_000_000
"""Of a frame of a video or an animation: 8192x4320. A few bytes can declare any size."""

_TEXT_FORMATS = frozenset({"adf", "bin", "idf", "tty", "xbin"})
"""Of FFmpeg's demuxers, those that draw what a terminal of old would show of any text."""

_LIST_FORMATS = frozenset({"concat", "dash", "hls", "imf"})
"""Those of files that only name others: who sends one would be shown what lies beside it."""

_ANOTHER = Message("Choose another file.")


@contextlib.contextmanager
def media_errors(path: Path) -> Iterator[None]:
    """What a decoder raises for a damaged file, as one error of ours.

    Decoders of damaged files raise almost anything, and warn of what they get past.

    Raises:
        MediaReadError: whatever was raised that is no error of ours already.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MagiError:
        raise
    except Exception as error:
        raise MediaReadError(
            "{name} is not an image or a video that can be read.",
            "It may be damaged or in an unknown format: choose another file.",
            name=path.name,
        ) from error


def check_frame_size(path: Path, width: int, height: int) -> None:
    """Raises: MediaReadError: a frame of this size would fill the memory."""
    if width * height > MAX_FRAME_PIXELS:
        raise MediaReadError(
            "The frames of {name} are {width}x{height} pixels.",
            "At most {most} million can be read: scale it down first.",
            name=path.name,
            width=width,
            height=height,
            most=MAX_FRAME_PIXELS // 1_000_000,
        )


def check_file(path: Path) -> None:
    """Refuse a path that is not a readable file with something in it.

    Raises:
        MediaReadError: nothing there, no regular file, an empty one, or no permission to read.
    """
    try:
        if path.is_dir():
            raise folder_error(MediaReadError, path.name or path)
        if not path.exists():
            if is_path_too_long(path):
                raise path_too_long(path)
            raise MediaReadError(
                "There is no file {path}.", "Check the name and the folder.", path=path
            )
        if not path.is_file():
            raise pipe_error(MediaReadError, path.name)
        with path.open("rb") as file:
            if not file.read(1):
                raise MediaReadError("{name} is empty.", _ANOTHER, name=path.name)
    except OSError as error:
        if (told := too_long_error(error, path)) is not None:
            raise told from error
        raise MediaReadError(
            "{name} cannot be read.", "Check that you have permission to open it.", name=path.name
        ) from error


def open_container(path: Path) -> av.container.InputContainer:
    """Open a file with FFmpeg's demuxers.

    Raises:
        MediaReadError: see :func:`check_file`, the file is in no format FFmpeg knows, or it is a
            list of other files.
    """
    check_file(path)
    with media_errors(path):
        # The protocol is named so that a file called "concat:..." stays a file.
        container = av.open(f"file:{path}", "r", metadata_errors="replace")
        if container.format.name in _TEXT_FORMATS:
            container.close()
            raise ValueError(container.format.name)
        if container.format.name in _LIST_FORMATS:
            container.close()
            raise MediaReadError(
                "{name} only says where a video is.", "Choose the video itself.", name=path.name
            )
        return container


def video_stream(container: av.container.InputContainer, path: Path) -> av.video.stream.VideoStream:
    """The first real video track: the cover picture of a music file does not count.

    Raises:
        MediaReadError: there is none.
    """
    with media_errors(path):  # a stream in no known format has neither size nor decoder
        for stream in container.streams.video:
            if not stream.disposition & av.stream.Disposition.attached_pic:
                check_frame_size(path, stream.width, stream.height)
                stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
                return stream
    raise MediaReadError("{name} holds no video track.", _ANOTHER, name=path.name)


def comment_of(container: av.container.InputContainer) -> str | None:
    """The comment in the header of a file; Matroska shouts its keys, MP4 does not."""
    tags = {key.lower(): value for key, value in container.metadata.items()}
    return tags.get("comment")


def is_still_format(container: av.container.InputContainer) -> bool:
    """Whether FFmpeg opened the file as a single image rather than as a video."""
    name = container.format.name
    return name == "image2" or name.endswith("_pipe")
