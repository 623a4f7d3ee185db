"""The first start."""

from __future__ import annotations

import dataclasses

import pytest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.welcome import WelcomeDialog
from magi_desktop.state.machine import MachineState
from magi_desktop.state.models import Models
from magi_engine.install.tasks import Download
from magi_engine.runtime.machine.facts import MachineFacts
from tests.desktop.accessibility import faults
from tests.desktop.machines import FACTS, look, machine
from tests.patience import settle

NO_CARD = dataclasses.replace(FACTS, device="cpu", vram_total_bytes=None, vram_free_bytes=None)


@pytest.fixture
def dialog(qtbot: QtBot, models: Models) -> WelcomeDialog:
    return shown(qtbot, machine(), models)


def shown(qtbot: QtBot, facts: MachineState, models: Models) -> WelcomeDialog:
    dialog = WelcomeDialog(facts, models)
    qtbot.addWidget(dialog)
    dialog.show()
    cards = dialog.cards  # they come one after the other, and are visible once Qt has laid them out
    qtbot.waitUntil(lambda: "24B-distill-fp8" in cards)
    qtbot.waitUntil(lambda: all(card.isVisible() for card in cards.values()))
    return dialog


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
        (HUGE, "warning", "of 200 GB. But 4 s of video take roughly 7 h"),
        (
            dataclasses.replace(HUGE, device="cpu", vram_total_bytes=None, vram_free_bytes=None),
            "error",
            "of 512 GB memory. But 4 s of video take roughly 27 days",
        ),
        (dataclasses.replace(HUGE, vram_free_bytes=10**9, ram_free_bytes=10**9), "warning", "1.0"),
    ],
)
def test_the_verdict_gives_the_numbers(
    qtbot: QtBot, models: Models, facts: MachineFacts, role: str, words: str
) -> None:
    dialog = shown(qtbot, machine(facts), models)
    label = dialog.cards["24B-base"].fit_label
    qtbot.waitUntil(lambda: label.text() != "")
    assert words in label.text().replace(",", "")  # some locales group digits
    assert label.property("role") == role


def test_only_what_takes_minutes_is_green(qtbot: QtBot, models: Models) -> None:
    slow = dataclasses.replace(NO_CARD, cores=2, ram_free_bytes=60 * 10**9)
    dialog = shown(qtbot, machine(slow), models)
    cards = dialog.cards.values()
    qtbot.waitUntil(lambda: all(card.fit_label.text() for card in cards))
    assert {card.fit_label.property("role") for card in cards} <= {"warning", "error"}
    look(dialog._machine, dataclasses.replace(FACTS, ram_free_bytes=60 * 10**9))
    label = dialog.cards["4.5B-distill"].fit_label
    qtbot.waitUntil(lambda: "4 s of video take roughly 6 min" in label.text())
    assert label.property("role") == "success"


@pytest.mark.parametrize(
    ("free_bytes", "role", "words"),
    [(10**12, "muted", "1000 GB are free"), (6 * 10**10, "warning", "only 60 GB are free")],
)
def test_it_says_whether_there_is_room_for_the_download(
    qtbot: QtBot, models: Models, free_bytes: int, role: str, words: str
) -> None:
    facts = dataclasses.replace(HUGE, disk_free_bytes=free_bytes)
    dialog = shown(qtbot, machine(facts), models)
    label = dialog.cards["24B-base"].detail
    qtbot.waitUntil(lambda: "are free" in label.text())
    assert words in label.text().replace(",", "")  # some locales group digits
    assert label.property("role") == role


def test_only_the_first_start_is_welcomed(qtbot: QtBot, models: Models) -> None:
    for greets, title in ((True, "Welcome to Magi Desktop"), (False, "What this computer can run")):
        dialog = WelcomeDialog(machine(), models, greets=greets)
        qtbot.addWidget(dialog)
        assert dialog.windowTitle() == title
        dialog.show()
        assert dialog.subtitle.isVisible() is greets


def test_it_says_that_it_is_looking_until_it_knows(qtbot: QtBot, models: Models) -> None:
    state = machine(None)
    dialog = shown(qtbot, state, models)
    assert dialog._pc.busy.isVisible()
    assert dialog.cards["4.5B-base"].fit_label.text() == ""
    look(state, FACTS)
    assert not dialog._pc.busy.isVisible()
    qtbot.waitUntil(lambda: dialog.cards["4.5B-base"].fit_label.text() != "")
    # A later look replaces what was said.
    look(state, dataclasses.replace(FACTS, disk_free_bytes=10**9))
    label = dialog.cards["4.5B-base"].detail
    qtbot.waitUntil(lambda: "only 1.0 GB are free" in label.text())
    assert [v.text() for v in dialog._pc._values][3] == "1.0 GB free"


def test_of_two_cards_it_names_the_one_that_is_used(qtbot: QtBot, models: Models) -> None:
    cards = (("cuda:0", "NVIDIA GeForce RTX 3060"), ("cuda:1", FACTS.device_name))
    state = machine(dataclasses.replace(FACTS, device="cuda:1", cards=cards))
    dialog = WelcomeDialog(state, models)
    qtbot.addWidget(dialog)
    shown = "\n".join(label.text() for label in dialog.findChildren(QLabel))
    assert "NVIDIA GeForce RTX 4090, 24 GB; the faster one of 2" in shown


def test_a_failed_examination_does_not_stand_in_the_way(qtbot: QtBot, models: Models) -> None:
    dialog = shown(qtbot, machine(OSError("no engine")), models)
    assert not dialog._pc.busy.isVisible()
    assert "could not be examined" in dialog._pc.status.text()
    with qtbot.waitSignal(dialog.start_wanted) as wanted:
        dialog.start_button.click()
    assert wanted.args == ["pocket"]
    assert not dialog.isVisible()


def test_every_control_is_named_explained_and_reachable(dialog: WelcomeDialog) -> None:
    assert faults(dialog) == []


def test_a_model_can_be_downloaded_from_here(
    qtbot: QtBot, dialog: WelcomeDialog, models: Models
) -> None:
    card = dialog.cards["4.5B-distill"]
    with qtbot.waitSignal(dialog.download_wanted) as wanted:
        card.main_button.click()
    assert wanted.args == ["4.5B-distill"]
    assert dialog.isVisible()
    models.tasks.do(Download("4.5B-distill"))
    assert card.box.isVisible()
    assert not card.main_button.isVisible()


def test_closing_while_it_looks_is_harmless(qtbot: QtBot, models: Models) -> None:
    dialog = WelcomeDialog(machine(None), models)
    dialog.deleteLater()
    settle(qtbot)
