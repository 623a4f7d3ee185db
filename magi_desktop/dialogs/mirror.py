"""From where models are downloaded: the hub, or a mirror of it."""

from __future__ import annotations

import os

from PySide6.QtCore import Signal, Slot
from PySide6.QtWidgets import QLineEdit, QWidget

from magi_desktop.dialogs.question import QuestionDialog
from magi_desktop.state.asking import Asker
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import flowing_label, name_control
from magi_engine.config.added import AddedModels
from magi_engine.install.tasks import SetMirror, TaskDone


class MirrorDialog(QuestionDialog):
    """Takes the address of a mirror once it has answered.

    Signals:
        changed: one sentence.
    """

    changed = Signal(str)

    def __init__(self, asker: Asker, parent: QWidget | None = None) -> None:
        super().__init__(asker, parent)
        self.address = QLineEdit(AddedModels.load().mirror or "", self)
        self.address.setPlaceholderText("https://huggingface.co")
        self.address.setClearButtonEnabled(True)
        name_control(
            self.address,
            self.tr("Address of the mirror"),
            self.tr("Leave it empty to download from the hub itself."),
        )
        self.add_field(self.tr("&Address"), self.address)
        forced = os.environ.get("HF_ENDPOINT")
        if forced:
            words = self.tr("HF_ENDPOINT is set and counts before this: {}").format(forced)
            self.form.addRow("", flowing_label(words, "warning", self))
        self.fill(
            self.tr("Download from"),
            self.tr(
                "A mirror of the hub of models can be nearer or easier to reach. Your access token "
                "is never sent to it. Leave the field empty for the hub itself."
            ),
            self.tr("Use"),
            self.tr("Asks that address, and uses it if it answers."),
        )
        self.address.selectAll()

    @Slot()
    def submit(self) -> None:
        self.ask(SetMirror(self.address.text().strip() or None))

    def answer(self, done: TaskDone) -> None:
        self.changed.emit(translated(done.message))
