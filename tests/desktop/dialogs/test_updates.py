"""Updates as a person meets them: the question, the notice, the sheet; over a real connection."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt, QUrl, Slot
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from magi_desktop import set_up
from magi_desktop.dialogs.updates import UpdatesDialog
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.updates import UpdatePhase, Updates
from magi_desktop.update_notices import UpdateNotices
from magi_desktop.widgets.notice_bar import NoticeBar
from magi_engine import __version__
from tests.desktop.accessibility import faults
from tests.desktop.releases import INSTALLER, ReleasePage, make_feed
from tests.patience import settle

MakeUpdates = Callable[..., Updates]
runs_scripts = pytest.mark.skipif(sys.platform == "win32", reason="a .run is Linux's")


@pytest.fixture
def page() -> Iterator[ReleasePage]:
    with ReleasePage() as server:
        yield server
        server.shutdown()


@pytest.fixture
def file(tmp_path: Path) -> SettingsFile:
    return SettingsFile(tmp_path / "settings.json")


@pytest.fixture
def preferences(file: SettingsFile) -> Preferences:
    return Preferences(file)


@pytest.fixture
def make(
    qtbot: QtBot, file: SettingsFile, preferences: Preferences, tmp_path: Path
) -> Iterator[MakeUpdates]:
    made = []

    def make(page: ReleasePage, kind: str | None = "linux-run") -> Updates:
        made.append(Updates(file, preferences, tmp_path / "ü v", kind, page.feed_url))
        return made[-1]

    yield make
    for updates in made:
        updates.close()
    file.flush()


def open_dialog(qtbot: QtBot, updates: Updates, phase: UpdatePhase) -> UpdatesDialog:
    dialog = UpdatesDialog(updates)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: updates.phase is phase)
    return dialog


@runs_scripts
def test_from_the_menu_to_the_new_version(qtbot: QtBot, make: MakeUpdates, tmp_path: Path) -> None:
    mark = tmp_path / "installed with"
    script = f"#!/bin/sh\necho $* > '{mark}'\n".encode()
    with ReleasePage(script) as page:
        updates = make(page)
        dialog = open_dialog(qtbot, updates, UpdatePhase.AVAILABLE)
        assert dialog.state.text().startswith(
            f"Version 99.1.0 is available; this is {__version__}."
        )
        assert dialog.notes.toPlainText() == "Longer videos."
        assert faults(dialog) == []
        # Of its window: whether that is the active one is the system's matter.
        qtbot.waitUntil(lambda: dialog.focusWidget() is dialog.fetch_button)
        qtbot.keyClick(dialog.fetch_button, Qt.Key.Key_Space)
        qtbot.waitUntil(lambda: updates.phase is UpdatePhase.FETCHED)
        page.shutdown()
    assert not mark.exists(), "nothing is installed by itself"
    dialog.install_button.click()
    qtbot.waitUntil(dialog.quit_button.isVisible)
    assert mark.read_text(encoding="utf-8") == "--quiet --nox11\n"
    assert dialog.state.text() == "Version 99.1.0 is installed; the next start uses it."
    assert faults(dialog) == []
    with qtbot.waitSignal(dialog.quit_wanted):
        dialog.quit_button.click()
    assert dialog.isHidden()


@runs_scripts
def test_two_clicks_run_the_installer_once(qtbot: QtBot, make: MakeUpdates, tmp_path: Path) -> None:
    mark = tmp_path / "began"
    with ReleasePage(f"echo once >> '{mark}'\nsleep 0.3\n".encode()) as page:
        updates = make(page)
        dialog = open_dialog(qtbot, updates, UpdatePhase.AVAILABLE)
        dialog.fetch_button.click()
        qtbot.waitUntil(lambda: updates.phase is UpdatePhase.FETCHED)
        page.shutdown()
    prepared = []
    updates.prepared.connect(prepared.append)
    dialog.install_button.click()
    assert not dialog.install_button.isEnabled()
    updates.prepare()
    qtbot.waitUntil(mark.exists)
    updates.prepare()  # as of another sheet
    qtbot.waitUntil(lambda: len(prepared) == 2)
    qtbot.waitUntil(dialog.quit_button.isVisible)
    assert mark.read_text(encoding="utf-8") == "once\n"


@runs_scripts
def test_an_installer_that_fails_says_why(qtbot: QtBot, make: MakeUpdates) -> None:
    with ReleasePage(b"echo There is too little space. >&2\nexit 1\n") as page:
        updates = make(page)
        dialog = open_dialog(qtbot, updates, UpdatePhase.AVAILABLE)
        dialog.fetch_button.click()
        qtbot.waitUntil(lambda: updates.phase is UpdatePhase.FETCHED)
        page.shutdown()
    dialog.install_button.click()
    qtbot.waitUntil(dialog.problem.isVisible)
    assert dialog.problem.text() == (
        "The new version could not be installed. There is too little space."
    )
    assert dialog.install_button.isVisible(), "it can be tried again"


def test_a_package_of_the_system_is_opened_and_its_command_told(
    qtbot: QtBot, make: MakeUpdates, page: ReleasePage, tmp_path: Path
) -> None:
    opened: list[QUrl] = []

    class Opener(QWidget):
        @Slot(QUrl)
        def take(self, url: QUrl) -> None:
            opened.append(url)

    opener = Opener()
    qtbot.addWidget(opener)
    updates = make(page, "linux-deb")
    dialog = open_dialog(qtbot, updates, UpdatePhase.AVAILABLE)
    dialog.fetch_button.click()
    qtbot.waitUntil(lambda: updates.phase is UpdatePhase.FETCHED)
    path = tmp_path / "ü v" / "99.1.0" / "magi-desktop_99.1.0_amd64.deb"
    assert path.read_bytes() == INSTALLER
    assert dialog.how.text().endswith(f"In a terminal it is: sudo apt install '{path}'")
    assert faults(dialog) == []
    QDesktopServices.setUrlHandler("file", opener, "take")  # pyright: ignore[reportArgumentType]
    try:
        dialog.install_button.click()
        qtbot.waitUntil(lambda: opened == [QUrl.fromLocalFile(str(path))])
    finally:
        QDesktopServices.unsetUrlHandler("file")


def test_changed_since_it_came_it_is_not_run(
    qtbot: QtBot, make: MakeUpdates, page: ReleasePage
) -> None:
    updates = make(page)
    dialog = open_dialog(qtbot, updates, UpdatePhase.AVAILABLE)
    dialog.fetch_button.click()
    qtbot.waitUntil(lambda: updates.phase is UpdatePhase.FETCHED)
    assert updates.installer is not None
    updates.installer.place_in(updates.folder).write_bytes(b"touch /tmp/never")
    dialog.install_button.click()
    qtbot.waitUntil(dialog.problem.isVisible)
    assert "changed or removed since" in dialog.problem.text()
    assert dialog.fetch_button.isVisible()


def test_cancelled_and_taken_up_again(qtbot: QtBot, make: MakeUpdates, page: ReleasePage) -> None:
    page.piece, page.pause_s = 1 << 14, 0.01
    updates = make(page)
    dialog = open_dialog(qtbot, updates, UpdatePhase.AVAILABLE)
    dialog.fetch_button.click()
    qtbot.waitUntil(lambda: dialog.bar.value() > 50)
    page.pause_s = 0.5  # so that it does not end before it is cancelled
    assert "/ 2.1 MB" in dialog.figures.text()
    assert faults(dialog) == []
    dialog.cancel_button.click()
    qtbot.waitUntil(lambda: updates.phase is UpdatePhase.AVAILABLE)
    assert not dialog.problem.isVisible(), "stopping is no problem"
    page.pause_s = 0
    dialog.fetch_button.click()
    qtbot.waitUntil(lambda: updates.phase is UpdatePhase.FETCHED)
    assert page.starts["installer"][0] == 0
    assert page.starts["installer"][-1] > 0, "what had come counts"


def test_without_an_installer_that_fits_its_page_is_offered(
    qtbot: QtBot, make: MakeUpdates, page: ReleasePage
) -> None:
    dialog = open_dialog(qtbot, make(page, None), UpdatePhase.AVAILABLE)
    assert "Its page says how to get it." in dialog.state.text()
    assert dialog.page_button.isVisible()
    assert not dialog.fetch_button.isVisible()


def test_nothing_newer_and_no_network_are_said(
    qtbot: QtBot, make: MakeUpdates, page: ReleasePage
) -> None:
    page.statuses = [500]
    updates = make(page)
    dialog = UpdatesDialog(updates)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(dialog.problem.isVisible)
    assert faults(dialog) == []
    page.announce(make_feed(page.url, __version__))
    dialog.look_button.click()
    qtbot.waitUntil(lambda: updates.phase is UpdatePhase.CURRENT)
    assert dialog.state.text() == f"Version {__version__} is the newest."
    assert not dialog.problem.isVisible()


# Unasked.


@pytest.fixture
def bar(qtbot: QtBot) -> NoticeBar:
    bar = NoticeBar()
    qtbot.addWidget(bar)
    return bar


def speak(
    updates: Updates, preferences: Preferences, bar: NoticeBar, shown: list[str]
) -> UpdateNotices:
    show = lambda: shown.append("sheet")  # noqa: E731
    return UpdateNotices(updates, preferences, bar, show, bar, wait_ms=20)


def test_the_very_first_session_is_left_alone_and_nothing_is_looked_for(
    qtbot: QtBot, make: MakeUpdates, page: ReleasePage, preferences: Preferences, bar: NoticeBar
) -> None:
    updates = make(page)
    notices = speak(updates, preferences, bar, [])
    updates.look_if_due()
    settle(qtbot)
    assert not notices._timer.isActive()
    assert bar.text == ""
    assert updates.phase is UpdatePhase.UNKNOWN
    assert page.served == {}


def test_asked_once_and_told_once(
    qtbot: QtBot,
    make: MakeUpdates,
    page: ReleasePage,
    preferences: Preferences,
    file: SettingsFile,
    bar: NoticeBar,
) -> None:
    preferences.set("welcomed", True)
    updates, shown = make(page), []
    bar.say("Something else, which matters more.")
    notices = speak(updates, preferences, bar, shown)
    for _ in range(2):
        with qtbot.waitSignal(notices._timer.timeout):
            pass
    assert bar.text == "Something else, which matters more."
    bar.dismiss()
    qtbot.waitUntil(lambda: bar.text.startswith("Shall Magi Desktop look"))
    bar._button.click()
    assert preferences.get("look_for_updates")
    assert preferences.get("asked_about_updates")
    qtbot.waitUntil(lambda: bar.text == "Magi Desktop 99.1.0 is available.")
    bar._button.click()
    assert shown == ["sheet"]

    again = make(page)
    bar.dismiss()
    notices.deleteLater()
    notices = speak(again, preferences, bar, shown)
    again.look_if_due()
    settle(qtbot)
    assert again.phase is UpdatePhase.UNKNOWN, "it was looked for today"
    file.set_section("updates", {"looked": time.time() - 25 * 3600})
    again.look_if_due()
    qtbot.waitUntil(lambda: again.phase is UpdatePhase.AVAILABLE)
    settle(qtbot)
    assert not notices._timer.isActive()
    assert bar.text == "", "it was told of this version already"


def test_no_is_an_answer(
    qtbot: QtBot, make: MakeUpdates, page: ReleasePage, preferences: Preferences, bar: NoticeBar
) -> None:
    preferences.set("welcomed", True)
    updates = make(page)
    speak(updates, preferences, bar, [])
    qtbot.waitUntil(lambda: bar.text != "")
    bar.dismiss()
    assert not preferences.get("look_for_updates")
    other = NoticeBar()
    qtbot.addWidget(other)
    notices = speak(updates, preferences, other, [])
    settle(qtbot)
    assert not notices._timer.isActive()
    assert other.text == "", "it is asked once"


@pytest.mark.parametrize("looked", [None, "yesterday", 4e9, True])
def test_a_clock_that_was_wrong_does_not_keep_it_from_looking(
    qtbot: QtBot,
    make: MakeUpdates,
    page: ReleasePage,
    preferences: Preferences,
    file: SettingsFile,
    looked: object,
) -> None:
    preferences.set("look_for_updates", True)
    file.set_section("updates", {"looked": looked})
    updates = make(page)
    updates.look_if_due()
    qtbot.waitUntil(lambda: updates.phase is UpdatePhase.AVAILABLE)


def test_a_checkout_is_never_asked(
    qtbot: QtBot, make: MakeUpdates, page: ReleasePage, preferences: Preferences, bar: NoticeBar
) -> None:
    assert set_up.installer_kind() is None, "these tests run in a checkout"
    preferences.set("welcomed", True)
    notices = speak(make(page, None), preferences, bar, [])
    settle(qtbot)
    assert not notices._timer.isActive()
    assert bar.text == ""
