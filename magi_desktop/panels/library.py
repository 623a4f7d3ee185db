"""Everything that was made: look, search, use again, export, throw away."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QActionGroup, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QLineEdit,
    QMenu,
    QStackedLayout,
    QToolButton,
    QWidget,
)

from magi_desktop.panels.library_grid import ItemRole, LibraryGrid, LibraryModel
from magi_desktop.state.library import Library, LibraryItem
from magi_desktop.state.takes import made_order
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.video_actions import VideoActions, VideoCommands
from magi_desktop.widgets.controls import icon_button, line_label
from magi_desktop.widgets.empty_state import EmptyState
from magi_desktop.widgets.layout import hbox, vbox

_EMPTY, _NOT_FOUND, _GRID = range(3)


class Order(Enum):
    """In what order the videos stand."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LONGEST = "longest"
    PROMPT = "prompt"
    NAME = "name"


_KEYS: dict[Order, tuple[Callable[[LibraryItem], Any], bool]] = {
    Order.NEWEST: (lambda item: item.created, True),
    Order.OLDEST: (lambda item: item.created, False),
    Order.LONGEST: (lambda item: item.duration_s, True),
    Order.PROMPT: (lambda item: item.prompt.casefold(), False),
    Order.NAME: (lambda item: item.path.name.casefold(), False),
}
"""By order: what is compared, and whether the largest comes first."""


class SearchField(QLineEdit):
    """Esc clears it, and in an empty one goes back to what is searched."""

    left = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self.text():
            self.clear()
        else:
            self.left.emit()


class LibraryPanel(QWidget):
    """A search field over a grid of cards, and what can be done with the selected ones."""

    def __init__(
        self, library: Library, commands: VideoCommands, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._library = library
        self.search = SearchField(self)
        self.search.setPlaceholderText(self.tr("Search prompts"))
        self.search.setToolTip(self.tr("Show only videos whose prompt has these words (Ctrl+F)."))
        self.search.setAccessibleName(self.tr("Search the library"))
        self.search.setClearButtonEnabled(True)
        magnifier = QAction(self)
        bind_icon(magnifier, "search", "text_muted")
        self.search.addAction(magnifier, QLineEdit.ActionPosition.LeadingPosition)
        self.model = LibraryModel(self)
        self.grid = LibraryGrid(self.model, library.thumbnails, self)
        self.grid.setAccessibleName(self.tr("Library"))
        self.video_actions = VideoActions(commands, self.selected, self)
        self._order = Order.NEWEST
        self._open: set[str] = set()
        """Families of which all takes are shown."""
        self.takes_action = QAction(self.tr("Show or hide its takes"), self.grid)
        self.takes_action.setShortcut(QKeySequence("Ctrl+T"))
        self.takes_action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        self.takes_action.triggered.connect(lambda: self.toggle_takes())
        self.grid.addAction(self.takes_action)
        self.grid.takes_pressed.connect(self.toggle_takes)
        self._make_choice()
        self._count = line_label("", "caption", self)
        self._lay_out()
        self._selected_before: list[str] = []
        self._wire()
        self._show()

    def selected(self) -> list[LibraryItem]:
        """The selected videos, in the order of the grid."""
        rows = sorted(index.row() for index in self.grid.selectedIndexes())
        return [self.model.items[row] for row in rows]

    def select(self, *item_ids: str) -> None:
        """Select these videos and make the first one current."""
        selection = self.grid.selectionModel()
        flags = selection.SelectionFlag
        selection.clearSelection()
        rows = [row for row in map(self.model.row_of, item_ids) if row >= 0]
        for number, row in enumerate(rows):
            index = self.model.index(row)
            if number == 0:
                selection.setCurrentIndex(index, flags.NoUpdate)
            selection.select(index, flags.Select)

    def take_focus(self) -> None:
        """Let the keys go to the videos, if there are any."""
        (self.grid if self.grid.isVisible() else self).setFocus()

    @Slot()
    def focus_search(self) -> None:
        """Type what to find."""
        self.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.search.selectAll()

    def sort(self, order: Order) -> None:
        """Show the videos in this order from now on."""
        self._order = order
        self._orders[order].setChecked(True)
        self._show()

    def _make_choice(self) -> None:
        self.sort_button = icon_button(
            "sort", self.tr("Order"), self.tr("In what order the videos stand."), self
        )
        menu = QMenu(self.sort_button)
        words = {
            Order.NEWEST: self.tr("Newest first"),
            Order.OLDEST: self.tr("Oldest first"),
            Order.LONGEST: self.tr("Longest first"),
            Order.PROMPT: self.tr("By prompt"),
            Order.NAME: self.tr("By name of the file"),
        }
        group = QActionGroup(menu)
        self._orders: dict[Order, QAction] = {}
        for order, text in words.items():
            action = group.addAction(text)
            action.setCheckable(True)
            action.setChecked(order is self._order)
            action.setData(order)
            self._orders[order] = action
        menu.addActions(group.actions())
        menu.triggered.connect(lambda action: self.sort(action.data()))
        self.sort_button.setMenu(menu)
        self.sort_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.favourites = icon_button(
            "star", self.tr("Favourites only"), self.tr("Show only your favourites."), self
        )
        self.favourites.setCheckable(True)
        a = self.video_actions
        self.export_button = icon_button(
            "export", self.tr("Export"), self.tr("Save copies in another format."), self
        )
        self.export_button.setMenu(a.export_menu)
        self.export_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.mark_button, self.delete_button = QToolButton(self), QToolButton(self)
        for button, action in ((self.mark_button, a.favourite), (self.delete_button, a.delete)):
            button.setProperty("kind", "icon")
            button.setDefaultAction(action)

    def _lay_out(self) -> None:
        nothing = self.tr("Nothing made yet. Every finished video is kept here.")
        self._not_found = EmptyState("search", "", self)
        self._stack = QStackedLayout()
        for page in (EmptyState("library", nothing, self), self._not_found, self.grid):
            self._stack.addWidget(page)
        self._top, self._foot = QWidget(self), QWidget(self)
        hbox(self._top, t.SPACE_1).add((self.search, 1), self.favourites, self.sort_button)
        foot = hbox(self._foot, t.SPACE_1).add((self._count, 1))
        for button in (self.mark_button, self.export_button, self.delete_button):
            kept = button.sizePolicy()
            kept.setRetainSizeWhenHidden(True)  # the grid keeps its height
            button.setSizePolicy(kept)
            button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            foot.add(button)
        vbox(self, t.SPACE_2, (0, t.SPACE_2, 0, 0)).add(self._top, (self._stack, 1), self._foot)

    def _wire(self) -> None:
        a = self.video_actions
        self.search.textChanged.connect(self._show)
        self.search.returnPressed.connect(self.grid.setFocus)
        self.search.left.connect(self.grid.setFocus)
        self.favourites.toggled.connect(self._show)
        self.grid.open_pressed.connect(a.play.trigger)
        self.grid.delete_pressed.connect(a.delete.trigger)
        self.grid.doubleClicked.connect(a.play.trigger)
        self.grid.customContextMenuRequested.connect(self._show_menu)
        self.grid.selectionModel().selectionChanged.connect(self._show_selection)
        self.model.modelAboutToBeReset.connect(self._note_selection)
        self.model.modelReset.connect(lambda: self.select(*self._selected_before))
        self._library.changed.connect(self._show)

    @Slot()
    def _show(self) -> None:
        text, only = self.search.text(), self.favourites.isChecked()
        key, descending = _KEYS[self._order]
        found = [i for i in self._library.search(text) if i.favourite or not only]
        self._show_entries(sorted(found, key=key, reverse=descending))
        any_made = bool(self._library.items)
        self._top.setVisible(any_made)
        if not any_made:
            page = _EMPTY
        elif not self.model.items:
            page = _NOT_FOUND
            sentence = self.tr("No video has “{words}” in its prompt.").format(words=text.strip())
            if only and not text.strip():
                sentence = self.tr("No favourites yet: the star marks a video as one.")
            self._not_found.text.setText(sentence)
        else:
            page = _GRID
        self._stack.setCurrentIndex(page)
        bind_icon(self.favourites, "star-filled" if only else "star")
        self._show_selection()

    def _show_entries(self, found: list[LibraryItem]) -> None:
        """One entry for all takes of a video, the first of them that was found; the others follow
        it where it is open."""
        takes: dict[str, list[LibraryItem]] = {}
        for item in self._library.items:
            takes.setdefault(item.family, []).append(item)
        shown: list[LibraryItem] = []
        counts: dict[str, int] = {}
        for item in found:
            others = takes.pop(item.family, [])
            if not others:
                continue  # it has its entry
            shown.append(item)
            counts[item.id] = len(others)
            if item.family in self._open:
                others = sorted((o for o in others if o is not item), key=made_order)
                shown += others
                counts |= dict.fromkeys((other.id for other in others), 0)
        self.model.show(shown, counts)

    @Slot()
    def toggle_takes(self, item: LibraryItem | None = None) -> None:
        """Open an entry, by default the current one, so that all takes are seen; or close it."""
        item = item or self.grid.currentIndex().data(ItemRole)
        if item is not None:
            self._open ^= {item.family}
            self._show()

    @Slot()
    def _show_selection(self) -> None:
        total, chosen = len(self.model.items), len(self.grid.selectedIndexes())
        text = self.tr("%n video(s)", "", total)
        if chosen > 1:
            text = self.tr("{chosen} of {total} selected").format(chosen=chosen, total=total)
        self._count.setText(text)
        self._foot.setVisible(total > 0)
        for button in (self.mark_button, self.export_button, self.delete_button):
            button.setVisible(chosen > 0)
        self.video_actions.refresh()

    @Slot(QPoint)
    def _show_menu(self, place: QPoint) -> None:
        if self.grid.indexAt(place).isValid():
            menu = self.video_actions.menu()
            if self.model.takes.get(self.grid.indexAt(place).data(ItemRole).id, 1) != 1:
                menu.insertAction(menu.actions()[0], self.takes_action)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.grid.viewport().mapToGlobal(place))

    @Slot()
    def _note_selection(self) -> None:
        self._selected_before = [item.id for item in self.selected()]
