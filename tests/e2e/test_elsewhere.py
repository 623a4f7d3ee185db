"""The window with an engine, and with a farm, in other processes, with another home, over
loopback."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.engine_place import EnginePlaceDialog
from magi_desktop.dialogs.models import ModelsDialog
from magi_desktop.dialogs.redo import RedoDialog
from magi_desktop.engines import save_key
from magi_desktop.paths import Places
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.jobs import Phase
from magi_desktop.state.library import LibraryItem
from magi_engine.install.status import ModelState
from magi_engine.runtime.request.request import Mode
from tests.e2e.conftest import ENDLESS, App
from tests.e2e.test_downloading import begin as begin_download
from tests.e2e.test_downloading import modal
from tests.e2e.test_downloading import state as state_of_model
from tests.e2e.test_generating import clip, picture
from tests.engine.install.hub_server import HubServer
from tests.engine.install.test_process import put_special_tokens, release_files
from tests.engine.serve.farms import Farm, needs_ray
from tests.engine.serve.servers import Server


@pytest.fixture(scope="module")
def models_there(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


KINDS = {"engine": (Server, ()), "farm": (Farm, ("--engines", "1"))}


@pytest.fixture(
    scope="module",
    params=[pytest.param(kind, marks=needs_ray if kind == "farm" else ()) for kind in KINDS],
)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, models_there: Path
) -> Iterator[Server]:
    """It can get a model from a hub."""
    kind, options = KINDS[request.param]
    hub = HubServer(release_files())
    hub.piece, hub.pause_s = 1 << 15, 0.02
    put_special_tokens(models_there)
    home = tmp_path_factory.mktemp("server")
    server = kind(home, "--models-dir", str(models_there), *options)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("HF_ENDPOINT", hub.url)  # also when it is started again
        server.start()
        yield server
        server.stop()
    hub.shutdown()
    hub.server_close()


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


def test_a_picture_a_clip_and_a_direction_go_there_also_over_a_power_cut(
    server: Server, begin: partial[App], tmp_path: Path
) -> None:
    with _ended(begin()) as app:
        draft, job, library = app.workshop.draft, app.job, app.workshop.library
        for file, mode in (
            (picture(tmp_path / "ball.png"), Mode.I2V),
            (clip(tmp_path / "clip.mp4"), Mode.V2V),
        ):
            app.window.arrivals.open(file)
            app.qtbot.waitUntil(lambda mode=mode: draft.mode is mode and bool(draft.reference))
            app.short(chunks=1)
            app.generate()
            app.wait_for(Phase.RUNNING, Phase.FINISHED)
            app.wait_idle()
        app.qtbot.waitUntil(lambda: len(library.items) == 2)

        draft.set_mode(Mode.T2V)
        app.short(chunks=ENDLESS)
        app.generate()
        app.qtbot.waitUntil(lambda: job.can_direct and len(job.chunks) == ENDLESS)
        app.window.direct()
        direct = app.window.progress.direct
        app.qtbot.keyClicks(direct.text, "a blue star")
        app.qtbot.keyClick(direct.text, Qt.Key.Key_Return)
        app.qtbot.waitUntil(lambda: "a blue star" in [c.prompt for c in job.chunks])
        app.qtbot.waitUntil(lambda: job.frames_done >= 24)
        server.lose_power()
        before = job.frames_done
        app.qtbot.waitUntil(lambda: job.frames_done > before)
        assert not job.error, "who watches sees a pause"
        app.workshop.controller.stop()
        app.wait_for(Phase.CANCELLED)
        app.qtbot.waitUntil(lambda: len(library.items) == 3)
        assert all(i.path.read_bytes() in _bytes_there(server) for i in library.items)


def test_a_model_is_downloaded_there(
    server: Server, begin: partial[App], models_there: Path
) -> None:
    with _ended(begin()) as app:
        app.qtbot.waitUntil(lambda: bool(app.workshop.models.statuses))
        begin_download(app)
        app.qtbot.waitUntil(lambda: state_of_model(app) is ModelState.READY)
        dialog = modal(app, ModelsDialog)
        assert isinstance(dialog, ModelsDialog)
        assert dialog.path.text().startswith("127.0.0.1"), "no folder of this computer's"
        assert not dialog.choose_button.isVisible()
        dialog.close()
        assert any(path.suffix == ".safetensors" for path in models_there.rglob("*"))
        assert not list(app.home.rglob("*.safetensors"))


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
        assert dialog.focusWidget() is dialog.use_button, "Enter uses what has answered"
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
