"""Everything that was made: look, search, use again, export, throw away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal, Slot
from PySide6.QtGui import QAction, QGuiApplication, QImage, QKeyEvent
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from magi_desktop import background
from magi_desktop.exporting import FORMATS, ExportJob
from magi_desktop.panels.export_bar import ExportBar
from magi_desktop.panels.library_grid import LibraryGrid, LibraryModel
from magi_desktop.state.library import Library, LibraryItem
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_desktop.thumbnails import first_picture, to_image
from magi_desktop.translation import translated
from magi_desktop.widgets.empty_state import EmptyState
from magi_desktop.widgets.notice_bar import UNDO, UNDO_MS, NoticeBar, Tone
from magi_engine.errors import MagiError
from magi_engine.media import free_name

_EMPTY, _NOT_FOUND, _GRID = range(3)


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
    """A search field over a grid of cards.

    Signals:
        open_requested: LibraryItem to play.
        settings_requested: LibraryItem to compose again.
        continue_requested: LibraryItem whose end is to be the beginning of a new video. As with
            ``settings_requested``, its request can be read.
        show_in_folder_requested: path of a file to show in the file manager.
        deleted: videos went, and ``undo`` brings them back.
    """

    open_requested = Signal(object)
    settings_requested = Signal(object)
    continue_requested = Signal(object)
    show_in_folder_requested = Signal(object)
    deleted = Signal()

    def __init__(self, library: Library, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._library = library
        self.search = SearchField(self)
        self.search.setPlaceholderText(self.tr("Search prompts"))
        self.search.setToolTip(self.tr("Show only videos whose prompt has these words (Ctrl+F)."))
        self.search.setAccessibleName(self.tr("Search the library"))
        self.search.setClearButtonEnabled(True)
        self._magnifier = QAction(self)
        self.search.addAction(self._magnifier, QLineEdit.ActionPosition.LeadingPosition)
        self.model = LibraryModel(self)
        self.grid = LibraryGrid(self.model, library.thumbnails, self)
        self.grid.setAccessibleName(self.tr("Library"))
        self._count = QLabel(self)
        self._count.setProperty("role", "caption")
        self.notice = NoticeBar(self)
        self.exports = ExportBar(self)
        self._lay_out()
        self._selected_before: list[str] = []
        self._wire()
        self._draw_icons()
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

    @Slot()
    def open_selected(self) -> None:
        """Play the first selected video."""
        for item in self._present()[:1]:
            self.open_requested.emit(item)

    @Slot()
    def use_settings(self) -> None:
        """Compose the first selected video again."""
        for item in self.selected()[:1]:
            if self._readable(item):
                self.settings_requested.emit(item)

    @Slot()
    def continue_video(self) -> None:
        """Compose a video that goes on where the first selected one ends."""
        for item in self._present()[:1]:
            if self._readable(item):
                self.continue_requested.emit(item)

    @Slot()
    def show_in_folder(self) -> None:
        """Show the first selected video in the file manager."""
        for item in self._present()[:1]:
            self.show_in_folder_requested.emit(item.path)

    @Slot()
    def copy_frame(self) -> None:
        """Put the first frame of the first selected video on the clipboard, in full size."""
        for item in self._present()[:1]:
            background.run(
                lambda item=item: to_image(first_picture(item.path, item.width, item.height)),
                then=self._take_frame,
                failed=self._fail,
                owner=self,
            )

    @Slot()
    def delete_selected(self) -> None:
        """Move the selected videos to the trash, with a way back."""
        self._library.delete(item.id for item in self.selected())

    @Slot()
    def undo(self) -> None:
        """Bring back what was deleted last."""
        self.notice.withdraw(UNDO)
        self._library.undo_delete()

    def export(self, suffix: str) -> None:
        """Ask where to export the selected videos to, in the format of ``suffix``."""
        items = self._present()
        if not items:
            return
        dialog = QFileDialog(self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if len(items) == 1 and suffix:
            item = items[0]
            dialog.setWindowTitle(self.tr("Export as {format}").format(format=FORMATS[suffix]))
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setNameFilter(f"{FORMATS[suffix]} (*{suffix})")
            dialog.setDefaultSuffix(suffix)
            dialog.setDirectory(str(item.path.parent))
            dialog.selectFile(free_name(item.path.with_suffix(suffix)).name)
            # The dialog has asked whether to replace a file of that name.
            dialog.fileSelected.connect(lambda name: self._export_over(item, Path(name)))
        else:
            dialog.setWindowTitle(self.tr("Folder to export to"))
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
            dialog.setDirectory(str(items[0].path.parent))
            dialog.fileSelected.connect(lambda name: self.export_to(items, Path(name), suffix))
        dialog.open()

    def _export_over(self, item: LibraryItem, target: Path) -> None:
        self._library.leaving.emit([target])
        self.exports.start([ExportJob(item.path, target, overwrite=True)])

    def export_to(self, items: list[LibraryItem], folder: Path, suffix: str) -> None:
        """Export videos into a folder under free names; PNG frames get folders of their own."""
        ending = suffix or " frames"
        stems = [i.path.name if i.path.is_dir() else i.path.stem for i in items]
        self.exports.start(
            [
                ExportJob(item.path, folder / f"{stem}{ending}")
                for item, stem in zip(items, stems, strict=True)
            ]
        )

    def menu(self) -> QMenu:
        """What can be done with the selected videos."""
        menu = QMenu(self)
        chosen, present = self.selected(), self._present()
        one, there = len(chosen) == 1, bool(present)

        def entry(text: str, slot: Callable[[], None], enabled: bool) -> None:
            action = menu.addAction(text)
            action.setEnabled(enabled)
            action.triggered.connect(slot)

        if one and not there:
            entry(self.tr("Find the file …"), self.locate, True)
            entry(self.tr("Use these settings"), self.use_settings, True)
            menu.addSeparator()
            entry(self.tr("Remove from the list"), self.delete_selected, True)
            return menu
        entry(self.tr("Play"), self.open_selected, one)
        entry(self.tr("Use these settings"), self.use_settings, one)
        entry(self.tr("Continue this video"), self.continue_video, one)
        menu.addSeparator()
        formats = menu.addMenu(self.tr("Export as"))
        for suffix, name in FORMATS.items():
            text = name if suffix else self.tr("PNG frames")
            action = formats.addAction(text)
            action.triggered.connect(lambda _checked=False, suffix=suffix: self.export(suffix))
        formats.setEnabled(there)
        entry(self.tr("Copy the first frame"), self.copy_frame, one)
        entry(self.tr("Show in folder"), self.show_in_folder, one)
        menu.addSeparator()
        entry(self.tr("Move to trash"), self.delete_selected, bool(chosen))
        return menu

    @Slot()
    def locate(self) -> None:
        """Ask where a missing video is now."""
        for item in self.selected()[:1]:
            dialog = QFileDialog(self, self.tr("Where is {name}?").format(name=item.path.name))
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
            dialog.fileSelected.connect(
                lambda name, item_id=item.id: self._library.locate(item_id, Path(name))
            )
            dialog.open()

    def _lay_out(self) -> None:
        nothing = self.tr("Nothing made yet. Every finished video is kept here.")
        self._stack = QStackedLayout()
        self._stack.addWidget(EmptyState("library", nothing, self))
        self._not_found = EmptyState("search", "", self)
        self._stack.addWidget(self._not_found)
        self._stack.addWidget(self.grid)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, t.SPACE_2, 0, 0)
        column.setSpacing(t.SPACE_2)
        column.addWidget(self.search)
        column.addLayout(self._stack, 1)
        column.addWidget(self._count)
        column.addWidget(self.exports)
        column.addWidget(self.notice)

    def _wire(self) -> None:
        self.search.textChanged.connect(self._show)
        self.search.returnPressed.connect(self.grid.setFocus)
        self.search.left.connect(self.grid.setFocus)
        self.grid.open_pressed.connect(self.open_selected)
        self.grid.delete_pressed.connect(self.delete_selected)
        self.grid.doubleClicked.connect(self.open_selected)
        self.grid.customContextMenuRequested.connect(self._show_menu)
        self.grid.selectionModel().selectionChanged.connect(self._show_count)
        self.model.modelAboutToBeReset.connect(self._note_selection)
        self.model.modelReset.connect(self._restore_selection)
        self._library.changed.connect(self._show)
        self._library.deleted.connect(self._say_deleted)
        self._library.failed.connect(self.notice.say_error)
        self.exports.finished.connect(self._say_exported)
        self.exports.failed.connect(self.notice.say_error)
        theme().changed.connect(self._draw_icons)

    def _present(self) -> list[LibraryItem]:
        return [item for item in self.selected() if not item.missing]

    def _readable(self, item: LibraryItem) -> bool:
        try:
            return item.request is not None
        except MagiError as error:
            self.notice.say_error(error)
            return False

    @Slot()
    def _show(self) -> None:
        text = self.search.text()
        self.model.show(self._library.search(text))
        any_made = bool(self._library.items)
        self.search.setVisible(any_made)
        if not any_made:
            page = _EMPTY
        elif not self.model.items:
            page = _NOT_FOUND
            sentence = self.tr("No video has “{words}” in its prompt.")
            self._not_found.text.setText(sentence.format(words=text.strip()))
        else:
            page = _GRID
        self._stack.setCurrentIndex(page)
        self._show_count()

    @Slot()
    def _show_count(self) -> None:
        total, chosen = len(self.model.items), len(self.grid.selectedIndexes())
        text = self.tr("%n video(s)", "", total)
        if chosen > 1:
            text = self.tr("{chosen} of {total} selected").format(chosen=chosen, total=total)
        self._count.setText(text)
        self._count.setVisible(total > 0)

    @Slot(QPoint)
    def _show_menu(self, place: QPoint) -> None:
        if self.grid.indexAt(place).isValid():
            menu = self.menu()
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.grid.viewport().mapToGlobal(place))

    @Slot(int, bool)
    def _say_deleted(self, count: int, undoable: bool) -> None:
        text = self.tr("%n video(s) deleted.", "", count)
        if undoable:
            self.notice.offer_undo(text, self._library.undo_delete)
            self.deleted.emit()
        else:
            self.notice.say(text, for_ms=UNDO_MS)

    @Slot(list)
    def _say_exported(self, made: list[Path]) -> None:
        text = self.tr("Exported to {name}.").format(name=made[0].name)
        if len(made) > 1:
            text = self.tr("%n video(s) exported.", "", len(made))
        show = (self.tr("Show"), lambda: self.show_in_folder_requested.emit(made[0]))
        self.notice.say(text, action=show, for_ms=UNDO_MS)

    def _take_frame(self, frame: QImage) -> None:
        QGuiApplication.clipboard().setImage(frame)
        self.notice.say(self.tr("The first frame was copied."), for_ms=UNDO_MS)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, MagiError):
            self.notice.say_error(error)
        else:
            self.notice.say(
                self.tr("That did not work: {error}").format(error=translated(error)), Tone.ERROR
            )

    @Slot()
    def _note_selection(self) -> None:
        self._selected_before = [item.id for item in self.selected()]

    @Slot()
    def _restore_selection(self) -> None:
        self.select(*self._selected_before)

    @Slot()
    def _draw_icons(self) -> None:
        self._magnifier.setIcon(icon("search", theme().tokens.text_muted))
