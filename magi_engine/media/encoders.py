"""Which video encoder writes a file: that of the graphics card if it works, else FFmpeg's own."""

from __future__ import annotations

import ctypes
import dataclasses
import logging
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from magi_engine.late import av
from magi_engine.media.colour import tag_bt709
from magi_engine.media.writer import VideoFormat, WriteOptions

logger = logging.getLogger(__name__)


def not_working() -> tuple[type[Exception], ...]:
    """What an encoder raises that is not in this FFmpeg, or has no device, or no room on it."""
    return OSError, av.error.FFmpegError, av.codec.codec.UnknownCodecError


@dataclass(frozen=True)
class Encoder:
    """One of FFmpeg's encoders.

    Attributes:
        name: FFmpeg's.
        settings: its options for what the user chose; None: it cannot do that.
    """

    name: str
    settings: Callable[[WriteOptions], Mapping[str, str] | None]

    def set_up(
        self, context: av.VideoCodecContext, video: VideoFormat, options: WriteOptions
    ) -> None:
        """Prepare a context of this encoder, which opens with its first frame."""
        context.width, context.height = video.width, video.height
        context.pix_fmt = "yuv420p"
        context.framerate = video.fps
        context.time_base = 1 / video.fps
        context.bit_rate = 0  # the quality alone decides
        context.options = dict(self.settings(options) or {})
        tag_bt709(context)

    def opened(
        self, video: VideoFormat, options: WriteOptions, in_band: bool = False
    ) -> av.VideoCodecContext:
        """A context that takes frames.

        Args:
            in_band: whether its parameters go into its packets and not only into a file's header.

        Raises:
            One of not_working().
        """
        context = av.CodecContext.create(self.name, "w")
        assert isinstance(context, av.VideoCodecContext)
        self.set_up(context, video, options)
        if not in_band:
            context.flags |= av.codec.context.Flags.global_header
        context.open()
        return context


_refused: dict[tuple[Encoder, int, int], float] = {}
"""When which could not be opened for which size of a video, ``time.monotonic()``. A card without an
encoder makes a context of its own to find that out, which takes longer than the first frames of a
small video."""
_ASKED_AGAIN_S = 600.0
"""Other programs may have had all of a card's encoders."""
_ANY_SIZE = (640, 480)
"""What every encoder takes; refused, no other size is asked for either."""


def first_that_works(
    encoders: Sequence[Encoder], video: VideoFormat, options: WriteOptions
) -> Encoder:
    """The first encoder that can be opened for a video; the last one is not asked, and one that
    could not be opened for a size, or for any, is not asked again for a while."""
    for encoder in encoders[:-1]:
        if encoder.settings(options) is not None and _opens(encoder, video, options):
            return encoder
    return encoders[-1]


def _opens(encoder: Encoder, video: VideoFormat, options: WriteOptions) -> bool:
    own = video.width, video.height
    sizes = dict.fromkeys((own, _ANY_SIZE))
    recently = time.monotonic() - _ASKED_AGAIN_S
    if any(_refused.get((encoder, w, h), -math.inf) > recently for w, h in sizes):
        return False
    for width, height in sizes:
        try:
            encoder.opened(dataclasses.replace(video, width=width, height=height), options)
        except not_working() as error:
            logger.info("%dx%d is not encoded by %s: %s", width, height, encoder.name, error)
            _refused[encoder, width, height] = time.monotonic()
        else:
            return (width, height) == own
    return False


# Presentation order is decoding order (bf=0): with B-frames the first fragment would need an edit
# list that is only known later. It costs some 7 % of the size.


def _x264(options: WriteOptions) -> Mapping[str, str]:
    return {"crf": str(options.crf), "preset": options.preset, "bf": "0"}


def _nvenc(options: WriteOptions) -> Mapping[str, str] | None:
    # Lossless, where a zero would mean "by itself" here; or an effort that only x264 knows.
    is_for_x264 = options.crf == 0 or options.preset != WriteOptions.preset
    if is_for_x264 or not _has_nvidia_driver():
        return None
    return {
        "preset": "p5",
        "tune": "hq",
        "rc": "vbr",
        "cq": str(options.crf),
        "bf": "0",
        "forced-idr": "1",
    }


@lru_cache(maxsize=1)
def _has_nvidia_driver() -> bool:
    """Whether it is there at all, so that nothing is tried in vain for every video."""
    try:
        ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    return True


def _vp9(options: WriteOptions) -> Mapping[str, str]:
    speed = {"deadline": "good", "cpu-used": "4", "row-mt": "1"}
    return {"crf": str(options.vp9_crf)} | speed


X264 = Encoder("libx264", _x264)
NVENC = Encoder("h264_nvenc", _nvenc)
VP9 = Encoder("libvpx-vp9", _vp9)
