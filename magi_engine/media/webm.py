"""VP9 in WebM, encoded chunk by chunk into one growing file."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import BinaryIO

import av
import av.container
import av.error
from av.video.reformatter import VideoReformatter

from magi_engine.media.colour import rgb_to_frame, tag_bt709
from magi_engine.media.fit import UInt8Array
from magi_engine.media.writer import FrameWriter


class _GuardedFile:
    """The part file as FFmpeg sees it: after the first error nothing is written any more.

    FFmpeg would go on to rewrite the header of a file whose end is missing; frozen, the file
    stays the playable beginning it was.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        if self.error is None:
            try:
                self._file.write(data)
                self._file.flush()
            except OSError as error:
                self.error = error
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if self.error is None:
            self._position = self._file.seek(offset, whence)
        elif whence == os.SEEK_SET:
            self._position = offset
        return self._position

    def tell(self) -> int:
        return self._position

    def check(self) -> None:
        """Raise the error that stopped the writing, if there was one."""
        if self.error is not None:
            raise self.error

    def freeze(self, error: OSError) -> None:
        self.error = self.error or error

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()


class WebmWriter(FrameWriter):
    """Writes `.webm`. A killed process loses the newest chunk, everything else loses nothing."""

    _container: av.container.OutputContainer | None = None
    _file: _GuardedFile | None = None

    def _start(self) -> None:
        self._scaler = VideoReformatter()
        self._file = _GuardedFile(self.part.open("xb"))
        self._container = av.open(
            self._file, "w", format="webm", container_options={"flush_packets": "1"}
        )
        if self.video.metadata is not None:
            self._container.metadata["comment"] = self.video.metadata
        self._stream = self._container.add_stream("libvpx-vp9", rate=self.video.fps)
        self._set_up(self._stream.codec_context)
        self._stream.time_base = 1 / self.video.fps
        self._container.start_encoding()
        self._file.check()

    def _set_up(self, context: av.VideoCodecContext) -> None:
        context.width, context.height = self.video.width, self.video.height
        context.pix_fmt = "yuv420p"
        context.framerate = self.video.fps
        context.time_base = 1 / self.video.fps
        context.bit_rate = 0  # the quality alone decides
        context.options = {
            "crf": str(self.options.vp9_crf),
            "deadline": "good",
            "cpu-used": "4",
            "row-mt": "1",
        }
        tag_bt709(context)

    def _append(self, frames: UInt8Array) -> None:
        # An encoder per chunk: each begins with a key frame and none holds frames back.
        context = av.CodecContext.create("libvpx-vp9", "w")
        self._set_up(context)
        base = 1 / self.video.fps
        for index, picture in enumerate(frames, self.frames_written):
            self._mux(context.encode(rgb_to_frame(picture, "yuv420p", index, base, self._scaler)))
        self._mux(context.encode(None))

    def _mux(self, packets: list[av.Packet]) -> None:
        if self._container is None or self._file is None:
            raise OSError(f"{self.part.name} is closed")
        for packet in packets:
            packet.stream = self._stream
            self._container.mux_one(packet)
        self._file.check()

    def _finish(self) -> Path:
        if self._container is not None and self._file is not None:
            self._container.close()
            self._file.check()
        return self._rescue()

    def _rescue(self) -> Path:
        self._release()
        final = self._final_name()
        os.replace(self.part, final)
        return final

    def _release(self) -> None:
        if self._container is not None and self._file is not None:
            with contextlib.suppress(OSError, av.error.FFmpegError):
                self._container.close()
            self._file.close()
        self._container = None

    def _remove_part(self) -> None:
        self._release()
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)
