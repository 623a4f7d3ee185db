"""What is being made and what waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QInputDialog,
    QListView,
    QMenu,
    QPushButton,
    QStackedLayout,
    QToolButton,
    QWidget,
)

from magi_desktop.panels.queue_list import QueueDelegate, QueueModel
from magi_desktop.state.jobs import JobState
from magi_desktop.state.queue import JobQueue, QueueItem, QueueState
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.theme.style import theme
from magi_desktop.widgets.controls import ElidedLabel, VideoList, icon_button, push_button
from magi_desktop.widgets.empty_state import EmptyState
from magi_desktop.widgets.layout import STRETCH, hbox, vbox
from magi_desktop.widgets.notice_bar import NoticeBar

_USUAL_COPIES, _MOST_COPIES = 4, 100


class QueuePanel(QWidget):
    """The queue, to be reordered, edited, multiplied and held.

    Signals:
        edit_requested: the QueueItem the user wants to change; ``JobQueue.replace`` takes it.
        duplicated: ids of copies that were lined up.
        undo_wanted: the user wants back what was removed just now.
    """

    edit_requested = Signal(object)
    duplicated = Signal(list)
    undo_wanted = Signal()

    def __init__(self, queue: JobQueue, job: JobState, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self.model = QueueModel(queue, self)
        self.list = self._make_list(job)
        self._make_actions()
        self._count = ElidedLabel(self, Qt.TextElideMode.ElideRight)
        self._count.setProperty("role", "muted")
        self.hold = QPushButton(self)
        self.hold.clicked.connect(lambda: queue.set_paused(not queue.paused))
        self.failed_button = QToolButton(self)
        self.failed_button.setProperty("kind", "section")
        self.failed_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.failed_button.setToolTip(self.tr("Show or hide what could not be made, and why."))
        self.failed_button.clicked.connect(lambda: self._show_failed(not self.model.shows_failed))
        hint = self.tr("Take all that failed out of the queue.")
        self.clear_button = push_button(self.tr("Clear"), hint, self, "quiet")
        self.clear_button.clicked.connect(self.clear_failed)
        self.notice = NoticeBar(self)
        empty = EmptyState(
            "queue", self.tr("Nothing is waiting. Videos you ask for line up here."), self
        )
        self._stack = QStackedLayout()
        self._stack.addWidget(empty)
        self._stack.addWidget(self.list)
        self._lay_out()
        queue.changed.connect(self._show)
        job.changed.connect(self._repaint_running)
        theme().changed.connect(self.list.viewport().update)
        self.model.modelAboutToBeReset.connect(self._note_selection)
        self.model.modelReset.connect(self._restore_selection)
        self.list.selectionModel().selectionChanged.connect(self._enable)
        self._selected_before: list[str] = []
        self._row_before = 0
        self._show_failed(False)

    def selected(self) -> list[QueueItem]:
        """The selected items, in order."""
        rows = sorted(index.row() for index in self.list.selectedIndexes())
        return [self.model.item(row) for row in rows]

    def select(self, *item_ids: str) -> None:
        """Select these items and make the first one current."""
        selection = self.list.selectionModel()
        selection.clearSelection()
        for number, item_id in enumerate(item_ids):
            row = self.model.row_of(item_id)
            if row >= 0:
                index = self.model.index(row)
                if number == 0:
                    selection.setCurrentIndex(index, selection.SelectionFlag.NoUpdate)
                selection.select(index, selection.SelectionFlag.Select)

    def take_focus(self) -> None:
        """Let the keys go to the list, if there is one."""
        (self.list if self.list.isVisible() else self).setFocus()

    @Slot()
    def edit(self) -> None:
        """Ask to change the selected item."""
        for item in self._waiting()[:1]:
            self.edit_requested.emit(item)

    @Slot()
    def duplicate(self) -> None:
        """Ask how many more of the selected item there shall be, with other seeds."""
        chosen = self.selected()
        if not chosen:
            return
        dialog = QInputDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setWindowTitle(self.tr("Duplicate"))
        dialog.setLabelText(self.tr("How many copies, each with its own seed?"))
        dialog.setInputMode(QInputDialog.InputMode.IntInput)
        dialog.setIntRange(1, _MOST_COPIES)
        dialog.setIntValue(_USUAL_COPIES)
        duplicate = partial(self._queue.duplicate, chosen[0])
        dialog.intValueSelected.connect(lambda count: self.duplicated.emit(duplicate(count)))
        dialog.open()

    @Slot()
    def remove(self) -> None:
        """Take the selected items out, with a way back."""
        self._remove(self._waiting())

    @Slot()
    def clear_failed(self) -> None:
        """Take out what failed, with a way back."""
        if self.clear_button.hasFocus():
            self.list.setFocus()  # the button goes with them
        self._remove(self._queue.failed)

    def _remove(self, items: Sequence[QueueItem]) -> None:
        if gone := self._queue.remove(*(item.id for item in items)):
            text = self.tr("%n video(s) removed.", "", len(gone))
            self.notice.offer_undo(text, self.undo_wanted.emit)

    @Slot()
    def retry(self) -> None:
        """Let the selected failed items wait again."""
        for item in self.selected():
            self._queue.retry(item.id)

    @Slot()
    def move_up(self) -> None:
        """Let the selected items run earlier."""
        for item in self._waiting():
            self._queue.move(item.id, self._queue.index(item.id) - 1)

    @Slot()
    def move_down(self) -> None:
        """Let the selected items run later."""
        for item in reversed(self._waiting()):
            self._queue.move(item.id, self._queue.index(item.id) + 1)

    def _waiting(self) -> list[QueueItem]:
        return [item for item in self.selected() if item.state is not QueueState.RUNNING]

    def _make_list(self, job: JobState) -> QListView:
        view = VideoList(self)
        view.setModel(self.model)
        view.setItemDelegate(QueueDelegate(self.model, job, view))
        view.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        view.setDefaultDropAction(Qt.DropAction.MoveAction)
        view.setDropIndicatorShown(True)
        view.setAccessibleName(self.tr("Queue"))
        view.customContextMenuRequested.connect(self._show_menu)
        view.doubleClicked.connect(self.edit)
        return view

    def _make_actions(self) -> None:
        def action(
            text: str, keys: str | QKeySequence.StandardKey, slot: Callable[[], None]
        ) -> QAction:
            made = QAction(text, self.list)
            made.setShortcut(QKeySequence(keys))
            made.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
            made.triggered.connect(slot)
            self.list.addAction(made)
            return made

        self.edit_action = action(self.tr("Edit"), "Return", self.edit)
        self.duplicate_action = action(self.tr("Duplicate …"), "Ctrl+Shift+D", self.duplicate)
        self.retry_action = action(self.tr("Try again"), "Ctrl+R", self.retry)
        self.up_action = action(self.tr("Move up"), "Alt+Up", self.move_up)
        self.down_action = action(self.tr("Move down"), "Alt+Down", self.move_down)
        self.remove_action = action(self.tr("Remove"), QKeySequence.StandardKey.Delete, self.remove)
        self.remove_action.setAutoRepeat(False)  # else a key held down empties the queue

    def _lay_out(self) -> None:
        self._buttons = QWidget(self)
        buttons = hbox(self._buttons, t.SPACE_1)
        for action, name, tooltip in (
            (self.edit_action, "edit", self.tr("Change this video before it is made.")),
            (self.duplicate_action, "duplicate", self.tr("Line up more of it with other seeds.")),
            (self.retry_action, "reset", self.tr("Let a failed video wait again.")),
            (self.up_action, "up", self.tr("Make this video earlier (Alt+Up).")),
            (self.down_action, "down", self.tr("Make this video later (Alt+Down).")),
            (self.remove_action, "trash", self.tr("Take this video out of the queue (Del).")),
        ):
            if action is self.remove_action:
                buttons.add(STRETCH)
            buttons.add(_button(action, name, tooltip, self))
        vbox(self, t.SPACE_2, (0, t.SPACE_2, 0, 0)).add(
            hbox().add((self._count, 1), self.hold),
            (self._stack, 1),
            hbox().add(self.failed_button, STRETCH, self.clear_button),
            self._buttons,
            self.notice,
        )

    @Slot()
    def _show(self) -> None:
        items = self._queue.items
        waiting = sum(item.state is QueueState.WAITING for item in items)
        failed = len(self._queue.failed)
        rows = self.model.rowCount()
        self._stack.setCurrentIndex(1 if rows else 0)
        self._buttons.setVisible(bool(rows))
        self.failed_button.setText(self.tr("%n failed", "", failed))
        self.failed_button.setAccessibleName(self.failed_button.text())
        self.failed_button.setVisible(bool(failed))
        self.clear_button.setVisible(bool(failed))
        text = self.tr("%n video(s) waiting", "", waiting) if waiting else ""
        self._count.set_text(text)
        self._show_hold(len(items) > failed)
        self._enable()

    def _show_failed(self, shown: bool) -> None:
        bind_icon(self.failed_button, "chevron-up" if shown else "chevron-down", "error")
        self.model.show_failed(shown)
        self._show()

    def _show_hold(self, any_items: bool) -> None:
        paused, running = self._queue.paused, self._queue.running is not None
        if paused:
            text, tooltip = self.tr("Resume"), self.tr("Go on with the queue.")
        elif running:
            text = self.tr("Stop after this")
            tooltip = self.tr("Finish the video being made and start no other.")
        else:
            text, tooltip = self.tr("Hold"), self.tr("Start no further video for now.")
        self.hold.setText(text)
        self.hold.setToolTip(tooltip)
        self.hold.setAccessibleName(text)
        self.hold.setProperty("kind", "primary" if paused else "quiet")
        self.hold.style().unpolish(self.hold)
        self.hold.style().polish(self.hold)
        bind_icon(self.hold, "play" if paused else "pause", "text_on_accent" if paused else "text")
        self.hold.setVisible(any_items or paused)

    @Slot()
    def _enable(self) -> None:
        chosen = self.selected()
        waiting = self._waiting()
        places = [self._queue.index(item.id) for item in waiting]
        first = 1 if self._queue.running is not None else 0
        last = len(self._queue.items) - len(self._queue.failed) - 1
        self.edit_action.setEnabled(len(waiting) == 1)
        self.duplicate_action.setEnabled(len(chosen) == 1)
        self.retry_action.setEnabled(any(i.state is QueueState.FAILED for i in chosen))
        movable = bool(places) and max(places) <= last
        self.up_action.setEnabled(movable and min(places) > first)
        self.down_action.setEnabled(movable and max(places) < last)
        self.remove_action.setEnabled(bool(waiting))

    @Slot(QPoint)
    def _show_menu(self, place: QPoint) -> None:
        if not self.list.indexAt(place).isValid():
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addActions([self.edit_action, self.duplicate_action])
        if self.retry_action.isEnabled():
            menu.addAction(self.retry_action)
        menu.addSeparator()
        menu.addActions([self.up_action, self.down_action])
        menu.addSeparator()
        menu.addAction(self.remove_action)
        menu.popup(self.list.viewport().mapToGlobal(place))

    @Slot()
    def _repaint_running(self) -> None:
        if self._queue.running is not None:
            self.list.update(self.model.index(0))

    @Slot()
    def _note_selection(self) -> None:
        self._selected_before = [item.id for item in self.selected()]
        self._row_before = self.list.currentIndex().row()

    @Slot()
    def _restore_selection(self) -> None:
        self.select(*self._selected_before)
        rows = self.model.rowCount()
        if not self.list.currentIndex().isValid() and rows:
            # What was current is gone: its neighbour is, so that keys go on working there.
            index = self.model.index(max(0, min(self._row_before, rows - 1)))
            selection = self.list.selectionModel()
            flags = selection.SelectionFlag
            chosen = flags.Select if self._selected_before else flags.NoUpdate
            selection.setCurrentIndex(index, chosen)
        self._enable()


def _button(action: QAction, icon_name: str, tooltip: str, parent: QWidget) -> QToolButton:
    button = icon_button(icon_name, action.text().removesuffix(" …"), tooltip, parent)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys to the list
    button.setEnabled(action.isEnabled())
    button.clicked.connect(action.trigger)
    action.enabledChanged.connect(button.setEnabled)
    return button
