"""The models: which are here, getting more, and what they take up."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QMenu,
    QTabWidget,
    QWidget,
)

from magi_desktop import background
from magi_desktop.dialogs.add_model import AddModelDialog
from magi_desktop.dialogs.import_card import ImportCard
from magi_desktop.dialogs.mirror import MirrorDialog
from magi_desktop.dialogs.model_cards import ModelCards
from magi_desktop.dialogs.preferences import check_folder
from magi_desktop.dialogs.storage import StoragePage
from magi_desktop.settings import Preferences
from magi_desktop.state.draft import Draft
from magi_desktop.state.machine import MachineState
from magi_desktop.state.model_words import size_text
from magi_desktop.state.models import Models, Removal
from magi_desktop.state.task_line import subject_of
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import push_button, scroll_area, text_label
from magi_desktop.widgets.dialogs import file_dialog, folder_dialog
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, Box, hbox, vbox
from magi_desktop.widgets.notice_bar import UNDO_MS, NoticeBar
from magi_engine.install.adding import can_be_like
from magi_engine.install.tasks import Download, Import, ShrinkText, Task, TaskDone


class ModelsDialog(Sheet):
    """A card for every model, and a page about the room on the disk.

    Args:
        machine: the computer's numbers; they are asked for anew.

    Signals:
        download_wanted: name of a model whose missing files the user wants to have.
    """

    download_wanted = Signal(str)

    def __init__(
        self,
        models: Models,
        machine: MachineState,
        draft: Draft,
        preferences: Preferences,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self._models, self._machine, self._draft = models, machine, draft
        self._wanted, self._revealing = "", False
        self._column = ModelCards(models, machine, self, used=self._name_in_use)
        self._column.use_wanted.connect(self._use)
        self._column.download_wanted.connect(self.download_wanted)
        self.cards = self._column.cards
        self.imports: dict[str, ImportCard] = {}
        self.setWindowTitle(self.tr("Models"))
        self.resize(720, 720)
        self.notice = NoticeBar(self)
        self._lay_out()
        models.changed.connect(self._show)
        models.removed.connect(self._say_removed)
        models.failed.connect(self.notice.say_error)
        models.tasks.changed.connect(self._show_imports)
        models.tasks.done.connect(self._say_done)
        models.tasks.failed.connect(self._show_failed)
        machine.changed.connect(self._show_folder)
        draft.changed.connect(self._column.show_statuses)
        self._show()
        self._show_imports()
        self.tabs.setFocus()
        models.refresh()
        machine.refresh()

    def show_model(self, name: str) -> None:
        """Bring the card of a model into view, and keep it there until the view is scrolled."""
        self._wanted = name
        self._reveal()

    @Slot()
    def _reveal(self) -> None:
        """Again whenever cards come or grow: they have got other places."""
        card = self.cards.get(self._wanted)
        if card is not None:
            self._inside.activate()  # else a card that has just grown counts as small as it was
            self._revealing = True
            self._scroll.ensureWidgetVisible(card, 0, t.SPACE_6)
            self._revealing = False

    @Slot()
    def _scrolled(self) -> None:
        if not self._revealing:
            self._wanted = ""

    def _lay_out(self) -> None:
        title = text_label(self.tr("Models"), "title", self)
        self.add_button = push_button(
            self.tr("Add…"),
            self.tr("Use model files that are on this computer already, or other models."),
            self,
        )
        self.add_button.setMenu(self._make_add_menu())
        self.waiting = text_label(self.tr("Looking at what is there…"), "muted", self)
        inner = QWidget(self)
        self._import_list = vbox(spacing=t.SPACE_3)
        self._inside = vbox(inner, t.SPACE_3, (0, t.SPACE_3, t.SPACE_2, 0)).add(
            self.waiting, self._import_list, self._column, STRETCH
        )
        self._scroll = scroll_area(inner, self)
        self._scroll.verticalScrollBar().rangeChanged.connect(self._reveal)
        self._scroll.verticalScrollBar().valueChanged.connect(self._scrolled)
        self.storage = StoragePage(self._models, self)
        self.tabs = QTabWidget(self)
        self.tabs.addTab(self._scroll, self.tr("Models"))
        self.tabs.addTab(self.storage, self.tr("Storage"))
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            hbox().add((title, 1), self.add_button), self.notice, (self.tabs, 1), self._make_foot()
        )

    def _make_add_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.addAction(self.tr("The official release on this computer…"), self._ask_release)
        menu.addAction(self.tr("An official configuration file…"), self._ask_config)
        menu.addSeparator()
        menu.addAction(self.tr("Another model: a folder or a repository…"), self._ask_own)
        return menu

    def _make_foot(self) -> Box:
        self.path = text_label("", "caption", self)
        self.path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.mirror_button = push_button(
            self.tr("Mirror…"),
            self.tr("Download from a mirror of the hub of models."),
            self,
        )
        self.mirror_button.clicked.connect(self._ask_mirror)
        self.choose_button = push_button(
            self.tr("Other folder…"),
            self.tr("Keep models in another folder, for example on a larger disk."),
            self,
        )
        self.choose_button.clicked.connect(self._ask_folder)
        self.open_button = push_button(
            self.tr("Open folder"), self.tr("Make the folder if need be and show it."), self
        )
        self.open_button.clicked.connect(self._open_folder)
        self._show_folder()
        for button in (self.choose_button, self.open_button):
            button.setVisible(not self._machine.host)
        return vbox(spacing=t.SPACE_2).add(
            self.path,
            hbox(spacing=t.SPACE_2).add(
                STRETCH, self.mirror_button, self.choose_button, self.open_button
            ),
        )

    @Slot()
    def _show(self) -> None:
        self.waiting.setVisible(not self._models.statuses)

    def _name_in_use(self) -> str:
        settings = self._draft.settings
        return "" if settings.config_path else settings.model

    @Slot()
    def _show_imports(self) -> None:
        """A card for each folder that is being looked through, or could not be."""
        tasks = self._models.tasks
        known = [item.task for item in tasks.items] + [p.task for p in tasks.problems.values()]
        wanted = {str(task.path): task for task in known if isinstance(task, Import)}
        for gone in self.imports.keys() - wanted.keys():
            self.imports.pop(gone).deleteLater()
        for subject in wanted.keys() - self.imports.keys():
            card = self.imports[subject] = ImportCard(tasks, wanted[subject], self)
            self._import_list.addWidget(card)

    def choose_folder(self, folder: Path) -> None:
        """Keep models there from the next start on, if it can be written to."""

        def fits(_none: None) -> None:
            self._preferences.set("models_folder", str(folder))
            self._show_folder()

        background.run(check_folder, folder, then=fits, failed=self.notice.say_error, owner=self)

    @Slot()
    def _show_folder(self) -> None:
        """Say which folder counts, and which one will; of another computer, how much is free."""
        now = self._machine.host or str(self._models.models_dir)
        chosen = self._preferences.get("models_folder") or now
        text = now
        if chosen != now and not self._machine.host:
            text = self.tr("{0}; from the next start on {1}").format(now, chosen)
        elif self._machine.facts is not None:
            free = size_text(self._machine.facts.disk_free_bytes)
            text = self.tr("{0}  ·  {1} free").format(now, free)
        self.path.setText(text)

    @Slot()
    def _ask_folder(self) -> None:
        title, now = self.tr("Folder for models"), self._models.models_dir
        folder_dialog(self, title, self.choose_folder, now).open()

    @Slot()
    def _ask_release(self) -> None:
        title, now = self.tr("The folder that holds “ckpt” or “downloads”"), self._models.models_dir
        folder_dialog(self, title, self._import, now).open()

    @Slot()
    def _ask_config(self) -> None:
        dialog = file_dialog(self, self.tr("An official configuration"), self._import)
        dialog.setNameFilter(self.tr("Configurations (*.json)"))
        dialog.open()

    @Slot()
    def _ask_own(self) -> None:
        known = [status.entry for status in self._models.statuses]
        kinds = [e for e in known if can_be_like(e)]
        dialog = AddModelDialog(self._models.asker, kinds, self)
        dialog.added.connect(self._say_added)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot()
    def _ask_mirror(self) -> None:
        dialog = MirrorDialog(self._models.asker, self)
        dialog.changed.connect(self.notice.say)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    @Slot(object)
    def _say_added(self, done: TaskDone) -> None:
        self.tabs.setCurrentIndex(0)
        self.notice.say(translated(done.message))
        if done.added:
            self.show_model(done.added[0])

    def _import(self, path: Path) -> None:
        self.tabs.setCurrentIndex(0)
        self._models.tasks.do(Import(path))

    @Slot(str)
    def _use(self, name: str) -> None:
        self._draft.choose_model(name)

    @Slot(object, str)
    def _say_done(self, task: Task, sentence: str) -> None:
        freed = isinstance(task, Download | ShrinkText)
        storage = (self.tr("Show storage"), partial(self.tabs.setCurrentWidget, self.storage))
        self.notice.say(sentence, action=storage if freed else None)

    @Slot(object)
    def _show_failed(self, task: Task) -> None:
        """What went wrong is said on the card; it should not have to be looked for."""
        self.show_model(subject_of(task))

    @Slot(object)
    def _say_removed(self, removal: Removal) -> None:
        if removal.error is not None:
            self.notice.say_error(removal.error)
            return
        text = self.tr("{0} is in the bin; emptying it frees {1}.").format(
            removal.title, size_text(removal.size_bytes)
        )
        undo = (self.tr("Undo"), partial(self._models.undo, removal))
        self.notice.say(text, action=undo if removal.undoable else None, for_ms=4 * UNDO_MS)

    @Slot()
    def _open_folder(self) -> None:
        folder = self._models.models_dir
        background.run(
            lambda: folder.mkdir(parents=True, exist_ok=True),
            then=lambda _none: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))),
            failed=self.notice.say_error,
            owner=self,
        )
