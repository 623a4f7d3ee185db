"""What was done with videos and the queue, to be undone and done again, in order."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoCommand, QUndoStack

from magi_desktop.state.controller import Controller
from magi_desktop.state.library import Deletion, Library
from magi_desktop.state.queue import JobQueue, Removal

_MOST_STEPS = 200


class _Step(QUndoCommand):
    """Something that has been done as it is pushed."""

    def __init__(self, text: str, undo: Callable[[], object], redo: Callable[[], object]) -> None:
        super().__init__(text)
        self._ways = undo, redo
        self._pushed = False

    def undo(self) -> None:
        self._ways[0]()

    def redo(self) -> None:
        if self._pushed:
            self._ways[1]()
        self._pushed = True


class Undo(QUndoStack):
    """Follows the library and the queue.

    Signals:
        stop_wanted: a video that is being made was asked for by what is undone.
    """

    stop_wanted = Signal()

    def __init__(
        self, library: Library, queue: JobQueue, controller: Controller, parent: QObject
    ) -> None:
        super().__init__(parent)
        self.setUndoLimit(_MOST_STEPS)
        self._library, self._queue, self._controller = library, queue, controller
        library.deleted.connect(self._deleted)
        queue.removed.connect(self._removed)

    def lined_up(self, item_ids: list[str]) -> None:
        """Videos were asked for. To undo it takes those out of the queue that wait, asks for the
        end of the one that runs, and throws away those that are made."""
        library, queue = self._library, self._queue
        text = self.tr("making %n video(s)", None, len(item_ids))
        gone: tuple[Removal, Deletion] = [], Deletion([])

        def undo() -> None:
            nonlocal gone
            running = queue.running
            if running is not None and running.id in item_ids:
                self.stop_wanted.emit()
            made = [library.at(self._controller.made.get(item_id)) for item_id in item_ids]
            deletion = Deletion([item for item in made if item is not None])
            gone = queue.remove(*item_ids, tell=False), deletion
            library.throw_away(deletion)

        def redo() -> None:
            queue.put_back(gone[0])
            library.restore(gone[1])

        self.push(_Step(text, undo, redo))

    @Slot(object)
    def _deleted(self, deletion: Deletion) -> None:
        if deletion.undoable:
            text = self.tr("deleting %n video(s)", None, len(deletion.gone))
            library = self._library
            self.push(
                _Step(
                    text,
                    lambda: library.restore(deletion),
                    lambda: library.throw_away(deletion),
                )
            )

    @Slot(object)
    def _removed(self, removal: Removal) -> None:
        queue, ids = self._queue, [item.id for _, item in removal]
        text = self.tr("removing %n video(s) from the queue", None, len(ids))

        def redo() -> None:
            nonlocal removal
            removal = queue.remove(*ids, tell=False)  # they may have been changed meanwhile

        self.push(_Step(text, lambda: queue.put_back(removal), redo))
