"""A shot worked on from first seconds to a file: auditioned, chosen, directed, redone, compared,
taken back, done again, exported."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QFileDialog

from magi_desktop.audition import AuditionDialog
from magi_desktop.dialogs.redo import RedoDialog
from magi_desktop.state.jobs import Phase
from magi_engine.media.frames import decode_frames
from magi_engine.runtime.engine_process import EngineProcess
from magi_engine.runtime.job.events import Event, Planned
from magi_engine.runtime.process.control import Pause
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import GenerationRequest
from tests.e2e.conftest import App

_CTRL, _SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
_ALT = Qt.KeyboardModifier.AltModifier


def _frames(path: Path) -> int:
    return sum(1 for _ in decode_frames(path))


def _paused_at_once(
    engine: EngineProcess, request: GenerationRequest, preview: bool = False
) -> Iterator[Event]:
    """Its job stands still as soon as it is planned, however late the window hears of it."""
    events = EngineProcess.generate(engine, request, preview)

    def paused() -> Iterator[Event]:
        for event in events:
            if isinstance(event, Planned):
                engine.control(Pause())
            yield event

    return paused()


def test_a_shot_is_worked_on(
    app: App, lent_engine: EngineProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    app.short(chunks=4)
    app.workshop.draft.set(width=64, height=64, window_size=1)
    window, qtbot, library = app.window, app.qtbot, app.workshop.library
    player, takes = window.player, window.takes
    # Audition, and choose the first one.
    qtbot.keyClick(window, Qt.Key.Key_Return, _CTRL | _ALT)
    qtbot.waitUntil(lambda: bool(window.findChildren(AuditionDialog)))
    (dialog,) = window.findChildren(AuditionDialog)
    qtbot.waitUntil(lambda: dialog.list.count() == 9 and len(dialog._pictures) == 9)
    app.wait_idle()
    places = [dialog.list.visualItemRect(dialog.list.item(index)) for index in range(9)]
    assert len({place.top() for place in places}) == len({place.left() for place in places}) == 3
    assert dialog.list.verticalScrollBar().maximum() == 0
    dialog.list.setCurrentRow(0)
    # Direct what comes next, while it stands still before that.
    with monkeypatch.context() as patch, qtbot.waitSignal(app.job.started):
        patch.setattr(lent_engine, "generate", partial(_paused_at_once, lent_engine))
        qtbot.keyClick(dialog.list, Qt.Key.Key_Return)
    app.wait_for(Phase.PAUSED)
    assert app.job.first_open_chunk is not None
    app.to_front()
    direct = window.progress.direct
    qtbot.keyClick(window, Qt.Key.Key_D, _CTRL)
    qtbot.waitUntil(direct.text.hasSelectedText)
    qtbot.keyClicks(direct.text, "a blue square moves left")
    qtbot.keyClick(direct.text, Qt.Key.Key_Return)
    app.workshop.controller.resume()
    app.wait_for(Phase.FINISHED)
    app.wait_idle()
    qtbot.waitUntil(lambda: len(library.items) == 10)
    whole = library.items[0]
    assert whole.frames == 96
    assert [p.text for p in whole.request.prompts][-1] == "a blue square moves left"
    # Redo from the third second, with other words.
    qtbot.waitUntil(lambda: takes.shown is not None)
    player.pause()
    player.seek(50)
    app.to_front()
    qtbot.keyClick(window, Qt.Key.Key_R, _CTRL | _SHIFT)
    qtbot.waitUntil(lambda: bool(window.findChildren(RedoDialog)))
    (redo,) = window.findChildren(RedoDialog)
    assert redo.place.currentIndex() == 2
    redo.text.setPlainText("a green star")
    qtbot.mouseClick(redo.redo, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(library.items) == 11)
    app.wait_idle()
    qtbot.waitUntil(lambda: takes.shown is not None and len(takes.rows) == 3)
    new = library.items[0]
    assert [(row.fork, row.parent) for row in takes.rows] == [(0, None), (1, 0), (2, 1)]
    # Compare the two, with a line between them.
    player.pause()
    qtbot.waitUntil(player.commands.compare.isEnabled)
    app.to_front()
    qtbot.keyClick(player.canvas, Qt.Key.Key_W)
    qtbot.waitUntil(lambda: player.canvas.wiping)
    assert player.canvas.names == ("Take 2", "Take 3")
    player.commands.compare.setChecked(False)
    # Take it back, and do it again.
    assert app.workshop.undo.undoText() == "making 1 video(s)"
    app.to_front()
    qtbot.keyClick(window, Qt.Key.Key_Z, _CTRL)
    qtbot.waitUntil(lambda: library.item(new.id) is None)
    assert not new.path.exists()
    qtbot.keyClick(window, Qt.Key.Key_Z, _CTRL | _SHIFT)
    qtbot.waitUntil(lambda: library.item(new.id) is not None)
    assert new.path.exists()
    # Export a way: the first two seconds of the redone one, then the other.
    player.open_file(new.path)
    qtbot.waitUntil(lambda: takes.shown is not None and takes.shown.item.path == new.path)
    bar = takes.bar_rect(1)
    qtbot.mouseClick(
        takes.viewport(), Qt.MouseButton.LeftButton, _SHIFT, QPoint(bar.right() - 8, bar.y() + 4)
    )
    assert [(row.number, chunks) for row, chunks in takes.legs()] == [
        (3, range(3)),
        (2, range(3, 4)),
    ]
    takes.menu.aboutToShow.emit()
    takes.menu.actions()[-2].trigger()
    (asked,) = window.findChildren(QFileDialog)
    target = tmp_path / "way.mp4"
    with qtbot.waitSignal(window.exports.finished):
        asked.fileSelected.emit(str(target))
        asked.close()
    QApplication.processEvents()
    assert _frames(target) == 96
    made = read_request(target)
    assert [p.text for p in made.prompts][-1] == "a blue square moves left"
    assert "a green star" in [p.text for p in made.prompts]
    assert made.take is None
