"""The file of one job: opened early, so that trouble shows early, and kept whatever happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magi_engine.media.background import BackgroundWriter
from magi_engine.runtime.request.references import Reference, source_frames
from magi_engine.runtime.request.request import GenerationRequest


class VideoOutput:
    """Takes the frames of a job; without an output path it only counts them.

    Attributes:
        request: how the video is really made, which the finished file says.
        frames: generated frames taken so far; those of a source clip in front do not count.
    """

    def __init__(self, request: GenerationRequest) -> None:
        self.request = request
        self._writer: BackgroundWriter | None = None
        self._source: Reference | None = None
        self._source_frames = 0
        self.frames = 0

    @property
    def frames_kept(self) -> int:
        """Those of ``frames`` that are in the file for certain; all of them if there is none."""
        if self._writer is None:
            return self.frames
        return max(0, self._writer.frames_written - self._source_frames)

    def open(self, fps: int, reference: Reference | None) -> None:
        """Create the file.

        Raises:
            OutputError: the folder is missing or read-only, the name is taken.
            InvalidRequestError: the name asks for an unknown format.
        """
        request = self.request
        if request.output is None:
            return
        from magi_engine.media.output import open_writer

        self._writer = BackgroundWriter(
            open_writer(
                Path(request.output),
                request.width,
                request.height,
                fps,
                request.to_json(),
                request.writing,
            )
        )
        if request.prepend_source:
            self._source = reference

    def write(self, frames: NDArray[np.uint8]) -> None:
        """Append (T, H, W, 3) frames of the result; a file is written in the background.

        Raises:
            DiskFullError, OutputError: of what came before, which is kept as far as it went.
        """
        if self._writer is not None:
            # Not before the first chunk: a job that is stopped earlier has made no video.
            if self._source is not None:
                self._writer.write(self._counted(source_frames(self.request, self._source)))
                self._source = None
            self._writer.write([frames])
        self.frames += len(frames)

    def check(self) -> None:
        """Raise what went wrong in the background, as :meth:`write`."""
        if self._writer is not None:
            self._writer.check()

    def _counted(self, batches: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        for frames in batches:
            self._source_frames += len(frames)
            yield frames

    def made_with(self, **changes: Any) -> None:
        """Note fields of the request that are not as they were asked for."""
        self.request = dataclasses.replace(self.request, **changes)
        if self._writer is not None:
            self._writer.describe(self.request.to_json())

    def close(self) -> Path | None:
        """Finish the file; None if there is none or nothing came to be written."""
        return None if self._writer is None else self._writer.close()

    def keep(self) -> Path | None:
        """End the file with what is in it, without raising; may be called at any time."""
        path = None if self._writer is None else self._writer.keep()
        return path if path is not None and path.exists() else None
