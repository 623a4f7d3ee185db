"""GIF and animated WebP: both need the whole video before they can be made well.

While the chunks arrive they are kept in a growing MP4 of high quality, which survives a crash and
keeps memory flat; the end converts it, reading it once (WebP) or twice (GIF: one palette for all
frames, then the frames).
"""

from __future__ import annotations

import contextlib
import dataclasses
import html
import itertools
import math
import shutil
from abc import abstractmethod
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from magi_engine.atomic import beside, put_in_place
from magi_engine.late import Image, av, np, reformatter
from magi_engine.media.colour import frame_to_rgb
from magi_engine.media.fit import UInt8Array
from magi_engine.media.frames import decode_frames
from magi_engine.media.growing import Mp4Writer
from magi_engine.media.writer import WriteOptions

_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:description>{}</dc:description></rdf:Description></rdf:RDF></x:xmpmeta>"
)
_WEBP_QUALITY = 80
_PALETTE_STRIDE = 6
_PALETTE_SIDE = 256
_FASTEST_GIF = 50
"""Frames a second: browsers show a frame that is to last less than 0.02 s for 0.1 s."""
_DITHER = "dither=bayer:bayer_scale=4"


class _ConvertingWriter(Mp4Writer):
    """Grows as an MP4 and converts it at the end."""

    @property
    def quality(self) -> WriteOptions:
        """Nothing that the conversion could still show is to be lost."""
        return dataclasses.replace(self.options, crf=min(self.options.crf, 8))

    def _finish(self) -> Path:
        self._release()
        with beside(self.part) as converted:
            self._convert(converted)
            final = self._final_name()  # only now: converting takes a while
            put_in_place(converted, final)
        self._remove_part()
        return final

    @abstractmethod
    def _convert(self, target: Path) -> None:
        """Write `part` to `target` in the final format. Raises OSError or FFmpegError."""

    def _pictures(self) -> Iterator[UInt8Array]:
        scaler = reformatter.VideoReformatter()
        for frame in decode_frames(self.part):
            yield frame_to_rgb(frame.picture, scaler)


class GifWriter(_ConvertingWriter):
    """Writes `.gif` with one palette made for the video; metadata is a GIF comment.

    Of a video faster than 50 frames a second it shows as many as fit.
    """

    @property
    def _rate(self) -> Fraction:
        return min(self.video.fps, Fraction(_FASTEST_GIF))

    def _convert(self, target: Path) -> None:
        bare = target.with_suffix(".gif")
        try:
            self._encode_gif(bare, self._palette())
            _copy_with_comment(bare, target, self.video.metadata)
        finally:
            with contextlib.suppress(OSError):
                bare.unlink(missing_ok=True)

    def _palette(self) -> av.VideoFrame:
        # A sample is enough, and counting every colour of every frame takes minutes.
        step = max(1, min(self.video.width, self.video.height) // _PALETTE_SIDE)
        graph = av.filter.Graph()
        source: av.filter.FilterContext | None = None
        generate = graph.add("palettegen", "stats_mode=full")
        sink = graph.add("buffersink")
        sample = itertools.islice(self._pictures(), 0, None, _PALETTE_STRIDE)
        for index, picture in enumerate(sample):
            frame = self._rgb_frame(picture[::step, ::step], index)
            if source is None:
                source = self._source(graph, frame)
                source.link_to(generate)
                generate.link_to(sink)
                graph.configure()
            source.push(frame)
        if source is None:
            raise OSError(f"{self.part.name} holds no frame")
        source.push(None)
        return _video_frame(sink.pull())

    def _rgb_frame(self, picture: UInt8Array, index: int) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        frame.pts, frame.time_base = index, 1 / self._rate
        return frame

    def _source(self, graph: av.filter.Graph, like: av.VideoFrame) -> av.filter.FilterContext:
        """A graph's entrance for frames like this one."""
        return graph.add_buffer(
            width=like.width, height=like.height, format=like.format, time_base=1 / self._rate
        )

    def _encode_gif(self, target: Path, palette: av.VideoFrame) -> None:
        graph = av.filter.Graph()
        blank = np.zeros((self.video.height, self.video.width, 3), np.uint8)
        source = self._source(graph, self._rgb_frame(blank, 0))
        colours = self._source(graph, palette)
        use = graph.add("paletteuse", _DITHER)
        sink = graph.add("buffersink")
        source.link_to(use, 0, 0)
        colours.link_to(use, 0, 1)
        use.link_to(sink)
        graph.configure()
        palette.pts, palette.time_base = 0, 1 / self._rate
        colours.push(palette)
        colours.push(None)
        with av.open(f"file:{target}", "w", format="gif") as container:
            stream = container.add_stream("gif", rate=self._rate)
            stream.width, stream.height = self.video.width, self.video.height
            stream.pix_fmt = "pal8"
            places = (math.floor(n * self._rate / self.video.fps) for n in itertools.count())
            last = -1
            for place, picture in zip(places, self._pictures(), strict=False):
                if place > last:
                    source.push(self._rgb_frame(picture, place))
                    self._drain(sink, container, stream)
                last = place
            source.push(None)
            self._drain(sink, container, stream)
            container.mux(stream.encode(None))

    def _drain(
        self,
        sink: av.filter.FilterContext,
        container: av.container.OutputContainer,
        stream: av.VideoStream,
    ) -> None:
        while True:
            try:
                frame = _video_frame(sink.pull())
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            container.mux(stream.encode(frame))


class WebpWriter(_ConvertingWriter):
    """Writes animated `.webp`; metadata is its XMP description."""

    def _convert(self, target: Path) -> None:
        pictures = (Image.fromarray(picture) for picture in self._pictures())
        first = next(pictures)
        # Whole milliseconds that add up: each frame ends where the next one begins.
        ends = [round(1000 * n / self.video.fps) for n in range(self.frames_written + 1)]
        durations = [after - before for before, after in itertools.pairwise(ends)]
        extra = (
            {}
            if self.video.metadata is None
            else {"xmp": _XMP.format(html.escape(self.video.metadata)).encode()}
        )
        with target.open("wb") as file:
            first.save(
                file,
                "WEBP",
                save_all=True,
                append_images=pictures,
                duration=durations,
                loop=0,
                quality=_WEBP_QUALITY,
                **extra,
            )


def _video_frame(frame: object) -> av.VideoFrame:
    if not isinstance(frame, av.VideoFrame):
        raise TypeError(f"a video filter gave a {type(frame).__name__}")
    return frame


def _copy_with_comment(source: Path, target: Path, comment: str | None) -> None:
    """Copy a GIF, putting a comment between its header and its first block."""
    with source.open("rb") as old, target.open("wb") as new:
        header = old.read(13)
        flags = header[10]
        palette_bytes = 3 << ((flags & 7) + 1) if flags & 0x80 else 0
        new.write(header + old.read(palette_bytes))
        if comment is not None:
            data = comment.encode()
            new.write(b"\x21\xfe")
            for start in range(0, len(data), 255):
                block = data[start : start + 255]
                new.write(bytes([len(block)]) + block)
            new.write(b"\x00")
        shutil.copyfileobj(old, new)
