"""Where things are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.belongings import Belonging, belongings
from magi_desktop.dialogs.places import PlacesDialog
from magi_desktop.paths import Places
from tests.desktop.accessibility import faults


@pytest.fixture
def kept(tmp_path: Path) -> dict[Belonging, tuple[Path, ...]]:
    places = Places(*(tmp_path / n for n in ("config", "data", "cache", "logs", "videos")))
    return belongings(places, tmp_path / "models", tmp_path / "videos")


def test_every_place_is_shown_with_its_size_and_opens(
    qtbot: QtBot, kept: dict[Belonging, tuple[Path, ...]], tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "weights").write_bytes(bytes(2_000_000))
    opened: list[Path] = []
    dialog = PlacesDialog(kept, opened.append)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: dialog.sizes[Belonging.MODELS].text() == "2.0 MB")
    assert dialog.sizes[Belonging.VIDEOS].text() == "nothing yet"
    assert set(dialog.sizes) == set(Belonging)
    assert faults(dialog) == []
    for button in dialog.open_buttons.values():
        button.click()
    assert opened == [paths[0] for paths in kept.values()]
