"""Preferences, over a real settings file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.preferences import PreferencesDialog
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.translation import LANGUAGES, language_for
from magi_engine.config.places import default_takes_dir
from magi_engine.takes.store import TakeStore
from tests.desktop.accessibility import faults


def places(root: Path) -> Places:
    return Places(*(root / name for name in ("config", "data", "cache", "logs", "Videos")))


@pytest.fixture
def file(qtbot: QtBot, tmp_path: Path) -> Iterator[SettingsFile]:
    file = SettingsFile(tmp_path / "settings.json")
    yield file
    file.flush()


@pytest.fixture
def preferences(file: SettingsFile) -> Preferences:
    return Preferences(file)


@pytest.fixture
def dialog(qtbot: QtBot, preferences: Preferences, tmp_path: Path) -> PreferencesDialog:
    dialog = PreferencesDialog(preferences, places(tmp_path))
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_every_control_is_named_explained_and_reachable(
    qtbot: QtBot, dialog: PreferencesDialog, preferences: Preferences, tmp_path: Path
) -> None:
    preferences.set("output_folder", str(tmp_path))
    assert dialog.usual_button.isVisible()
    assert faults(dialog) == []


def test_the_room_for_latents_is_the_stores_own(
    qtbot: QtBot, dialog: PreferencesDialog, preferences: Preferences, tmp_path: Path
) -> None:
    store = TakeStore(default_takes_dir())
    assert dialog.takes_limit.value() == round(store.limit_bytes / 1e9) == 20
    dialog.takes_limit.setValue(3)
    dialog.takes_limit.editingFinished.emit()
    assert store.limit_bytes == 3_000_000_000
    again = PreferencesDialog(preferences, places(tmp_path))
    qtbot.addWidget(again)
    assert again.takes_limit.value() == 3
    for limit in (400_000_000, 20_000_000_000_000):  # as ``magi takes limit`` can have it
        store.limit_bytes = limit
        passing = PreferencesDialog(preferences, places(tmp_path))
        qtbot.addWidget(passing)
        passing.takes_limit.editingFinished.emit()
        assert store.limit_bytes == limit, "passing through the field changes nothing"


def test_another_computer_keeps_its_own_latents(
    qtbot: QtBot, preferences: Preferences, file: SettingsFile, tmp_path: Path
) -> None:
    preferences.set("engine_address", "https://192.0.2.1:8611#" + "ab" * 32)
    now = PreferencesDialog(preferences, places(tmp_path))
    qtbot.addWidget(now)
    now.show()
    assert now.takes_limit.isVisible()
    assert now.engine_restart.isVisible(), "also in a dialog that was opened later"
    assert now.engine.text() == "https://192.0.2.1:8611"
    started_again = PreferencesDialog(Preferences(file), places(tmp_path))
    qtbot.addWidget(started_again)
    started_again.show()
    assert not started_again.takes_limit.isVisible()
    assert not started_again.engine_restart.isVisible()


def test_another_language_offers_to_start_again(
    qtbot: QtBot, dialog: PreferencesDialog, preferences: Preferences
) -> None:
    assert not dialog.restart_button.isVisible()
    other = next(code for code in LANGUAGES if code != language_for(preferences.get("language")))
    dialog.language.activated.emit(dialog.language.findData(other))
    assert dialog.restart_button.isVisible()
    with qtbot.waitSignal(dialog.restart_wanted):
        qtbot.mouseClick(dialog.restart_button, Qt.MouseButton.LeftButton)
    dialog.language.activated.emit(dialog.language.findData("system"))
    assert not dialog.restart_button.isVisible()


def test_changes_count_at_once_and_are_kept(
    qtbot: QtBot, dialog: PreferencesDialog, preferences: Preferences, file: SettingsFile
) -> None:
    dialog.appearance.button("dark").click()
    qtbot.keyClick(dialog.live_preview, Qt.Key.Key_Space)
    dialog.notify.click()
    dialog.memory.setValue(2048)
    dialog.language.activated.emit(dialog.language.findData("zh_CN"))
    dialog.attention.activated.emit(dialog.attention.findData("exact"))
    dialog.cards.activated.emit(dialog.cards.findData("0"))
    file.flush()
    again = Preferences(SettingsFile(file.path)).values
    assert (again.appearance, again.language) == ("dark", "zh_CN")
    assert (again.attention, again.cards) == ("exact", 0)
    assert (again.live_preview, again.notify, again.frame_memory_mb) == (False, False, 2048)


def test_one_of_several_cards_is_chosen_by_its_name(
    qtbot: QtBot, preferences: Preferences, tmp_path: Path
) -> None:
    cards = (("cuda:0", "NVIDIA T1000"), ("cuda:1", "NVIDIA GeForce RTX 4090"))
    preferences.set("cards", 4)
    dialog = PreferencesDialog(preferences, places(tmp_path), cards=cards)
    qtbot.addWidget(dialog)
    names = [dialog.cards.itemText(index) for index in range(dialog.cards.count())]
    assert names[1:3] == ["NVIDIA T1000 (cuda:0)", "NVIDIA GeForce RTX 4090 (cuda:1)"]
    assert dialog.cards.currentText() == "4"
    dialog.cards.activated.emit(2)
    assert (preferences.get("card"), preferences.get("cards")) == ("cuda:1", 1)
    assert preferences.computing()["device"] == "cuda:1"
    assert dialog.cards.currentIndex() == 2
    dialog.cards.activated.emit(0)
    assert (preferences.get("card"), preferences.get("cards")) == ("", 1)
    assert "device" not in preferences.computing()


def test_it_follows_changes_made_elsewhere(
    dialog: PreferencesDialog, preferences: Preferences
) -> None:
    preferences.set("appearance", "light")
    preferences.set("live_preview", False)
    preferences.set("attention", "cuDNN")
    assert dialog.attention.currentText() == "cuDNN"
    assert dialog.appearance.value == "light"
    assert not dialog.live_preview.isChecked()


def test_a_folder_that_can_be_written_to_is_taken(
    qtbot: QtBot, dialog: PreferencesDialog, preferences: Preferences, tmp_path: Path
) -> None:
    assert dialog.folder.text() == str(tmp_path / "Videos")
    wanted = tmp_path / "other"
    dialog.choose_folder(wanted)
    qtbot.waitUntil(lambda: preferences.get("output_folder") == str(wanted))
    assert dialog.folder.text() == str(wanted)
    assert list(wanted.iterdir()) == [], "the trial leaves nothing"
    dialog.usual_button.click()
    assert preferences.get("output_folder") == ""


def test_a_folder_that_cannot_be_written_to_is_refused(
    qtbot: QtBot, dialog: PreferencesDialog, preferences: Preferences, tmp_path: Path
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    dialog.choose_folder(blocked)
    qtbot.waitUntil(dialog.note.isVisible)
    assert str(blocked) in dialog.note.text()
    assert preferences.get("output_folder") == ""
