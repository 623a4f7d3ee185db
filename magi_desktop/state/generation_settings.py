"""The settings of a video as the window has them, and what they are in a request."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import Registry, model_config
from magi_engine.errors import MagiError, ModelNotFoundError
from magi_engine.media.targets import VIDEO_SUFFIXES
from magi_engine.media.writer import WriteOptions
from magi_engine.messages import NOTHING, Message
from magi_engine.runtime.request.request import (
    DEFAULT_SPECIAL_TOKENS,
    GenerationRequest,
    SamplingOverrides,
)

SUFFIXES = {**{suffix[1:]: suffix for suffix in VIDEO_SUFFIXES}, "png": ""}
"""Of the formats that a video is written in."""
DEFAULT_SECONDS = 4.0
_USUAL_FPS = 24.0
_SAMPLING_FIELDS = (
    "num_steps",
    "window_size",
    "shortcut_mode",
    "noise2clean_kvrange",
    "clean_chunk_kvrange",
    "fps",
)
"""Fields that settings and overrides share by name."""


@dataclass(frozen=True)
class GenerationSettings:
    """Everything but prompt and reference. None is the model's own value."""

    model: str
    width: int
    """Pixels, multiples of 16."""
    height: int
    seconds: float | None = DEFAULT_SECONDS
    """Length of the result; None: until stopped."""
    seed: int = 0
    seed_locked: bool = False
    """Whether the seed stays; else each video gets a fresh one."""
    num_steps: int | None = None
    window_size: int | None = None
    shortcut_mode: str | None = None
    text_scale: float | None = None
    prev_chunk_scale: float | None = None
    noise2clean_kvrange: tuple[int, ...] | None = None
    clean_chunk_kvrange: int | None = None
    special_tokens: tuple[str, ...] = DEFAULT_SPECIAL_TOKENS
    negative_tokens: bool = False
    fps: int | None = None
    file_format: str = "mp4"
    """Suffix of the file; "png": a folder of frames."""
    crf: int | None = None
    """Quality of MP4 and WebM, lower is better."""
    config_path: str | None = None
    """An official configuration file to use instead of the model's own."""

    @classmethod
    def of_model(
        cls, name: str | None = None, config_path: str | None = None
    ) -> GenerationSettings:
        """The settings a model starts with.

        Raises:
            ModelNotFoundError, ConfigError: there is no such model or configuration.
        """
        model, config = configuration(name, config_path)
        runtime = config.runtime_config
        return cls(model, runtime.video_size_w, runtime.video_size_h, config_path=config_path)


@lru_cache(maxsize=32)
def configuration(name: str | None, config_path: str | None) -> tuple[str, MagiConfig]:
    """Name and configuration of a model; read once."""
    return model_config(name, config_path)


def fps_of(request: GenerationRequest | None) -> float:
    """The rate at which a video is played whose file has none, as a folder of PNG frames."""
    if request is None:
        return _USUAL_FPS
    if request.sampling.fps:
        return request.sampling.fps
    try:
        return configuration(request.model, request.config_path)[1].runtime_config.fps
    except MagiError:  # a model that is not known here
        return _USUAL_FPS


def settings_of(request: GenerationRequest) -> GenerationSettings:
    """The settings that compose a request again.

    Raises:
        ModelNotFoundError, ConfigError: its model is not here.
    """
    own = GenerationSettings.of_model(request.model, request.config_path)
    sampling = request.sampling
    scales = (sampling.text_scales, sampling.prev_chunk_scales)
    text_scale, prev_chunk_scale = (s[0] if s and len(s) == 1 else None for s in scales)
    file_format = _format_of(request.output)
    crf = request.writing.quality(SUFFIXES[file_format])
    return dataclasses.replace(
        own,
        width=request.width,
        height=request.height,
        seconds=None if request.num_frames is None else request.num_frames / fps_of(request),
        seed=request.seed,
        text_scale=text_scale,
        prev_chunk_scale=prev_chunk_scale,
        special_tokens=request.special_tokens,
        negative_tokens=request.negative_tokens,
        file_format=file_format,
        crf=None if crf == usual_crf(file_format) else crf,
        **{name: getattr(sampling, name) for name in _SAMPLING_FIELDS},
    )


def moved_to(
    own: GenerationSettings, previous: GenerationSettings, values: dict[str, Any]
) -> GenerationSettings:
    """The settings after a change of model: what depended on the old one is its own again."""
    names = ("seconds", "seed", "seed_locked", "special_tokens", "file_format", "crf")
    kept = {name: getattr(previous, name) for name in names}
    return dataclasses.replace(own, **{**kept, **values})


def chosen_size(
    own: GenerationSettings, before: GenerationSettings, previous: GenerationSettings
) -> dict[str, int]:
    """The size to keep of ``previous`` where a model with the defaults ``before`` gives way."""
    size, usual, theirs = ((of.width, of.height) for of in (previous, before, own))
    fits = usual == theirs or not (limits_of(before) or limits_of(own))  # these know one size only
    return {"width": size[0], "height": size[1]} if size != usual and fits else {}


def limits_of(settings: GenerationSettings) -> Message:
    """What the model cannot do, in a sentence, if anything."""
    if settings.config_path is not None:
        return NOTHING
    try:
        return Registry.load().find(settings.model).limits
    except ModelNotFoundError:
        return NOTHING


def sampling_of(chosen: GenerationSettings, base: SamplingOverrides) -> SamplingOverrides:
    """``base`` with what is chosen; a table that was there stays while no number replaces it."""

    def scales(value: float | None, before: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if value is not None:
            return (value,)
        return None if before is None or len(before) == 1 else before

    return dataclasses.replace(
        base,
        text_scales=scales(chosen.text_scale, base.text_scales),
        prev_chunk_scales=scales(chosen.prev_chunk_scale, base.prev_chunk_scales),
        **{name: getattr(chosen, name) for name in _SAMPLING_FIELDS},
    )


def writing_of(chosen: GenerationSettings, base: WriteOptions) -> WriteOptions:
    """With the quality of the format that is written; that of the other one stays."""
    usual = usual_crf(chosen.file_format)
    crf = usual if chosen.crf is None else chosen.crf
    return base if crf is None else base.with_quality(SUFFIXES[chosen.file_format], crf)


def usual_crf(file_format: str) -> int | None:
    """The quality of a file format unless another is chosen; None if it has no such number."""
    return WriteOptions().quality(SUFFIXES[file_format])


def _format_of(output: str | None) -> str:
    suffix = ".mp4" if output is None else Path(output).suffix.lower()
    return next((name for name, own in SUFFIXES.items() if own == suffix), "png")
