"""A computer on which version 1 of a small program is installed."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from magi_setup.bundle import Bundle
from magi_setup.environments import Environments
from tests.setup.releases import Release, install, make_release, started

# On Windows an environment is a copy of the installer's own Python, which a checkout does not have.
collect_ignore = (
    ["test_main.py", "test_updates.py", "test_window.py"] if sys.platform == "win32" else []
)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which version 1 is installed, its name one that programs stumble over."""
    home = tmp_path_factory.mktemp("home") / "Jörg Müller 视频"
    environments = Environments(home / "environments")
    assert install(make_release(home / "v1", "1.0", helper="1.0"), environments) == [
        "helper",
        "steady",
    ]
    assert started(environments, "a b.png") == "1.0 a b.png"
    shutil.copytree(home, home.with_name("untouched"), symlinks=True)
    return home


@pytest.fixture
def home(installed: Path) -> Path:
    """The same at the same place, as it was before any test."""
    shutil.rmtree(installed)
    shutil.copytree(installed.with_name("untouched"), installed, symlinks=True)
    return installed


@pytest.fixture
def environments(home: Path) -> Environments:
    return Environments(home / "environments")


@pytest.fixture
def first(home: Path) -> Release:
    """Version 1, which is installed."""
    return Release(Bundle.read(home / "v1"), home / "v1" / "packages")
