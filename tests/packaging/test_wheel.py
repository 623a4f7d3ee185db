"""What is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_has_the_program_and_not_the_training(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.iterdir()
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("magi_*/**/*.py")}
    training = {name for name in modules if name.startswith("magi_engine/training/")}
    set_up = {name for name in modules if name.startswith("magi_setup/")}
    assert training
    assert {name for name in names if name.endswith(".py")} == modules - training - set_up
    assert "magi_engine/_resources/models.json" in names
