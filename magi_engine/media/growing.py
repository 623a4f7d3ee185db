"""H.264 in MP4 and VP9 in WebM that grow by whole pieces, one per chunk.

FFmpeg's muxers write a piece (an MP4 fragment, a WebM cluster) only when the next key frame
arrives, so the newest chunk would always be missing. Instead every chunk gets an encoder and a
muxer of its own, in memory, whose one piece is appended to the file in a single write: after each
`write()` the file on disk is a complete, streamable video. A clean end copies the packets, not
re-encoding them, into an ordinary file with an index, which every player and editor reads.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import av
import av.container
import av.error
from av.codec.context import Flags
from av.video.reformatter import VideoReformatter

from magi_engine.errors import MediaReadError
from magi_engine.media._files import comment_of, open_container, video_stream
from magi_engine.media.colour import rgb_to_frame, tag_bt709
from magi_engine.media.fit import UInt8Array
from magi_engine.media.writer import FrameWriter


@dataclass(frozen=True)
class Growing:
    """One container format and its encoder.

    Attributes:
        suffix: of the file.
        name: FFmpeg's muxer.
        growing: muxer options of the file while it grows.
        finished: muxer options of the file at the end.
    """

    suffix: str
    name: str
    encoder: Literal["libx264", "libvpx-vp9"]
    growing: Mapping[str, str]
    finished: Mapping[str, str]


MP4 = Growing(
    suffix=".mp4",
    name="mp4",
    encoder="libx264",
    growing={
        "movflags": "empty_moov+default_base_moof+frag_keyframe+frag_discont"
        "+negative_cts_offsets+skip_trailer"
    },
    finished={"movflags": "faststart"},
)
WEBM = Growing(
    suffix=".webm",
    name="webm",
    encoder="libvpx-vp9",
    growing={"live": "1"},
    finished={},
)
GROWING = {kind.suffix: kind for kind in (MP4, WEBM)}


class GrowingWriter(FrameWriter):
    """Writes `.mp4` or `.webm`; see the module's text."""

    kind: Growing
    _file: BinaryIO
    _good_bytes: int

    @abstractmethod
    def encoder_options(self) -> dict[str, str]:
        """Options of the growing file's encoder."""

    def _start(self) -> None:
        self._scaler = VideoReformatter()
        self._good_bytes = 0
        # Unbuffered: what write() returned from is in the system's hands, whoever is killed.
        self._file = self.part.open("xb", buffering=0)
        header, _ = self._mux([], 0)
        self._append_bytes(header)

    def _append(self, frames: UInt8Array) -> None:
        _, piece = self._mux(self._encode(frames), self.frames_written)
        self._append_bytes(piece)

    def _encode(self, frames: UInt8Array) -> list[av.Packet]:
        context = av.CodecContext.create(self.kind.encoder, "w")
        self._set_up(context)
        context.flags |= Flags.global_header
        packets: list[av.Packet] = []
        for index, picture in enumerate(frames, self.frames_written):
            base = 1 / self.video.fps
            packets += context.encode(rgb_to_frame(picture, "yuv420p", index, base, self._scaler))
        return packets + context.encode(None)

    def _set_up(self, context: av.VideoCodecContext) -> None:
        context.width, context.height = self.video.width, self.video.height
        context.pix_fmt = "yuv420p"
        context.framerate = self.video.fps
        context.time_base = 1 / self.video.fps
        context.bit_rate = 0  # the quality alone decides
        context.options = self.encoder_options()
        tag_bt709(context)

    def _mux(self, packets: list[av.Packet], sequence: int) -> tuple[bytes, bytes]:
        """The file's header, and the packets as one piece."""
        buffer = io.BytesIO()
        options = dict(self.kind.growing)
        if self.kind is MP4:
            # Sequence numbers only have to rise, so the count of frames before serves.
            options["fragment_index"] = str(sequence + 1)
        with av.open(buffer, "w", format=self.kind.name, container_options=options) as container:
            if self.video.metadata is not None:
                container.metadata["comment"] = self.video.metadata
            stream = container.add_stream(self.kind.encoder, rate=self.video.fps)
            self._set_up(stream.codec_context)
            stream.time_base = 1 / self.video.fps
            container.start_encoding()
            header_bytes = buffer.tell()
            for packet in packets:
                packet.stream = stream
                container.mux_one(packet)
        data = buffer.getvalue()
        return data[:header_bytes], data[header_bytes:]

    def _append_bytes(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = self._file.write(rest)
            if not written:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            rest = rest[written:]
        self._good_bytes += len(data)

    def _finish(self) -> Path:
        self._release()
        with contextlib.suppress(OSError, av.error.FFmpegError, MediaReadError):
            # Without room for a second copy the growing file is complete and plays as well.
            make_ordinary(self.part, self.frames_written, self.video.metadata)
        return self._rescue()

    def _rescue(self) -> Path:
        final = self._final_name(self.kind.suffix)
        os.replace(self.part, final)
        return final

    def _release(self) -> None:
        if self._file.closed:
            return
        with contextlib.suppress(OSError):
            self._file.truncate(self._good_bytes)  # cut a piece that was not written whole
        self._file.close()

    def _remove_part(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self._file.close()
        with contextlib.suppress(OSError):
            self.part.unlink(missing_ok=True)


class Mp4Writer(GrowingWriter):
    """H.264 in `.mp4`."""

    kind = MP4

    def encoder_options(self) -> dict[str, str]:
        # Presentation order is decoding order (bf=0): with B-frames the first fragment would need
        # an edit list that is only known later. It costs some 7 % of the size.
        return {"crf": str(self.options.crf), "preset": self.options.preset, "bf": "0"}


class WebmWriter(GrowingWriter):
    """VP9 in `.webm`."""

    kind = WEBM

    def encoder_options(self) -> dict[str, str]:
        speed = {"deadline": "good", "cpu-used": "4", "row-mt": "1"}
        return {"crf": str(self.options.vp9_crf)} | speed


def make_ordinary(path: Path, frames: int | None = None, metadata: str | None = None) -> int:
    """Replace a grown file by an ordinary one with the same packets and metadata.

    Args:
        frames: how many there must be; None takes what is readable.
        metadata: replaces the file's own unless None.

    Returns:
        The number of frames in the file.

    Raises:
        OSError, FFmpegError: it could not be done; the file is as it was.
    """
    copy = path.with_name(path.name + ".tmp")
    try:
        count = _copy_packets(path, copy, metadata)
        if count == 0 or (frames is not None and count != frames):
            raise av.error.InvalidDataError(errno.EIO, "the copy is not complete", str(path))
        os.replace(copy, path)
    finally:
        copy.unlink(missing_ok=True)
    return count


def _copy_packets(source_path: Path, target_path: Path, metadata: str | None) -> int:
    count = 0
    kind = GROWING[source_path.suffix]
    with (
        open_container(source_path) as source,
        av.open(
            f"file:{target_path}", "w", format=kind.name, container_options=dict(kind.finished)
        ) as target,
    ):
        comment = metadata or comment_of(source)
        if comment is not None:
            target.metadata["comment"] = comment
        old = video_stream(source, source_path)
        new = target.add_stream_from_template(old)
        for packet in _readable_packets(source, old):
            packet.stream = new
            target.mux_one(packet)
            count += 1
    return count


def _readable_packets(
    source: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.Packet]:
    packets = source.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return  # cut off: everything before is whole
        if packet is None:
            return
        if packet.size and not packet.is_corrupt:
            yield packet
