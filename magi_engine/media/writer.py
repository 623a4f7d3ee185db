"""Writing a video chunk by chunk, so that nothing written is ever lost.

A writer works on a hidden part file next to its target and renames it at the end. Whatever ends
it (an exception, a full disk, a killed process), the part file holds every chunk written so far,
and its metadata from the first moment.
"""

from __future__ import annotations

import contextlib
import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

from magi_engine.atomic import sync_folder
from magi_engine.disk import write_error
from magi_engine.errors import InvalidRequestError, OutputError
from magi_engine.late import av
from magi_engine.media.fit import UInt8Array
from magi_engine.media.targets import check_target, free_name
from magi_engine.messages import Message, in_sequence

PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)

_QUALITIES = {".mp4": ("crf", 51), ".webm": ("vp9_crf", 63)}
"""Which option holds the quality of a format, of those that have one, and the coarsest."""


@dataclass(frozen=True)
class WriteOptions:
    """How a video is written.

    Attributes:
        crf: H.264 quality, 0 (lossless) to 51; 18 is visually transparent.
        preset: H.264 effort, one of `PRESETS`.
        vp9_crf: VP9 quality for WebM, 0 to 63.
        overwrite: replace an existing file, if the video comes to its end; folders are never
            replaced.

    Raises:
        InvalidRequestError: a value outside its range.
    """

    crf: int = 18
    preset: str = "medium"
    vp9_crf: int = 24
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name, most in _QUALITIES.values():
            value = getattr(self, name)
            if not 0 <= value <= most:
                raise InvalidRequestError(
                    "The option {name} cannot be {value}.",
                    "Use 0 to {most}.",
                    name=name,
                    value=value,
                    most=most,
                )
        if self.preset not in PRESETS:
            raise InvalidRequestError(
                "There is no encoder preset {preset}.",
                "Use one of {presets}.",
                preset=self.preset,
                presets=PRESETS,
            )

    def quality(self, suffix: str) -> int | None:
        """That of a format, 0 is best; None: it has none."""
        return getattr(self, _QUALITIES[suffix][0]) if suffix in _QUALITIES else None

    def with_quality(self, suffix: str, quality: int) -> WriteOptions:
        """The same with another quality of a format; those of the others stay.

        Raises:
            InvalidRequestError: it is outside the format's range.
        """
        if suffix not in _QUALITIES:
            return self
        return dataclasses.replace(self, **{_QUALITIES[suffix][0]: quality})


@dataclass(frozen=True)
class VideoFormat:
    """What every writer has to know of the video. `fps` is exact."""

    width: int
    height: int
    fps: Fraction
    metadata: str | None


class FrameWriter(ABC):
    """Takes chunks of frames and leaves a finished file; made by `open_writer`.

    As a context manager it finishes the file on a normal end and keeps what was written on an
    exception; either way `result` names the file afterwards.

    Attributes:
        target: the path asked for.
        part: where the growing video is until it is finished; it can be played.
        frames_written: frames that are safely in the file.
        result: the finished file, or None (still open, or nothing was written).
    """

    def __init__(self, target: Path, part: Path, video: VideoFormat, options: WriteOptions) -> None:
        self.target = target
        self.part = part
        self.video = video
        self.options = options
        self.frames_written = 0
        self.result: Path | None = None
        self._ended = self._replaces = False
        check_target(target, options.overwrite)
        try:
            self._start()
            sync_folder(part.parent)
        except OSError as error:
            self._remove_part()
            raise write_error(error, target) from error
        except BaseException:
            self._remove_part()
            raise

    def write(self, frames: UInt8Array) -> None:
        """Append a chunk, ``(T, height, width, 3)`` uint8 RGB, T >= 1.

        When it returns, another process can read the chunk from `part`.

        Raises:
            InvalidRequestError: the frames are not of this video's size and type.
            DiskFullError, OutputError: it could not be written; the writer has ended and the
                chunks before are in `result`, which the hint names.
        """
        if self._ended:
            raise OutputError(
                "{name} is finished already.", "Open a new file.", name=self.target.name
            )
        shape = (self.video.height, self.video.width, 3)
        if (
            frames.ndim != 4
            or frames.shape[1:] != shape
            or len(frames) == 0
            or frames.dtype != "u1"
        ):
            raise InvalidRequestError(
                "Frames of shape {shape} and type {dtype} do not fit this video.",
                "Give uint8 frames of shape (T, {height}, {width}, 3).",
                shape=frames.shape,
                dtype=frames.dtype,
                height=shape[0],
                width=shape[1],
            )
        try:
            self._append(frames)
        except (OSError, av.error.FFmpegError) as error:
            raise self._failed(error) from error
        self.frames_written += len(frames)

    def copy(self, source: Path, frames: int) -> int:
        """Begin with the first frames of another video of this size, without encoding them again.

        Args:
            frames: up to the beginning of a chunk, or the end.

        Returns:
            How many were appended: 0 where the packets of that video do not fit into this one.

        Raises:
            DiskFullError, OutputError: as :meth:`write`.
        """
        del source, frames
        return 0

    def describe(self, metadata: str) -> None:
        """Replace the metadata that the finished file will carry.

        The growing file keeps what it began with, and so does a folder of PNG frames.
        """
        self.video = dataclasses.replace(self.video, metadata=metadata)

    def close(self, *, whole: bool = True) -> Path:
        """Finish the file and give it its name; returns `result`.

        Args:
            whole: whether that is all of the video; else it replaces nothing.

        Raises:
            OutputError: nothing was written, or the file could not be finished; what was written
                is kept and named in the hint.
        """
        if self.result is not None:
            return self.result
        self._replaces = whole and self.options.overwrite
        if self._ended or self.frames_written == 0:
            self._salvage()
            raise OutputError(
                "No frame was written to {name}.",
                "Let it run until its first second is ready.",
                name=self.target.name,
            )
        try:
            self.result = self._finish()
        except (OSError, av.error.FFmpegError) as error:
            raise self._failed(error) from error
        except BaseException:
            self._salvage()
            raise
        self._ended = True
        return self.result

    def keep(self) -> Path | None:
        """End now and keep what was written; for use while an exception is under way.

        Returns:
            The file with the video so far, or None when no chunk was complete.
        """
        if not self._ended and self.frames_written:
            with contextlib.suppress(OutputError):
                return self.close(whole=False)
        self._salvage()
        return self.result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.keep()

    def _failed(self, error: OSError | av.error.FFmpegError) -> OutputError:
        """End the writer, keep the chunks before, and say so."""
        if isinstance(error, OSError):
            failure = write_error(error, self.target)
        else:
            failure = OutputError(
                "{name} could not be encoded.", "Try another format.", name=self.target.name
            )
        self._salvage()
        if self.result is None:
            return failure
        seconds = float(self.frames_written / self.video.fps)
        kept = Message(
            "The first {seconds:.1f} s are kept in {name}.", seconds=seconds, name=self.result.name
        )
        return type(failure)(failure.message, in_sequence(kept, failure.hint))

    def _salvage(self) -> None:
        """End without finishing: name what is complete, remove the part if nothing is."""
        if self._ended:
            return
        self._ended, self._replaces = True, False  # what it would replace may be in use
        self._release()
        if self.frames_written == 0:
            self._remove_part()
            return
        try:
            self.result = self._rescue()
        except OSError:
            self.result = self.part

    def _final_name(self, suffix: str | None = None) -> Path:
        """The target (or its sibling of another suffix), or a free name if that was taken."""
        same = suffix is None or self.target.suffix.lower() == suffix
        target = self.target if same else self.target.with_suffix(suffix or "")
        if self._replaces and target == self.target and not target.is_dir():
            return target
        return free_name(target)

    @abstractmethod
    def _start(self) -> None:
        """Create the part file, metadata included. Raises OSError."""

    @abstractmethod
    def _append(self, frames: UInt8Array) -> None:
        """Encode and append one chunk. Raises OSError or FFmpegError."""

    @abstractmethod
    def _finish(self) -> Path:
        """Turn the part file into the finished file. Raises OSError or FFmpegError."""

    @abstractmethod
    def _rescue(self) -> Path:
        """Name the chunks of the part file without needing space. Raises OSError."""

    @abstractmethod
    def _release(self) -> None:
        """Let go of encoders and file handles; may be called twice. Never raises."""

    @abstractmethod
    def _remove_part(self) -> None:
        """Delete the part file if it is there. Never raises."""


def check_video(width: int, height: int) -> None:
    """Refuse what no video file can be; all but PNG frames are stored with halved colour.

    Raises:
        InvalidRequestError: a side is odd or not positive.
    """
    if width < 2 or height < 2 or width % 2 or height % 2:
        raise InvalidRequestError(
            "A video cannot be {width}x{height}: its sides must be positive and even.",
            "Choose another size, or write a folder of PNG frames.",
            width=width,
            height=height,
        )
