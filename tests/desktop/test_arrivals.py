"""What comes into the window from outside becomes the draft."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop import arrivals as arrivals_module
from magi_desktop import background
from magi_desktop.arrivals import Arrivals
from magi_desktop.state.draft import Draft, Reference
from magi_engine.errors import InvalidRequestError
from magi_engine.media.fit import CropBox
from magi_engine.media.info import MediaInfo, probe
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from tests.desktop.media_files import image_file, video_file


def test_a_video_is_continued_with_its_last_prompt(qtbot: QtBot, tmp_path: Path) -> None:
    draft, clip = Draft(), video_file(tmp_path / "own.mp4", seconds=0.5)
    arrivals = Arrivals(draft, tmp_path, draft)
    prompts = (PromptChange(0, "a red circle"), PromptChange(2, "a blue square"))
    for given, expected in ((prompts, "a blue square"), ((), "")):
        request = GenerationRequest(Mode.T2V, "pocket", 96, 64, 24, prompts=given)
        draft.set_reference(None)
        arrivals.continue_video(clip, request)
        qtbot.waitUntil(lambda: draft.reference is not None)
        assert draft.reference is not None
        assert (draft.reference.path, draft.reference.prepend_source) == (clip, True)
        assert (draft.mode, draft.prompt, draft.later_prompts) == (Mode.V2V, expected, ())


@pytest.mark.parametrize("path", ["//server/share/a.png", "\\\\server\\share\\a.json"])
@pytest.mark.parametrize("field", ["reference", "config_path"])
def test_what_settings_of_others_name_on_another_computer_is_not_opened(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, path: str
) -> None:
    opened: list[object] = []
    monkeypatch.setattr(arrivals_module, "probe", opened.append)
    draft = Draft()
    arrivals = Arrivals(draft, tmp_path, draft)
    request = GenerationRequest(Mode.I2V, "pocket", 96, 64, 24, (PromptChange(0, "a kite"),))
    request = dataclasses.replace(request, **{field: path})
    with qtbot.waitSignal(arrivals.refused) as caught:
        arrivals.use_settings(request)
    assert caught.args is not None
    assert path in str(caught.args[0])
    assert opened == []
    assert (draft.prompt, draft.reference) == ("a kite", None), "the rest is used"
    assert draft.settings.config_path is None


def test_what_the_user_has_queued_may_lie_anywhere(qtbot: QtBot, tmp_path: Path) -> None:
    draft = Draft()
    arrivals = Arrivals(draft, tmp_path, draft)
    request = GenerationRequest(Mode.I2V, "pocket", 96, 64, 24, reference="//server/share/a.png")
    with qtbot.waitSignal(arrivals.refused) as caught:
        arrivals.edit(request)
    assert "another computer" not in str(caught.args), "it was looked for"


@pytest.mark.parametrize("locked", [False, True])
def test_only_using_the_settings_of_a_video_locks_its_seed(
    qtbot: QtBot, tmp_path: Path, locked: bool
) -> None:
    draft = Draft()
    draft.set(seed=5, seed_locked=locked)
    arrivals = Arrivals(draft, tmp_path, draft)
    said: list[int] = []
    arrivals.seed_locked.connect(lambda: said.append(draft.settings.seed))
    request = GenerationRequest(Mode.T2V, "pocket", 96, 64, 24, seed=3)

    arrivals.continue_video(tmp_path / "a.mp4", request)
    assert (draft.settings.seed, draft.settings.seed_locked) == (5, locked)
    arrivals.edit(request)
    assert (draft.settings.seed, draft.settings.seed_locked) == (3, locked)
    assert said == []
    arrivals.use_settings(request)
    assert (draft.settings.seed, draft.settings.seed_locked) == (3, True)
    assert said == [3]


def _from(picture: Path, prompt: str) -> GenerationRequest:
    crop = CropBox(0, 0, 64, 32)
    words = (PromptChange(0, prompt),)
    return GenerationRequest(
        Mode.I2V, "pocket", 96, 64, 24, words, reference=str(picture), crop=crop
    )


def test_a_picture_that_is_gone_is_not_replaced_by_the_one_before(
    qtbot: QtBot, tmp_path: Path
) -> None:
    draft, before = Draft(), image_file(tmp_path / "before.png")
    draft.set_reference(Reference(before, probe(before)))
    arrivals = Arrivals(draft, tmp_path, draft)
    with qtbot.waitSignal(arrivals.refused):
        arrivals.use_settings(_from(tmp_path / "gone.png", "a kite"))
    assert (draft.mode, draft.prompt, draft.reference) == (Mode.I2V, "a kite", None)
    with qtbot.waitSignal(arrivals.refused):
        draft.set_reference(Reference(before, probe(before)))
        arrivals.continue_video(tmp_path / "gone.mp4", _from(before, "a boat"))
    assert (draft.mode, draft.prompt, draft.reference) == (Mode.V2V, "a boat", None)


def test_settings_that_came_before_their_picture_was_read_go_and_come_with_it(
    qtbot: QtBot, tmp_path: Path
) -> None:
    draft, (first, second) = Draft(), (image_file(tmp_path / f"{name}.png") for name in "ab")
    draft.set_reference(Reference(first, probe(first)))
    arrivals = Arrivals(draft, tmp_path, draft)
    with qtbot.waitSignal(arrivals.composed) as composed:
        arrivals.use_settings(_from(second, "a kite"))
    there = draft.way_back()
    assert composed.args is not None
    composed.args[0]()
    assert (draft.prompt, draft.settings.seed_locked) == ("", False)
    assert draft.reference is not None
    assert draft.reference.path == first
    there()
    assert (draft.prompt, draft.reference, draft.settings.seed_locked) == ("a kite", None, True)
    assert draft.awaited[Mode.I2V].reference == str(second)


def test_what_is_read_slowly_comes_after_nothing_that_was_wanted_later(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (image_file(tmp_path / f"{name}.png") for name in "abc")
    slow, others = threading.Event(), set(background._under_way)

    def slowly(path: str) -> MediaInfo:
        if Path(path) == first:
            slow.wait()
        return probe(path)

    monkeypatch.setattr(arrivals_module, "probe", slowly)
    draft = Draft()
    draft.set_reference(Reference(third, probe(third)))
    arrivals = Arrivals(draft, tmp_path, draft)
    arrivals.edit(_from(first, "slow"))
    assert draft.prompt == "slow"
    with pytest.raises(InvalidRequestError):
        draft.request()  # with whatever picture there was before, it would be another video
    arrivals.edit(_from(second, "quick"))
    qtbot.waitUntil(lambda: draft.reference is not None)
    slow.set()
    qtbot.waitUntil(lambda: background._under_way <= others)
    assert draft.reference is not None
    assert (draft.prompt, draft.reference.path) == ("quick", second)
    assert draft.reference.crop == CropBox(0, 0, 64, 32)

    slow.clear()
    arrivals.edit(_from(first, "slow"))
    draft.set_reference(Reference(third, probe(third)))
    slow.set()
    qtbot.waitUntil(lambda: background._under_way <= others)
    assert draft.reference.path == third, "what the user chose since stays"
