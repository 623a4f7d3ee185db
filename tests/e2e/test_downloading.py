"""From the click on Download to a model that is ready, over a real server on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.add_model import AddModelDialog
from magi_desktop.dialogs.licence import LicenceDialog
from magi_desktop.dialogs.model_card import ModelCard
from magi_desktop.dialogs.models import ModelsDialog
from magi_desktop.state.task_line import TaskState
from magi_engine.install.status import ModelState, size_on_disk
from magi_engine.weights.layout import default_models_dir
from tests.desktop.accessibility import faults
from tests.e2e.conftest import App
from tests.engine.install.hub_server import HubServer
from tests.engine.install.test_adding import dit_file, official
from tests.engine.install.test_process import put_special_tokens, release_files
from tests.places import move_places

_NAME = "4.5B-distill"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A slow hub, and an empty folder of models."""
    server = HubServer(release_files())
    server.piece, server.pause_s = 1 << 15, 0.04
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    move_places(monkeypatch, tmp_path)
    put_special_tokens(default_models_dir())
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def app(server: HubServer, tmp_path: Path, qtbot: QtBot, lent: None) -> Iterator[App]:
    running = App(tmp_path / "home", qtbot)
    yield running
    running.close()


def click(app: App, button: QPushButton) -> None:
    app.qtbot.waitUntil(button.isVisible)
    app.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def modal(app: App, kind: type[QWidget]) -> QWidget:
    app.qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), kind))
    found = QApplication.activeModalWidget()
    assert found is not None
    return found


def open_card(app: App) -> ModelCard:
    """The model in the list of models."""
    app.window.dialogs.models(_NAME)
    dialog = modal(app, ModelsDialog)
    assert isinstance(dialog, ModelsDialog)
    app.qtbot.waitUntil(lambda: _NAME in dialog.cards)
    return dialog.cards[_NAME]


def begin(app: App) -> ModelCard:
    """Click Download and accept the licence."""
    card = open_card(app)
    click(app, card.main_button)
    licence = modal(app, LicenceDialog)
    assert isinstance(licence, LicenceDialog)
    assert "Apache-2.0" in licence.link.text()
    click(app, licence.accept_button)
    app.qtbot.waitUntil(lambda: "B/s" in card.box.figures.text())
    return card


def state(app: App) -> ModelState | None:
    status = app.workshop.models.status(_NAME)
    return None if status is None else status.state


def test_a_model_is_downloaded_with_a_pause(app: App, server: HubServer) -> None:
    card = begin(app)
    assert app.window.install_strip.isVisible()
    assert faults(app.window) == []
    click(app, card.box.pause_button)
    app.qtbot.waitUntil(lambda: card.box.headline.text() == "Paused")
    sizes: list[int] = []

    def stands_still() -> bool:
        """The same size a hundred times, which it is once the process has heard of the pause."""
        sizes.append(size_on_disk(default_models_dir()))
        return len(sizes) > 100 and len(set(sizes[-100:])) == 1

    app.qtbot.waitUntil(stands_still)
    assert sizes[-1] < sum(map(len, server.files.values())), "it stands still before its end"
    server.pause_s = 0.0
    click(app, card.box.pause_button)
    app.qtbot.waitUntil(lambda: state(app) is ModelState.READY)
    app.qtbot.waitUntil(lambda: card.main_button.text() == "Use")
    assert sum(server.served.values()) == sum(map(len, server.files.values()))
    assert not app.window.install_strip.isVisible()
    click(app, card.main_button)
    assert app.workshop.draft.settings.model == _NAME
    assert app.window.generate_bar.button.text() == "Generate"
    assert "is ready" in app.window.notice.text
    app.workshop.draft.set(model="pocket")
    modal(app, ModelsDialog).close()


def test_a_server_that_fails_is_said_and_tried_again(app: App, server: HubServer) -> None:
    files = dict(server.files)
    server.files.clear()
    card = open_card(app)
    click(app, card.main_button)
    licence = modal(app, LicenceDialog)
    assert isinstance(licence, LicenceDialog)
    click(app, licence.accept_button)
    app.qtbot.waitUntil(card.problem_label.isVisible)
    assert "does not have" in card.problem_label.text()
    assert "does not have" in app.window.install_strip.caption.accessibleName()
    server.files.update(files)
    click(app, card.main_button)  # the licence was accepted already
    app.qtbot.waitUntil(lambda: "B/s" in card.box.figures.text())
    click(app, card.box.cancel_button)
    app.qtbot.waitUntil(lambda: not card.box.isVisible())
    app.qtbot.waitUntil(lambda: state(app) is ModelState.PARTLY)
    assert card.main_button.text() == "Download the rest"
    modal(app, ModelsDialog).close()


def test_a_model_of_ones_own_is_added(app: App, tmp_path: Path) -> None:
    folder = official(tmp_path / "My clips", dit_file())
    open_card(app)
    dialog = modal(app, ModelsDialog)
    assert isinstance(dialog, ModelsDialog)
    dialog._ask_own()
    sheet = modal(app, AddModelDialog)
    assert isinstance(sheet, AddModelDialog)
    app.qtbot.keyClicks(sheet.source, str(tmp_path / "nowhere"))
    app.qtbot.keyClick(sheet.source, Qt.Key.Key_Return)
    app.qtbot.waitUntil(sheet.problem.isVisible)
    assert "There is no folder" in sheet.problem.text()
    sheet.source.selectAll()
    app.qtbot.keyClicks(sheet.source, str(folder))
    app.qtbot.keyClick(sheet.source, Qt.Key.Key_Return)
    app.qtbot.waitUntil(lambda: "My-clips" in dialog.cards)
    card = dialog.cards["My-clips"]
    app.qtbot.waitUntil(lambda: card.main_button.text() == "Use")
    click(app, card.main_button)
    assert app.workshop.draft.settings.model == "My-clips"
    assert app.window.generate_bar.button.text() == "Generate"
    app.workshop.draft.set(model="pocket")
    dialog.close()


@pytest.mark.usefixtures("lent")
def test_closing_the_window_stops_nothing_for_good(
    tmp_path: Path, server: HubServer, qtbot: QtBot
) -> None:
    app = App(tmp_path / "home", qtbot)
    begin(app)
    modal(app, ModelsDialog).close()
    app.close()
    assert sum(server.served.values()) < sum(map(len, server.files.values()))
    server.pause_s = 0.0

    def open_again() -> None:
        again = App(tmp_path / "home", qtbot)
        try:
            item = again.workshop.models.tasks.item(_NAME)
            assert item is not None
            assert item.state is TaskState.RUNNING
            qtbot.waitUntil(lambda: state(again) is ModelState.READY)
            assert again.workshop.models.tasks.items == ()
        finally:
            again.close()

    assert server.went_on(default_models_dir(), open_again), "nothing is fetched twice"
