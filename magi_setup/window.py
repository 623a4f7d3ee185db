"""The small window of the first start."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QThread, Signal, Slot
from PySide6.QtGui import QCloseEvent, QIcon, QKeyEvent
from PySide6.QtWidgets import QComboBox, QFileDialog, QProgressBar, QPushButton, QWidget

from magi_desktop import single, translation
from magi_desktop.application import open_application
from magi_desktop.paths import APP_NAME, Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import Appearance, theme
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import (
    line_label,
    name_control,
    push_button,
    set_role,
    text_label,
)
from magi_desktop.widgets.fitting import FitsScreen
from magi_desktop.widgets.layout import STRETCH, hbox, vbox
from magi_engine.errors import MagiError, message_of
from magi_engine.messages import in_sequence
from magi_engine.resources import resource_path
from magi_setup.build import Builder, Plan, SetupProgress, Step
from magi_setup.environments import Environment
from magi_setup.errors import SetupCancelled, unexpected
from magi_setup.machine import CPU, Choice, choose_flavor, cuda_of, probe

logger = logging.getLogger(__name__)

_SIZE = QSize(560, 380)
_BAR_STEPS = 1000


class Working(QThread):
    """Does a piece of work in steps.

    Signals: progressed(SetupProgress), finished_well(what the work returns), failed(exception).
    """

    progressed = Signal(object)
    finished_well = Signal(object)
    failed = Signal(object)

    def __init__(self, work: Generator[SetupProgress, None, object], parent: QWidget) -> None:
        super().__init__(parent)
        self._work = work

    def run(self) -> None:
        """Do it."""
        try:
            while True:
                self.progressed.emit(next(self._work))
        except StopIteration as end:
            self.finished_well.emit(end.value)
        except Exception as error:
            self.failed.emit(_told(error))


class SetupWindow(FitsScreen, QWidget):
    """Says what will be installed and why, installs it, says what went wrong.

    Whatever happens to a new environment, the one in use can be started from here.

    Args:
        files: what to open in the program; what later starts were given is added.
    """

    def __init__(self, builder: Builder, files: list[str]) -> None:
        super().__init__()
        self.builder, self.files = builder, files
        self.plan: Plan | None = None
        self.start_wanted = False
        """Whether the program is to be started once the window is closed."""
        self._choice: Choice = choose_flavor(probe(), builder.bundle.flavors)
        self._thread: Working | None = None
        self.setWindowTitle(APP_NAME)
        self.setObjectName("setup")
        self.resize(_SIZE)
        self._lay_out()
        self.look()

    @Slot()
    def look(self) -> None:
        """Find out what there is to do."""
        self.plan = None
        self._show_progress(self.tr("Looking up what is needed…"))
        self._run(_looking(self.builder, self.flavor.currentData()), self._planned)

    @Slot()
    def install(self) -> None:
        """Carry the plan out."""
        if self.plan is None:
            self.look()
            return
        self._show_progress(self.tr("Starting…"))
        self._run(_building(self.builder, self.plan), self._finished)

    @Slot()
    def stop(self) -> None:
        """Cancel what runs; with nothing running, close."""
        if self.go.isEnabled():  # the thread may take a moment more to end
            self.close()
        else:
            self.builder.cancelled.set()

    @Slot()
    def choose_folder(self) -> None:
        """Take the packages from a folder instead of the network."""
        folder = QFileDialog.getExistingDirectory(self, self.tr("Folder of packages"))
        if folder:
            self.builder.wheels = Path(folder)
            self.look()

    @Slot()
    def start_program(self) -> None:
        """Close, and start the program as it is."""
        self.start_wanted = True
        self.close()

    @Slot(list)
    def come_to_front(self, files: list[str]) -> None:
        """The program was started again."""
        self.files += files
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.raise_()
        self.activateWindow()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses the button with the focus, else the main one; Escape stops."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            focused = self.focusWidget()
            (focused if isinstance(focused, QPushButton) else self.go).click()
        elif event.key() == Qt.Key.Key_Escape:
            self.stop_button.click()
        else:
            super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Stop what runs, then go."""
        self.builder.cancelled.set()
        if self._thread is not None:
            self._thread.wait()
        super().closeEvent(event)

    def _lay_out(self) -> None:
        title = line_label(self._title(), "title", self)
        self.what = text_label(translated(self._choice.sentences), "muted", self)
        self.flavor = QComboBox(self)
        for name in self.builder.bundle.flavors:
            self.flavor.addItem(self._flavor_name(name), name)
        usual = self.builder.usual_flavor(self._choice)
        self.flavor.setCurrentIndex(self.flavor.findData(usual))
        name_control(self.flavor, self.tr("GPU support"), self.tr("The recommended one fits."))
        self.flavor.currentIndexChanged.connect(self.look)
        self.state = text_label("", "muted", self)
        self.bar = QProgressBar(self)
        self.bar.setTextVisible(False)
        self.folder_button = push_button(
            self.tr("Use a folder of packages…"), self.tr("Installs without a network."), self
        )
        self.folder_button.clicked.connect(self.choose_folder)
        self.stop_button = push_button(
            self.tr("Cancel"), self.tr("What was fetched is kept."), self
        )
        self.stop_button.clicked.connect(self.stop)
        self.start_button = push_button(
            self._start_text(), self.tr("Leaves everything as it is."), self
        )
        self.start_button.setVisible(self.builder.record is not None)
        self.start_button.clicked.connect(self.start_program)
        self.go = push_button(self.tr("Install"), self.tr("Fetches and installs."), self, "primary")
        self.go.clicked.connect(self.install)
        vbox(self, t.SPACE_4, (t.SPACE_6, t.SPACE_5, t.SPACE_6, t.SPACE_5)).add(
            *(title, self.what, self.flavor, self.state, self.bar, STRETCH),
            hbox().add(self.folder_button, STRETCH, self.stop_button, self.start_button, self.go),
        )

    def _title(self) -> str:
        record, version = self.builder.record, self.builder.bundle.version
        if record is None:
            return self.tr("Magi Desktop sets itself up")
        if self.builder.needs_build():
            return self.tr("Magi Desktop becomes version {}").format(version)
        return self.tr("GPU support and repair")

    def _start_text(self) -> str:
        record = self.builder.record
        if record is not None and record.version != self.builder.bundle.version:
            return self.tr("Start version {}").format(record.version)
        return self.tr("Start as it is")

    def _flavor_name(self, flavor: str) -> str:
        if flavor == CPU:
            name = self.tr("Without a GPU")
        else:
            name = self.tr("NVIDIA GPU, CUDA {version}").replace(
                "{version}", ".".join(map(str, cuda_of(flavor)))
            )
        if flavor == self._choice.flavor:
            return self.tr("{name} (recommended)").replace("{name}", name)
        return name

    def _run(
        self, work: Generator[SetupProgress, None, object], then: Callable[[Any], None]
    ) -> None:
        if self._thread is not None:
            self._thread.wait()
        self.builder.cancelled.clear()
        self._thread = thread = Working(work, self)
        thread.progressed.connect(self._progressed)
        thread.finished_well.connect(then)
        thread.failed.connect(self._failed)
        self.setFocus()  # or Cancel would get it next, and one Enter too many would cancel
        looks = self.plan is None
        self.flavor.setEnabled(looks)
        self.folder_button.setEnabled(False)
        self.go.setEnabled(False)
        self.start_button.setEnabled(looks)
        thread.start()

    @Slot(object)
    def _planned(self, plan: Plan) -> None:
        if self.sender() is not self._thread:
            return  # one that another has taken the place of
        self._rest()
        self.plan = plan
        text = self.tr("{download} to fetch, {disk} GB of space needed; {free} GB are free.")
        for name, value in (
            ("{download}", _size(plan.download_bytes)),
            ("{disk}", f"{plan.disk_bytes / 1e9:.1f}"),
            ("{free}", f"{plan.free_bytes / 1e9:.0f}"),
        ):
            text = text.replace(name, value)
        self._say(text, "muted")
        self.go.setText(self._go_text(plan.flavor))
        self.go.setFocus()

    def _go_text(self, flavor: str) -> str:
        record = self.builder.record
        if record is None:
            return self.tr("Install")
        if self.builder.needs_build():
            return self.tr("Update")
        return self.tr("Repair") if record.flavor == flavor else self.tr("Change")

    @Slot(object)
    def _progressed(self, progress: SetupProgress) -> None:
        words = translated(progress.step.value)
        if progress.step is Step.DOWNLOADING:
            words += f"  {_size(progress.done_bytes)} / {_size(progress.total_bytes)}"
            if progress.bytes_per_s:
                words += f"  ({_size(int(progress.bytes_per_s))}/s)"
        self.state.setText(words)
        if progress.total_bytes:
            self.bar.setRange(0, _BAR_STEPS)
            self.bar.setValue(_BAR_STEPS * progress.done_bytes // progress.total_bytes)
        else:
            self.bar.setRange(0, 0)

    @Slot(object)
    def _finished(self, _nothing: None) -> None:
        self.start_program()

    @Slot(object)
    def _failed(self, error: Exception) -> None:
        if self.sender() is not self._thread:
            return
        self._rest()
        if isinstance(error, SetupCancelled):
            self._say(self.tr("Stopped. What was fetched is kept."), "muted")
        else:
            kept = ""
            if self.builder.record is not None:
                kept = self.tr("What was there before is still in use.")
            self._say(translated(in_sequence(message_of(error), kept)), "error")
        self.go.setText(self.tr("Try again"))
        self.plan = None

    def _rest(self) -> None:
        self.bar.hide()
        self.flavor.setEnabled(True)
        self.folder_button.setEnabled(True)
        self.go.setEnabled(True)
        self.start_button.setEnabled(True)

    def _show_progress(self, words: str) -> None:
        self._say(words, "muted")
        self.bar.setRange(0, 0)
        self.bar.show()

    def _say(self, words: str, role: str) -> None:
        set_role(self.state, role)
        self.state.setText(words)


def show(
    builder: Builder, places: Places, argv: list[str], files: list[str]
) -> tuple[Environment, list[str]] | None:
    """Show the window until it is closed.

    Args:
        files: what the program was asked to open.

    Returns:
        What is to be started, and what with; None: nothing.
    """
    app = open_application(argv)
    doorbell = single.claim(f"{single.bell_name(places)}-setup", files, app)
    if doorbell is None:
        return None
    app.setWindowIcon(QIcon(str(resource_path("icons", "app.svg"))))
    preferences = Preferences(SettingsFile(places.settings_file))
    translation.install(preferences.get("language"))
    theme().apply(Appearance(preferences.get("appearance")))
    window = SetupWindow(builder, files)
    doorbell.rung.connect(window.come_to_front)
    window.show()
    app.exec()
    current = builder.environments.current
    return (current, window.files) if window.start_wanted and current is not None else None


def _looking(builder: Builder, flavor: str) -> Generator[SetupProgress, None, Plan]:
    yield from ()
    return builder.plan(flavor)


def _building(builder: Builder, plan: Plan) -> Generator[SetupProgress]:
    # Only what is whole is taken over from the environment in use.
    if builder.record is not None:
        plan = builder.plan(plan.flavor, (yield from builder.verify()))
    yield from builder.build(plan)


def _told(error: Exception) -> Exception:
    """As it is shown: what nobody expected goes to the log, and a sentence comes instead."""
    if isinstance(error, MagiError | SetupCancelled | OSError):
        return error
    logger.error("the set-up failed", exc_info=error)
    return unexpected()


def _size(size_bytes: int) -> str:
    if size_bytes >= 10**9:
        return f"{size_bytes / 1e9:.2f} GB"
    return f"{size_bytes / 1e6:.0f} MB"
