"""Checks of a request against a model's configuration, before any weight is loaded.

Nothing here is rounded or repaired: what cannot work is refused with the nearest thing that can.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from magi_engine.config.official import (
    LAST_KV_RANGE,
    MAX_FRAMES,
    MAX_SEED,
    EngineConfig,
    MagiConfig,
    RuntimeConfig,
)
from magi_engine.config.sizes import check_size
from magi_engine.errors import ConfigError, InvalidRequestError
from magi_engine.messages import Message
from magi_engine.model.caption_cleaning import clean_caption, not_read
from magi_engine.model.special_tokens import SpecialToken
from magi_engine.runtime.machine.devices import check_attention
from magi_engine.runtime.request.length import LengthPlan
from magi_engine.runtime.request.request import GenerationRequest, Mode
from magi_engine.sampling.schedule import check_steps, check_window, cuts_groups, is_learned

MAX_FPS = 60
_LOST_CHARACTERS = 80


def configured(config: MagiConfig, request: GenerationRequest) -> MagiConfig:
    """The model's configuration with the request's own choices put in.

    Raises:
        InvalidRequestError: a choice does not fit the others (table lengths, guidance, modes).
    """
    chosen = {
        field.name: getattr(request.sampling, field.name)
        for field in dataclasses.fields(request.sampling)
        if getattr(request.sampling, field.name) is not None
    }
    shortcut = {"shortcut_mode": chosen.pop("shortcut_mode")} if "shortcut_mode" in chosen else {}
    runtime = config.runtime_config
    for name in ("text_scales", "prev_chunk_scales"):
        if len(chosen.get(name, ())) == 1:
            strength = chosen[name][0]
            chosen[name] = [strength if scale else scale for scale in getattr(runtime, name)]
    changes = {k: list(v) if isinstance(v, tuple) else v for k, v in chosen.items()}
    try:
        return dataclasses.replace(
            config,
            runtime_config=dataclasses.replace(
                runtime,
                **changes,
                seed=request.seed,
                num_frames=request.num_frames or runtime.num_frames,
                video_size_w=request.width,
                video_size_h=request.height,
            ),
            engine_config=dataclasses.replace(config.engine_config, **shortcut),
        )
    except ConfigError as error:
        raise InvalidRequestError(
            "These settings do not work: {problem}", problem=error.message
        ) from error


def validate(request: GenerationRequest, config: MagiConfig) -> MagiConfig:
    """Check everything that can be checked without opening a file.

    Args:
        config: the model's own configuration.

    Returns:
        The configuration the job runs with: the model's, with the request's choices.

    Raises:
        InvalidRequestError: with one thing to do about it.
    """
    check_size(request.width, request.height)
    if request.num_frames is not None and request.num_frames <= 0:
        raise InvalidRequestError(
            "A video cannot have {frames} frames.",
            "Ask for more than 0 seconds.",
            frames=request.num_frames,
        )
    if not 0 <= request.seed <= MAX_SEED:
        raise InvalidRequestError(
            "The seed {seed} is out of range.",
            "Choose a seed from 0 to 2^63 - 1.",
            seed=request.seed,
        )
    check_attention(request.attention)
    _check_reference(request)
    _check_overrides(request)
    frames = request.num_frames
    if frames is None:
        own = config.runtime_config
        chunk_frames = own.chunk_width * own.temporal_downsample_factor
        frames = (request.only_chunks or 0) * chunk_frames
    if frames > MAX_FRAMES:
        raise InvalidRequestError(
            "A video of {frames} frames is longer than any that can be planned.",
            "Ask for at most {seconds} seconds, or for a video without an end.",
            frames=frames,
            seconds=MAX_FRAMES // (request.sampling.fps or config.runtime_config.fps),
        )
    merged = configured(config, request)
    _check_guidance(merged.runtime_config, merged.engine_config)
    runtime = merged.runtime_config
    check_steps(runtime.num_steps, runtime.window_size, len(runtime.noise2clean_kvrange))
    _check_special_tokens(request.special_tokens)
    check_negative_tokens(request.negative_tokens, merged.engine_config)
    check_prompts(request, merged.runtime_config, prefix_latents=None)
    if request.num_frames is None and not merged.runtime_config.noise2clean_kvrange:
        raise InvalidRequestError(
            "A video without an end cannot look back without a limit.",
            "Set a KV range, for example 5,4,3,2, or a length.",
        )
    return merged


def _check_reference(request: GenerationRequest) -> None:
    if request.mode is Mode.T2V and request.reference is not None:
        raise InvalidRequestError(
            "A text-to-video generation takes no image or video.",
            "Leave the reference out, or choose the mode i2v or v2v.",
        )
    if request.mode is not Mode.T2V and request.reference is None:
        kind = Message("an image") if request.mode is Mode.I2V else Message("a video")
        raise InvalidRequestError(
            "The mode {mode} needs {kind} to start from.",
            "Choose {kind}.",
            mode=request.mode.value,
            kind=kind,
        )
    if request.prepend_source and request.mode is not Mode.V2V:
        raise InvalidRequestError(
            "Only a video that is continued can be put in front of the result.",
            "Start from a video, or leave that option out.",
        )


def _check_overrides(request: GenerationRequest) -> None:
    chosen = request.sampling
    if chosen.window_size is not None:
        check_window(chosen.window_size)
    if chosen.fps is not None and not 1 <= chosen.fps <= MAX_FPS:
        raise InvalidRequestError(
            "{fps} frames per second are not possible.",
            "Choose from 1 to {most}; the released models are made for 24.",
            fps=chosen.fps,
            most=MAX_FPS,
        )
    if chosen.num_steps is not None and chosen.num_steps < 1:
        raise InvalidRequestError(
            "{steps} steps are not possible.",
            "Choose a positive number of steps.",
            steps=chosen.num_steps,
        )
    ranges = [*(chosen.noise2clean_kvrange or ())]
    clean = chosen.clean_chunk_kvrange
    if clean is not None and clean != LAST_KV_RANGE:
        ranges.append(clean)
    if any(value < 1 for value in ranges):
        raise InvalidRequestError(
            "A KV range counts chunks and must be at least 1.", "Correct the KV range."
        )
    times = chosen.cfg_t_range
    if times is not None and (times[:1] != (0.0,) or sorted(set(times)) != list(times)):
        raise InvalidRequestError(
            "The guidance times must rise from 0.", "For example 0,0.0217,0.1,0.3,0.999."
        )


def _check_guidance(runtime: RuntimeConfig, engine: EngineConfig) -> None:
    wanted = 1 if engine.distill else 3
    if runtime.cfg_number != wanted:
        kind = Message("distilled") if engine.distill else Message("base")
        raise InvalidRequestError(
            "A {kind} model does not work with cfg_number {cfg_number}.",
            "Set cfg_number to {wanted}.",
            kind=kind,
            cfg_number=runtime.cfg_number,
            wanted=wanted,
        )


def _check_special_tokens(names: tuple[str, ...]) -> None:
    known = [token.value for token in SpecialToken]
    for name in names:
        if name not in known:
            raise InvalidRequestError(
                "There is no special token {name}.",
                "Choose among {listed}.",
                name=name.removesuffix("_TOKEN"),
                listed=[token.removesuffix("_TOKEN") for token in known],
            )


def check_negative_tokens(wanted: bool, engine: EngineConfig) -> None:
    """Raises: InvalidRequestError: they are wanted where no forward is without the prompt."""
    if wanted and engine.distill:
        raise InvalidRequestError(
            "Negative tokens do nothing in a distilled model, which always has the prompt.",
            "Leave them out, or choose a base model.",
        )


def check_prompts(
    request: GenerationRequest, runtime: RuntimeConfig, prefix_latents: int | None
) -> None:
    """Check that every prompt of the track has a chunk to go to.

    Args:
        prefix_latents: latent frames of the reference; None while that is not known, and then
            a video is given the benefit of the doubt of one chunk.
    """
    for change in request.prompts:
        check_letters(change.text)
    chunks: Sequence[int] = [change.chunk for change in request.prompts]
    if not chunks or chunks[0] != 0:
        raise InvalidRequestError(
            "There is no prompt for the first chunk.", "Give one; it may be empty."
        )
    if sorted(set(chunks)) != list(chunks):
        raise InvalidRequestError(
            "Two prompts are given for the same chunk, or they are out of order.",
            "Give each chunk one prompt, in rising order.",
        )
    # A clip that ends in the middle of a chunk makes the result's first chunk shorter.
    unknown = prefix_latents is None and request.mode is Mode.V2V
    prefix = runtime.chunk_width - 1 if unknown else prefix_latents or 0
    length = LengthPlan.of(request.mode, request.num_frames, prefix, runtime)
    count, frames = length.result_chunks, length.num_frames
    if count is not None and frames is not None and chunks[-1] >= count:
        raise InvalidRequestError(
            "A prompt is given from {start} s on, but the video ends after {end} s.",
            "Choose an earlier place or a longer video.",
            start=f"{length.frames_of(chunks[-1]).start / runtime.fps:.3g}",
            end=f"{frames / runtime.fps:.3g}",
        )


def check_letters(prompt: str) -> None:
    """Raises: InvalidRequestError: it holds halves of letters, as of names that are not UTF-8."""
    if any("\ud800" <= letter <= "\udfff" for letter in prompt):
        raise InvalidRequestError(
            "The prompt holds bytes that are not UTF-8.", "Type those letters again."
        )


def check_start(
    request: GenerationRequest,
    length: LengthPlan,
    earlier: GenerationRequest,
    kept: int,
) -> None:
    """Check that a video can share its first chunks with an earlier one.

    Args:
        earlier: what that one was made from.
        kept: how many of its chunks there are.

    Raises:
        InvalidRequestError: it has fewer chunks, or another size.
    """
    shared, of_result = length.shared_chunks, length.result_chunks
    if not 0 <= shared <= kept:
        raise InvalidRequestError(
            "Chunk {chunk} cannot be made anew: that video has {kept:chunk|chunks}.",
            "Start from an earlier place.",
            chunk=shared + 1,
            kept=kept,
        )
    if of_result is not None and shared >= of_result:
        raise InvalidRequestError(
            "Nothing is left to make: the video would end before the place it starts from.",
            "Choose a longer video, or an earlier place.",
        )
    if (earlier.width, earlier.height) != (request.width, request.height):
        raise InvalidRequestError(
            "A video of {width}x{height} cannot go on as one of another size.",
            "Choose that size.",
            width=earlier.width,
            height=earlier.height,
        )


def check_rate(fps: float, earlier: float) -> None:
    """Raises: InvalidRequestError: what is shared with an earlier video would play faster or
    slower than it was made."""
    if fps != earlier:
        raise InvalidRequestError(
            "A video of {earlier:g} frames per second cannot go on with {fps:g}.",
            "Choose {earlier:g} frames per second.",
            earlier=earlier,
            fps=fps,
        )


def warnings_for(config: MagiConfig, own: MagiConfig) -> list[Message]:
    """Sentences about settings that work but are known to look bad (field notes).

    Args:
        config: what the job runs with.
        own: the model's configuration without the request's choices.
    """
    runtime, engine = config.runtime_config, config.engine_config
    usual = own.runtime_config.num_steps
    notes = []
    if engine.fp8_quant and engine.distill and runtime.num_steps <= 8:
        notes.append(Message("8 steps are noisy with an fp8 model; 16 look better."))
    if engine.distill and cuts_groups(runtime.num_steps, runtime.window_size):
        notes.append(Message("12 steps look better with a window of 1, 2 or 4 chunks."))
    if engine.distill and not is_learned(runtime.num_steps):
        notes.append(
            Message(
                "A distilled model has not learned {steps:step|steps}, and may paint noise; 8, "
                "12, 16 and 32 look right.",
                steps=runtime.num_steps,
            )
        )
    if not engine.distill and runtime.num_steps * 2 <= usual:
        notes.append(
            Message(
                "This model usually wants {usual} steps; {steps} may look unfinished.",
                usual=usual,
                steps=runtime.num_steps,
            )
        )
    return notes


def prompt_warning(prompt: str) -> Message | None:
    """A sentence about what of a prompt the model does not get to read; None: it reads all."""
    lost = not_read(prompt)
    if not lost:
        return None
    shown = lost[:_LOST_CHARACTERS] + ("…" if len(lost) > _LOST_CHARACTERS else "")
    if clean_caption(prompt):
        return Message("Not read by the model, or only in part: “{shown}”.", shown=shown)
    return Message("Nothing of this prompt is read by the model: “{shown}”.", shown=shown)
