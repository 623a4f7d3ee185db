"""Decoding a video into frames with times, whatever state the file is in."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from magi_engine.errors import MediaReadError
from magi_engine.late import Image, av, np, reformatter
from magi_engine.media._files import check_frame_size, media_errors, open_container, video_stream
from magi_engine.media.colour import frame_to_rgb
from magi_engine.media.fit import CropBox, FitPolicy, UInt8Array, fit_picture, over_white

_DEFAULT_INTERVAL = Fraction(1, 25)


@dataclass(frozen=True)
class TimedFrame:
    """One decoded frame.

    Attributes:
        time: seconds since the first frame of the file, strictly rising from frame to frame.
        duration: seconds it is shown, as far as the file says.
        picture: the pixels as stored (rotation and pixel shape not yet applied).
        pixel_aspect: width / height of one stored pixel.
    """

    time: Fraction
    duration: Fraction
    picture: av.VideoFrame
    pixel_aspect: Fraction = Fraction(1)

    @property
    def end(self) -> Fraction:
        """When it stops being shown, in seconds since the first frame."""
        return self.time + self.duration

    @property
    def displayed_size(self) -> tuple[float, float]:
        """Width and height after rotation, in square pixels."""
        width = self.picture.width * float(self.pixel_aspect)
        height = float(self.picture.height)
        a, b, _, _ = _display_matrix(self.picture)
        return (height, width) if abs(b) > abs(a) else (width, height)

    def upright(self, scaler: reformatter.VideoReformatter) -> UInt8Array:
        """The picture as it is shown, ``(H, W, 3)`` uint8 BT.709; pixels are not made square."""
        rgb = frame_to_rgb(self.picture, scaler)
        a, b, c, d = _display_matrix(self.picture)
        if abs(b) > abs(a):  # rows become columns
            rgb = rgb.transpose(1, 0, 2)
            a, d = c, b
        return np.ascontiguousarray(rgb[:: 1 if d >= 0 else -1, :: 1 if a >= 0 else -1])


def decode_frames(path: Path, from_s: Fraction = Fraction(0)) -> Iterator[TimedFrame]:
    """Yield the frames of a video from a point at or before `from_s` to its readable end.

    Only one frame is held at a time. Packets that do not decode are skipped, and a file that
    was cut off plays up to the cut.

    Raises:
        MediaReadError: not a video, or nothing in it decodes.
    """
    if is_pillow_animation(path):
        yield from _decode_with_pillow(path)
        return
    with open_container(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        timed = _with_times(stream, _deinterlaced(_decode(container, stream)), None)
        first = next(timed, None)
        if first is None:
            raise MediaReadError(
                "{name} holds no frame that can be read.",
                "It may be damaged or cut off: choose another video.",
                name=path.name,
            )
        if from_s > first.time:
            jumped = _jump(container, stream, first, from_s)
            yield from decode_frames(path) if jumped is None else jumped
        else:
            yield first
            yield from timed


def _jump(
    container: av.container.InputContainer,
    stream: av.video.stream.VideoStream,
    first: TimedFrame,
    from_s: Fraction,
) -> Iterator[TimedFrame] | None:
    """Seek to the key frame at or before `from_s`; None where the file does not allow it."""
    pts, base = first.picture.pts, stream.time_base
    if pts is None or base is None:
        return None
    try:
        container.seek(pts + int(from_s / base), stream=stream, backward=True)
    except av.error.FFmpegError:
        return None
    timed = _with_times(stream, _deinterlaced(_decode(container, stream)), pts)
    landed = next(timed, None)
    if landed is None or landed.picture.pts is None or landed.time > from_s:
        return None
    return itertools.chain((landed,), timed)


def _decode(
    container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> Iterator[av.VideoFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            packet = None  # cut off in the middle of a packet: drain what is decoded
        if packet is None:
            break
        if packet.size == 0:
            continue  # "same again" in an AVI, or the end: a decoder takes both for the end
        yield from _decode_packet(stream, packet)
    yield from _decode_packet(stream, None)


def _decode_packet(
    stream: av.video.stream.VideoStream, packet: av.Packet | None
) -> list[av.VideoFrame]:
    # None where the file is cut off before it says how its pictures are coded.
    context: av.VideoCodecContext | None = stream.codec_context
    if context is None:
        return []
    try:
        pictures = context.decode(packet)
    except av.error.FFmpegError:
        return []
    return [picture for picture in pictures if not picture.is_corrupt]


def _with_times(
    stream: av.video.stream.VideoStream,
    pictures: Iterator[av.VideoFrame],
    origin_pts: int | None,
) -> Iterator[TimedFrame]:
    """Give every picture a time; where the file has none, or it falls back, the rate decides."""
    base = stream.time_base or Fraction(1, 1000)
    rate = stream.average_rate or stream.guessed_rate
    interval = 1 / Fraction(rate) if rate else _DEFAULT_INTERVAL
    aspect = stream.sample_aspect_ratio or Fraction(1)
    last: Fraction | None = None
    for picture in pictures:
        if picture.pts is not None and origin_pts is None:
            origin_pts = picture.pts
        time = None if picture.pts is None else (picture.pts - (origin_pts or 0)) * base
        if time is None or (last is not None and time <= last):
            time = Fraction(0) if last is None else last + interval
        last = time
        shown = picture.duration * base if picture.duration else interval
        yield TimedFrame(time, shown, picture, aspect)


def _display_matrix(picture: av.VideoFrame) -> tuple[int, int, int, int]:
    """(a, b, c, d) of the file's display matrix: a stored (x, y) is shown at (ax + cy, bx + dy)."""
    data = picture.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 1, 0, 0, 1
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    return a, b, c, d


def _deinterlaced(pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """The same frames, both of their fields made one moment where they are interlaced."""
    for picture in pictures:
        if picture.interlaced_frame:
            yield from _through_filter(itertools.chain((picture,), pictures))
            return
        yield picture


def _through_filter(pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """From the first interlaced frame of a video on; progressive ones pass unchanged."""
    graph: av.filter.Graph | None = None
    kind = None
    for picture in pictures:
        if graph is None or (picture.width, picture.height, picture.format.name) != kind:
            yield from _flushed(graph)
            kind = (picture.width, picture.height, picture.format.name)
            graph = av.filter.Graph()
            base = picture.time_base or Fraction(1, 1000)
            graph.link_nodes(
                graph.add_buffer(
                    width=picture.width,
                    height=picture.height,
                    format=picture.format,
                    time_base=base,
                ),
                graph.add("bwdif", "mode=send_frame:deint=interlaced"),
                # The filter counts in halves of the time base.
                graph.add("settb", f"expr={base.numerator}/{base.denominator}"),
                graph.add("buffersink"),
            ).configure()
        graph.vpush(picture)
        yield from _filtered(graph)
    yield from _flushed(graph)


def _flushed(graph: av.filter.Graph | None) -> Iterator[av.VideoFrame]:
    if graph is not None:
        graph.vpush(None)
        yield from _filtered(graph)


def _filtered(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
        while True:
            yield graph.vpull()


def is_pillow_animation(path: Path) -> bool:
    """Whether the file is an animated WebP, PNG or AVIF, which FFmpeg reads badly or not at all."""
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        return False
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
        return bool(head[20] & 0x02)
    if head[4:8] == b"ftyp":
        return head[8:12] == b"avis"
    return head[:8] == b"\x89PNG\r\n\x1a\n" and b"acTL" in head


def _decode_with_pillow(path: Path) -> Iterator[TimedFrame]:
    with media_errors(path), Image.open(path) as animation:
        check_frame_size(path, *animation.size)
        time = Fraction(0)
        for index in range(getattr(animation, "n_frames", 1)):
            animation.seek(index)
            picture = over_white(animation)
            shown = Fraction(round(animation.info.get("duration") or 40), 1000)
            yield TimedFrame(time, shown, av.VideoFrame.from_image(picture))
            time += shown


class FrameFitter:
    """Turns decoded frames into upright RGB pictures of one size."""

    def __init__(self, width: int, height: int, fit: FitPolicy, crop: CropBox | None) -> None:
        self._size = (width, height)
        self._fit = fit
        self._crop = crop
        self._scaler = reformatter.VideoReformatter()

    def __call__(self, frame: TimedFrame) -> UInt8Array:
        """``(height, width, 3)`` uint8 RGB."""
        return fit_picture(
            Image.fromarray(frame.upright(self._scaler)),
            *self._size,
            self._fit,
            self._crop,
            frame.displayed_size,
        )
