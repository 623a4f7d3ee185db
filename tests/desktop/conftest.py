"""What the tests of the window share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QThreadPool, QTranslator
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from magi_desktop.state.library import Library
from magi_desktop.state.store import Store
from magi_engine.resources import resource_path


@pytest.fixture(scope="session", autouse=True)
def _application(qapp: QApplication) -> Iterator[None]:
    """In the program's style, whose controls have the same size on every system. What still runs
    in the background is waited for: Python cannot end under it."""
    qapp.setStyle("Fusion")
    yield
    QThreadPool.globalInstance().waitForDone()


@pytest.fixture
def chinese(qtbot: QtBot) -> Iterator[None]:
    """Chinese sentences for as long as the test runs."""
    translator = QTranslator()
    assert translator.load("magi_zh_CN", str(resource_path("translations")))
    QCoreApplication.installTranslator(translator)
    yield
    QCoreApplication.removeTranslator(translator)


@pytest.fixture
def library(tmp_path: Path, qtbot: QtBot) -> Iterator[Library]:
    """An empty one, with a file of its own."""
    store = Store(tmp_path / "magi.sqlite3")
    library = Library(store, tmp_path / "thumbnails", store)
    store.open()
    qtbot.waitUntil(lambda: library.loaded)
    yield library
    library.close()
    store.close()
