"""The first start."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QThreadPool, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.machine import Fit, Machine, offers
from magi_desktop.dialogs.welcome import WelcomeDialog
from magi_engine.runtime.doctor import examine
from magi_engine.runtime.finding import Finding
from tests.desktop.accessibility import faults

GPU = Finding(
    "Devices",
    "cuda:0",
    True,
    "NVIDIA GeForce RTX 4090, 22.1 GB of 24.0 GB free, compute capability 8.9, CUDA 13.0",
)
MEMORY = Finding("Memory and disk", "memory", None, "20.1 GB of 64.0 GB free")
DISK = Finding("Memory and disk", "models", True, "60.0 GB free (/home/someone/models)")


def found(*findings: Finding) -> Callable[..., None]:
    """An examination that ends at once."""
    return lambda then, _failed: then(list(findings))


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path) -> WelcomeDialog:
    return shown(qtbot, WelcomeDialog(found(GPU, MEMORY, DISK), models_dir=tmp_path / "models"))


def shown(qtbot: QtBot, dialog: WelcomeDialog) -> WelcomeDialog:
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: bool(dialog.rows))
    return dialog


def test_the_doctors_own_words_are_understood(tmp_path: Path) -> None:
    machine = Machine.of_findings(examine(tmp_path))
    assert machine.processor is not None
    assert "cores" in machine.processor
    assert machine.memory_bytes is not None
    assert machine.disk_free_bytes == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)
    assert (machine.gpu is None) == (machine.gpu_bytes is None)


def test_a_graphics_card_is_understood() -> None:
    machine = Machine.of_findings([GPU, MEMORY, DISK])
    assert machine == Machine("NVIDIA GeForce RTX 4090", 24e9, None, 64e9, 60e9)


def test_nothing_found_is_not_known_rather_than_nothing() -> None:
    assert Machine.of_findings([]) == Machine()


def test_whether_a_model_fits(tmp_path: Path) -> None:
    by_name = {offer.entry.name: offer for offer in offers(tmp_path)}
    small, large = by_name["4.5B-distill"], by_name["24B-distill"]
    assert small.download_bytes == pytest.approx(30.5e9, rel=0.01)
    assert small.fit(Machine("GPU", 24e9, None, 64e9, 1e12)) is Fit.ON_GPU
    assert small.fit(Machine(None, None, None, 64e9, 1e12)) is Fit.ON_CPU
    assert large.fit(Machine("GPU", 24e9, None, 64e9, 1e12)) is Fit.NO_MEMORY
    assert small.fit(Machine("GPU", 24e9, None, 64e9, 10e9)) is Fit.NO_DISK
    assert small.fit(Machine()) is Fit.UNKNOWN


def test_it_says_that_it_is_looking_until_it_knows(qtbot: QtBot, tmp_path: Path) -> None:
    answers: list[Callable[[list[Finding]], None]] = []
    dialog = shown(
        qtbot, WelcomeDialog(lambda then, _failed: answers.append(then), models_dir=tmp_path)
    )
    assert dialog._pc.busy.isVisible()
    assert dialog.rows["4.5B-base"].fit_label.text() == ""
    answers[0]([GPU, MEMORY, DISK])
    assert not dialog._pc.busy.isVisible()
    assert dialog.rows["4.5B-base"].fit_label.text()


def test_a_failed_examination_does_not_stand_in_the_way(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = shown(
        qtbot,
        WelcomeDialog(lambda _then, failed: failed(OSError("no engine")), models_dir=tmp_path),
    )
    assert not dialog._pc.busy.isVisible()
    assert "could not be examined" in dialog._pc.status.text()
    with qtbot.waitSignal(dialog.start_wanted) as wanted:
        dialog.start_button.click()
    assert wanted.args == ["pocket"]
    assert not dialog.isVisible()


def test_every_control_is_named_explained_and_reachable(dialog: WelcomeDialog) -> None:
    dialog.show_model("24B-base")
    assert faults(dialog) == []


class FolderOpener(QObject):
    """Stands in for the file manager, by Qt's own means."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []

    @Slot(QUrl)
    def open(self, url: QUrl) -> None:
        self.opened.append(url.toLocalFile())


def test_asking_for_a_model_says_where_its_files_belong(
    qtbot: QtBot, dialog: WelcomeDialog
) -> None:
    row = dialog.rows["4.5B-distill"]
    with qtbot.waitSignal(dialog.download_wanted) as wanted:
        row.button.click()
    assert wanted.args == ["4.5B-distill"]
    assert row.where.isVisible()
    assert dialog.isVisible()
    dialog.rows["24B-base"].button.click()
    assert not row.where.isVisible(), "one at a time"


def test_the_folder_is_made_and_opened(qtbot: QtBot, dialog: WelcomeDialog) -> None:
    opener = FolderOpener()
    # The stub asks for bytes, which Qt then does not find as a slot.
    QDesktopServices.setUrlHandler("file", opener, "open")  # pyright: ignore[reportArgumentType]
    try:
        dialog.show_model("4.5B-distill")
        dialog.rows["4.5B-distill"].open_button.click()
        qtbot.waitUntil(lambda: bool(opener.opened))
    finally:
        QDesktopServices.unsetUrlHandler("file")
    assert opener.opened == [str(dialog.models_dir)]
    assert dialog.models_dir.is_dir()


def test_a_model_can_be_shown_before_the_list_is_there(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = WelcomeDialog(found(), models_dir=tmp_path)
    dialog.show_model("24B-base")
    shown(qtbot, dialog)
    qtbot.waitUntil(dialog.rows["24B-base"].where.isVisible)


def test_closing_while_it_looks_is_harmless(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = WelcomeDialog(found(), models_dir=tmp_path)
    dialog.deleteLater()
    QThreadPool.globalInstance().waitForDone()
    qtbot.wait(20)
