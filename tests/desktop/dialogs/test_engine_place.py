"""Choosing another computer for making videos; tests/e2e/test_elsewhere.py asks a real one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from magi_desktop import background
from magi_desktop.dialogs.engine_place import EnginePlaceDialog
from magi_desktop.engines import Found, read_key
from magi_desktop.settings import Preferences, SettingsFile
from tests.desktop.accessibility import faults
from tests.desktop.dialogs.test_preferences import places
from tests.desktop.machines import FACTS

_ADDRESS = f"https://192.0.2.1:8611#{'ab' * 32}"


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path) -> EnginePlaceDialog:
    preferences = Preferences(SettingsFile(tmp_path / "settings.json"))
    preferences.set("engine_address", "http://192.0.2.9:1")
    dialog = EnginePlaceDialog(preferences, places(tmp_path))
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_every_control_is_named_explained_and_reachable(dialog: EnginePlaceDialog) -> None:
    assert faults(dialog) == []


def test_what_announces_itself_is_offered(
    qtbot: QtBot, dialog: EnginePlaceDialog, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers: dict[str, str] = {}
    monkeypatch.setattr("magi_desktop.dialogs.engine_place.servers_nearby", lambda: servers)
    qtbot.mouseClick(dialog.look_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "No computer" in dialog.found.text())
    servers["studio 3f9a01"] = _ADDRESS
    qtbot.mouseClick(dialog.look_button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.nearby.isVisible)
    (action,) = dialog.nearby.actions()
    assert "studio 3f9a01" in action.text()
    action.trigger()
    dialog.nearby.close()
    assert dialog.address.text() == _ADDRESS
    assert dialog.address.cursorPosition() == 0
    assert "ab" * 32 in dialog.found.text().replace("\u200b", "")


def test_what_to_do_on_the_other_computer_is_said_where_it_is_chosen(
    dialog: EnginePlaceDialog, qtbot: QtBot
) -> None:
    assert dialog.how.isVisible()
    assert "magi serve" in dialog.how.text()
    qtbot.mouseClick(dialog.place.button("here"), Qt.MouseButton.LeftButton)
    assert not dialog.how.isVisible()


def test_a_failed_test_leads_back_to_the_address(dialog: EnginePlaceDialog, qtbot: QtBot) -> None:
    dialog.address.setText("nowhere")
    dialog.key.setText("k" * 30)
    dialog.test_button.setFocus()
    dialog.test_button.click()
    qtbot.waitUntil(lambda: "no address" in dialog.found.text())
    assert dialog.focusWidget() is dialog.address, "Enter would press Cancel"


@pytest.mark.parametrize(
    "meanwhile", ["cancel", "this computer", "this computer, not used yet", "type"]
)
def test_what_answers_late_is_used_only_if_it_is_still_wanted_and_as_it_was_asked(
    dialog: EnginePlaceDialog,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    meanwhile: str,
) -> None:
    answer, others = threading.Event(), set(background._under_way)

    def look_at(*_asked: object) -> Found:
        answer.wait()
        return Found(FACTS, (), 0)

    monkeypatch.setattr("magi_desktop.dialogs.engine_place.look_at", look_at)
    before = dialog._preferences.get("engine_address")
    dialog.address.setText(_ADDRESS)
    dialog.key.setText("k" * 30)
    dialog.use_button.click()
    if meanwhile == "cancel":
        dialog.cancel_button.click()
    elif meanwhile.startswith("this computer"):
        qtbot.mouseClick(dialog.place.button("here"), Qt.MouseButton.LeftButton)
        if meanwhile == "this computer":
            dialog.use_button.click()
    else:
        dialog.address.setText("http://192.0.2.7:1")
        dialog.key.setText("")
    answer.set()
    qtbot.waitUntil(lambda: background._under_way <= others)
    used = {"this computer": "", "type": _ADDRESS}.get(meanwhile, before)
    assert dialog._preferences.get("engine_address") == used
    assert read_key(places(tmp_path)) == ("k" * 30 if meanwhile == "type" else "")
