"""What comes into the window from outside becomes the draft."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop import arrivals as arrivals_module
from magi_desktop.arrivals import Arrivals
from magi_desktop.state.draft import Draft
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from tests.desktop.media_files import video_file


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
