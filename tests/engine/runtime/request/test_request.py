"""Requests survive JSON exactly, whoever wrote them."""

from __future__ import annotations

import dataclasses
import json
import pickle

import pytest

from magi_engine import __version__
from magi_engine.errors import InvalidRequestError
from magi_engine.media.clips import ClipPart
from magi_engine.media.fit import CropBox, FitPolicy
from magi_engine.media.writer import WriteOptions
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
    drawn_seed,
)

_PLAIN = GenerationRequest(Mode.T2V, "pocket", 128, 128, 96)
_FULL = GenerationRequest(
    mode=Mode.V2V,
    model="4.5B-base",
    width=720,
    height=480,
    num_frames=None,
    prompts=(PromptChange(0, "a cat, “quoted” ü 猫"), PromptChange(3, "")),
    seed=2**40 + 1,
    reference="/videos/clip one.mp4",
    fit=FitPolicy.PAD,
    crop=CropBox(1.5, 2, 300, 200.25),
    clip=ClipPart.range(0.1, 2.7),
    prepend_source=True,
    config_path="/configs/4.5B.json",
    sampling=SamplingOverrides(
        num_steps=12,
        window_size=4,
        shortcut_mode="16,16,8",
        cfg_t_range=(0.0, 0.1),
        prev_chunk_scales=(1.5, 1.0),
        text_scales=(7.5, 0.0),
        noise2clean_kvrange=(5, 4, 3, 2),
        clean_chunk_kvrange=2,
        fps=12,
    ),
    special_tokens=("HQ_TOKEN", "TWO_D_ANIME_TOKEN"),
    negative_tokens=True,
    output="/out/x.webm",
    writing=WriteOptions(crf=20, preset="fast", overwrite=True),
    device="cuda:1",
    dtype="bfloat16",
    chunk_frames=32,
    extra={"of_the_future": {"nested": [1, None]}},
)


@pytest.mark.parametrize("request_", [_PLAIN, _FULL], ids=["plain", "full"])
def test_json_round_trip_is_exact(request_: GenerationRequest) -> None:
    text = request_.to_json()
    again = GenerationRequest.from_json(text)
    assert again == request_
    assert again.to_json() == text
    assert json.loads(text)["program_version"] == __version__


def test_every_field_is_saved() -> None:
    saved = json.loads(_FULL.to_json())
    fields = {field.name for field in dataclasses.fields(GenerationRequest)} - {"extra"}
    assert fields <= saved.keys()
    overrides = {field.name for field in dataclasses.fields(SamplingOverrides)}
    assert overrides == saved["sampling"].keys()


def test_requests_can_travel_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(_FULL)) == _FULL


def test_unknown_fields_are_kept() -> None:
    data = json.loads(_PLAIN.to_json()) | {"mood": "cheerful"}
    request = GenerationRequest.from_json(json.dumps(data))
    assert request.extra == {"mood": "cheerful"}
    changed = dataclasses.replace(request, seed=5)
    assert json.loads(changed.to_json())["mood"] == "cheerful"


def test_missing_optional_fields_take_their_defaults() -> None:
    data = json.loads(_PLAIN.to_json())
    for name in ("fit", "clip", "sampling", "device", "seed"):
        del data[name]
    assert GenerationRequest.from_json(json.dumps(data)) == _PLAIN


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "newer program"),
        ({"format": "other"}, "not written by this program"),
        ({"mode": "t3v"}, "mode is 't3v'"),
        ({"seed": "7"}, "seed is '7', but must be a whole number"),
        ({"width": True}, "width is True, but must be a whole number"),
        ({"prompts": [{"chunk": 0}]}, "prompts[0].text is missing"),
        ({"crop": {"left": 1}}, "crop.top is missing"),
        (
            {"sampling": {"cfg_t_range": ["soon"]}},
            "sampling.cfg_t_range[0] is 'soon', but must be a number",
        ),
        ({"prompts": {}}, "prompts is {}, but must be a list"),
        ({"prepend_source": 1}, "prepend_source is 1, but must be true or false"),
        ({"chunk_frames": 0}, "chunk_frames is not positive"),
    ],
)
def test_damaged_settings_are_named(change: dict[str, object], said: str) -> None:
    data = json.loads(_FULL.to_json()) | change
    with pytest.raises(InvalidRequestError) as caught:
        GenerationRequest.from_json(json.dumps(data))
    assert said in str(caught.value.message)
    assert str(caught.value.hint)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"format": "magi-request"}'])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        GenerationRequest.from_json(text)


@pytest.mark.parametrize("name", ["width", "prompts"])
def test_a_required_field_must_be_there(name: str) -> None:
    data = json.loads(_PLAIN.to_json())
    del data[name]
    with pytest.raises(InvalidRequestError, match=f"{name} is missing"):
        GenerationRequest.from_json(json.dumps(data))


def test_a_video_from_a_picture_needs_no_prompt() -> None:
    data = json.loads(_FULL.to_json())
    del data["prompts"]
    assert GenerationRequest.from_json(json.dumps(data)).prompt == ""


def test_json_without_finite_numbers_is_refused() -> None:
    text = _FULL.to_json().replace('"cfg_t_range": [0.0, ', '"cfg_t_range": [NaN, ')
    with pytest.raises(InvalidRequestError, match="it is not JSON"):
        GenerationRequest.from_json(text)


def test_parts_of_a_file_are_a_clip_in_front_and_the_chunks() -> None:
    usual = GenerationRequest(Mode.V2V, "pocket", 64, 64, 48)
    assert usual.parts_of(50) == [range(24), range(24, 48), range(48, 50)]
    noted = dataclasses.replace(usual, first_frames=16, source_frames=40)
    parts = [range(24), range(24, 40), range(40, 56), range(56, 80), range(80, 88)]
    assert noted.parts_of(88) == parts
    assert noted.parts_of(30) == [range(24), range(24, 30)]
    assert (noted.parts_in_front, noted.frames_before(0), noted.frames_before(2)) == (2, 0, 40)
    assert noted.as_wished() == usual


def test_a_drawn_seed_is_short_enough_to_be_read_out() -> None:
    seeds = {drawn_seed() for _ in range(200)}
    assert len(seeds) > 190
    assert all(0 <= seed < 2**31 for seed in seeds)
