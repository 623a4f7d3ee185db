"""Nothing is written where uninstalling would not look for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.belongings import belongings
from magi_desktop.paths import Places
from magi_engine.config.added import AddedModels
from magi_engine.config.places import default_cache_dir, default_models_dir
from magi_engine.runtime.request.request import Mode
from tests.e2e.conftest import App


@pytest.fixture
def app(empty_home: Path, tmp_path: Path, qtbot: QtBot) -> Iterator[App]:
    """With an engine that was started in that home."""
    running = App(tmp_path / "program", qtbot)
    yield running
    running.close()


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of a user who never had anything of ours, as the whole program sees it."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("XDG_", "MAGI_", "HF_", "TRITON_", "TORCHINDUCTOR_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    return home


def test_all_that_a_first_session_writes_is_listed(empty_home: Path, app: App) -> None:
    app.short(chunks=1)
    app.workshop.draft.set_mode(Mode.T2V)
    app.generate()
    app.wait_idle()
    assert app.videos() != []
    app.workshop.file.flush()
    AddedModels.change(lambda _: AddedModels(mirror="https://hub.example"))
    # The command line has no home but the system's own.
    command = [sys.executable, "-P", "-m", "magi_engine", "generate", "--prompt", "x"]
    failed = subprocess.run([*command, "--model", "4.5B_base"], capture_output=True, text=True)
    assert failed.returncode != 0

    places = [app.places, Places.of_user()]
    listed = {
        path
        for each in places
        for paths in belongings(each, default_models_dir(), each.videos).values()
        for path in paths
    }
    made = [path for path in (*empty_home.rglob("*"), *app.home.rglob("*")) if path.is_file()]
    assert any(path.is_relative_to(default_cache_dir()) for path in made), "of the engine's"
    names = {path.name for path in empty_home.rglob("[Mm]agi?[Dd]esktop")}
    assert names == {"magi-desktop"}, "one name for all folders"
    assert any(path.is_relative_to(app.places.data) for path in made)
    stray = [p for p in made if not any(p.is_relative_to(place) for place in listed)]
    assert stray == []
