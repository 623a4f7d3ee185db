"""A finished video redone from its second second: the keys, the queue, the engine, the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PySide6.QtCore import QPoint, Qt

from magi_desktop.dialogs.redo import RedoDialog
from magi_desktop.exporting import ExportJob
from magi_desktop.state.jobs import Phase
from magi_engine.media.frames import decode_frames
from magi_engine.runtime.job.events import ChunkState
from magi_engine.runtime.request.metadata import read_request
from magi_engine.sampling.schedule import Transition
from tests.e2e.conftest import App

_CTRL = Qt.KeyboardModifier.ControlModifier


def _pictures(path: Path | None) -> np.ndarray:
    assert path is not None
    return np.stack([frame.picture.to_ndarray(format="rgb24") for frame in decode_frames(path)])


def _part(app: App) -> ExportJob:
    player = app.window.player
    assert player.path is not None
    assert player.part_shown == range(24, 48)
    return ExportJob(player.path, app.home / "part.mp4", True, [(player.path, range(24, 48))])


def test_a_second_is_redone_while_the_video_is_being_made(app: App) -> None:
    app.short()
    app.workshop.draft.set(seconds=None)
    app.generate()
    app.qtbot.waitUntil(lambda: app.job.frames_done >= 72)
    window, queue = app.window, app.workshop.queue
    if window.player.playing:
        window.player.toggle()
    window.player.seek(30)
    several = window.from_here.actions()[1]
    several.trigger()
    app.qtbot.waitUntil(lambda: len(queue.items) == 5)
    start = queue.items[1].request.start
    assert start is not None
    assert start.chunk == 1
    queue.set_paused(True)
    app.workshop.controller.stop()
    app.wait_for(Phase.CANCELLED)


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
    qtbot.keyClick(window, Qt.Key.Key_R, _CTRL | Qt.KeyboardModifier.ShiftModifier)
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
    # What can be done with the second that is shown: four more, a cut, and a file of it alone.
    window.player.seek(30)
    app.workshop.queue.set_paused(True)
    redo, several, behind, cut, export = window.from_here.actions()[:5]
    assert all(action.isEnabled() for action in (redo, several, behind, cut, export))
    window.player.play()  # and while it plays, what the menu is about stands still
    window.from_here.show_at(window.mapToGlobal(QPoint(20, 20)))
    assert not window.player.playing
    window.player.seek(30)  # wherever it got to by then
    several.trigger()
    assert not window.player.playing
    window.from_here.close()
    qtbot.waitUntil(lambda: window.player.playing)
    window.player.pause()
    window.player.seek(30)
    qtbot.waitUntil(lambda: len(app.workshop.queue.items) == 4)
    starts = [item.request.start for item in app.workshop.queue.items]
    assert [start and start.chunk for start in starts] == [1] * 4
    assert len({item.request.seed for item in app.workshop.queue.items}) == 4
    cut.trigger()
    qtbot.waitUntil(lambda: bool(window.findChildren(RedoDialog)))
    (dialog,) = window.findChildren(RedoDialog)
    assert dialog.transition.currentData() is Transition.CUT
    dialog.close()
    window.videos.exports.start([_part(app)])
    with qtbot.waitSignal(window.exports.finished):
        pass
    part = _pictures(app.home / "part.mp4")
    assert len(part) == 24
    assert np.abs(part.astype(int) - made[24:]).mean() < 4
    # The player has all of it, the part that is shared too.
    window.player.seek(0)
    qtbot.waitUntil(lambda: window.player.buffer.has(0) and window.player.buffer.has(47))
