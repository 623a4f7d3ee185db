"""What the Help menu opens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtWidgets import QDialog, QLabel

from magi_desktop import release_feed
from magi_desktop.belongings import Belonging
from magi_desktop.dialogs.help import HelpSheet
from magi_desktop.dialogs.places import PlacesDialog
from magi_desktop.dialogs.updates import UpdatesDialog
from tests.desktop.releases import ReleasePage
from tests.e2e.conftest import App


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReleasePage]:
    """A page of versions in place of the one on the web."""
    ask = release_feed.latest_release
    with ReleasePage() as server:
        monkeypatch.setattr(release_feed, "latest_release", lambda _url: ask(server.feed_url))
        yield server
        server.shutdown()


def choose(app: App, text: str) -> QDialog:
    """Choose an entry of the Help menu; returns the sheet it opens."""
    next(a for a in app.window.menus.groups["Help"] if a.text() == text).trigger()
    app.qtbot.waitUntil(lambda: any(d.isVisible() for d in app.window.findChildren(QDialog)))
    return next(d for d in app.window.findChildren(QDialog) if d.isVisible())


def test_updates_are_looked_for_at_once_and_the_sheet_is_filled(
    app: App, page: ReleasePage
) -> None:
    dialog = choose(app, "Check for updates…")
    assert isinstance(dialog, UpdatesDialog)
    app.qtbot.waitUntil(lambda: "99.1.0 is available" in dialog.state.text())
    assert dialog.page_button.isVisible()
    assert not dialog.fetch_button.isVisible(), "a checkout has no installer"
    dialog.reject()


def test_an_entry_opens_what_it_is_called(app: App) -> None:
    dialog = choose(app, "What this computer can run…")
    assert dialog.windowTitle() == "What this computer can run"
    assert not any("Welcome" in label.text() for label in dialog.findChildren(QLabel))
    dialog.reject()


def test_the_numbers_of_this_computer_come_from_the_engine(app: App) -> None:
    machine = app.workshop.machine
    with app.qtbot.waitSignal(machine.changed):
        machine.refresh()
    assert not machine.failed
    assert machine.facts is not None
    assert machine.facts.ram_total_bytes > machine.facts.ram_free_bytes > 0
    assert machine.facts.disk_free_bytes > 0


def test_the_sheet_of_keys_says_what_they_do_whatever_they_would_undo_now(app: App) -> None:
    app.workshop.queue.set_paused(True)
    app.short()
    app.generate()
    assert "making" in app.workshop.undo.undoText()
    sheet = choose(app, "Keyboard shortcuts")
    assert isinstance(sheet, HelpSheet)
    app.qtbot.waitUntil(lambda: len(sheet.groups) == len(app.window.menus.groups))
    names = [line.name.text() for group in sheet.groups for line in group.lines]
    assert names.count("Undo") == names.count("Redo") == 1
    assert not [name for name in names if "making" in name]
    sheet.reject()


def test_places_are_those_in_use(app: App) -> None:
    app.qtbot.waitUntil(app.places.settings_file.exists)
    dialog = choose(app, "Where things are kept…")
    assert isinstance(dialog, PlacesDialog)
    app.qtbot.waitUntil(lambda: dialog.sizes[Belonging.MODELS].text() != "…")
    assert dialog.sizes[Belonging.SETTINGS].text() != "nothing yet", "the welcome was noted"
    dialog.reject()
