"""H.264 in MP4 and VP9 in WebM that grow by whole pieces, one per chunk.

FFmpeg's muxers write a piece (an MP4 fragment, a WebM cluster) only when the next key frame
arrives, so the newest chunk would always be missing. Instead every chunk gets an encoder and a
muxer of its own, in memory, whose one piece is appended to the file in a single write: after each
`write()` the file on disk is a complete, streamable video. An encoder that stops working gives way
to the next one, whose parameters then travel in its packets. A clean end copies the packets, not
re-encoding them, into an ordinary file with an index, which every player and editor reads.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from magi_engine.atomic import put_in_place, replacing
from magi_engine.errors import MediaReadError
from magi_engine.late import av, reformatter
from magi_engine.media._files import comment_of, open_container, video_stream
from magi_engine.media.colour import rgb_to_frame
from magi_engine.media.encoders import NVENC, VP9, X264, Encoder, first_that_works, not_working
from magi_engine.media.fit import UInt8Array
from magi_engine.media.writer import FrameWriter, WriteOptions

logger = logging.getLogger(__name__)

_MOST_HEADER_BYTES = 16 << 20
"""Much more than the longest prompts."""


@dataclass(frozen=True)
class Growing:
    """One container format and its encoders.

    Attributes:
        suffix: of the file.
        name: FFmpeg's muxer.
        codec: FFmpeg's decoder of what the encoders write.
        begins: what is in the first bytes of its header.
        content: one of these is in every file that holds frames, growing or finished.
        encoders: the first that works is used; the last always does.
        growing: muxer options of the file while it grows.
        finished: muxer options of the file at the end.
    """

    suffix: str
    name: str
    codec: str
    begins: bytes
    content: tuple[bytes, ...]
    encoders: tuple[Encoder, ...]
    growing: Mapping[str, str]
    finished: Mapping[str, str]


MP4 = Growing(
    suffix=".mp4",
    name="mp4",
    codec="h264",
    begins=b"ftyp",
    content=(b"moof", b"mdat"),
    encoders=(NVENC, X264),
    growing={
        "movflags": "empty_moov+default_base_moof+frag_keyframe+frag_discont"
        "+negative_cts_offsets+skip_trailer"
    },
    finished={"movflags": "faststart"},
)
WEBM = Growing(
    suffix=".webm",
    name="webm",
    codec="vp9",
    begins=b"\x1a\x45\xdf\xa3",
    content=(b"\x1f\x43\xb6\x75",),  # a cluster
    encoders=(VP9,),
    growing={"live": "1"},
    finished={},
)
GROWING = {kind.suffix: kind for kind in (MP4, WEBM)}


class GrowingWriter(FrameWriter):
    """Writes `.mp4` or `.webm`; see the module's text."""

    kind: Growing
    _file: BinaryIO
    _good_bytes: int
    _header: bytes

    @property
    def encoder(self) -> str:
        """FFmpeg's name of the encoder in use."""
        return self._encoder.name

    @property
    def quality(self) -> WriteOptions:
        """What the growing file is encoded with."""
        return self.options

    def _start(self) -> None:
        self._scaler = reformatter.VideoReformatter()
        self._good_bytes = 0
        self._encoder = first_that_works(self.kind.encoders, self.video, self.quality)
        self._in_band = False
        logger.info("%s is encoded by %s", self.target.name, self.encoder)
        # Unbuffered: what write() returned from is in the system's hands, whoever is killed.
        self._file = self.part.open("xb", buffering=0)
        self._header, _ = self._mux([], 0, self._encoder)
        self._append_bytes(self._header)

    def _append(self, frames: UInt8Array) -> None:
        last = self.kind.encoders[-1]
        try:
            packets = self._encode(frames)
        except not_working() as error:
            if self._encoder is last:
                raise
            logger.warning("%s gave up, going on with %s: %s", self.encoder, last.name, error)
            self._encoder, self._in_band = last, True
            packets = self._encode(frames)
        # The header of a piece is thrown away: any encoder of the format will do for it.
        _, piece = self._mux(packets, self.frames_written, last)
        self._append_bytes(piece)

    def copy(self, source: Path, frames: int) -> int:
        """See :meth:`FrameWriter.copy`."""
        try:
            with open_container(source) as container:
                stream = video_stream(container, source)
                chunks = self._chunks_of(container, stream, frames)
                sequence, pieces = 0, []
                for packets in chunks:
                    pieces.append(self._mux(packets, sequence, stream)[1])
                    sequence += len(packets)
        except (OSError, av.error.FFmpegError, MediaReadError):
            logger.info("%s is not copied", source, exc_info=True)
            return 0
        try:
            for packets, piece in zip(chunks, pieces, strict=True):
                self._append_bytes(piece)
                self.frames_written += len(packets)
        except OSError as error:
            raise self._failed(error) from error
        return sequence

    def _chunks_of(
        self, source: av.container.InputContainer, stream: av.VideoStream, frames: int
    ) -> list[list[av.Packet]]:
        """The packets of the first frames, from key frame to key frame; none if they do not fit."""
        if not self._fits(stream):
            return []
        chunks: list[list[av.Packet]] = []
        count = 0
        for packet in _readable_packets(source, stream):
            if packet.is_keyframe:
                if count == frames:
                    return chunks
                chunks.append([])
            elif count >= frames or not chunks:
                return []
            chunks[-1].append(packet)
            count += 1
        return chunks if count == frames else []

    def _fits(self, stream: av.VideoStream) -> bool:
        """Whether the packets of a stream are decoded right with this file's header."""
        context = stream.codec_context
        size = context.width, context.height
        return (
            context.name == self.kind.codec
            and size == (self.video.width, self.video.height)
            and stream.average_rate == self.video.fps
            and (context.extradata or b"") in self._header
        )

    def _encode(self, frames: UInt8Array) -> list[av.Packet]:
        context = self._encoder.opened(self.video, self.quality, self._in_band)
        packets: list[av.Packet] = []
        for index, picture in enumerate(frames, self.frames_written):
            base = 1 / self.video.fps
            packets += context.encode(rgb_to_frame(picture, "yuv420p", index, base, self._scaler))
        return packets + context.encode(None)

    def _mux(
        self, packets: list[av.Packet], sequence: int, origin: Encoder | av.VideoStream
    ) -> tuple[bytes, bytes]:
        """A file's header, which has the parameters of the packets, and these as one piece.

        Args:
            origin: what made the packets, or the stream that they come from.
        """
        buffer = io.BytesIO()
        options = dict(self.kind.growing)
        if self.kind is MP4:
            # Sequence numbers only have to rise, so the count of frames before serves.
            options["fragment_index"] = str(sequence + 1)
        with av.open(buffer, "w", format=self.kind.name, container_options=options) as container:
            if self.video.metadata is not None:
                container.metadata["comment"] = self.video.metadata
            if isinstance(origin, Encoder):
                stream = container.add_stream(origin.name, rate=self.video.fps)
                assert isinstance(stream, av.VideoStream)
                origin.set_up(stream.codec_context, self.video, self.quality)
            else:
                stream = container.add_stream_from_template(origin)
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
        os.fsync(self._file.fileno())  # what was shown survives a power cut
        self._good_bytes += len(data)

    def _finish(self) -> Path:
        self._release()
        with contextlib.suppress(OSError, av.error.FFmpegError, MediaReadError):
            # Without room for a second copy the growing file is complete and plays as well.
            make_ordinary(self.part, self.frames_written, self.video.metadata)
        return self._rescue()

    def _rescue(self) -> Path:
        final = self._final_name(self.kind.suffix)
        put_in_place(self.part, final)
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


class WebmWriter(GrowingWriter):
    """VP9 in `.webm`."""

    kind = WEBM


def is_header(path: Path) -> bool:
    """Whether a file has begun to grow, but holds no frame yet."""
    kind = GROWING.get(path.suffix)
    if kind is None or path.stat().st_size > _MOST_HEADER_BYTES:
        return False
    data = path.read_bytes()
    holds = any(content in data for content in kind.content)
    return not data or (kind.begins in data[:8] and not holds)


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
    with replacing(path) as copy:
        count = _copy_packets(path, copy, metadata)
        if count == 0 or (frames is not None and count != frames):
            raise av.error.InvalidDataError(errno.EIO, "the copy is not complete", str(path))
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
