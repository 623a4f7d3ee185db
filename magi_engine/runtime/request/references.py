"""The image or video a generation starts from, as frames the VAE can take."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from magi_engine.late import np
from magi_engine.media.clips import ClipPlan, plan_clip, read_plan
from magi_engine.media.fit import check_box
from magi_engine.media.frames import decode_frames
from magi_engine.media.images import check_image, read_image
from magi_engine.runtime.request.request import GenerationRequest, Mode


@dataclass(frozen=True)
class Reference:
    """What conditions the generation.

    Attributes:
        frames: (T, H, W, 3) uint8 RGB; T is 1 for an image, a multiple of 4 for a video.
        clip: where they stand in the source video; None for an image.
    """

    frames: np.typing.NDArray[np.uint8] = field(repr=False)
    clip: ClipPlan | None = None


def read_reference(request: GenerationRequest, fps: float) -> Reference | None:
    """Read the reference of a request at the size and rate of the result; None for t2v.

    Raises:
        MediaReadError: not readable, or an image where a video is needed.
        InvalidRequestError: the crop box or the clip's range lies outside.
    """
    if request.reference is None:
        return None
    size = (request.width, request.height)
    if request.mode is Mode.I2V:
        image = read_image(request.reference, *size, request.fit, request.crop)
        return Reference(image[None])
    clip = plan_clip(request.reference, fps, request.clip)
    return Reference(read_plan(clip, *size, request.fit, request.crop), clip)


def check_reference(request: GenerationRequest) -> None:
    """Refuse, without reading all of it, what :func:`read_reference` refuses.

    Raises:
        MediaReadError, InvalidRequestError: as :func:`read_reference`; what is wrong with the
            times of a clip's frames is a matter of the plan.
    """
    if request.reference is None or request.start is not None:
        return
    if request.mode is Mode.I2V:
        check_image(request.reference, request.crop)
    elif request.crop is not None:
        first = next(decode_frames(Path(request.reference)))
        check_box(request.crop, *first.displayed_size)
