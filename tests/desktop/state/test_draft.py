"""The draft of the next video."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.state.controller import with_output
from magi_desktop.state.draft import Draft, Reference
from magi_desktop.state.generation_settings import GenerationSettings, configuration
from magi_engine.config.added import AddedModel, AddedModels
from magi_engine.errors import InvalidRequestError, OutputError
from magi_engine.media.clips import ClipPart
from magi_engine.media.fit import FitPolicy
from magi_engine.media.info import MediaInfo, MediaKind
from magi_engine.media.writer import WriteOptions
from magi_engine.runtime.request.request import (
    GenerationRequest,
    Mode,
    PromptChange,
    SamplingOverrides,
)
from magi_engine.sampling.schedule import Transition

IMAGE = Reference(Path("a.png"), MediaInfo(MediaKind.IMAGE, 64, 48), fit=FitPolicy.PAD)
CLIP = Reference(
    Path("b.mp4"),
    MediaInfo(MediaKind.VIDEO, 64, 48, 2.0, 24.0, 48),
    clip=ClipPart.range(0.5, 1.0),
    prepend_source=True,
)


@pytest.fixture
def draft(qtbot: QtBot) -> Draft:
    return Draft()


def test_the_prompt_stays_where_a_picture_or_a_clip_comes_or_goes(draft: Draft) -> None:
    draft.set_prompt("a red circle")
    draft.set_later_prompts((PromptChange(2, "then", Transition.CUT),))
    for reference, mode in ((IMAGE, Mode.I2V), (CLIP, Mode.V2V), (None, Mode.V2V)):
        draft.set_reference(reference)
        assert (draft.mode, draft.prompt) == (mode, "a red circle")
        assert draft.later_prompts == (PromptChange(2, "then", Transition.CUT),)


def test_each_mode_keeps_its_reference(draft: Draft) -> None:
    draft.set_reference(IMAGE)
    draft.set_reference(CLIP)
    assert (draft.mode, draft.reference) == (Mode.V2V, CLIP)
    draft.set_mode(Mode.I2V)
    assert draft.reference == IMAGE
    draft.set_mode(Mode.T2V)
    assert draft.reference is None


def test_only_what_changed_is_said(draft: Draft) -> None:
    said: list[str] = []
    draft.changed.connect(said.append)
    draft.set(width=256, height=128, seconds=4.0)
    draft.set_prompt("")
    assert said == ["width"]


def test_reset_brings_back_the_models_own_value(draft: Draft) -> None:
    draft.set(width=256, num_steps=8)
    assert not draft.is_default("width")
    draft.reset("width")
    draft.reset("num_steps")
    assert draft.settings == GenerationSettings.of_model()


def test_another_model_brings_its_own_size_and_keeps_what_is_the_users(draft: Draft) -> None:
    draft.set(num_steps=8, seconds=2.0, seed=7, seed_locked=True)
    draft.set(model="4.5B-base")
    own = GenerationSettings.of_model("4.5B-base")
    assert draft.settings == dataclasses.replace(own, seconds=2.0, seed=7, seed_locked=True)


@pytest.mark.parametrize(
    ("models", "kept"),
    [
        (("4.5B-base", "4.5B-distill"), True),
        (("4.5B-base", "24B-distill"), True),
        (("pocket", "pocket-fp8"), True),
        (("pocket", "4.5B-base"), False),
        (("4.5B-base", "pocket"), False),
    ],
)
def test_another_model_keeps_the_size_that_was_chosen_unless_it_or_the_one_before_knows_but_one(
    draft: Draft, models: tuple[str, str], kept: bool
) -> None:
    draft.set(model=models[0], width=960, height=544)
    draft.set(model=models[1])
    own = GenerationSettings.of_model(models[1])
    size = (960, 544) if kept else (own.width, own.height)
    assert (draft.settings.width, draft.settings.height) == size


def test_the_way_back_to_the_model_before_brings_its_settings_and_leaves_the_prompt(
    draft: Draft,
) -> None:
    draft.set(model="4.5B-base", width=480, num_steps=20, text_scale=3.0)
    before = draft.settings
    ways: list[Callable[[], None]] = []
    draft.model_left.connect(ways.append)
    draft.choose_model("4.5B-base")
    assert ways == []
    draft.choose_model("pocket")
    draft.set_prompt("written since")
    ways[0]()
    assert draft.settings == before
    assert draft.prompt == "written since"


def test_another_model_can_be_chosen_when_the_one_before_is_gone(draft: Draft) -> None:
    """As when the user replaces a model of their own: what was read of the old one is forgotten."""
    mine = AddedModel("mine", "4.5B-base", "Mine", {"transformer": "ckpt"}, folder="/mine")
    AddedModels.change(lambda added: added.with_model(mine))
    configuration.cache_clear()
    draft.set(model="mine", seconds=2.0, seed=7)
    AddedModels.change(lambda added: added.without("mine"))
    configuration.cache_clear()
    draft.set(model="4.5B-distill")
    own = GenerationSettings.of_model("4.5B-distill")
    assert draft.settings == dataclasses.replace(own, seconds=2.0, seed=7)


def test_a_mode_without_its_reference_is_refused_in_a_sentence(draft: Draft) -> None:
    draft.set_mode(Mode.I2V)
    with pytest.raises(InvalidRequestError, match="starts from an image"):
        draft.request()


@pytest.mark.parametrize("reference", [None, IMAGE, CLIP])
def test_a_request_can_be_composed_again(draft: Draft, reference: Reference | None) -> None:
    draft.set_reference(reference)
    draft.set_prompt("a red circle ")
    draft.set_later_prompts((PromptChange(2, "blue"),))
    draft.set(
        width=256, num_steps=8, text_scale=3.0, fps=12, crf=30, file_format="webm", seed=5,
        seconds=1.5, special_tokens=("HQ_TOKEN",), seed_locked=True,
    )  # fmt: skip
    request = GenerationRequest.from_json(draft.request().to_json())
    again = Draft()
    again.take(request, lock_seed=True)
    if reference is not None:
        again.reference_came(request, reference.info)
    assert again.request() == request
    assert again.settings == draft.settings
    assert again.reference == draft.reference


@pytest.mark.parametrize("reference", [None, IMAGE, CLIP])
def test_settings_of_a_video_come_back_without_loss(
    draft: Draft, reference: Reference | None
) -> None:
    """As the command line can ask for them, more than the window has settings for."""
    draft.set_reference(reference)
    request = dataclasses.replace(
        draft.request(),
        width=256,
        num_frames=100,
        seed=77,
        prompts=(PromptChange(0, "a red circle"), PromptChange(2, "blue")),
        sampling=SamplingOverrides(
            num_steps=16,
            window_size=2,
            shortcut_mode="16,16,8",
            cfg_t_range=(0.0, 0.1, 0.5),
            prev_chunk_scales=(1.5, 1.2, 1.0),
            text_scales=(7.0, 6.0, 0.0),
            noise2clean_kvrange=(4, 3),
            clean_chunk_kvrange=2,
            fps=30,
        ),
        special_tokens=("HQ_TOKEN",),
        negative_tokens=True,
        device="cpu",
        dtype="float32",
        attention="exact",
        writing=WriteOptions(crf=20, preset="slow", vp9_crf=40, overwrite=True),
        extra={"of_a_newer_program": [1, 2]},
    )
    draft.take(request, lock_seed=True)
    if reference is not None:
        draft.reference_came(request, reference.info)
    again = Draft()
    again.restore(json.loads(json.dumps(draft.to_json())))
    for each in (draft, again):
        if reference is not None:
            each.set_reference(draft.reference)
        made = each.request()
        assert dataclasses.replace(made, output=request.output) == request
    assert set(draft.kept) == {
        "cfg_t_range", "text_scales", "prev_chunk_scales", "device", "dtype", "preset",
    }  # fmt: skip
    draft.set(text_scale=5.0)
    assert draft.request().sampling.text_scales == (5.0,)
    draft.set(model="4.5B-base")
    assert draft.kept == ()
    assert draft.request().sampling == SamplingOverrides()


def test_a_fresh_seed_each_time_unless_locked(draft: Draft) -> None:
    seeds = {draft.take_seed() for _ in range(8)}
    assert len(seeds) > 1
    draft.set(seed_locked=True, seed=3)
    assert {draft.take_seed() for _ in range(3)} == {3}


def test_the_draft_survives_a_restart(draft: Draft) -> None:
    draft.set_mode(Mode.I2V)
    draft.set_prompt("image")
    draft.set_later_prompts((PromptChange(2, "then", Transition.CUT),))
    draft.set(width=256, noise2clean_kvrange=(2, 2, 2, 2), seconds=None)
    again = Draft()
    again.restore(json.loads(json.dumps(draft.to_json())))
    assert (again.mode, again.prompt) == (Mode.I2V, "image")
    assert again.later_prompts == (PromptChange(2, "then", Transition.CUT),)
    assert again.settings == draft.settings


def test_a_length_of_less_than_a_frame_costs_no_other_setting_at_the_next_start(
    draft: Draft,
) -> None:
    draft.set(width=256, num_steps=8, fps=1, seconds=0.25)
    again = Draft()
    again.restore(json.loads(json.dumps(draft.to_json())))
    assert again.settings == draft.settings


def test_a_configuration_on_a_disk_that_is_gone_costs_only_what_it_says(
    draft: Draft, tmp_path: Path
) -> None:
    mine = {"seconds": 9.0, "seed": 7, "seed_locked": True, "file_format": "webm", "crf": 20}
    draft.set(num_steps=8, **mine)
    saved = json.loads(json.dumps(draft.to_json()))
    saved["settings"]["config_path"] = str(tmp_path / "gone.json")
    again = Draft()
    again.restore(saved)
    assert again.settings == dataclasses.replace(GenerationSettings.of_model(), **mine)


def test_a_video_of_no_prompts_is_composed_again(draft: Draft) -> None:
    request = dataclasses.replace(draft.request(), prompts=())
    draft.set_prompt("before")
    draft.take(request, lock_seed=False)
    assert draft.prompt == ""
    assert draft.request().prompts == (PromptChange(0, ""),)


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"mode": "x", "prompts": 3, "settings": []},
        {"settings": {"model": "gone"}},
        {"settings": {"width": "wide"}},
        {"settings": {"crf": 99}},
        {"later_prompts": {"t2v": [["x", 1], [0, "first"], 5]}},
        {"later_prompts": [["x", 1], [0, "first"], 5], "prompt": 3},
        {"settings": {"file_format": "exe"}},
        {"references": {"i2v": "a.png"}},
        {"references": [None, 3, "a.png", "{}"]},
    ],
)
def test_a_damaged_draft_is_the_usual_one(draft: Draft, saved: dict[str, object]) -> None:
    draft.restore(saved)
    assert draft.settings == GenerationSettings.of_model()
    assert draft.mode is Mode.T2V


def test_names_are_readable_and_free(tmp_path: Path, draft: Draft) -> None:
    draft.set(seed=7)
    for prompt, file_format, name in (
        ('A "red" circle/moves: left!', "mp4", "A red circle moves left 7.mp4"),
        ("", "webm", "t2v 7.webm"),
        ("一个红色的圆", "png", "一个红色的圆 7"),
        ("word " * 50, "gif", f"{'word ' * 9}7.gif"),
    ):
        draft.set_prompt(prompt)
        draft.set(file_format=file_format)
        assert draft.request().output == name
    draft.set_prompt("circle")
    draft.set(file_format="mp4")
    folder = tmp_path / "new"
    first = with_output(draft.request(), folder).output
    assert first == str(folder / "circle 7.mp4")
    assert first is not None
    Path(first).touch()
    assert with_output(draft.request(), folder).output != first


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path, draft: Draft) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        with_output(draft.request(), tmp_path / "file" / "folder")
