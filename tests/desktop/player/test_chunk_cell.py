"""The chunks of a finished file."""

from __future__ import annotations

from magi_desktop.player.chunk_cell import cells_of
from magi_desktop.player.video_file import VideoFacts
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from magi_engine.sampling.schedule import Transition


def test_behind_a_clip_in_front_chunks_and_prompts_begin_where_they_do() -> None:
    prompts = (PromptChange(0, "a ball"), PromptChange(1, "a kite", Transition.CUT))
    request = GenerationRequest(
        *(Mode.V2V, "pocket", 64, 48, 64, prompts), source_frames=30, first_frames=16
    )
    cells = cells_of(VideoFacts(24.0, 94, 64, 48, request))
    assert [(c.first_frame, c.num_frames, c.said) for c in cells] == [
        (0, 24, ""),
        (24, 6, ""),
        (30, 16, "a ball"),
        (46, 24, "with a cut: a kite"),
        (70, 24, "a kite"),
    ]
    # Another program's video has seconds.
    cells = cells_of(VideoFacts(24.0, 30, 64, 48, None))
    assert [(c.first_frame, c.num_frames, c.said) for c in cells] == [(0, 24, ""), (24, 6, "")]
