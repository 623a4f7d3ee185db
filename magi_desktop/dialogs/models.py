"""The models: which are here, whether they would run, using and removing them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from magi_desktop import background
from magi_desktop.dialogs.machine import estimates, verdict
from magi_desktop.dialogs.parts import gigabytes, push_button, text_label
from magi_desktop.dialogs.preferences import check_folder
from magi_desktop.engine_words import translated
from magi_desktop.settings import Preferences
from magi_desktop.state.draft import Draft
from magi_desktop.state.machine import MachineState
from magi_desktop.state.models import Models, ModelState, ModelStatus, Removal
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import set_role
from magi_desktop.widgets.notice_bar import UNDO_MS, NoticeBar, Tone
from magi_engine.errors import MagiError
from magi_engine.runtime.machine import MachineFacts
from magi_engine.runtime.preflight import Preflight


class ModelsDialog(QDialog):
    """A card for every model.

    Args:
        machine: the computer's numbers; they are asked for anew.

    Signals:
        get_wanted: name of a model whose files the user wants to have.
    """

    get_wanted = Signal(str)

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
        self._estimates: dict[str, Preflight | MagiError] = {}
        self.cards: dict[str, ModelCard] = {}
        self.setWindowTitle(self.tr("Models"))
        self.resize(700, 680)
        self.notice = NoticeBar(self)
        self._list = QVBoxLayout()
        self._list.setSpacing(t.SPACE_3)
        self._lay_out()
        models.changed.connect(self._show)
        models.removed.connect(self._say_removed)
        models.failed.connect(self._say_error)
        machine.changed.connect(self._judge)
        draft.changed.connect(self._show)
        self._show()
        self._judge()
        models.refresh()
        machine.refresh()

    def _lay_out(self) -> None:
        heads = QVBoxLayout()
        heads.setSpacing(t.SPACE_1)
        heads.addWidget(text_label(self.tr("Models"), "title", self))
        heads.addWidget(
            text_label(
                self.tr("What each is for, and whether it would run on this computer."),
                "muted",
                self,
            )
        )
        inner = QWidget(self)
        inside = QVBoxLayout(inner)
        inside.setContentsMargins(0, 0, t.SPACE_2, 0)
        inside.addLayout(self._list)
        inside.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setWidget(inner)
        self.path = text_label("", "caption", self)
        self.path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
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
        foot = QHBoxLayout()
        foot.setSpacing(t.SPACE_2)
        foot.addWidget(self.path, 1)
        foot.addWidget(self.choose_button)
        foot.addWidget(self.open_button)
        self._show_folder()
        column = QVBoxLayout(self)
        column.setContentsMargins(t.SPACE_5, t.SPACE_5, t.SPACE_5, t.SPACE_4)
        column.setSpacing(t.SPACE_4)
        column.addLayout(heads)
        column.addWidget(self.notice)
        column.addWidget(scroll, 1)
        column.addLayout(foot)

    @Slot()
    def _show(self) -> None:
        settings = self._draft.settings
        used = None if settings.config_path else settings.model
        for status in self._models.statuses:
            name = status.entry.name
            if name not in self.cards:
                card = self.cards[name] = ModelCard(status, self)
                card.use_button.clicked.connect(partial(self._use, name))
                card.get_button.clicked.connect(partial(self._get, name))
                card.remove_button.clicked.connect(partial(self._models.remove, name))
                self._list.addWidget(card)
                if name in self._estimates and self._machine.facts is not None:
                    card.show_estimate(self._estimates[name], self._machine.facts)
            self.cards[name].show_status(status, in_use=name == used)

    @Slot()
    def _judge(self) -> None:
        facts = self._machine.facts
        if facts is not None:
            self._show_folder()
            background.run(
                estimates,
                self._models.models_dir,
                facts,
                then=partial(self._show_estimates, facts),
                owner=self,
            )

    def _show_estimates(
        self, facts: MachineFacts, outcomes: dict[str, Preflight | MagiError]
    ) -> None:
        self._estimates = outcomes
        for name, card in self.cards.items():
            card.show_estimate(outcomes[name], facts)

    def choose_folder(self, folder: Path) -> None:
        """Keep models there from the next start on, if it can be written to."""

        def fits(_none: None) -> None:
            self._preferences.set("models_folder", str(folder))
            self._show_folder()

        background.run(check_folder, folder, then=fits, failed=self._say_error, owner=self)

    def _show_folder(self) -> None:
        """Say which folder counts, and which one will."""
        now = str(self._models.models_dir)
        chosen = self._preferences.get("models_folder") or now
        text = now
        if chosen != now:
            text = self.tr("{0}; from the next start on {1}").format(now, chosen)
        elif self._machine.facts is not None:
            free = gigabytes(self._machine.facts.disk_free_bytes)
            text = self.tr("{0}  ·  {1} free").format(now, free)
        self.path.setText(text)

    @Slot()
    def _ask_folder(self) -> None:
        dialog = QFileDialog(self, self.tr("Folder for models"), str(self._models.models_dir))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda name: self.choose_folder(Path(name)))
        dialog.open()

    def _use(self, name: str) -> None:
        self._draft.set(model=name, config_path=None)

    def _get(self, name: str) -> None:
        self.accept()
        self.get_wanted.emit(name)

    @Slot(object)
    def _say_removed(self, removal: Removal) -> None:
        if removal.error is not None:
            self.notice.say_error(removal.error)
            return
        text = self.tr("{0} is in the bin; emptying it frees {1}.").format(
            removal.title, gigabytes(removal.size_bytes)
        )
        undo = (self.tr("Undo"), partial(self._models.undo, removal))
        self.notice.say(text, action=undo if removal.undoable else None, for_ms=4 * UNDO_MS)

    @Slot(object)
    def _say_error(self, error: Exception) -> None:
        if isinstance(error, MagiError):
            self.notice.say_error(error)
        else:
            self.notice.say(str(error), Tone.ERROR)

    @Slot()
    def _open_folder(self) -> None:
        folder = self._models.models_dir
        background.run(
            lambda: folder.mkdir(parents=True, exist_ok=True),
            then=lambda _none: QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder))),
            failed=self._say_error,
            owner=self,
        )


class ModelCard(QFrame):
    """One model."""

    def __init__(self, status: ModelStatus, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        entry = status.entry
        self.state_label = QLabel(self)
        self.detail = text_label("", "caption", self)
        self.fit_label = text_label("", "caption", self)
        self.use_button = push_button(self.tr("Use"), self.tr("Make videos with this model."), self)
        self.use_button.setAccessibleName(self.tr("Use {}").format(entry.title))
        self.get_button = push_button(
            self.tr("How to get it"), self.tr("Says where its files come from and belong."), self
        )
        self.get_button.setAccessibleName(self.tr("How to get {}").format(entry.title))
        self.remove_button = push_button(self.tr("Remove"), "", self, "quiet")
        self.remove_button.setAccessibleName(self.tr("Remove {}").format(entry.title))
        name = QLabel(entry.title, self)
        name.setProperty("role", "heading")
        head = QHBoxLayout()
        head.setSpacing(t.SPACE_2)
        head.addWidget(name)
        head.addStretch(1)
        head.addWidget(self.state_label)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(text_label(translated(entry.purpose), "muted", self))
        words.addWidget(self.fit_label)
        words.addWidget(self.detail)
        across = QHBoxLayout()
        across.setSpacing(t.SPACE_3)
        across.addLayout(words, 1)
        for button in (self.remove_button, self.get_button, self.use_button):
            across.addWidget(button, 0, Qt.AlignmentFlag.AlignBottom)
        column = QVBoxLayout(self)
        column.setContentsMargins(t.SPACE_4, t.SPACE_3, t.SPACE_4, t.SPACE_3)
        column.setSpacing(t.SPACE_1)
        column.addLayout(head)
        column.addLayout(across)

    def show_status(self, status: ModelStatus, in_use: bool) -> None:
        """Say whether it is here, and offer what can be done."""
        ready = status.state is ModelState.READY
        role, text = {
            ModelState.READY: ("success", self.tr("Ready")),
            ModelState.PARTLY: ("warning", self.tr("Partly here")),
            ModelState.ABSENT: ("muted", self.tr("Not on this computer")),
            ModelState.TO_MAKE: ("muted", self.tr("Not made yet")),
        }[status.state]
        set_role(self.state_label, role)
        if status.state in (ModelState.READY, ModelState.PARTLY):
            text = f"{text}  ·  {gigabytes(status.size_bytes)}"
        self.state_label.setText(self.tr("In use") if in_use and ready else text)
        self.detail.setText(self._detail(status))
        self.detail.setVisible(bool(self.detail.text()))
        self.use_button.setVisible(ready and not in_use)
        released = status.entry.release is not None
        self.get_button.setVisible(released and not ready)
        self.remove_button.setVisible(bool(status.own) and not in_use)
        hint = self.tr("Moves {} to the bin; what other models need stays.")
        self.remove_button.setToolTip(hint.format(gigabytes(status.own_bytes)))

    def show_estimate(self, outcome: Preflight | MagiError, facts: MachineFacts) -> None:
        """Say whether four seconds of its usual size would fit, with the numbers."""
        role, sentence = verdict(outcome, facts)
        set_role(self.fit_label, role)
        self.fit_label.setText(sentence)

    def _detail(self, status: ModelStatus) -> str:
        if status.state is ModelState.PARTLY:
            parts = {
                "transformer": self.tr("transformer"),
                "autoencoder": self.tr("autoencoder"),
                "text encoder": self.tr("text encoder"),
                "special tokens": self.tr("special tokens"),
            }
            names = ", ".join(parts[part] for part in status.missing)
            return self.tr("Missing: {}").format(names) if names else ""
        if status.state is ModelState.TO_MAKE:
            return self.tr("Make it with: {}").format(
                f"magi quantize --model {status.entry.made_from}"
            )
        return ""
