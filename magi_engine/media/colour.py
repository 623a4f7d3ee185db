"""Between RGB arrays and the YUV frames of video files, with the right matrix and range.

FFmpeg's scaler silently takes "unspecified" for BT.601 and for limited range, which shifts every
colour of an HD file by a few levels, so both ends are always named here.
"""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from magi_engine.media.fit import UInt8Array

# Without FULL_CHR_H_INT the accurate rounding itself darkens every level by almost two.
_EXACT = Interpolation.LANCZOS | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
_HD_HEIGHT = 720
# What a frame's tag means (numbers of ITU-T H.273) to the scaler.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}


def frame_to_rgb(frame: av.VideoFrame, scaler: VideoReformatter) -> UInt8Array:
    """A decoded frame of any pixel format as ``(H, W, 3)`` uint8 RGB, in stored orientation.

    Args:
        scaler: kept by the caller, so that frames of one kind share its set-up.
    """
    name = frame.format.name
    full_range = (
        frame.format.is_rgb
        or frame.color_range == ColorRange.JPEG
        or name.startswith(("yuvj", "gray"))
    )
    untagged = Colorspace.ITU709 if frame.height >= _HD_HEIGHT else Colorspace.ITU601
    matrix = None if frame.format.is_rgb else _MATRICES.get(frame.colorspace, untagged)
    rgb = scaler.reformat(
        frame,
        format="rgb24",
        src_colorspace=matrix,
        src_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
        interpolation=_EXACT,
        threads=0,
    )
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)


def rgb_to_frame(
    picture: UInt8Array,
    pixel_format: str,
    index: int,
    time_base: Fraction,
    scaler: VideoReformatter,
) -> av.VideoFrame:
    """One ``(H, W, 3)`` uint8 RGB picture as an encoder's BT.709, limited-range frame.

    Args:
        index: position in the video, in units of `time_base`.
    """
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame = scaler.reformat(
        rgb,
        format=pixel_format,
        src_color_range=ColorRange.JPEG,
        dst_colorspace=Colorspace.ITU709,
        dst_color_range=ColorRange.MPEG,
        interpolation=_EXACT,
        threads=1,
    )
    frame.colorspace = Colorspace.ITU709
    frame.color_range = ColorRange.MPEG
    frame.color_primaries = ColorPrimaries.BT709
    frame.color_trc = ColorTrc.BT709
    frame.pts = index
    frame.time_base = time_base
    return frame


def tag_bt709(context: av.VideoCodecContext) -> None:
    """Have an encoder write that its frames are BT.709 in limited range."""
    context.color_range = ColorRange.MPEG
    context.colorspace = Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
