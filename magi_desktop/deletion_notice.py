"""What is said of deleted videos, wherever they were deleted."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Slot

from magi_desktop.state.library import Deletion, Library
from magi_desktop.widgets.notice_bar import UNDO_MS, NoticeBar


class DeletionNotice(QObject):
    """Says in ``notice`` what was deleted and which takes of it stay; ``undo`` is its way back."""

    def __init__(self, library: Library, notice: NoticeBar, undo: Callable[[], None]) -> None:
        super().__init__(notice)
        self._library, self._notice, self._undo = library, notice, undo
        library.deleted.connect(self._say)

    @Slot(object)
    def _say(self, deletion: Deletion) -> None:
        text = self.tr("%n video(s) deleted.", None, len(deletion.gone))
        families = {item.family for item, _ in deletion.gone}
        if left := sum(item.family in families for item in self._library.items):
            text += " " + self.tr("%n other take(s) of the same video stay.", None, left)
        if deletion.undoable:
            self._notice.offer_undo(text, self._undo)
        else:
            self._notice.say(text, for_ms=UNDO_MS)
