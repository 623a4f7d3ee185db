"""What cannot work is refused with one thing to do, and what works is let through."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from magi_engine.config.official import EngineConfig, MagiConfig, ModelConfig, RuntimeConfig
from magi_engine.errors import InvalidRequestError
from magi_engine.runtime.request.length import LengthPlan, frames_for
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from magi_engine.runtime.request.validation import check_prompts, validate, warnings_for

_MODEL = ModelConfig(
    num_layers=1,
    hidden_size=64,
    ffn_hidden_size=64,
    num_attention_heads=8,
    num_query_groups=4,
    kv_channels=8,
)
_DISTILLED = MagiConfig(
    _MODEL, RuntimeConfig(num_steps=16, cfg_number=1), EngineConfig(distill=True)
)
_BASE = MagiConfig(_MODEL, RuntimeConfig(num_steps=64, cfg_number=3))
_REQUEST = GenerationRequest(Mode.T2V, "m", 720, 480, 96)


def _changed(**changes: Any) -> GenerationRequest:
    return dataclasses.replace(_REQUEST, **changes)


def _sampled(**overrides: Any) -> GenerationRequest:
    return _changed(sampling=SamplingOverrides(**overrides))


REFUSED: list[tuple[GenerationRequest, str, str]] = [
    (_changed(width=1080), "1080x480", "1088x480 or 1072x480"),
    (_changed(width=0), "0x480", "16x480"),
    (_changed(height=-16), "720x-16", "720x16"),
    (_changed(num_frames=0), "0 frames", "more than 0"),
    (_changed(seed=-1), "seed -1", "0 to 2^63"),
    (_changed(seed=2**63), "out of range", "0 to 2^63"),
    (_changed(reference="x.png"), "takes no image", "Leave the reference out"),
    (_changed(mode=Mode.I2V), "needs an image", "Choose an image"),
    (_changed(mode=Mode.V2V), "needs a video", "Choose a video"),
    (_changed(prepend_source=True), "Only a video that is continued", "Start from a video"),
    (_changed(num_frames=1_000_001), "1000001 frames", "at most 41666 seconds"),
    (_changed(num_frames=None, only_chunks=41_667), "1000008 frames", "at most 41666 seconds"),
    (_changed(prompts=()), "no prompt for the first chunk", "may be empty"),
    (_changed(prompts=(PromptChange(1, "x"),)), "no prompt for the first", "may be empty"),
    (
        _changed(prompts=(PromptChange(0, "x"), PromptChange(0, "y"))),
        "same chunk",
        "rising order",
    ),
    (
        _changed(prompts=(PromptChange(0, "x"), PromptChange(4, "y"))),
        "from 4 s on, but the video ends after 4 s",
        "longer video",
    ),
    (_changed(special_tokens=("MAGIC_TOKEN",)), "no special token MAGIC", "STATIC_FIRST"),
    (_changed(negative_tokens=True), "nothing in a distilled model", "base model"),
    (_sampled(window_size=9), "window of 9", "1 to 8"),
    (_sampled(window_size=0), "window of 0", "1 to 8"),
    (_sampled(fps=0), "0 frames per second", "1 to 60"),
    (_sampled(fps=61), "61 frames per second", "1 to 60"),
    (_sampled(num_steps=0), "0 steps", "positive"),
    (_sampled(num_steps=18), "18 steps", "Choose 16 or 20 steps"),
    (_sampled(num_steps=2), "2 steps", "Choose 4 steps"),
    (_sampled(num_steps=100_000), "100000, where 10000 is the most", ""),
    (_sampled(noise2clean_kvrange=(0,)), "at least 1", "KV range"),
    (_sampled(clean_chunk_kvrange=0), "at least 1", "KV range"),
    (_sampled(cfg_t_range=(0.1, 0.2)), "rise from 0", "0,0.0217"),
    (_sampled(text_scales=(1.0, 2.0)), "text_scales has 2", ""),
    (_sampled(shortcut_mode="8,8,8"), "shortcut_mode", ""),
]


@pytest.mark.parametrize(("request_", "said", "hint"), REFUSED)
def test_refused_with_one_thing_to_do(request_: GenerationRequest, said: str, hint: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        validate(request_, _DISTILLED)
    assert said in str(caught.value.message)
    assert hint in str(caught.value.hint)


def test_every_seed_that_is_named_works() -> None:
    assert validate(_changed(seed=2**63 - 1), _DISTILLED).runtime_config.seed == 2**63 - 1


@pytest.mark.parametrize(("own", "wanted"), [(_BASE, 3), (_DISTILLED, 1)])
def test_the_kind_of_model_decides_how_many_forwards_a_step_takes(
    own: MagiConfig, wanted: int
) -> None:
    other = dataclasses.replace(own.runtime_config, cfg_number=4 - wanted)
    with pytest.raises(InvalidRequestError, match=f"Set cfg_number to {wanted}"):
        validate(_sampled(), dataclasses.replace(own, runtime_config=other))


def test_a_base_model_takes_negative_tokens_and_the_range_of_its_last_steps() -> None:
    request = _sampled(clean_chunk_kvrange=-1)
    validate(dataclasses.replace(request, negative_tokens=True), _BASE)


def test_an_endless_video_needs_a_limited_history() -> None:
    request = dataclasses.replace(_sampled(noise2clean_kvrange=()), num_frames=None)
    with pytest.raises(InvalidRequestError, match="without an end"):
        validate(request, _DISTILLED)


def test_choices_reach_the_configuration_and_the_rest_stays() -> None:
    request = dataclasses.replace(
        _sampled(fps=30, num_steps=12, window_size=2, shortcut_mode="16,16,8", text_scales=(4.0,)),
        seed=9,
    )
    merged = validate(request, _DISTILLED)
    runtime = merged.runtime_config
    assert (runtime.num_steps, runtime.window_size, runtime.seed) == (12, 2, 9)
    assert runtime.fps == 30
    assert (runtime.video_size_w, runtime.video_size_h, runtime.num_frames) == (720, 480, 96)
    assert runtime.text_scales == [4.0, 4.0, 4.0, 0.0, 0.0]  # one value: where it was not zero
    assert runtime.prev_chunk_scales == _DISTILLED.runtime_config.prev_chunk_scales
    assert merged.engine_config.shortcut_mode == "16,16,8"
    assert merged.model_config == _DISTILLED.model_config


def test_warnings_are_about_settings_known_to_look_bad() -> None:
    fp8 = MagiConfig(_MODEL, RuntimeConfig(num_steps=8), EngineConfig(distill=True, fp8_quant=True))
    assert "noisy" in str(warnings_for(fp8, fp8)[0])
    assert warnings_for(_DISTILLED, _DISTILLED) == []
    (unlearned,) = warnings_for(validate(_sampled(num_steps=24), _DISTILLED), _DISTILLED)
    assert "not learned 24 steps" in str(unlearned)
    for steps in (4, 8, 12, 16, 32):
        assert warnings_for(validate(_sampled(num_steps=steps), _DISTILLED), _DISTILLED) == []
    cut = validate(_sampled(num_steps=12, window_size=6), _DISTILLED)
    assert "1, 2 or 4" in str(warnings_for(cut, _DISTILLED)[0])
    few = validate(_sampled(num_steps=16), _BASE)
    assert "64 steps" in str(warnings_for(few, _BASE)[0])


@pytest.mark.parametrize(
    ("seconds", "frames"), [(4, 96), (1 / 24, 1), (0.52, 12), (0.53, 13), (3600, 86400)]
)
def test_seconds_to_frames(seconds: float, frames: int) -> None:
    assert frames_for(seconds, 24) == frames


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), 0.001])
def test_impossible_lengths(seconds: float) -> None:
    with pytest.raises(InvalidRequestError):
        frames_for(seconds, 24)


@pytest.mark.parametrize(
    ("mode", "frames", "prefix", "chunks", "first"),
    [
        (Mode.T2V, 96, 0, 4, 0),
        (Mode.T2V, 97, 0, 5, 0),
        (Mode.T2V, 1, 0, 1, 0),
        (Mode.I2V, 96, 1, 4, 0),  # the image's chunk is emitted whole and counts
        (Mode.V2V, 48, 8, 4, 1),  # 12 latent frames behind 8: ceil(20 / 6)
        (Mode.V2V, 96, 8, 6, 1),  # five chunks of the result, the first of 16 frames
        (Mode.V2V, 96, 1, 5, 0),
        (Mode.V2V, 48, 12, 4, 2),
        (Mode.V2V, 3, 5, 1, 0),
        (Mode.V2V, None, 8, None, 1),
        (Mode.T2V, None, 0, None, 0),
    ],
)
def test_chunks_needed(
    mode: Mode, frames: int | None, prefix: int, chunks: int | None, first: int
) -> None:
    plan = LengthPlan.of(mode, frames, prefix, RuntimeConfig())
    assert (plan.num_chunks, plan.first_chunk) == (chunks, first)
    if chunks is not None and frames is not None:
        whole = chunks * 24 - (prefix * 4 if mode is Mode.V2V else 0)
        assert frames <= whole < frames + 24
        held = [plan.frames_of(chunk) for chunk in range(chunks - first)]
        assert [n for frames_ in held for n in frames_] == list(range(frames))
        assert all(len(frames_) == 24 for frames_ in held[1:-1])


def test_a_prompt_for_the_last_chunk_depends_on_where_the_clip_ends() -> None:
    runtime = RuntimeConfig()
    request = _changed(
        mode=Mode.V2V,
        reference="clip.mp4",
        num_frames=48,
        prompts=(PromptChange(0, "x"), PromptChange(2, "y")),
    )
    check_prompts(request, runtime, prefix_latents=None)
    check_prompts(request, runtime, prefix_latents=8)  # 4 + 6 + 2 latent frames
    with pytest.raises(InvalidRequestError, match="ends after 2 s"):
        check_prompts(request, runtime, prefix_latents=12)
