"""The first start: what this computer can run, and what to begin with."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QWidget,
)

from magi_desktop.dialogs.model_cards import ModelCards
from magi_desktop.state.machine import MachineState
from magi_desktop.state.model_words import size_text
from magi_desktop.state.models import Models
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import (
    progress_bar,
    push_button,
    scroll_area,
    set_role,
    text_label,
)
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, vbox
from magi_engine.config.registry import Registry
from magi_engine.runtime.machine.facts import MachineFacts


class WelcomeDialog(Sheet):
    """Says what this computer can run and offers the models.

    Args:
        machine: the computer's numbers; they are asked for anew.
        greets: it is the first start; else it is only asked what this computer can run.

    Signals:
        start_wanted: name of a model that is here and is to be used now.
        download_wanted: name of a model whose files the user wants to have.
    """

    start_wanted = Signal(str)
    download_wanted = Signal(str)

    def __init__(
        self,
        machine: MachineState,
        models: Models,
        parent: QWidget | None = None,
        *,
        greets: bool = True,
    ) -> None:
        super().__init__(parent)
        self._default = Registry.load().default
        self._machine = machine
        title = self.tr("Welcome to Magi Desktop")
        if not greets:
            title = self.tr("What this computer can run")
        self.setWindowTitle(title)
        self.resize(640, 720)
        self._column = ModelCards(models, machine, self, only_downloaded=True)
        self._column.use_wanted.connect(self._use)
        self._column.download_wanted.connect(self.download_wanted)
        self.cards = self._column.cards
        self._lay_out(title)
        self.subtitle.setVisible(greets)
        self.start_button.setFocus()
        machine.changed.connect(self._show_machine)
        self._show_machine()
        models.refresh()
        machine.refresh()

    def _lay_out(self, title: str) -> None:
        self.subtitle = text_label(
            self.tr("Describe a scene, press Generate, and watch the video appear."), "muted", self
        )
        self._pc = _Computer(self._machine.host or self.tr("This computer"), self)
        starter = QFrame(self)
        starter.setProperty("role", "card")
        self.start_button = push_button(
            self.tr("Start with the pocket model"),
            self.tr("Use the model that is already here; nothing has to be downloaded."),
            self,
            kind="primary",
        )
        self.start_button.setDefault(True)
        self.start_button.clicked.connect(self._start)
        vbox(starter, t.SPACE_2, (t.SPACE_4, t.SPACE_3, t.SPACE_4, t.SPACE_4)).add(
            text_label(self.tr("Ready now"), "heading", self),
            text_label(translated(self._default.purpose), "muted", self),
            text_label(translated(self._default.limits), "muted", self),
            (self.start_button, 0, Qt.AlignmentFlag.AlignLeft),
        )
        inner = QWidget(self)
        vbox(inner, t.SPACE_4, SHEET_MARGINS).add(
            vbox(spacing=t.SPACE_1).add(text_label(title, "title", self), self.subtitle),
            self._pc,
            starter,
            text_label(self.tr("Larger models"), "heading", self),
            self._column,
            STRETCH,
        )
        vbox(self).add(scroll_area(inner, self))

    @Slot()
    def _show_machine(self) -> None:
        if self._machine.facts is not None:
            self._pc.show_machine(self._machine.facts)
        elif self._machine.failed:
            self._pc.show_failure()

    @Slot()
    def _start(self) -> None:
        self._use(self._default.name)

    @Slot(str)
    def _use(self, name: str) -> None:
        self.start_wanted.emit(name)
        self.accept()


class _Computer(QFrame):
    """The four things that decide; until they are known, that they are being looked at."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.status = text_label(self.tr("Looking at what is there…"), "muted", self)
        self.busy = progress_bar(self.status.text(), self)
        self.busy.setFixedHeight(6)
        self._values: list[QLabel] = []
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(t.SPACE_4)
        self._grid.setVerticalSpacing(t.SPACE_1)
        self._grid.setColumnStretch(1, 1)
        vbox(self, t.SPACE_2, (t.SPACE_4, t.SPACE_3, t.SPACE_4, t.SPACE_4)).add(
            text_label(name, "heading", self),
            self.status,
            self.busy,
            self._grid,
        )

    def show_machine(self, facts: MachineFacts) -> None:
        """Say what there is; replaces what was said before."""
        self.busy.hide()
        self.status.hide()
        gpu = facts.device_name
        if facts.device == "cpu":
            gpu = self.tr("None that can be used; the processor does the work")
        elif facts.vram_total_bytes is not None:
            gpu = self.tr("{0}, {1}").format(gpu, size_text(facts.vram_total_bytes))
        if len(facts.cards) > 1:
            gpu = self.tr("{0}; the faster one of {1}").format(gpu, len(facts.cards))
        processor = self.tr("{}, %n core(s)", None, facts.cores).format(facts.processor)
        free = self.tr("{} free").format(size_text(facts.disk_free_bytes))
        values = (gpu, processor, size_text(facts.ram_total_bytes), free)
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
            self.tr("This computer could not be examined. The pocket model runs all the same.")
        )
