"""The button that makes videos, and gets the model for them where it is not here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from magi_desktop.panels.generate_bar import GenerateBar
from magi_desktop.settings import SettingsFile
from magi_desktop.state.draft import Draft
from magi_desktop.state.jobs import JobState
from magi_desktop.state.models import Models
from magi_desktop.state.queue import JobQueue
from magi_desktop.state.store import Store
from magi_engine.errors import DownloadError
from magi_engine.install.tasks import Download, Phase, TaskFailed, TaskProgress
from tests.desktop.accessibility import faults
from tests.desktop.installer import Installer


@pytest.fixture
def draft() -> Draft:
    return Draft()


@pytest.fixture
def installer() -> Installer:
    return Installer()


@pytest.fixture
def models(installer: Installer, tmp_path: Path, qtbot: QtBot) -> Iterator[Models]:
    file = SettingsFile(tmp_path / "settings.json")
    models = Models(installer, file, tmp_path / "models", tmp_path / "cache")
    models.tasks.start()
    models.refresh()
    qtbot.waitUntil(lambda: bool(models.statuses))
    yield models
    models.close()
    file.flush()


@pytest.fixture
def bar(draft: Draft, models: Models, tmp_path: Path, qtbot: QtBot) -> GenerateBar:
    store = Store(tmp_path / "unopened.sqlite3")
    bar = GenerateBar(draft, JobState(store), JobQueue(store, store), models)
    store.setParent(bar)
    qtbot.addWidget(bar)
    bar.show()
    return bar


def test_the_shipped_model_is_generated_with_at_once(bar: GenerateBar, qtbot: QtBot) -> None:
    assert bar.button.text() == "Generate"
    assert faults(bar) == []
    with qtbot.waitSignal(bar.generate_clicked) as asked:
        qtbot.mouseClick(bar.button, Qt.MouseButton.LeftButton)
    assert asked.args == [1]


def test_four_variations_are_the_first_that_the_arrow_offers(
    bar: GenerateBar, qtbot: QtBot
) -> None:
    first = bar._more.menu().actions()[0]
    assert first.text() == bar.tr("%n variation(s)", None, 4)
    with qtbot.waitSignal(bar.generate_clicked) as asked:
        first.trigger()
    assert asked.args == [4]


def test_a_model_that_is_not_here_is_got_instead_of_running_into_a_failure(
    bar: GenerateBar, draft: Draft, models: Models, installer: Installer, qtbot: QtBot
) -> None:
    draft.set(model="4.5B-distill")
    assert bar.button.text() == "Download model (31 GB)"
    assert not bar._more.isVisible()
    with (
        qtbot.assertNotEmitted(bar.generate_clicked),
        qtbot.waitSignal(bar.download_wanted) as wanted,
    ):
        bar.generate_once()
    assert wanted.args == ["4.5B-distill"]
    models.tasks.do(Download("4.5B-distill"))
    installer.task.events.put(TaskProgress(Phase.DOWNLOADING, 25, 100, 1.0, 75.0))
    qtbot.waitUntil(lambda: bar.button.text() == "Downloading  ·  25 %  ·  1 min 15 s left")
    with qtbot.waitSignal(bar.models_wanted) as shown:
        bar.generate_once()
    assert shown.args == ["4.5B-distill"]
    installer.end(TaskFailed(DownloadError("The hub cannot be reached.", "Check the network.")))
    qtbot.waitUntil(lambda: bar.button.text() == "Get the model ready…")
    draft.set(model="pocket")
    assert bar.button.text() == "Generate"
    assert bar._more.isVisible()
