"""A finished video redone from its second second: the keys, the queue, the engine, the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import Qt

from magi_desktop.dialogs.redo import RedoDialog
from magi_desktop.state.jobs import Phase
from magi_engine.media.frames import decode_frames
from magi_engine.runtime.job.events import ChunkState
from magi_engine.runtime.request.metadata import read_request
from tests.e2e.conftest import App


def _pictures(path: Path | None) -> np.ndarray:
    assert path is not None
    return np.stack([frame.picture.to_ndarray(format="rgb24") for frame in decode_frames(path)])


def test_redo_from_the_second_that_is_shown(app: App) -> None:
    app.short(chunks=2)
    app.generate()
    app.wait_for(Phase.FINISHED)
    app.wait_idle()
    first = app.job.path
    window, qtbot = app.window, app.qtbot
    qtbot.waitUntil(lambda: window.video_bar.item is not None)
    if window.player.playing:
        window.player.toggle()
    window.player.seek(30)
    window.video_bar.video_actions.redo.trigger()
    qtbot.waitUntil(lambda: bool(window.findChildren(RedoDialog)))
    (dialog,) = window.findChildren(RedoDialog)
    assert dialog.place.currentIndex() == 1
    dialog.text.setPlainText("a blue square")
    qtbot.mouseClick(dialog.redo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: app.job.path != first and app.job.phase is Phase.FINISHED)
    app.wait_idle()
    assert [chunk.state for chunk in app.job.chunks] == [ChunkState.DONE] * 2
    assert [chunk.prompt for chunk in app.job.chunks] == [
        "a red circle moves right",
        "a blue square",
    ]
    made, old = _pictures(app.job.path), _pictures(first)
    assert len(made) == len(old) == 48
    assert np.array_equal(made[:24], old[:24])
    assert not np.array_equal(made[24:], old[24:])
    assert [c.text for c in read_request(app.job.path or "").prompts][1] == "a blue square"
    # The player has all of it, the part that is shared too.
    window.player.seek(0)
    qtbot.waitUntil(lambda: window.player.buffer.has(0) and window.player.buffer.has(47))
