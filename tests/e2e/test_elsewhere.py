"""The window with an engine in another process, with another home, over loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.engine_place import EnginePlaceDialog
from magi_desktop.dialogs.redo import RedoDialog
from magi_desktop.engines import save_key
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.jobs import Phase
from magi_desktop.state.library import LibraryItem
from tests.e2e.conftest import App
from tests.engine.serve.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def begin(server: Server, tmp_path: Path, qtbot: QtBot) -> partial[App]:
    """Starts the program, which has its videos made there; again and again in the same home."""
    home = tmp_path / "home"
    file = SettingsFile(home / "config" / "settings.json")
    Preferences(file).set("engine_address", server.address)
    file.flush()
    app = partial(App, home, qtbot)
    places = Places(*(home / n for n in ("config", "data", "cache", "logs", "videos")))
    save_key(places, server.token_file.read_text())
    return app


def _bytes_there(server: Server) -> list[bytes]:
    return [path.read_bytes() for path in server.folder.glob("jobs/*/video.mp4")]


def test_a_video_is_made_and_redone_there(server: Server, begin: partial[App]) -> None:
    with _ended(begin()) as app:
        app.qtbot.waitUntil(lambda: app.workshop.draft.plan is not None)
        app.qtbot.waitUntil(lambda: bool(app.workshop.models.statuses))
        app.short(chunks=3)
        app.generate()
        app.wait_for(Phase.FINISHED)
        app.wait_idle()
        item = _only(app)
        assert item.path.read_bytes() in _bytes_there(server)
        assert app.window.player.buffer.end == 72, "it was played while it came"

        app.window.player.open_file(item.path)
        app.window.videos.redo_wanted.emit(item)
        app.qtbot.waitUntil(lambda: bool(app.window.findChildren(RedoDialog)))
        app.window.findChildren(RedoDialog)[0].redo.click()
        app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 2)
        assert all(i.path.read_bytes() in _bytes_there(server) for i in app.workshop.library.items)


def test_closing_the_window_loses_nothing(server: Server, begin: partial[App]) -> None:
    first = begin()
    first.short(chunks=6)
    first.generate()
    first.qtbot.waitUntil(lambda: first.job.frames_done >= 24)
    first.window.close()
    assert first.closed, "nobody is asked: it goes on there"
    first.close()
    with _ended(begin()) as app:
        item = _only(app)
        app.wait_idle()
        assert item.path.read_bytes() in _bytes_there(server)
        assert app.videos() == [item.path]
        assert not app.workshop.queue.items


def test_the_test_button_says_what_is_there(
    server: Server, begin: partial[App], qtbot: QtBot
) -> None:
    with _ended(begin()) as app:
        dialog = EnginePlaceDialog(app.workshop.preferences, app.places, app.window)
        dialog.open()
        qtbot.mouseClick(dialog.test_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: "Videos waiting: 0" in dialog.found.text())
        assert "Pocket" in dialog.found.text()
        dialog.key.setText("k" * 30)
        qtbot.mouseClick(dialog.use_button, Qt.MouseButton.LeftButton)
        qtbot.waitUntil(lambda: "key is not accepted" in dialog.found.text())
        assert dialog.isVisible()
        dialog.reject()


def _only(app: App) -> LibraryItem:
    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    return app.workshop.library.items[0]


@contextlib.contextmanager
def _ended(app: App) -> Iterator[App]:
    try:
        yield app
    finally:
        app.close()
