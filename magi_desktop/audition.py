"""First seconds of videos, all playing side by side, to choose among."""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QIcon, QKeySequence, QPixmap, QShortcut, QUndoStack
from PySide6.QtWidgets import QAbstractItemView, QListView, QListWidget, QListWidgetItem, QWidget

from magi_desktop import background
from magi_desktop.deletion_notice import DeletionNotice
from magi_desktop.player.thumbnails import shrink
from magi_desktop.player.video_file import BlockReader, VideoFile
from magi_desktop.state.library import Library, LibraryItem
from magi_desktop.state.queue import JobQueue, QueueState
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import name_control, push_button, text_label
from magi_desktop.widgets.empty_state import EmptyState
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, hbox, vbox
from magi_desktop.widgets.notice_bar import UNDO, NoticeBar

_PICTURE = QSize(128, 128)
_CELL = _PICTURE + QSize(t.SPACE_4, t.SPACE_5 + t.SPACE_1)
_GRID = _CELL + QSize(t.SPACE_2, t.SPACE_2)
_FRAME_MS = 42
_MOST_FRAMES = 120
_Role = Qt.ItemDataRole.UserRole


class AuditionDialog(Sheet):
    """All videos of which only the first second was made; more appear while they are made.

    Signals:
        keep_wanted: the LibraryItem of which the rest is to be made.
    """

    keep_wanted = Signal(object)

    def __init__(
        self, library: Library, queue: JobQueue, undo: QUndoStack, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._library, self._queue, self._undo = library, queue, undo
        self._first = self._last = undo.index()
        """Only what is done here is undone here, and done again."""
        self._pictures: dict[str, list[QPixmap]] = {}
        self._came: list[str] = []
        """In their order; what was thrown away comes back to its place."""
        self._frame = 0
        self.setWindowTitle(self.tr("Audition"))
        self.prompt = text_label("", "muted", self)
        self.state = text_label("", "caption", self)
        self.list = QListWidget(self)
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setIconSize(_PICTURE)
        self.list.setSpacing(t.SPACE_2)
        self.list.setUniformItemSizes(True)
        self.list.setStyleSheet(f"padding: {t.SPACE_2}px;")
        self.list.setMinimumSize(3 * _GRID.width() + 2 * t.SPACE_5, 3 * _GRID.height() + t.SPACE_5)
        self.list.setGridSize(_GRID)
        name_control(
            self.list,
            self.tr("First seconds"),
            self.tr("Enter makes the rest of one, Delete throws it away, Ctrl+Z brings it back."),
        )
        self.nothing = EmptyState("dice", "", self.list)
        vbox(self.list).add(self.nothing)
        self.list.itemActivated.connect(self.keep)
        self.list.itemSelectionChanged.connect(self._enable)
        self.throw_button = push_button(
            self.tr("Throw away"), self.tr("Moves it to the trash (Del)."), self
        )
        self.throw_button.clicked.connect(self.throw)
        close = push_button(self.tr("Close"), self.tr("All of them stay in the library."), self)
        close.clicked.connect(self.reject)
        self.keep_button = push_button(
            self.tr("Make the rest"),
            self.tr("Goes on with this one; the others stay (Enter)."),
            *(self, "primary"),
        )
        self.keep_button.clicked.connect(self.keep)
        QShortcut(QKeySequence.StandardKey.Delete, self, self.throw)
        QShortcut(QKeySequence("Ctrl+Z"), self, self._take_back)
        QShortcut(QKeySequence("Ctrl+Shift+Z"), self, self._do_again)
        self.notice = NoticeBar(self)
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            text_label(self.tr("Which one goes on?"), "title", self),
            self.prompt,
            self.notice,
            (self.list, 1),
            self.state,
            hbox(None, t.SPACE_2).add(self.throw_button, STRETCH, close, self.keep_button),
        )
        self._timer = QTimer(self, interval=_FRAME_MS)
        self._timer.timeout.connect(self._next_frame)
        self._timer.start()
        undo.indexChanged.connect(self._follow_undo)
        DeletionNotice(library, self.notice, self._take_back)
        library.failed.connect(self.notice.say_error)
        library.changed.connect(self._follow)
        queue.changed.connect(self._follow)
        self._follow()
        self.list.setFocus()

    def _chosen(self) -> list[LibraryItem]:
        rows = [row.data(_Role) for row in self.list.selectedItems()]
        return [item for item in map(self._library.item, rows) if item is not None]

    @Slot()
    def keep(self) -> None:
        """Go on with the one that is chosen."""
        for item in self._chosen()[:1]:
            self.keep_wanted.emit(item)
            self.accept()

    @Slot()
    def throw(self) -> None:
        """Move what is chosen to the trash."""
        self._library.delete([item.id for item in self._chosen()])

    @Slot()
    def _take_back(self) -> None:
        if self._undo.index() > self._first:
            self._undo.undo()

    @Slot()
    def _do_again(self) -> None:
        if self._undo.index() < self._last:
            self._undo.redo()

    @Slot(int)
    def _follow_undo(self, index: int) -> None:
        self._last = max(self._last, index)
        self.notice.withdraw(UNDO)

    @Slot()
    def _enable(self) -> None:
        chosen = self._chosen()
        count = len(chosen)
        self.prompt.setText(chosen[0].prompt if chosen else "")
        self.keep_button.setEnabled(count == 1)
        self.throw_button.setEnabled(count > 0)

    @Slot()
    def _follow(self) -> None:
        there = {item.id: item for item in self._library.items if item.auditioned}
        current = max(0, self.list.currentRow())
        for row in reversed(range(self.list.count())):
            if self.list.item(row).data(_Role) not in there:
                self.list.takeItem(row)
        known = {self.list.item(row).data(_Role) for row in range(self.list.count())}
        self._came += [i for i in reversed(there) if i not in self._came]
        for place, item_id in enumerate(i for i in self._came if i in there):
            if item_id not in known:
                self._add(there[item_id], place)
        if not self.list.selectedItems():  # keys go on working where one was thrown away
            only = QItemSelectionModel.SelectionFlag.ClearAndSelect  # whatever keys are held
            self.list.setCurrentRow(min(current, self.list.count() - 1), only)
        asked = [i for i in self._queue.items if i.request.only_chunks is not None]
        waiting = sum(item.state is not QueueState.FAILED for item in asked)
        text = self.tr("%n more being made", None, waiting)
        if self._queue.paused and self._queue.running is None:
            text = self.tr("%n more wait: the queue is held.", None, waiting)
        self.state.setText(text if waiting else "")
        self.state.setVisible(waiting > 0)
        text = self.tr("They appear here one after the other and play: keep the one you like.")
        if not waiting:
            text = self.tr("There are none. The arrow beside Generate makes first seconds.")
        self.nothing.text.setText(text)
        self.nothing.setVisible(not self.list.count())
        self._enable()

    def _add(self, item: LibraryItem, place: int) -> None:
        row = QListWidgetItem(self.tr("Seed {}").format(item.request.seed))
        row.setData(_Role, item.id)
        row.setToolTip(item.prompt)
        row.setTextAlignment(Qt.AlignmentFlag.AlignHCenter)
        row.setSizeHint(_CELL)  # whatever the seed's width: else the rows do not stand in line
        self.list.insertItem(place, row)
        size = _PICTURE * self.devicePixelRatioF()

        def read() -> list:
            frames = BlockReader(VideoFile(item.path, item.fps)).read(0, _MOST_FRAMES)
            return [] if frames is None else [shrink(frame, size) for frame in frames]

        def take(pictures: list) -> None:
            self._pictures[item.id] = [QPixmap.fromImage(picture) for picture in pictures]

        background.run(read, then=take, owner=self)

    @Slot()
    def _next_frame(self) -> None:
        self._frame += 1
        for row in map(self.list.item, range(self.list.count())):
            if pictures := self._pictures.get(row.data(_Role)):
                picture = pictures[self._frame % len(pictures)]
                icon = QIcon(picture)
                icon.addPixmap(picture, QIcon.Mode.Selected)  # else it is tinted
                row.setIcon(icon)
