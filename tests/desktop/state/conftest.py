"""A store that is closed again at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from pytestqt.qtbot import QtBot

from magi_desktop.state.store import Store
from tests.desktop.state.helpers import settle

MakeStore = Callable[..., Store]


@pytest.fixture
def make_store(tmp_path: Path, qtbot: QtBot) -> Iterator[MakeStore]:
    """Opens ``magi.sqlite3``, the same one each time, as after a restart."""
    stores: list[Store] = []

    def make(path: Path | None = None, restart: bool = True) -> Store:
        for store in stores if restart else ():
            store.close()
        store = Store(path or tmp_path / "magi.sqlite3")
        store.open()
        stores.append(store)
        settle(qtbot, store)
        return store

    yield make
    for store in stores:
        store.close()
        store.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
