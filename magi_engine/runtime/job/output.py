"""The file of one job: opened early, so that trouble shows early, and kept whatever happens.

It is written in a thread of its own, so that whoever makes frames does not wait for the encoder.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magi_engine.errors import MagiError
from magi_engine.media.clips import ClipPlan, iter_source_frames
from magi_engine.media.writer import FrameWriter
from magi_engine.runtime.job.latents import KeptLatents
from magi_engine.runtime.request.references import Reference
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.takes.store import Take


class VideoOutput:
    """Takes the frames of a job; without an output path it only counts them.

    Never more than one call's frames are on their way: should the program be killed, only those
    that came last can be missing from the file. What goes wrong with them is raised by the next
    call.

    Attributes:
        request: how the video is really made, which the finished file says.
        frames: generated frames taken so far; those of a source clip in front do not count.
    """

    def __init__(self, request: GenerationRequest, latents: KeptLatents) -> None:
        self.request = request
        self._latents = latents
        self._writer: FrameWriter | None = None
        self._thread = ThreadPoolExecutor(1, "video-writer")
        self._latest: Future[None] | None = None
        """What the thread writes; after a failure there is no other."""
        self._source: ClipPlan | None = None
        """What is put in front of the first chunk."""
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
        if reference is not None and reference.clip is not None and self.request.prepend_source:
            self.put_in_front(reference.clip)
        request = self.request
        if request.output is None:
            return
        from magi_engine.media.output import open_writer

        self._writer = open_writer(
            Path(request.output),
            request.width,
            request.height,
            fps,
            request.to_json(),
            request.writing,
        )

    def put_in_front(self, clip: ClipPlan) -> None:
        """Have the source video come first, from its beginning to where the result goes on."""
        self.made_with(source_frames=clip.source_frames)
        self._source = clip

    def share(self, earlier: Take, video: Path, chunks: int) -> int:
        """Begin with chunks of an earlier video, whose packets are copied.

        Args:
            video: the file of that one.
            chunks: how many are wanted.

        Returns:
            How many were copied: the last one not if it is cut off there, none if the packets do
            not fit into this file.

        Raises:
            DiskFullError, OutputError: as :meth:`write`.
        """
        about = earlier.about
        if about.frames_before(chunks) > earlier.frames:
            chunks -= 1
        frames = about.frames_before(chunks)
        if self._writer is None or chunks == 0:
            return 0
        if not self._writer.copy(video, about.source_frames + frames):
            return 0
        self._source, self._source_frames, self.frames = None, about.source_frames, frames
        if about.source_frames:
            self.made_with(source_frames=about.source_frames)
        return chunks

    def write(self, frames: NDArray[np.uint8], latents: NDArray[np.float32] | None = None) -> None:
        """Append (T, H, W, 3) frames of the result; a file is written in the background.

        Args:
            latents: to keep of them, once they are in the file.

        Raises:
            DiskFullError, OutputError: of what came before, which is kept as far as it went.
        """
        if self._writer is not None:
            batches = self._with(frames, latents)
            # Not before the first chunk: a job that is stopped earlier has made no video.
            if self._source is not None:
                request = self.request
                shape = request.width, request.height, request.fit, request.crop
                source = iter_source_frames(self._source, *shape)
                batches = chain(self._counted(source), batches)
                self._source = None
            self._wait()
            self._latest = self._thread.submit(self._write, self._writer, batches)
        self.frames += len(frames)

    def _write(self, writer: FrameWriter, batches: Iterator[NDArray[np.uint8]]) -> None:
        for frames in batches:
            writer.write(frames)

    def _with(
        self, frames: NDArray[np.uint8], latents: NDArray[np.float32] | None
    ) -> Iterator[NDArray[np.uint8]]:
        yield frames
        if latents is not None:
            self._latents.append(latents, self.request, self._source_frames)

    def check(self) -> None:
        """Raise what went wrong in the background, as :meth:`write`."""
        if self._latest is not None and self._latest.done():
            self._latest.result()

    def _wait(self) -> None:
        if self._latest is not None:
            self._latest.result()

    def _counted(self, batches: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        for frames in batches:
            self._source_frames += len(frames)
            yield frames

    def made_with(self, **changes: Any) -> None:
        """Note fields of the request that are not as they were asked for."""
        self.request = dataclasses.replace(self.request, **changes)
        if self._writer is not None:
            self._writer.describe(self.request.to_json())

    def close(self, *, whole: bool = True) -> Path | None:
        """Finish the file; None if there is none or nothing came to be written.

        Args:
            whole: as of :meth:`FrameWriter.close`.

        Raises:
            DiskFullError, OutputError: as :meth:`write`.
        """
        self._thread.shutdown()
        self._wait()
        writer, path = self._writer, None
        if writer is not None:
            path = writer.close(whole=whole) if writer.frames_written else writer.keep()
        with contextlib.suppress(MagiError):
            self._latents.describe(self.request)
        return path

    def keep(self) -> Path | None:
        """End the file with what is in it, without raising; may be called at any time."""
        self._thread.shutdown()
        path = None if self._writer is None else self._writer.keep()
        return path if path is not None and path.exists() else None
