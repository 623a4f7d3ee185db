"""Between RGB arrays and the YUV frames of video files, with the right matrix and range.

FFmpeg's scaler silently takes "unspecified" for BT.601 and for limited range, which shifts every
colour of an HD file by a few levels, so both ends are always named here. It converts neither
primaries nor transfer functions: wide gamuts and HDR (ITU-R BT.2020, BT.2100) are brought to
BT.709 here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction

from magi_engine.late import av, np, reformatter
from magi_engine.media.fit import UInt8Array

_HD_HEIGHT = 720
# What a frame's tag means (numbers of ITU-T H.273) to the scaler.
_MATRICES = {
    1: "ITU709",
    4: "FCC",
    5: "ITU601",
    6: "ITU601",
    7: "SMPTE240M",
    9: "BT2020",
    10: "BT2020",
}

_Chromaticities = tuple[tuple[float, float], tuple[float, float], tuple[float, float]]

_PRIMARIES: dict[int, _Chromaticities] = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # DCI-P3
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}
"""Red, green and blue (x, y) of the wide gamuts that cameras and phones write, by H.273 number."""

_BT709: _Chromaticities = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060))
_ADOBE_RGB: _Chromaticities = ((0.640, 0.330), (0.210, 0.710), (0.150, 0.060))
_ADOBE_GAMMA = 563 / 256
_D65 = (0.3127, 0.3290)

_PQ, _HLG = 16, 18
_REFERENCE_WHITE_NITS = 203.0  # BT.2408: where a graphic's white lies in HDR
_PEAK_NITS = 1000.0
_KNEE = 0.9  # of the reference white: what is brighter is compressed into the rest


@dataclass(frozen=True)
class ColourSpace:
    """What the RGB values of a picture mean, where that is not BT.709.

    Attributes:
        primaries: (x, y) of red, green and blue; white is D65.
        transfer: H.273 number of the transfer function, or 0 for Adobe RGB's.
    """

    primaries: _Chromaticities
    transfer: int

    @classmethod
    def tagged(cls, primaries: int, transfer: int, matrix: int = 2) -> ColourSpace | None:
        """By the H.273 numbers of a file; None for BT.709 and for whatever is treated as it."""
        hdr = transfer in (_PQ, _HLG)
        if primaries not in _PRIMARIES and hdr and matrix in (9, 10):
            primaries = 9  # what HDR is if nobody says otherwise
        if primaries not in _PRIMARIES and not hdr:
            return None
        return cls(_PRIMARIES.get(primaries, _BT709), transfer)


ADOBE_RGB = ColourSpace(_ADOBE_RGB, 0)


def to_bt709(
    picture: np.typing.NDArray[np.uint8] | np.typing.NDArray[np.uint16], space: ColourSpace
) -> UInt8Array:
    """RGB ``(H, W, 3)`` of a wide or HDR space, of 8 or 16 bits, as BT.709 of 8 bits.

    HDR is mapped so that its reference white is white; highlights up to 1000 cd/m^2 keep their
    hue and share the uppermost tenth. Colours outside BT.709 are clipped.
    """
    levels = 65535 if picture.dtype == np.uint16 else 255
    light = _linear(space.transfer, levels)[picture]
    linear = (light.reshape(-1, 3) @ _matrix(space.primaries).T).reshape(light.shape)
    if space.transfer in (_PQ, _HLG):
        brightest = linear.max(axis=2, keepdims=True)
        linear *= _rolled_off(brightest) / np.maximum(brightest, 1e-6)
    codes = np.clip(linear * 4095, 0, 4095).astype(np.uint16)
    return _encoded()[codes]


def frame_to_rgb(frame: av.VideoFrame, scaler: reformatter.VideoReformatter) -> UInt8Array:
    """A decoded frame of any pixel format as ``(H, W, 3)`` uint8 RGB, in stored orientation.

    The result is BT.709; transparency is laid over white.

    Args:
        scaler: kept by the caller, so that frames of one kind share its set-up.
    """
    space = ColourSpace.tagged(frame.color_primaries, frame.color_trc, frame.colorspace)
    if any(component.is_alpha for component in frame.format.components):
        rgba = _scaled(frame, scaler, "rgba").astype(np.uint16)
        rgb = (rgba[..., :3] * rgba[..., 3:] + 255 * (255 - rgba[..., 3:]) + 127) // 255
        rgb = rgb.astype(np.uint8)
    else:
        rgb = _scaled(frame, scaler, "rgb24" if space is None else "rgb48le")
    return np.asarray(rgb, np.uint8) if space is None else to_bt709(rgb, space)


def _scaled(
    frame: av.VideoFrame, scaler: reformatter.VideoReformatter, pixel_format: str
) -> np.typing.NDArray:
    """A frame in an RGB format, ``(H, W, C)``; its matrix and range are applied."""
    name = frame.format.name
    full_range = (
        frame.format.is_rgb
        or frame.color_range == reformatter.ColorRange.JPEG
        or name.startswith(("yuvj", "gray"))
    )
    untagged = "ITU709" if frame.height >= _HD_HEIGHT else "ITU601"
    matrix = reformatter.Colorspace[_MATRICES.get(frame.colorspace, untagged)]
    return scaler.reformat(
        frame,
        format=pixel_format,
        src_colorspace=None if frame.format.is_rgb else matrix,
        src_color_range=reformatter.ColorRange.JPEG if full_range else reformatter.ColorRange.MPEG,
        dst_color_range=reformatter.ColorRange.JPEG,
        interpolation=_exact(),
        threads=0,
    ).to_ndarray()


def _exact() -> reformatter.Interpolation:
    # Without FULL_CHR_H_INT the accurate rounding itself darkens every level by almost two.
    how = reformatter.Interpolation
    return how.LANCZOS | how.ACCURATE_RND | how.FULL_CHR_H_INT


@functools.cache
def _matrix(primaries: _Chromaticities) -> np.typing.NDArray[np.float32]:
    """Linear RGB of these primaries -> linear BT.709."""
    matrix = np.linalg.inv(_to_xyz(_BT709)) @ _to_xyz(primaries)
    return matrix.astype(np.float32)


def _to_xyz(primaries: _Chromaticities) -> np.typing.NDArray[np.floating]:
    """Linear RGB -> XYZ, white being D65 with Y = 1."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    x, y = _D65
    return columns * np.linalg.solve(columns, [x / y, 1.0, (1 - x - y) / y])


@functools.cache
def _linear(transfer: int, levels: int) -> np.typing.NDArray[np.float32]:
    """Light of each code value, 1 being white (BT.2100 for PQ and HLG, else sRGB's curve)."""
    code = np.arange(levels + 1) / levels
    if transfer == _PQ:
        power = code ** (1 / 78.84375)
        light = (np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)) ** (
            1 / 0.1593017578125
        )
        light *= 10_000 / _REFERENCE_WHITE_NITS
    elif transfer == _HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        # The display's gamma is meant for luminance; applied to each component it is close.
        light = scene**1.2 * _PEAK_NITS / _REFERENCE_WHITE_NITS
    elif transfer == 0:
        light = code**_ADOBE_GAMMA
    else:
        light = np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)
    return light.astype(np.float32)


@functools.cache
def _encoded() -> UInt8Array:
    """The 8-bit code of light in steps of 1/4095, by sRGB's curve."""
    light = np.arange(4096) / 4095
    code = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(code * 255).astype(np.uint8)


def _rolled_off(light: np.typing.NDArray[np.float32]) -> np.typing.NDArray[np.float32]:
    """Light up to the peak -> light up to 1: unchanged below the knee, then ever flatter."""
    room = 1 - _KNEE
    over = np.maximum(light - _KNEE, 0) / room
    peak = (_PEAK_NITS / _REFERENCE_WHITE_NITS - _KNEE) / room
    bent = (
        over * (1 + over / peak**2) / (1 + over)
    )  # extended Reinhard: slope 1, then 1 at the peak
    return np.where(light <= _KNEE, light, _KNEE + room * np.minimum(bent, 1))


def rgb_to_frame(
    picture: UInt8Array,
    pixel_format: str,
    index: int,
    time_base: Fraction,
    scaler: reformatter.VideoReformatter,
) -> av.VideoFrame:
    """One ``(H, W, 3)`` uint8 RGB picture as an encoder's BT.709, limited-range frame.

    Args:
        index: position in the video, in units of `time_base`.
    """
    rgb = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    frame = scaler.reformat(
        rgb,
        format=pixel_format,
        src_color_range=reformatter.ColorRange.JPEG,
        dst_colorspace=reformatter.Colorspace.ITU709,
        dst_color_range=reformatter.ColorRange.MPEG,
        interpolation=_exact(),
        threads=1,
    )
    frame.colorspace = reformatter.Colorspace.ITU709
    frame.color_range = reformatter.ColorRange.MPEG
    frame.color_primaries = reformatter.ColorPrimaries.BT709
    frame.color_trc = reformatter.ColorTrc.BT709
    frame.pts = index
    frame.time_base = time_base
    return frame


def tag_bt709(context: av.VideoCodecContext) -> None:
    """Have an encoder write that its frames are BT.709 in limited range."""
    context.color_range = reformatter.ColorRange.MPEG
    context.colorspace = reformatter.Colorspace.ITU709
    context.color_primaries = reformatter.ColorPrimaries.BT709
    context.color_trc = reformatter.ColorTrc.BT709
