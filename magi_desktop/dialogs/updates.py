"""A newer version of the program: what is new in it, and getting it."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from PySide6.QtCore import QLocale, QProcess, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QPlainTextEdit,
    QWidget,
)

from magi_desktop.state.model_words import size_text
from magi_desktop.state.updates import UpdatePhase, Updates
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import (
    CopyButton,
    line_label,
    name_control,
    progress_bar,
    push_button,
    show_fraction,
    text_label,
)
from magi_desktop.widgets.fitting import Sheet
from magi_desktop.widgets.layout import SHEET_MARGINS, STRETCH, Box, hbox, vbox
from magi_engine import __version__


class UpdatesDialog(Sheet):
    """Looks as soon as it is opened; nothing is fetched or installed without a click.

    Signals:
        quit_wanted: the program has to end for the installer, or to become the new version.
    """

    quit_wanted = Signal()

    def __init__(self, updates: Updates, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._updates = updates
        self._process: QProcess | None = None
        self._installed = False
        self._shown_phase: UpdatePhase | None = None
        self._install_problem = ""
        self.setWindowTitle(self.tr("Updates"))
        self.setMinimumWidth(560)
        self.state = text_label("", "", self)
        self.notes = QPlainTextEdit(self)
        self.notes.setReadOnly(True)
        self.notes.setTabChangesFocus(True)
        self.notes.setFixedHeight(140)
        name_control(self.notes, self.tr("What is new"), self.tr("What this version brings."))
        self.bar = progress_bar(self.tr("Progress of the download"), self)
        self.figures = line_label("", "muted", self)
        self.problem = text_label("", "error", self)
        self.how = text_label("", "muted", self)
        self.how.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        vbox(self, t.SPACE_3, SHEET_MARGINS).add(
            text_label(self.tr("Updates"), "title", self),
            self.state,
            self.notes,
            self.bar,
            self.figures,
            self.how,
            self.problem,
            STRETCH,
            self._buttons(),
        )
        updates.changed.connect(self._show)
        updates.prepared.connect(self._install)
        updates.told()
        if updates.phase in (UpdatePhase.UNKNOWN, UpdatePhase.CURRENT):
            updates.look()
        self._show()

    def reject(self) -> None:
        """Close, unless the installer is at work: it would be cut off."""
        if self._process is None:
            super().reject()

    def done(self, result: int) -> None:
        """Close; a download goes on no longer than somebody can see it."""
        self._updates.cancel()
        super().done(result)

    def _buttons(self) -> Box:
        self.page_button = push_button(
            self.tr("Open its page"), self.tr("Shows the new version in your browser."), self
        )
        self.page_button.clicked.connect(self._open_page)
        self.copy_button = CopyButton(
            self.tr("Copy the command"), self.tr("For a terminal; it asks for your password."), self
        )
        self.copy_button.clicked.connect(lambda: self.copy_button.copy(self._command()))
        self.cancel_button = push_button(
            self.tr("Cancel"), self.tr("What has come so far is kept."), self
        )
        self.cancel_button.clicked.connect(self._updates.cancel)
        self.close_button = push_button(self.tr("Close"), self.tr("Close this sheet."), self)
        self.close_button.clicked.connect(self.reject)
        self.look_button = push_button(
            self.tr("Look again"), self.tr("Asks for the list of versions again."), self, "primary"
        )
        self.look_button.clicked.connect(self._updates.look)
        self.fetch_button = push_button(
            self.tr("Download"), self.tr("Fetches the installer and checks it."), self, "primary"
        )
        self.fetch_button.clicked.connect(self._updates.fetch)
        self.install_button = push_button(
            self.tr("Install"), self.tr("Starts the installer that was fetched."), self, "primary"
        )
        self.install_button.clicked.connect(self._updates.prepare)
        self.quit_button = push_button(
            self.tr("Quit Magi Desktop"),
            self.tr("The next start uses the new version."),
            self,
            "primary",
        )
        self.quit_button.clicked.connect(self._quit)
        self._steps = (
            *(self.cancel_button, self.close_button, self.look_button),
            *(self.fetch_button, self.install_button, self.quit_button),
        )
        return hbox().add(self.page_button, STRETCH, self.copy_button, *self._steps)

    @Slot()
    def _show(self) -> None:
        updates, phase = self._updates, self._updates.phase
        release = updates.release if phase not in _NOTHING_NEW else None
        installing = self._process is not None
        self.state.setText(self._sentence())
        self.notes.setPlainText("" if release is None else release.notes_in(QLocale().name()))
        self.notes.setVisible(bool(self.notes.toPlainText()))
        self._show_progress(installing)
        problem = self._install_problem
        if not problem and updates.problem is not None:
            problem = translated(updates.problem)
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        fetched = phase is UpdatePhase.FETCHED and not self._installed
        by_system = fetched and updates.kind == "linux-deb"
        how = self.tr("The system asks for your password. In a terminal it is: {}")
        self.how.setText(how.format(self._command()))
        self.how.setVisible(by_system)
        self.copy_button.setVisible(by_system)
        self.page_button.setVisible(release is not None)
        self.cancel_button.setVisible(phase is UpdatePhase.FETCHING)
        self.close_button.setVisible(phase is not UpdatePhase.FETCHING)
        self.close_button.setEnabled(not installing)
        self.look_button.setVisible(phase is UpdatePhase.UNKNOWN)
        self.fetch_button.setVisible(
            phase is UpdatePhase.AVAILABLE and updates.installer is not None
        )
        self.install_button.setVisible(fetched)
        self.install_button.setEnabled(not (installing or updates.preparing))
        self.quit_button.setVisible(self._installed)
        if phase is not self._shown_phase or self._installed:
            self._shown_phase = phase
            self._focus()

    def _focus(self) -> None:
        """Put the keyboard on what comes next."""
        shown = (button for button in reversed(self._steps) if button.isVisibleTo(self))
        next(shown).setFocus()

    def _show_progress(self, installing: bool) -> None:
        updates, installer = self._updates, self._updates.installer
        fetching = updates.phase is UpdatePhase.FETCHING
        self.bar.setVisible(installing or updates.phase in (UpdatePhase.LOOKING, _FETCHING))
        self.figures.setVisible(fetching)
        if not fetching or installer is None:
            show_fraction(self.bar, None)
            return
        here = min(updates.received_bytes, installer.size_bytes)
        show_fraction(self.bar, here / installer.size_bytes)
        self.figures.setText(f"{size_text(here)} / {size_text(installer.size_bytes)}")

    def _sentence(self) -> str:
        updates = self._updates
        version = "" if updates.release is None else str(updates.release.version)
        if self._installed:
            return self.tr("Version {} is installed; the next start uses it.").format(version)
        match updates.phase:
            case UpdatePhase.UNKNOWN:
                return self.tr("This is version {}.").format(__version__)
            case UpdatePhase.LOOKING:
                return self.tr("Looking for a newer version…")
            case UpdatePhase.CURRENT:
                return self.tr("Version {} is the newest.").format(__version__)
            case UpdatePhase.FETCHING:
                return self.tr("Fetching version {}…").format(version)
            case UpdatePhase.FETCHED:
                return self.tr("Version {} is here and was checked.").format(version)
            case UpdatePhase.AVAILABLE:
                return self._offer(version)

    def _offer(self, version: str) -> str:
        installer = self._updates.installer
        said = self.tr("Version {} is available; this is {}.").format(version, __version__)
        if installer is None:
            return f"{said} {self.tr('Its page says how to get it.')}"
        return f"{said} {self.tr('The download is {}.').format(size_text(installer.size_bytes))}"

    def _command(self) -> str:
        installer = self._updates.installer
        if installer is None:
            return ""
        return f"sudo apt install {shlex.quote(str(installer.place_in(self._updates.folder)))}"

    @Slot()
    def _open_page(self) -> None:
        if self._updates.release is not None:
            QDesktopServices.openUrl(QUrl(self._updates.release.page))

    @Slot(object)
    def _install(self, path: Path) -> None:
        """Do with the installer what its kind wants."""
        if self._process is not None:
            return
        self._install_problem = ""
        if self._updates.kind == "linux-deb":
            # The system's own installer asks for the password.
            if not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
                self._install_problem = self.tr("Nothing here opens it: use the command above.")
        elif self._updates.kind == "windows-setup":
            started, _ = QProcess.startDetached(str(path), [])
            if started:
                self._quit()
            else:
                self._not_installed()
        else:
            self._run(path)
        self._show()

    def _run(self, path: Path) -> None:
        self._process = QProcess(self)
        self._process.finished.connect(self._ran)
        self._process.errorOccurred.connect(self._ran)
        self._process.setStandardInputFile(os.devnull)
        self._process.start("sh", [str(path), "--quiet", "--nox11"])

    @Slot()
    def _ran(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._installed = (
            process.exitStatus() is QProcess.ExitStatus.NormalExit and process.exitCode() == 0
        )
        if not self._installed:
            self._not_installed(
                bytes(process.readAllStandardError().data()).decode(errors="replace")
            )
        process.deleteLater()
        self._show()

    def _not_installed(self, said: str = "") -> None:
        lines = said.strip().splitlines()
        reason = lines[-1] if lines else self.tr("Install it by hand from its page.")
        self._install_problem = f"{self.tr('The new version could not be installed.')} {reason}"

    @Slot()
    def _quit(self) -> None:
        self.accept()
        self.quit_wanted.emit()


_FETCHING = UpdatePhase.FETCHING
_NOTHING_NEW = (UpdatePhase.UNKNOWN, UpdatePhase.LOOKING, UpdatePhase.CURRENT)
