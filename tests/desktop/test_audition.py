"""First seconds to choose among; tests/e2e/test_library_queue.py makes real ones."""

from __future__ import annotations

from PySide6.QtGui import QUndoStack
from pytestqt.qtbot import QtBot

from magi_desktop.audition import AuditionDialog
from magi_desktop.state.library import Library
from magi_desktop.state.queue import JobQueue
from magi_engine.messages import Message
from tests.desktop.state.helpers import request


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
