"""Writing in a thread of its own, so that whoever makes frames does not wait for the encoder."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from magi_engine.media.fit import UInt8Array
from magi_engine.media.writer import FrameWriter


class BackgroundWriter:
    """Hands frames to a writer in their order. What goes wrong there is raised by the next call.

    Never more than one call is under way: should the program be killed, only the frames that came
    last can be missing from the file.

    Args:
        writer: used by nobody else from now on.
    """

    def __init__(self, writer: FrameWriter) -> None:
        self._writer = writer
        self._thread = ThreadPoolExecutor(1, "video-writer")
        self._latest: Future[None] | None = None
        """The latest call; after one that failed there is no other."""

    @property
    def frames_written(self) -> int:
        """Frames that are safely in the file."""
        return self._writer.frames_written

    def write(self, batches: Iterable[UInt8Array]) -> None:
        """Have arrays of frames (T, H, W, 3) written; they are not to be changed any more.

        Waits until what an earlier call brought is written.

        Args:
            batches: gone through in the thread.

        Raises:
            Exception: what an earlier call brought could not be made or written.
        """
        self._wait()
        self._latest = self._thread.submit(self._write, batches)

    def copy(self, source: Path, frames: int) -> int:
        """See :meth:`FrameWriter.copy`; done at once, in the calling thread."""
        self._wait()
        return self._writer.copy(source, frames)

    def check(self) -> None:
        """Raise what went wrong, if anything has."""
        if self._latest is not None and self._latest.done():
            self._latest.result()

    def describe(self, metadata: str) -> None:
        """See :meth:`FrameWriter.describe`."""
        self._writer.describe(metadata)

    def close(self) -> Path | None:
        """Write what waits and finish the file; None if nothing came to be written.

        Raises:
            Exception: as of :meth:`write`, and those of :meth:`FrameWriter.close`.
        """
        self._thread.shutdown()
        self._wait()
        return self._writer.close() if self.frames_written else self._writer.keep()

    def keep(self) -> Path | None:
        """Write what waits and end the file, without raising; may be called at any time."""
        self._thread.shutdown()
        return self._writer.keep()

    def _wait(self) -> None:
        if self._latest is not None:
            self._latest.result()

    def _write(self, batches: Iterable[UInt8Array]) -> None:
        for frames in batches:
            self._writer.write(frames)
