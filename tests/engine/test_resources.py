from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import magi_engine.errors
import magi_engine.messages
import magi_engine.resources
from magi_engine.errors import ModelNotFoundError
from magi_engine.resources import resource_path


def test_a_shipped_file_is_found() -> None:
    assert resource_path("README.md").read_text("utf-8").startswith("# Resources")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ModelNotFoundError, match=r"pocket/no-such-file"):
        resource_path("pocket", "no-such-file")


def test_an_installed_package_carries_its_own(tmp_path: Path) -> None:
    """As a wheel and a frozen program have it: the files lie inside the package."""
    package = tmp_path / "magi_engine"
    shipped = package / "_resources" / "pocket" / "README.md"
    shipped.parent.mkdir(parents=True)
    shipped.write_text("installed")
    (package / "__init__.py").touch()
    for module in (magi_engine.resources, magi_engine.errors, magi_engine.messages):
        assert module.__file__ is not None
        shutil.copy(module.__file__, package)
    script = "from magi_engine.resources import resource_path as r; print(r('pocket', 'README.md'))"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert Path(answer.stdout.strip()).samefile(shipped)
