"""A model of the user's own: where it is, what kind it is, and what it is to be called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import QUrl, Signal, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QComboBox, QLineEdit, QWidget

from magi_desktop.dialogs.question import QuestionDialog
from magi_desktop.state.asking import Asker
from magi_desktop.widgets.controls import name_control, push_button
from magi_desktop.widgets.dialogs import folder_dialog
from magi_engine.config.registry import ModelEntry
from magi_engine.install.tasks import Add, TaskDone


class AddModelDialog(QuestionDialog):
    """Adds a folder or a hub repository to the list.

    Args:
        kinds: the released models it can be a variant of.

    Signals:
        added: the TaskDone, with the names of the new models.
    """

    added = Signal(object)

    def __init__(
        self, asker: Asker, kinds: Iterable[ModelEntry], parent: QWidget | None = None
    ) -> None:
        super().__init__(asker, parent)
        self.setAcceptDrops(True)
        self.source = QLineEdit(self)
        self.source.setPlaceholderText(self.tr("Folder, or owner/repository"))
        name_control(
            self.source,
            self.tr("Folder or repository"),
            self.tr("A folder on this computer, or a repository of the hub: its name or address."),
        )
        self.folder_button = push_button(
            self.tr("Folder…"), self.tr("Choose a folder on this computer."), self
        )
        self.folder_button.clicked.connect(self._ask_folder)
        self.kind = QComboBox(self)
        self.kind.addItem(self.tr("Find out"), None)
        for entry in kinds:
            self.kind.addItem(entry.title, entry.name)
        name_control(
            self.kind,
            self.tr("Kind"),
            self.tr("Needed only where folders are not called as in the release."),
        )
        self.name = QLineEdit(self)
        self.name.setPlaceholderText(self.tr("After the folder or repository"))
        name_control(self.name, self.tr("Name"), self.tr("What the model is called in the list."))
        self.add_field(self.tr("&From"), self.source, self.folder_button)
        self.add_field(self.tr("&Kind"), self.kind)
        self.add_field(self.tr("&Name"), self.name)
        self.fill(
            self.tr("Add a model"),
            self.tr(
                "A variant of a released model, in a folder of this computer or on the hub. "
                "Nothing is downloaded before you say so."
            ),
            self.tr("Add"),
            self.tr("Looks at it, and puts it into the list."),
        )
        self.source.textChanged.connect(self._check)
        self._check()

    def answer(self, done: TaskDone) -> None:
        self.added.emit(done)

    @Slot()
    def _check(self) -> None:
        self.accept_button.setEnabled(bool(self.source.text().strip()))

    @Slot()
    def submit(self) -> None:
        name = self.name.text().strip() or None
        self.ask(Add(self.source.text().strip(), name, self.kind.currentData()))

    @Slot()
    def _ask_folder(self) -> None:
        title = self.tr("The folder of a model")
        folder_dialog(self, title, lambda folder: self.source.setText(str(folder))).open()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _folder_in(event.mimeData().urls()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        folder = _folder_in(event.mimeData().urls())
        if folder is not None and not self.asker.busy:
            self.source.setText(str(folder))
            event.acceptProposedAction()


def _folder_in(urls: list[QUrl]) -> Path | None:
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return paths[0] if len(paths) == 1 else None
