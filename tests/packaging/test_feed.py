"""The list of versions that a release publishes is one the program reads."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from magi_desktop.publication import INSTALLERS
from magi_desktop.release_feed import parse
from magi_engine import __version__

_SCRIPT = Path(__file__).parents[2] / "packaging" / "feed.py"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for kind, name in INSTALLERS.items():
        (tmp_path / name.format(__version__)).write_bytes(kind.encode())
    return tmp_path


def write(folder: Path) -> subprocess.CompletedProcess[str]:
    """As the workflow does: with a Python that has no packages."""
    command = [sys.executable, "-S", str(_SCRIPT), str(folder)]
    return subprocess.run(command, capture_output=True, text=True)


def test_the_program_reads_what_is_published(folder: Path) -> None:
    done = write(folder)
    assert (done.returncode, done.stderr) == (0, "")
    release = parse((folder / "latest.json").read_bytes())
    assert str(release.version) == __version__
    assert set(release.installers) == set(INSTALLERS)
    for kind, installer in release.installers.items():
        assert installer.sha256 == hashlib.sha256(kind.encode()).hexdigest()
        assert installer.size_bytes == len(kind)
        assert installer.url.endswith(f"/v{__version__}/{installer.filename}")
    assert release.notes_in("zh_CN") != release.notes_in("en") != ""


def test_a_missing_installer_is_named(folder: Path) -> None:
    name = INSTALLERS["windows-setup"].format(__version__)
    (folder / name).unlink()
    done = write(folder)
    assert done.returncode == 1
    assert name in done.stderr
    assert not (folder / "latest.json").exists()
