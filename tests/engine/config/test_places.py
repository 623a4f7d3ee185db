"""Where the engine keeps things: one folder name, and what earlier versions left is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from magi_engine.config.places import default_cache_dir, default_log_dir, default_models_dir
from tests.places import move_places


def test_a_new_user_has_one_name_of_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_places(monkeypatch, tmp_path)
    for place in (default_models_dir(), default_cache_dir(), default_log_dir()):
        assert "magi-desktop" in place.parts
        assert "Magi Desktop" not in place.parts


def test_what_an_earlier_version_kept_is_used_where_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_places(monkeypatch, tmp_path)
    new = default_models_dir().parent
    models = new.with_name("Magi Desktop") / "models"
    models.mkdir(parents=True)
    assert default_models_dir() == models
    new.mkdir()  # the window's own, with its library
    assert default_models_dir() == models
