"""Named presets, and official configuration files in and out."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QFileDialog, QInputDialog, QLineEdit
from pytestqt.qtbot import QtBot

from magi_desktop.panels.preset_list import PresetList, preset_values
from magi_desktop.panels.presets import PresetBar
from magi_desktop.settings import SettingsFile
from magi_desktop.state.draft import Draft
from magi_desktop.state.generation_settings import configuration
from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import Registry
from magi_engine.resources import resource_path
from magi_engine.runtime.request.validation import validate
from magi_engine.weights.layout import missing_parts
from tests.desktop.accessibility import faults

needs_pocket = pytest.mark.skipif(
    bool(missing_parts(Registry.load().default)), reason="the pocket model is not here"
)


@pytest.fixture
def draft(qapp: QApplication) -> Draft:
    return Draft()


@pytest.fixture
def file(tmp_path: Path, qapp: QApplication) -> SettingsFile:
    return SettingsFile(tmp_path / "settings.json")


@pytest.fixture
def bar(qtbot: QtBot, draft: Draft, file: SettingsFile) -> PresetBar:
    bar = PresetBar(draft, PresetList(file))
    qtbot.addWidget(bar)
    bar.show()
    return bar


def save_as(qtbot: QtBot, bar: PresetBar, name: str) -> None:
    """As someone with a keyboard does it."""
    qtbot.keyClick(bar.save_button, Qt.Key.Key_Space)
    type_name(qtbot, bar, name)


def type_name(qtbot: QtBot, bar: PresetBar, name: str, key: Qt.Key = Qt.Key.Key_Return) -> None:
    dialog = bar.findChild(QInputDialog)
    assert dialog is not None
    field = dialog.findChild(QLineEdit)
    assert field is not None
    field.selectAll()
    qtbot.keyClicks(field, name)
    qtbot.keyClick(field, key)
    qtbot.waitUntil(lambda: bar.findChild(QInputDialog) is None)


def in_menu(bar: PresetBar, word: str) -> QAction:
    """The entry of the menu, as it is when that is opened, whose text contains a word."""
    menu = bar.menu_button.menu()
    menu.aboutToShow.emit()
    (action,) = (a for a in menu.actions() if word in a.text())
    return action


def press_undo(bar: PresetBar) -> None:
    bar.notice._button.click()


def test_the_controls_are_named_and_explained(qtbot: QtBot, bar: PresetBar) -> None:
    assert faults(bar) == []


def test_before_there_is_one_it_says_so(qtbot: QtBot, bar: PresetBar, draft: Draft) -> None:
    assert not bar.combo.isEnabled()
    assert bar.combo.placeholderText() == "No presets yet"
    save_as(qtbot, bar, "Mine")
    assert bar.combo.isEnabled()
    draft.set(num_steps=4)
    assert bar.combo.currentIndex() == -1
    bar.combo.activated.emit(0)
    assert draft.settings.num_steps is None


def test_saving_applying_and_surviving_a_restart(
    qtbot: QtBot, bar: PresetBar, draft: Draft, file: SettingsFile
) -> None:
    draft.set(width=256, noise2clean_kvrange=(4, 3, 2, 1), seconds=None, seed=5)
    save_as(qtbot, bar, "Wide")
    assert bar.combo.currentText() == "Wide"
    saved = draft.settings
    draft.set(model="4.5B-distill", seed=99)
    assert bar.combo.currentText() == ""

    file.flush()
    again = PresetBar(draft, PresetList(SettingsFile(file.path)))
    qtbot.addWidget(again)
    again.apply("Wide")
    assert draft.settings == dataclasses.replace(saved, seed=99), "the seed is no part of it"
    assert again.combo.currentText() == "Wide"
    press_undo(again)
    assert draft.settings.model == "4.5B-distill"


def test_escape_leaves_everything_as_it_is(qtbot: QtBot, bar: PresetBar) -> None:
    bar.save_button.click()
    type_name(qtbot, bar, "Never", Qt.Key.Key_Escape)
    assert bar.presets.names == ()


def test_replacing_and_deleting_can_be_undone(qtbot: QtBot, bar: PresetBar, draft: Draft) -> None:
    draft.set(width=256)
    save_as(qtbot, bar, "Mine")
    first = bar.presets.values("Mine")
    draft.set(width=512)
    save_as(qtbot, bar, "Mine")
    assert bar.presets.values("Mine")["width"] == 512
    press_undo(bar)
    assert bar.presets.values("Mine") == first
    bar.apply("Mine")
    in_menu(bar, "Delete").trigger()
    assert bar.presets.names == ()
    assert not in_menu(bar, "Delete").isEnabled()
    press_undo(bar)
    assert bar.presets.values("Mine") == first


def test_renaming(qtbot: QtBot, bar: PresetBar, draft: Draft) -> None:
    save_as(qtbot, bar, "One")
    draft.set(width=256)
    save_as(qtbot, bar, "Two")
    for name, names in (("One", {"One", "Two"}), ("  ", {"One", "Two"})):
        in_menu(bar, "Rename").trigger()
        type_name(qtbot, bar, name)
        assert set(bar.presets.names) == names
    assert bar.notice.text == "There is a preset of that name already."
    in_menu(bar, "Rename").trigger()
    type_name(qtbot, bar, "Three")
    assert bar.presets.names == ("One", "Three")
    assert bar.combo.currentText() == "Three"


def test_what_an_older_program_left_unset_is_no_matter(bar: PresetBar, draft: Draft) -> None:
    own = preset_values(draft.settings)
    bar.presets.put("Old", {**own, "width": 256, "cfg_number": None})
    bar.apply("Old")
    assert draft.settings.width == 256


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model": "gone"}, "gone"),
        ({"num_steps": 17}, "17 steps"),
        ({"config_path": "/nowhere/x_config.json"}, "x_config.json"),
        ({"width": "wide"}, "damaged"),
        ({"from_the_future": 1}, "newer version"),
    ],
)
def test_what_no_longer_fits_changes_nothing_and_says_so(
    qtbot: QtBot, bar: PresetBar, draft: Draft, change: dict[str, Any], says: str
) -> None:
    draft.set(width=256)
    save_as(qtbot, bar, "Old")
    bar.presets.put("Old", {**bar.presets.values("Old"), **change})
    draft.set(width=512)
    before = draft.settings
    bar.apply("Old")
    assert draft.settings == before
    assert "Old" in bar.notice.text
    assert says in bar.notice.text
    in_menu(bar, "Delete").trigger()
    assert bar.presets.names == (), "what does not fit can still be deleted"


def wait_for_notice(qtbot: QtBot, bar: PresetBar) -> str:
    qtbot.waitUntil(lambda: bool(bar.notice.text))
    return bar.notice.text


@pytest.mark.parametrize("name", ["4.5B_base", "4.5B_distill_quant", "24B_distill"])
def test_an_official_configuration_becomes_settings(
    qtbot: QtBot, bar: PresetBar, draft: Draft, tmp_path: Path, name: str
) -> None:
    data = json.loads(resource_path("configs", f"{name}_config.json").read_text(encoding="utf-8"))
    data["runtime_config"].update(num_steps=32, video_size_w=480, num_frames=48, seed=77)
    file = tmp_path / "mine_config.json"
    file.write_text(json.dumps(data))
    bar.import_file(file)
    assert "mine_config.json" in wait_for_notice(qtbot, bar)
    assert draft.settings.config_path is None
    config = validate(draft.request(), draft.config)
    assert config.to_dict() == data
    press_undo(bar)
    assert draft.settings.model == "pocket"


@needs_pocket
def test_a_configuration_with_more_than_settings_is_used_as_a_file(
    qtbot: QtBot, bar: PresetBar, draft: Draft, tmp_path: Path
) -> None:
    bar.export_file(tmp_path / "base.json")
    wait_for_notice(qtbot, bar)
    data = json.loads((tmp_path / "base.json").read_text(encoding="utf-8"))
    data["runtime_config"]["text_scales"] = [7.0, 6.0, 5.0, 4.0, 3.0]
    file = tmp_path / "odd_config.json"
    file.write_text(json.dumps(data))
    bar.notice.dismiss()
    bar.import_file(file)
    assert "used as it is" in wait_for_notice(qtbot, bar)
    assert draft.settings.config_path == str(file)
    assert validate(draft.request(), draft.config).runtime_config.text_scales[1] == 6.0


@pytest.mark.skipif(sys.platform == "win32", reason="there it would ask another computer")
@needs_pocket
@pytest.mark.parametrize("field", ["load", "t5_pretrained", "vae_pretrained"])
def test_a_dropped_configuration_opens_no_file_of_another_computer(
    qtbot: QtBot, bar: PresetBar, draft: Draft, tmp_path: Path, field: str
) -> None:
    bar.export_file(tmp_path / "base.json")
    wait_for_notice(qtbot, bar)
    data = json.loads((tmp_path / "base.json").read_text(encoding="utf-8"))
    data["runtime_config"]["text_scales"] = [7.0, 6.0, 5.0, 4.0, 3.0]
    data["runtime_config"][field] = f"/{data['runtime_config'][field]}"  # here it is there
    file = tmp_path / "shared_config.json"
    file.write_text(json.dumps(data))
    before = draft.settings
    bar.notice.dismiss()
    bar.import_file(file)
    assert data["runtime_config"][field] in wait_for_notice(qtbot, bar)
    assert "another computer" in bar.notice.text
    assert draft.settings == before
    bar.notice.dismiss()
    bar.ask_import()
    (dialog,) = bar.findChildren(QFileDialog)
    dialog.fileSelected.emit(str(file))
    dialog.close()
    assert "used as it is" in wait_for_notice(qtbot, bar), "the user went to get it"
    assert draft.settings.config_path == str(file)


@pytest.mark.parametrize("content", ["{", "[]", '{"model_config": {"num_layers": 3}}'])
def test_a_damaged_configuration_is_refused_in_a_sentence(
    qtbot: QtBot, bar: PresetBar, draft: Draft, tmp_path: Path, content: str
) -> None:
    before = draft.settings
    file = tmp_path / "bad_config.json"
    file.write_text(content)
    bar.import_file(file)
    assert "bad_config.json" in wait_for_notice(qtbot, bar)
    assert draft.settings == before


def test_an_export_loads_again_with_the_same_values(
    qtbot: QtBot, bar: PresetBar, draft: Draft, tmp_path: Path
) -> None:
    draft.set(model="4.5B-distill", width=480, num_steps=8, seconds=2.0, seed=3)
    target = tmp_path / "out_config.json"
    target.write_text("older")
    bar.export_file(target)
    assert "out_config.json" in wait_for_notice(qtbot, bar)
    config = MagiConfig.from_json(target)
    assert config.runtime_config.num_steps == 8
    assert config.runtime_config.num_frames == 48
    own = configuration("4.5B-distill", None)[1]
    assert config.model_config == own.model_config
    assert config.runtime_config.load == own.runtime_config.load
    assert list(tmp_path.iterdir()) == [target], "nothing unfinished is left"


def test_settings_that_do_not_work_are_not_exported(
    qtbot: QtBot, bar: PresetBar, draft: Draft, tmp_path: Path
) -> None:
    draft.set(num_steps=17)
    bar.export_file(tmp_path / "out.json")
    assert "17 steps" in wait_for_notice(qtbot, bar)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_said(qtbot: QtBot, bar: PresetBar, tmp_path: Path) -> None:
    bar.export_file(tmp_path / "no" / "out.json")
    assert "out.json cannot be written" in wait_for_notice(qtbot, bar)


def test_the_dialog_asks_before_it_replaces_a_file(qtbot: QtBot, bar: PresetBar) -> None:
    bar.ask_export()
    (dialog,) = bar.findChildren(QFileDialog)
    assert dialog.acceptMode() is QFileDialog.AcceptMode.AcceptSave
    assert not dialog.testOption(QFileDialog.Option.DontConfirmOverwrite)
    assert dialog.defaultSuffix() == "json"
    dialog.reject()


def test_undoing_a_preset_brings_back_what_no_setting_shows(bar: PresetBar, draft: Draft) -> None:
    draft.set(model="4.5B-base")
    bar.presets.put("other", preset_values(draft.settings))
    draft.set(model="pocket")
    draft.take(dataclasses.replace(draft.request(), dtype="float32"), lock_seed=False)
    bar.apply("other")
    assert draft.kept == ()
    press_undo(bar)
    assert (draft.settings.model, draft.kept) == ("pocket", ("dtype",))
