"""The set-up's window: the first start, an update, and what a person can do when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from pytestqt.qtbot import QtBot

from magi_setup.build import Builder
from magi_setup.environments import Environments
from magi_setup.window import SetupWindow, Working
from tests.setup.releases import BROKEN, Release, make_release, started


def open_window(qtbot: QtBot, release: Release, environments: Environments) -> SetupWindow:
    window = SetupWindow(release.builder(environments), ["a.png"])
    qtbot.addWidget(window)
    window.show()
    qtbot.waitUntil(window.go.isEnabled)
    return window


def test_the_first_start_installs_with_one_key_and_starts(qtbot: QtBot, tmp_path: Path) -> None:
    environments = Environments(tmp_path / "environments")
    release = make_release(tmp_path / "v1", "1.0", helper="1.0")
    window = open_window(qtbot, release, environments)
    assert window.minimumSizeHint().height() < 200, "it scrolls on a small screen"
    assert window.go.text() == "Install"
    assert not window.start_button.isVisible(), "there is nothing to start yet"
    window.come_to_front(["b.png"])
    qtbot.keyClick(window, Qt.Key.Key_Return)
    qtbot.waitUntil(window.isHidden)
    assert window.start_wanted
    assert window.files == ["a.png", "b.png"], "those of a second start meanwhile too"
    assert started(environments) == "1.0"


def test_enter_pressed_once_more_does_not_cancel(qtbot: QtBot, tmp_path: Path) -> None:
    environments = Environments(tmp_path / "environments")
    release = make_release(tmp_path / "v1", "1.0", helper="1.0")
    window = open_window(qtbot, release, environments)
    qtbot.keyClick(window, Qt.Key.Key_Return)
    qtbot.keyClick(window, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.isHidden() or window.go.isEnabled())
    assert window.start_wanted


def test_an_update_that_fails_is_told_and_the_version_before_starts(
    qtbot: QtBot, home: Path, environments: Environments
) -> None:
    broken = make_release(home / "v2", "2.0", helper="2.0", content=BROKEN)
    window = open_window(qtbot, broken, environments)
    assert window.go.text() == "Update"
    window.go.click()
    qtbot.waitUntil(lambda: "does not start" in window.state.text())
    assert "What was there before is still in use." in window.state.text()
    assert window.start_button.text() == "Start version 1.0"
    window.start_button.click()
    assert window.isHidden()
    assert window.start_wanted
    assert started(environments) == "1.0"


def test_without_a_network_an_update_can_wait(
    qtbot: QtBot, home: Path, environments: Environments
) -> None:
    release = make_release(home / "v2", "2.0", helper="2.0")
    for path in release.wheels.iterdir():
        path.unlink()
    window = open_window(qtbot, release, environments)
    assert "Not all packages" in window.state.text()
    assert window.start_button.isEnabled()


def test_the_gpu_support_in_use_is_preset_and_another_is_a_change(
    qtbot: QtBot, first: Release, environments: Environments
) -> None:
    window = open_window(qtbot, first, environments)
    assert window.flavor.currentData() == "cpu"
    assert window.go.text() == "Repair"
    window.flavor.setCurrentIndex(window.flavor.findData("cu130"))
    qtbot.waitUntil(lambda: window.go.text() == "Change")
    window.go.click()
    qtbot.waitUntil(window.isHidden)
    current = environments.current
    assert current is not None
    assert current.record is not None
    assert current.record.flavor == "cu130"


def test_another_choice_while_it_looks_takes_the_place_of_the_first(
    qtbot: QtBot, first: Release, environments: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    plan = Builder.plan
    monkeypatch.setattr(
        Builder, "plan", lambda builder, flavor: looked.append(flavor) or plan(builder, flavor)
    )
    window = open_window(qtbot, first, environments)
    for flavor in ("cu126", "cu130"):
        window.flavor.setCurrentIndex(window.flavor.findData(flavor))
    qtbot.waitUntil(window.go.isEnabled)
    assert window.plan is not None
    assert window.plan.flavor == "cu130"
    assert window.go.text() == "Change"
    qtbot.waitUntil(lambda: all(t.isFinished() for t in window.findChildren(Working)))
    QCoreApplication.processEvents()
    assert window.plan.flavor == "cu130", "the first answer does not come late"
    assert looked == ["cpu", "cu126", "cu130"], "nor is it looked up again"


def test_left_with_escape_nothing_starts(
    qtbot: QtBot, first: Release, environments: Environments
) -> None:
    window = open_window(qtbot, first, environments)
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    qtbot.waitUntil(window.isHidden)
    assert not window.start_wanted


def test_what_nobody_thought_of_is_a_sentence_and_the_window_goes_on(
    qtbot: QtBot, first: Release, environments: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("magi_setup.packages.resolve", fail)
    window = open_window(qtbot, first, environments)
    assert window.state.text().startswith("The set-up failed. Try again;")
    assert window.go.text() == "Try again"
    assert window.start_button.isEnabled()


def test_a_first_start_that_fails_does_not_speak_of_a_version_before(
    qtbot: QtBot, tmp_path: Path
) -> None:
    broken = make_release(tmp_path / "v1", "1.0", helper="1.0", content=BROKEN)
    window = open_window(qtbot, broken, Environments(tmp_path / "environments"))
    window.go.click()
    qtbot.waitUntil(lambda: "does not start" in window.state.text())
    assert window.state.text() == (
        "What was installed does not start. Try again; if it happens again, report it with the log."
    )
    window.flavor.setCurrentIndex(window.flavor.findData("cu130"))
    qtbot.waitUntil(lambda: window.plan is not None)
    window.go.click()
    qtbot.waitUntil(lambda: "Without a GPU" in window.state.text())
