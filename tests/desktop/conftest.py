"""What the tests of the window share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QCoreApplication, QTranslator
from pytestqt.qtbot import QtBot

from magi_engine.resources import resource_path


@pytest.fixture
def chinese(qtbot: QtBot) -> Iterator[None]:
    """Chinese sentences for as long as the test runs."""
    translator = QTranslator()
    assert translator.load("magi_zh_CN", str(resource_path("translations")))
    QCoreApplication.installTranslator(translator)
    yield
    QCoreApplication.removeTranslator(translator)
