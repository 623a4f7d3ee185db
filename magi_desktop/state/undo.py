"""What was done with videos, the queue and the whole draft, to be undone and redone, in order."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QUndoCommand, QUndoStack

from magi_desktop.state.controller import Controller
from magi_desktop.state.draft import Draft
from magi_desktop.state.library import Deletion, Library
from magi_desktop.state.queue import JobQueue, QueueItem, QueueState, Removal

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


class _DraftStep(_Step):
    """The draft was another one."""


class Undo(QUndoStack):
    """Follows the library and the queue.

    Signals:
        stop_wanted: a video that is being made was asked for by what is undone.
        draft_changed: the draft is another one again; what it awaits is to be read.
    """

    stop_wanted = Signal()
    draft_changed = Signal()

    def __init__(
        self,
        library: Library,
        queue: JobQueue,
        controller: Controller,
        draft: Draft,
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self.setUndoLimit(_MOST_STEPS)
        self._library, self._queue, self._controller = library, queue, controller
        self._draft = draft
        draft.model_left.connect(self._model_left)
        library.deleted.connect(self._deleted)
        queue.removed.connect(self._removed)

    @property
    def undoes_draft(self) -> bool:
        """Whether the next step back is one of the draft."""
        return self.canUndo() and isinstance(self.command(self.index() - 1), _DraftStep)

    @property
    def redoes_draft(self) -> bool:
        """Whether the next step forward is one of the draft."""
        return self.canRedo() and isinstance(self.command(self.index()), _DraftStep)

    @Slot(object)
    def composed(self, go_back: Callable[[], None]) -> None:
        """Another video is composed; ``go_back`` gives the draft of before. A queued video that is
        edited in one of the two is held with it."""
        edited: str | None = None

        def swap() -> None:
            nonlocal go_back, edited
            now = self._queue.edited
            there = self._draft.way_back(), None if now is None else now.id
            go_back()
            self._queue.edit(edited)
            go_back, edited = there
            self.draft_changed.emit()

        self.push(_DraftStep(self.tr("composing another video"), swap, swap))

    @Slot(object)
    def _model_left(self, go_back: Callable[[], None]) -> None:
        def swap() -> None:
            nonlocal go_back
            there = self._draft.settings_back()
            go_back()
            go_back = there

        self.push(_DraftStep(self.tr("choosing another model"), swap, swap))

    def replaced(self, item: QueueItem) -> None:
        """Something else is asked for in a queued video's place."""
        queue, request = self._queue, item.request

        def swap() -> None:
            nonlocal request
            now = queue.item(item.id)
            if now is not None and now.state is not QueueState.RUNNING:
                queue.replace(item.id, request)
                request = now.request

        self.push(_Step(self.tr("changing a queued video"), swap, swap))

    @Slot(list)
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
