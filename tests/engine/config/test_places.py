"""Where the engine keeps things: one folder name."""

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
