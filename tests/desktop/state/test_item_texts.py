"""How a video is described in a line."""

from __future__ import annotations

import dataclasses

from magi_desktop.state.item_texts import request_line
from magi_engine.runtime.request.request import PromptChange, TakeStart
from tests.desktop.state.helpers import request


def test_a_line_tells_apart_what_is_asked_for(qapp: object) -> None:
    plain = request(width=128, height=128, num_frames=96, seed=5)
    assert request_line(plain) == "128×128 · 4 s · seed 5"
    prompts = (PromptChange(0, "a"), PromptChange(2, "b"))
    branched = dataclasses.replace(plain, prompts=prompts, start=TakeStart("take", 2))
    assert request_line(branched) == "128×128 · 4 s · from part 3 on · 2 prompts · seed 5"
    from_the_first = dataclasses.replace(plain, start=TakeStart("take", 0))
    assert request_line(from_the_first) == request_line(plain)
