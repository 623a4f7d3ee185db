"""The settings file: atomic, versioned, and never in the way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.settings import Preferences, PreferenceValues, SettingsFile


@pytest.fixture
def path(tmp_path: Path, qtbot: QtBot) -> Path:
    return tmp_path / "config" / "settings.json"


def test_what_is_set_is_there_after_a_restart_and_unknown_keys_stay(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"version": 1, "future": {"x": 1}, "window": {"old": true}}')
    file = SettingsFile(path)
    file.set_section("window", {"geometry": "abc"})
    Preferences(file).set("live_preview", False)
    file.flush()
    again = SettingsFile(path)
    assert again.section("window") == {"old": True, "geometry": "abc"}
    assert again.section("future") == {"x": 1}
    assert Preferences(again).get("live_preview") is False
    assert again.notice is None
    assert [p.name for p in path.parent.iterdir()] == ["settings.json"]


def test_changes_are_saved_by_themselves(path: Path, qtbot: QtBot) -> None:
    file = SettingsFile(path)
    file.set_section("draft", {"mode": "i2v"})
    qtbot.waitUntil(path.exists)
    assert json.loads(path.read_text(encoding="utf-8"))["draft"] == {"mode": "i2v"}


@pytest.mark.parametrize(
    "text",
    [
        *("{", "[]", '{"version": "one"}', '{"version": true}', '{"version": 0}', "{}", "\x00\x01"),
        "[" * 100_000,
    ],
    ids=range(8),
)
def test_a_damaged_file_is_kept_aside_replaced_and_said(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    file = SettingsFile(path)
    assert file.notice is not None
    file.set_section("draft", {"mode": "i2v"})
    file.flush()
    assert json.loads(path.read_text(encoding="utf-8"))["draft"] == {"mode": "i2v"}
    kept = [p for p in path.parent.iterdir() if "corrupt" in p.name]
    assert [p.read_text(encoding="utf-8") for p in kept] == [text]


def test_an_older_file_is_backed_up_and_brought_up_to_date(path: Path) -> None:
    path.parent.mkdir()
    old = {"version": 1, "preferences": {"theme": "dark"}}
    path.write_text(json.dumps(old))

    def rename(data: dict[str, Any]) -> dict[str, Any]:
        preferences = data["preferences"]
        return {**data, "preferences": {"appearance": preferences.pop("theme")}}

    file = SettingsFile(path, version=2, migrations={1: rename})
    assert Preferences(file).get("appearance") == "dark"
    assert json.loads(path.with_suffix(".version-1.json").read_text(encoding="utf-8")) == old


def test_a_step_that_stumbles_costs_the_settings_but_not_the_file(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"version": 1, "preferences": 3}')
    file = SettingsFile(path, version=2, migrations={1: lambda data: data["preferences"]["theme"]})
    assert file.notice is not None
    assert "Kept as" in file.notice
    kept = [p for p in path.parent.iterdir() if "corrupt" in p.name]
    assert [p.read_text(encoding="utf-8") for p in kept] == ['{"version": 1, "preferences": 3}']


def test_without_a_back_up_nothing_is_brought_up_to_date(path: Path) -> None:
    path.parent.mkdir()
    path.write_text('{"version": 1, "preferences": {}}')
    (path.with_suffix(".version-1.json") / path.name).mkdir(parents=True)  # in its place
    file = SettingsFile(path, version=2, migrations={1: dict})
    assert file.notice is not None
    file.set_section("draft", {"mode": "i2v"})
    file.flush()
    assert path.read_text(encoding="utf-8") == '{"version": 1, "preferences": {}}'


def test_a_newer_file_is_left_alone_and_said(path: Path) -> None:
    path.parent.mkdir()
    text = '{"version": 99, "preferences": {"appearance": "dark"}}'
    path.write_text(text)
    file = SettingsFile(path)
    assert file.notice is not None
    assert Preferences(file).values == PreferenceValues()
    file.set_section("draft", {"mode": "i2v"})
    file.flush()
    assert path.read_text(encoding="utf-8") == text


def test_a_read_only_folder_costs_no_more_than_the_settings(tmp_path: Path, qtbot: QtBot) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    file = SettingsFile(blocked / "settings.json")
    file.set_section("draft", {"mode": "i2v"})
    file.flush()
    assert file.section("draft") == {"mode": "i2v"}


def test_what_could_not_be_saved_is_saved_at_the_end(path: Path, qtbot: QtBot) -> None:
    path.parent.write_text("in the way")
    file = SettingsFile(path)
    with qtbot.waitSignal(file.noticed):
        file.set_section("draft", {"mode": "i2v"})
    path.parent.unlink()
    file.flush()
    assert SettingsFile(path).section("draft") == {"mode": "i2v"}


def test_a_name_that_is_not_utf_8_costs_nothing(path: Path) -> None:
    file = SettingsFile(path)
    file.set_section("draft", {"settings": {"config_path": os.fsdecode(b"/caf\xe9.json")}})
    file.flush()
    assert SettingsFile(path).section("draft") == file.section("draft")


def test_preferences_of_a_wrong_type_count_as_missing(path: Path) -> None:
    path.parent.mkdir()
    saved = {"live_preview": "yes", "frame_memory_mb": True, "appearance": "dark"}
    path.write_text(json.dumps({"version": 1, "preferences": saved}))
    values = Preferences(SettingsFile(path)).values
    assert values == PreferenceValues(appearance="dark")
