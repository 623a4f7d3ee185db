"""A folder of models of one's own, and an installer that does what a test tells it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QThreadPool
from pytestqt.qtbot import QtBot

from magi_desktop.settings import SettingsFile
from magi_desktop.state.models import Models
from tests.desktop.installer import Installer
from tests.places import move_places


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Does not exist yet."""
    move_places(monkeypatch, tmp_path)  # where the trash is
    return tmp_path / "models"


@pytest.fixture
def installer() -> Installer:
    """What does the tasks of ``models``."""
    return Installer()


@pytest.fixture
def models(qtbot: QtBot, models_dir: Path, installer: Installer) -> Iterator[Models]:
    """The models of that folder."""
    file = SettingsFile(models_dir.parent / "settings.json")
    models = Models(installer, file, models_dir, models_dir.parent / "cache")
    yield models
    models.close()
    QThreadPool.globalInstance().waitForDone()
    file.flush()
