"""Commands are named so that they can be typed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from magi_engine.cli.main import build_parser
from magi_engine.cli.naming import as_typed

SAID = "In /data/magi videos. Make it with: magi models quantize pocket-fp8"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With the program in an environment that is not on the path."""
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / ("magi.exe" if os.name == "nt" else "magi")).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(programs / "python"))
    monkeypatch.setenv("PATH", "/nowhere")
    return tmp_path


def test_off_the_path_the_place_is_named(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout)
    own = Path(".venv", "bin", "magi")
    assert as_typed(SAID) == SAID.replace("magi models", f"{own} models")
    monkeypatch.chdir("/")
    monkeypatch.setattr(Path, "cwd", lambda: checkout / "elsewhere")
    assert f"with: {checkout / own} models" in as_typed(SAID)


def test_a_place_with_a_space_is_one_word(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spaced = checkout / "my programs"
    (checkout / ".venv").rename(spaced)
    monkeypatch.setattr(sys, "executable", str(spaced / "bin" / "python"))
    monkeypatch.chdir(checkout)
    assert f'with: "{Path("my programs", "bin", "magi")}" models' in as_typed(SAID)


def test_on_the_path_the_name_will_do(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(checkout / ".venv" / "bin"))
    assert as_typed(SAID) == SAID


def test_every_command_is_known_by_its_name(checkout: Path) -> None:
    for action in build_parser()._subparsers._group_actions:  # pyright: ignore[reportOptionalMemberAccess]
        for name in action.choices or ():
            assert as_typed(f"Use magi {name}.") != f"Use magi {name}."
