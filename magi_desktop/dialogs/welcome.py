"""The first start: what this computer can run, and what to begin with."""

from __future__ import annotations

from collections.abc import Callable
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
from magi_desktop.dialogs.machine import Fit, Machine, Offer, offers
from magi_desktop.dialogs.parts import CopyButton, push_button, text_label
from magi_desktop.engine_words import translated
from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import set_role
from magi_engine.config.registry import Registry
from magi_engine.runtime.finding import Finding
from magi_engine.weights.layout import default_models_dir

Examine = Callable[[Callable[[list[Finding]], None], Callable[[Exception], None]], None]
"""``examine(then, failed)``: calls one of them, later, on the UI thread."""


def gigabytes(size_bytes: float) -> str:
    """A size for people: "9 GB", "0.3 GB"."""
    size = size_bytes / 1e9
    return f"{size:.0f} GB" if size >= 10 else f"{size:.1f} GB"


class WelcomeDialog(QDialog):
    """Says what this computer can run and offers the models.

    Args:
        examine: examines the computer in the background.
        models_dir: where downloaded models are; None: the usual folder.

    Signals:
        start_wanted: name of a model that is here and is to be used now.
        download_wanted: name of a model whose files the user wants to have.
    """

    start_wanted = Signal(str)
    download_wanted = Signal(str)

    def __init__(
        self, examine: Examine, parent: QWidget | None = None, models_dir: Path | None = None
    ) -> None:
        super().__init__(parent)
        self._default = Registry.load().default
        self._machine = Machine()
        self._examined = False
        self._wanted: str | None = None
        self.models_dir = models_dir or default_models_dir()
        self.setWindowTitle(self.tr("Welcome"))
        self.resize(620, 700)
        self.rows: dict[str, _ModelRow] = {}
        self._lay_out()
        self.start_button.setFocus()
        background.run(offers, self.models_dir, then=self._show_offers, owner=self)
        examine(self._show_findings, self._examining_failed)

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

    def _show_findings(self, findings: list[Finding]) -> None:
        self._machine = Machine.of_findings(findings)
        self._examined = True
        self._pc.show_machine(self._machine)
        self._judge()

    def _examining_failed(self, _error: Exception) -> None:
        self._pc.show_failure()

    def _judge(self) -> None:
        if self._examined:
            for row in self.rows.values():
                row.show_fit(self._machine)

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
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(t.SPACE_4)
        self._grid.setVerticalSpacing(t.SPACE_1)
        self._grid.setColumnStretch(1, 1)
        column.addLayout(self._grid)

    def show_machine(self, machine: Machine) -> None:
        self.busy.hide()
        self.status.hide()
        unknown = self.tr("not known")

        def size(size_bytes: float | None, text: str = "{}") -> str:
            return unknown if size_bytes is None else text.format(gigabytes(size_bytes))

        if machine.gpu is None:
            gpu = self.tr("none that can be used; the processor does the work")
        else:
            gpu = self.tr("{0}, {1}").format(machine.gpu, size(machine.gpu_bytes))
        for row, (name, value) in enumerate(
            (
                (self.tr("Graphics card"), gpu),
                (self.tr("Processor"), machine.processor or unknown),
                (self.tr("Memory"), size(machine.memory_bytes)),
                (self.tr("Disk"), size(machine.disk_free_bytes, self.tr("{} free"))),
            )
        ):
            label = QLabel(name, self)
            label.setProperty("role", "muted")
            self._grid.addWidget(label, row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(text_label(value, "", self), row, 1)

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

    def show_fit(self, machine: Machine) -> None:
        """Say whether it would run there."""
        offer = self._offer
        need = gigabytes(offer.cpu_bytes if machine.gpu is None else offer.gpu_bytes)
        role, text = {
            Fit.ON_GPU: ("success", self.tr("Fits this graphics card.")),
            Fit.ON_CPU: ("caption", self.tr("Runs on the processor, very slowly.")),
            Fit.NO_MEMORY: ("warning", self.tr("Needs about {} of memory.").format(need)),
            Fit.NO_DISK: ("warning", self.tr("There is not enough space on the disk.")),
            Fit.UNKNOWN: ("caption", self.tr("Whether it fits is not known.")),
        }[offer.fit(machine)]
        set_role(self.fit_label, role)
        self.fit_label.setText(text)

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
