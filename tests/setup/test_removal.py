"""Removing takes what the set-up made, more only if told, and never a video."""

import contextlib
import json
import sqlite3
import sys
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.belongings import Belonging, sizes
from magi_desktop.paths import Places
from magi_setup.environments import Environments
from magi_setup.removal import Remains, remove_belongings

MADE = (
    "data/magi-desktop/environments/1.0-cpu-1/bin/python",
    "cache/magi-desktop/thumbnails/a.png",
    "cache/Magi Desktop/previews/a",
    "state/magi-desktop/log/setup.log",
    "state/Magi Desktop/log/magi.log",
)
KEPT = (
    "config/magi-desktop/settings.json",
    "data/magi-desktop/magi.sqlite3",
    "data/Magi Desktop/models/ckpt/a.safetensors",
)
VIDEO = "videos/Magi Desktop/a.mp4"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One user's folders, with everything in them."""
    if not sys.platform.startswith("linux"):
        pytest.skip("folders as Linux has them")
    for kind in ("config", "data", "cache", "state"):
        monkeypatch.setenv(f"XDG_{kind.upper()}_HOME", str(tmp_path / kind))
    monkeypatch.setenv("XDG_VIDEOS_DIR", str(tmp_path / "videos"))
    monkeypatch.delenv("MAGI_DESKTOP_HOME", raising=False)
    for name in (*MADE, *KEPT, VIDEO):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    return tmp_path


def files(home: Path) -> set[str]:
    return {str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()}


def clear(*also: Belonging) -> list[Path]:
    places = Places.of_user()
    remains = Remains.of(places)
    Environments(places.environments).remove()
    return remove_belongings(remains, frozenset(also))


def test_models_settings_and_videos_stay(home: Path) -> None:
    clear()
    assert files(home) == {*KEPT, VIDEO}


def test_everything_but_the_videos_goes_if_told(home: Path) -> None:
    clear(Belonging.MODELS, Belonging.SETTINGS)
    assert files(home) == {VIDEO}
    for kind in ("config", "data", "cache", "state"):
        assert list((home / kind).iterdir()) == []


def test_where_nothing_is_nothing_fails(home: Path) -> None:
    clear(Belonging.MODELS, Belonging.SETTINGS)
    clear(Belonging.MODELS, Belonging.SETTINGS)
    assert files(home) == {VIDEO}


def test_of_a_folder_the_user_chose_only_what_is_ours_goes(home: Path) -> None:
    chosen = home / "big disk"
    (chosen / "quantised").mkdir(parents=True)
    (chosen / "verified.json").write_text("{}")
    (chosen / "holiday.jpg").write_text("not ours")
    settings = {"version": 1, "preferences": {"models_folder": str(chosen)}}
    Places.of_user().settings_file.write_text(json.dumps(settings))
    clear(Belonging.MODELS)
    assert [p.name for p in chosen.iterdir()] == ["holiday.jpg"]
    assert "data/Magi Desktop/models/ckpt/a.safetensors" in files(home), "another folder is in use"


def test_videos_go_to_the_trash_and_only_those_the_library_knows(home: Path, qtbot: QtBot) -> None:
    video, other = home / VIDEO, home / "videos/Magi Desktop/mine.mp4"
    other.write_text("somebody else's")
    database = Places.of_user().database
    database.unlink()
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("CREATE TABLE library (path TEXT)")
        connection.execute("INSERT INTO library VALUES (?)", (str(video),))
        connection.commit()
    assert Remains.of(Places.of_user()).size_bytes(Belonging.VIDEOS) == 1
    assert clear(Belonging.VIDEOS) == []
    assert not video.exists()
    assert other.exists()
    assert [p.name for p in (home / "data" / "Trash" / "files").iterdir()] == ["a.mp4"]


def test_the_listing_names_every_place_with_its_size(home: Path) -> None:
    (home / VIDEO).write_bytes(bytes(3_000_000))
    lines = Remains.of(Places.of_user()).listing().splitlines()
    assert f"videos        3.0 MB  {home}/videos/Magi Desktop" in lines
    for name in ("models", "settings", "library", "program", "cache", "logs"):
        assert any(line.startswith(name) for line in lines), name


def test_a_folder_in_another_counts_once(home: Path) -> None:
    places = Places.of_user()
    (places.environments / "big").write_bytes(bytes(1000))
    remains = Remains.of(places)
    found = sizes(remains.all)
    assert found[Belonging.PROGRAM] == 1001
    assert found[Belonging.LIBRARY] == 1, "the environments lie in its folder"
