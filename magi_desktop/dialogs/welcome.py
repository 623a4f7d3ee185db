"""The first start: what this computer can run, and what to begin with."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from magi_desktop import background
from magi_desktop.dialogs.machine import Offer, estimates, offers, verdict
from magi_desktop.dialogs.parts import CopyButton, gigabytes, push_button, text_label
from magi_desktop.engine_words import translated
from magi_desktop.state.machine import MachineState
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import set_role
from magi_engine.config.registry import Registry
from magi_engine.errors import MagiError
from magi_engine.runtime.machine import MachineFacts
from magi_engine.runtime.preflight import Preflight
from magi_engine.weights.layout import default_models_dir


class WelcomeDialog(QDialog):
    """Says what this computer can run and offers the models.

    Args:
        machine: the computer's numbers; they are asked for anew.
        models_dir: where downloaded models are; None: the usual folder.

    Signals:
        start_wanted: name of a model that is here and is to be used now.
        download_wanted: name of a model whose files the user wants to have.
    """

    start_wanted = Signal(str)
    download_wanted = Signal(str)

    def __init__(
        self, machine: MachineState, parent: QWidget | None = None, models_dir: Path | None = None
    ) -> None:
        super().__init__(parent)
        self._default = Registry.load().default
        self._machine = machine
        self._wanted: str | None = None
        self.models_dir = models_dir or default_models_dir()
        self.setWindowTitle(self.tr("Welcome"))
        self.resize(620, 700)
        self.rows: dict[str, _ModelRow] = {}
        self._lay_out()
        self.start_button.setFocus()
        background.run(offers, self.models_dir, then=self._show_offers, owner=self)
        machine.changed.connect(self._show_machine)
        self._show_machine()
        machine.refresh()

    def _lay_out(self) -> None:
        title = text_label(self.tr("Welcome to Magi Desktop"), "title", self)
        subtitle = text_label(
            self.tr("Describe a scene, press Generate, and watch the video appear."), "muted", self
        )
        self._pc = _ThisComputer(self)
        starter = QFrame(self)
        starter.setProperty("role", "card")
        self.start_button = push_button(
            self.tr("Start with the small model"),
            self.tr("Use the model that is already here; nothing has to be downloaded."),
            self,
            kind="primary",
        )
        self.start_button.setDefault(True)
        self.start_button.clicked.connect(self._start)
        inside = QVBoxLayout(starter)
        inside.setContentsMargins(t.SPACE_4, t.SPACE_3, t.SPACE_4, t.SPACE_4)
        inside.setSpacing(t.SPACE_2)
        inside.addWidget(text_label(self.tr("Ready now"), "heading", self))
        inside.addWidget(text_label(translated(self._default.purpose), "muted", self))
        inside.addWidget(self.start_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._list = QVBoxLayout()
        self._list.setSpacing(0)
        column = QVBoxLayout()
        column.setContentsMargins(t.SPACE_5, t.SPACE_5, t.SPACE_5, t.SPACE_4)
        column.setSpacing(t.SPACE_4)
        heads = QVBoxLayout()
        heads.setSpacing(t.SPACE_1)
        heads.addWidget(title)
        heads.addWidget(subtitle)
        column.addLayout(heads)
        column.addWidget(self._pc)
        column.addWidget(starter)
        column.addWidget(text_label(self.tr("Larger models"), "heading", self))
        column.addLayout(self._list)
        column.addStretch(1)
        inner = QWidget(self)
        inner.setLayout(column)
        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setWidget(inner)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self._scroll)

    def show_model(self, name: str) -> None:
        """Say where the files of a model belong, as if its button had been pressed."""
        self._wanted = name
        if name in self.rows:
            self._open(name)

    def _show_offers(self, found: list[Offer]) -> None:
        for offer in found:
            row = _ModelRow(offer, self.models_dir, self)
            row.asked.connect(self._asked)
            row.use_wanted.connect(self._use)
            self.rows[offer.entry.name] = row
            self._list.addWidget(row)
        self._judge()
        if self._wanted in self.rows:
            self._open(self._wanted)

    @Slot()
    def _show_machine(self) -> None:
        if self._machine.facts is not None:
            self._pc.show_machine(self._machine.facts)
        elif self._machine.failed:
            self._pc.show_failure()
        self._judge()

    def _judge(self) -> None:
        facts = self._machine.facts
        if facts is not None and self.rows:
            background.run(
                estimates,
                self.models_dir,
                facts,
                then=partial(self._show_fits, facts),
                owner=self,
            )

    def _show_fits(self, facts: MachineFacts, outcomes: dict[str, Preflight | MagiError]) -> None:
        for name, row in self.rows.items():
            row.show_fit(outcomes[name], facts)

    @Slot(str)
    def _asked(self, name: str) -> None:
        self._open(name)
        self.download_wanted.emit(name)

    def _open(self, name: str) -> None:
        for other, row in self.rows.items():
            row.set_open(other == name)
        self._scroll.ensureWidgetVisible(self.rows[name])

    @Slot()
    def _start(self) -> None:
        self._use(self._default.name)

    @Slot(str)
    def _use(self, name: str) -> None:
        self.start_wanted.emit(name)
        self.accept()


class _ThisComputer(QFrame):
    """The four things that decide; until they are known, that they are being looked at."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        column = QVBoxLayout(self)
        column.setContentsMargins(t.SPACE_4, t.SPACE_3, t.SPACE_4, t.SPACE_4)
        column.setSpacing(t.SPACE_2)
        column.addWidget(text_label(self.tr("This computer"), "heading", self))
        self.status = text_label(self.tr("Looking at what is there…"), "muted", self)
        self.busy = QProgressBar(self)
        self.busy.setRange(0, 0)
        self.busy.setTextVisible(False)
        self.busy.setFixedHeight(6)
        self.busy.setAccessibleName(self.status.text())
        column.addWidget(self.status)
        column.addWidget(self.busy)
        self._values: list[QLabel] = []
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(t.SPACE_4)
        self._grid.setVerticalSpacing(t.SPACE_1)
        self._grid.setColumnStretch(1, 1)
        column.addLayout(self._grid)

    def show_machine(self, facts: MachineFacts) -> None:
        """Say what there is; replaces what was said before."""
        self.busy.hide()
        self.status.hide()
        gpu = facts.device_name
        if facts.device == "cpu":
            gpu = self.tr("none that can be used; the processor does the work")
        elif facts.vram_total_bytes is not None:
            gpu = self.tr("{0}, {1}").format(gpu, gigabytes(facts.vram_total_bytes))
        processor = self.tr("{0}, {1} cores").format(facts.processor, facts.cores)
        free = self.tr("{} free").format(gigabytes(facts.disk_free_bytes))
        values = (gpu, processor, gigabytes(facts.ram_total_bytes), free)
        if not self._values:
            self._add_rows()
        for label, value in zip(self._values, values, strict=True):
            label.setText(value)

    def _add_rows(self) -> None:
        names = (
            self.tr("Graphics card"),
            self.tr("Processor"),
            self.tr("Memory"),
            self.tr("Disk"),
        )
        for row, name in enumerate(names):
            label = QLabel(name, self)
            label.setProperty("role", "muted")
            self._values.append(text_label("", "", self))
            self._grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(self._values[row], row, 1)

    def show_failure(self) -> None:
        self.busy.hide()
        set_role(self.status, "warning")
        self.status.setText(
            self.tr("This computer could not be examined. The small model runs all the same.")
        )


class _ModelRow(QFrame):
    """A model on offer; opens to say where its files belong."""

    asked = Signal(str)
    use_wanted = Signal(str)

    def __init__(self, offer: Offer, models_dir: Path, parent: QWidget) -> None:
        super().__init__(parent)
        self._offer, self._models_dir = offer, models_dir
        entry = offer.entry
        self.fit_label = text_label("", "caption", self)
        self.here = offer.download_bytes == 0
        verb = self.tr("Use it") if self.here else self.tr("How to get it")
        hint = self.tr("Start with {}.") if self.here else self.tr("Where the files of {} belong.")
        self.button = push_button(verb, hint.format(entry.title), self)
        self.button.setAccessibleName(f"{verb}: {entry.title}")
        self.button.clicked.connect(self._clicked)
        size = (
            self.tr("on this computer")
            if self.here
            else self.tr("{} to download").format(gigabytes(offer.download_bytes))
        )
        head = QHBoxLayout()
        head.setSpacing(t.SPACE_2)
        name = QLabel(entry.title, self)
        amount = QLabel(size, self)
        amount.setProperty("role", "muted")
        head.addWidget(name)
        head.addStretch(1)
        head.addWidget(amount)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addLayout(head)
        words.addWidget(text_label(translated(entry.purpose), "caption", self))
        words.addWidget(self.fit_label)
        across = QHBoxLayout()
        across.setSpacing(t.SPACE_4)
        across.addLayout(words, 1)
        across.addWidget(self.button)
        self.where = self._make_where()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, t.SPACE_2, 0, t.SPACE_2)
        column.setSpacing(t.SPACE_2)
        column.addLayout(across)
        column.addWidget(self.where)

    def set_open(self, is_open: bool) -> None:
        """Show or hide where the files belong."""
        self.where.setVisible(is_open and not self.here)

    def show_fit(self, outcome: Preflight | MagiError, facts: MachineFacts) -> None:
        """Say whether it would run there, with the numbers that decide."""
        role, sentence = verdict(outcome, facts)
        wanted, free = self._offer.download_bytes, facts.disk_free_bytes
        if wanted > free:
            role = "warning"
            sentence = self.tr("Needs {0} of disk space, but only {1} are free.").format(
                gigabytes(wanted), gigabytes(free)
            )
        set_role(self.fit_label, role)
        self.fit_label.setText(sentence)

    def _make_where(self) -> QFrame:
        box = QFrame(self)
        box.setProperty("role", "sunken")
        release = self._offer.entry.release
        assert release is not None
        text = self.tr(
            "Put the folder “ckpt” of {0} (huggingface.co) into the folder below, and beside it "
            "special_tokens.npz of {1} (github.com)."
        ).format(release.repository, release.special_tokens.github)
        path = text_label(str(self._models_dir), "", box)
        path.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.open_button = push_button(
            self.tr("Open folder"), self.tr("Make the folder if need be and show it."), box
        )
        self.open_button.clicked.connect(self._open_folder)
        self.copy_button = CopyButton(
            self.tr("Copy path"), self.tr("Put the folder's path on the clipboard."), box
        )
        self.copy_button.clicked.connect(lambda: self.copy_button.copy(str(self._models_dir)))
        buttons = QHBoxLayout()
        buttons.setSpacing(t.SPACE_2)
        buttons.addWidget(self.open_button)
        buttons.addWidget(self.copy_button)
        buttons.addStretch(1)
        column = QVBoxLayout(box)
        column.setContentsMargins(t.SPACE_3, t.SPACE_2, t.SPACE_3, t.SPACE_3)
        column.setSpacing(t.SPACE_2)
        column.addWidget(text_label(text, "muted", box))
        column.addWidget(path)
        column.addLayout(buttons)
        box.hide()
        return box

    @Slot()
    def _clicked(self) -> None:
        (self.use_wanted if self.here else self.asked).emit(self._offer.entry.name)

    @Slot()
    def _open_folder(self) -> None:
        background.run(_make_folder, self._models_dir, then=_show_folder, owner=self)


def _make_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _show_folder(folder: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))
