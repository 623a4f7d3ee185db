"""The first start."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, QThreadPool, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.machine import offers
from magi_desktop.dialogs.welcome import WelcomeDialog
from magi_desktop.engine_thread import EngineThread
from magi_desktop.state.machine import MachineState
from magi_engine.runtime.host import EngineProcess
from magi_engine.runtime.machine import MachineFacts
from tests.desktop.accessibility import faults

FACTS = MachineFacts(
    device="cuda:0",
    device_name="NVIDIA GeForce RTX 4090",
    processor="AMD Ryzen 9",
    cores=16,
    vram_total_bytes=24_000_000_000,
    vram_free_bytes=22_100_000_000,
    ram_total_bytes=64_000_000_000,
    ram_free_bytes=20_100_000_000,
    disk_free_bytes=60_000_000_000,
    fp8_in_hardware=True,
)
NO_CARD = dataclasses.replace(FACTS, device="cpu", vram_total_bytes=None, vram_free_bytes=None)


def machine(outcome: MachineFacts | Exception | None = FACTS) -> MachineState:
    """What a look at a machine brought; None: it is still under way. No engine is started."""
    engine = EngineThread(EngineProcess())
    state = MachineState(engine)
    engine.setParent(state)
    if outcome is not None:
        engine.looked.emit(outcome)
    return state


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path) -> WelcomeDialog:
    return shown(qtbot, WelcomeDialog(machine(), models_dir=tmp_path / "models"))


def shown(qtbot: QtBot, dialog: WelcomeDialog) -> WelcomeDialog:
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: bool(dialog.rows))
    return dialog


def test_the_numbers_come_from_the_engine(qtbot: QtBot) -> None:
    engine = EngineThread(EngineProcess())
    state = MachineState(engine)
    engine.start()
    try:
        with qtbot.waitSignal(state.changed, timeout=60_000):
            state.refresh()
    finally:
        engine.close()
    assert not state.failed
    assert state.facts is not None
    assert state.facts.ram_total_bytes > state.facts.ram_free_bytes > 0
    assert state.facts.disk_free_bytes > 0


def test_what_is_still_to_be_downloaded(tmp_path: Path) -> None:
    by_name = {offer.entry.name: offer for offer in offers(tmp_path)}
    assert by_name["4.5B-distill"].download_bytes == pytest.approx(30.5e9, rel=0.01)


HUGE = dataclasses.replace(
    FACTS,
    vram_total_bytes=200 * 10**9,
    vram_free_bytes=200 * 10**9,
    ram_total_bytes=512 * 10**9,
    ram_free_bytes=500 * 10**9,
    disk_free_bytes=10**12,
)


@pytest.mark.parametrize(
    ("facts", "role", "words"),
    [
        (HUGE, "success", "of 200 GB"),
        (
            dataclasses.replace(HUGE, device="cpu", vram_total_bytes=None, vram_free_bytes=None),
            "success",
            "of 512 GB memory",
        ),
        (dataclasses.replace(HUGE, vram_free_bytes=10**9, ram_free_bytes=10**9), "warning", "1.0"),
        (dataclasses.replace(HUGE, disk_free_bytes=6 * 10**10), "warning", "only 60 GB are free"),
    ],
)
def test_the_verdict_gives_the_numbers(
    qtbot: QtBot, tmp_path: Path, facts: MachineFacts, role: str, words: str
) -> None:
    dialog = shown(qtbot, WelcomeDialog(machine(facts), models_dir=tmp_path))
    label = dialog.rows["24B-base"].fit_label
    qtbot.waitUntil(lambda: label.text() != "")
    assert words in label.text()
    assert label.property("role") == role


def test_it_says_that_it_is_looking_until_it_knows(qtbot: QtBot, tmp_path: Path) -> None:
    state = machine(None)
    dialog = shown(qtbot, WelcomeDialog(state, models_dir=tmp_path))
    assert dialog._pc.busy.isVisible()
    assert dialog.rows["4.5B-base"].fit_label.text() == ""
    state._engine.looked.emit(FACTS)
    assert not dialog._pc.busy.isVisible()
    qtbot.waitUntil(lambda: dialog.rows["4.5B-base"].fit_label.text() != "")
    # A later look replaces what was said.
    state._engine.looked.emit(dataclasses.replace(FACTS, disk_free_bytes=10**9))
    label = dialog.rows["4.5B-base"].fit_label
    qtbot.waitUntil(lambda: "only 1.0 GB are free" in label.text())
    assert [v.text() for v in dialog._pc._values][3] == "1.0 GB free"


def test_a_failed_examination_does_not_stand_in_the_way(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = shown(
        qtbot,
        WelcomeDialog(machine(OSError("no engine")), models_dir=tmp_path),
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
    dialog = WelcomeDialog(machine(None), models_dir=tmp_path)
    dialog.show_model("24B-base")
    shown(qtbot, dialog)
    qtbot.waitUntil(dialog.rows["24B-base"].where.isVisible)


def test_closing_while_it_looks_is_harmless(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = WelcomeDialog(machine(None), models_dir=tmp_path)
    dialog.deleteLater()
    QThreadPool.globalInstance().waitForDone()
    qtbot.wait(20)
