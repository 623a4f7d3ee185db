"""An installed program finds the set-up that made it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from magi_desktop import set_up
from magi_setup.environments import Environment, EnvironmentRecord


def test_only_an_installed_program_has_a_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert set_up.launcher() is None
    Environment(tmp_path).finish(EnvironmentRecord("1.0", "cpu", "0" * 64, ("magi-desktop",)))
    assert set_up.launcher() == ["magi-desktop", "--setup"]
    (tmp_path / set_up.RECORD_NAME).write_text(json.dumps({"launcher": None}))
    assert set_up.launcher() is None
