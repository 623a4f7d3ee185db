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
from magi_desktop.dialogs.model_card import ModelCard
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
from magi_desktop.widgets.gradual import Gradually
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, Box, hbox, vbox
from magi_desktop.widgets.notice_bar import UNDO_MS, NoticeBar
from magi_engine.install.adding import can_be_like
from magi_engine.install.status import ModelStatus
from magi_engine.install.tasks import Download, Import, ShrinkText, Task, TaskDone
from magi_engine.runtime.machine.facts import MachineFacts
from magi_engine.runtime.planning.prospects import Prospect


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
        self._prospects: dict[str, Prospect] = {}
        self._wanted: str | None = None
        self.cards: dict[str, ModelCard] = {}
        self.imports: dict[str, ImportCard] = {}
        self.setWindowTitle(self.tr("Models"))
        self.resize(720, 720)
        self.notice = NoticeBar(self)
        self._adding = Gradually(self._add_next, self)
        self._lay_out()
        models.changed.connect(self._show)
        models.removed.connect(self._say_removed)
        models.failed.connect(self.notice.say_error)
        models.tasks.changed.connect(self._show_imports)
        models.tasks.done.connect(self._say_done)
        models.tasks.failed.connect(self._show_failed)
        machine.changed.connect(self._judge)
        draft.changed.connect(self._show)
        self._show()
        self._show_imports()
        self._judge()
        self.tabs.setFocus()
        models.refresh()
        machine.refresh()

    def show_model(self, name: str) -> None:
        """Bring the card of a model into view, now or as soon as it is there."""
        self._wanted = name
        self._reveal()

    @Slot()
    def _reveal(self) -> None:
        """Again whenever cards have got other places, until everything is said on them."""
        card = self.cards.get(self._wanted or "")
        if card is not None:
            self._inside.activate()  # else a card that has just grown counts as small as it was
            self._scroll.ensureWidgetVisible(card, 0, t.SPACE_6)
            if self._prospects:
                self._wanted = None

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
        self._import_list, self._list = vbox(spacing=t.SPACE_3), vbox(spacing=t.SPACE_3)
        self._inside = vbox(inner, t.SPACE_3, (0, t.SPACE_3, t.SPACE_2, 0)).add(
            self.waiting, self._import_list, self._list, STRETCH
        )
        self._scroll = scroll_area(inner, self)
        self._scroll.verticalScrollBar().rangeChanged.connect(self._reveal)
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
        statuses = self._models.statuses
        self.waiting.setVisible(not statuses)
        for gone in self.cards.keys() - {status.entry.name for status in statuses}:
            self.cards.pop(gone).deleteLater()  # an entry of the user's that was removed
        for status in statuses:
            if status.entry.name in self.cards:
                self._show_status(status)
        if any(status.entry.name not in self._prospects for status in statuses):
            self._judge()
        self._adding.start()

    def _add_next(self) -> bool:
        """Make the first card that is not there yet; whether there was one to make."""
        for place, status in enumerate(self._models.statuses):
            if status.entry.name not in self.cards:
                self._add_card(status, place)
                return True
        return False

    def _show_status(self, status: ModelStatus) -> None:
        settings, name = self._draft.settings, status.entry.name
        used = name == settings.model and not settings.config_path
        removable = self._models.removable_bytes.get(name, 0)
        self.cards[name].show_status(status, used, removable)

    def _add_card(self, status: ModelStatus, place: int) -> None:
        card = ModelCard(self._models, status, self)
        self.cards[card.name] = card
        self._show_status(status)
        card.use_wanted.connect(self._use)
        card.download_wanted.connect(self.download_wanted)
        self._list.insertWidget(place, card)
        if card.name in self._prospects and self._machine.facts is not None:
            card.show_prospect(self._prospects[card.name], self._machine.facts)

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

    @Slot()
    def _judge(self) -> None:
        facts = self._machine.facts
        if facts is not None:
            self._show_folder()
            self._machine.judge(partial(self._show_prospects, facts), self)

    def _show_prospects(self, facts: MachineFacts, prospects: dict[str, Prospect]) -> None:
        self._prospects = prospects
        for name in prospects.keys() & self.cards.keys():
            self.cards[name].show_prospect(prospects[name], facts)

    def choose_folder(self, folder: Path) -> None:
        """Keep models there from the next start on, if it can be written to."""

        def fits(_none: None) -> None:
            self._preferences.set("models_folder", str(folder))
            self._show_folder()

        background.run(check_folder, folder, then=fits, failed=self.notice.say_error, owner=self)

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
        self._draft.set(model=name, config_path=None)

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
