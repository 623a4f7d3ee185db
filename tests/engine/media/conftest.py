"""Small media files, made with the libraries the program reads them with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.video.reformatter import Interpolation

from magi_engine.media.fit import UInt8Array

MakeVideo = Callable[..., Path]


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Writes frames with plain PyAV, independently of the program's writers."""

    def make(
        frames: UInt8Array,
        name: str = "clip.mp4",
        fps: int = 24,
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        pts: Sequence[int] | None = None,
        rotation: int = 0,
        options: dict[str, str] | None = None,
        container_options: dict[str, str] | None = None,
        pixel_aspect: Fraction | None = None,
    ) -> Path:
        path = tmp_path / name
        with av.open(str(path), "w", container_options=container_options) as container:
            stream = container.add_stream(codec, rate=fps, options=options or {"qp": "0"})
            assert isinstance(stream, av.VideoStream)
            stream.height, stream.width = frames.shape[1:3]
            stream.pix_fmt = pixel_format
            stream.codec_context.time_base = Fraction(1, fps if pts is None else 1000)
            if pixel_aspect is not None:
                stream.codec_context.sample_aspect_ratio = pixel_aspect
            if rotation:
                stream.set_display_rotation(rotation)
            for index, picture in enumerate(frames):
                rgb = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame = rgb.reformat(
                    format=pixel_format,
                    interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND,
                )
                frame.pts = index if pts is None else pts[index]
                frame.time_base = stream.codec_context.time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
