"""First seconds to choose among; tests/e2e/test_library_queue.py makes real ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtGui import QUndoStack
from pytestqt.qtbot import QtBot

from magi_desktop.audition import AuditionDialog
from magi_desktop.state.library import Library
from magi_desktop.state.queue import JobQueue
from magi_engine.messages import Message
from magi_engine.runtime.request.request import TakeStart
from tests.desktop.state.helpers import request
from tests.desktop.state.videos import make_video


def test_what_could_not_be_made_is_not_being_made(library: Library, qtbot: QtBot) -> None:
    queue = JobQueue(library._store, library)
    first, _ = queue.add_many([request(only_chunks=1), request(only_chunks=1)])
    dialog = AuditionDialog(library, queue, QUndoStack(library))
    qtbot.addWidget(dialog)
    assert "2 more" in dialog.state.text()
    queue.mark_running(first)
    queue.mark_failed(first, Message("Out of memory."))
    assert "1 more" in dialog.state.text()
    queue.set_paused(True)
    assert "1 more wait: the queue is held." in dialog.state.text()


@pytest.mark.usefixtures("chinese")
def test_what_stays_of_what_is_thrown_away_is_said_as_in_the_window(
    library: Library, tmp_path: Path, qtbot: QtBot
) -> None:
    first, second = "20261128-120000-123456", "20261128-130000-123456"
    for take, start in ((first, None), (second, TakeStart(first, 1))):
        path = tmp_path / f"{take}.mp4"
        made = make_video(path, num_frames=96, take=take, start=start, only_chunks=1)
        library.add(path, made, complete=False)
    qtbot.waitUntil(lambda: len(library.items) == 2)
    dialog = AuditionDialog(library, JobQueue(library._store, library), QUndoStack(library))
    qtbot.addWidget(dialog)
    dialog.show()
    library.items[0].path.unlink()  # else it would go to the trash of this computer
    with qtbot.waitSignal(library.deleted):
        library.delete([library.items[0].id])
    assert dialog.notice.text == "已删除 1 个视频。 同一视频的另外 1 个版本仍保留。"
