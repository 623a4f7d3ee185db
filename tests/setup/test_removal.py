"""Removing takes what the set-up made, more only if told, and never a video."""

import sys
from pathlib import Path

import pytest

from magi_desktop.paths import Places
from magi_setup.environments import Environments
from magi_setup.removal import remove

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


def clear(everything: bool) -> None:
    places = Places.of_user()
    remove(Environments(places.data / "environments"), places, everything)


def test_models_settings_and_videos_stay(home: Path) -> None:
    clear(everything=False)
    assert files(home) == {*KEPT, VIDEO}


def test_everything_but_the_videos_goes_if_told(home: Path) -> None:
    clear(everything=True)
    assert files(home) == {VIDEO}
    for kind in ("config", "data", "cache", "state"):
        assert list((home / kind).iterdir()) == []


def test_where_nothing_is_nothing_fails(home: Path) -> None:
    clear(everything=True)
    clear(everything=True)
    assert files(home) == {VIDEO}
