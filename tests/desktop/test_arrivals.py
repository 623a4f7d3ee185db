"""What comes into the window from outside becomes the draft."""

from __future__ import annotations

from pathlib import Path

from pytestqt.qtbot import QtBot

from magi_desktop.arrivals import Arrivals
from magi_desktop.state.draft import Draft
from magi_engine.runtime.request import GenerationRequest, Mode, PromptChange


def test_a_video_is_continued_with_its_last_prompt(qtbot: QtBot, tmp_path: Path) -> None:
    draft = Draft()
    arrivals = Arrivals(draft, tmp_path, draft)
    prompts = (PromptChange(0, "a red circle"), PromptChange(2, "a blue square"))
    for given, expected in ((prompts, "a blue square"), ((), "")):
        request = GenerationRequest(Mode.T2V, "pocket", 96, 64, 24, prompts=given)
        with qtbot.waitSignal(arrivals.media_came) as caught:
            arrivals.continue_video(tmp_path / "own.mp4", request)
        assert caught.args == [tmp_path / "own.mp4"]
        assert (draft.mode, draft.prompt, draft.later_prompts) == (Mode.V2V, expected, ())
