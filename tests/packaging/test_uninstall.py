"""What the uninstaller for Linux asks before it removes anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is for Linux")

_SCRIPT = Path(__file__).resolve().parents[2] / "packaging" / "linux" / "uninstall.sh"
_PLACES = """\
models        0.1 MB  {home}/models
takes        31.2 GB  {home}/my data/takes
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where a program is installed that only notes how it was called."""
    for folder in (".local/bin", ".local/opt/magi-desktop/share/icons", ".local/share/icons"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "magi.svg").touch()
    (tmp_path / ".local/bin/magi.svg").unlink()
    (tmp_path / "places").write_text(_PLACES.format(home=tmp_path))
    command = tmp_path / ".local/bin/magi-desktop"
    command.write_text(
        '#!/bin/sh\nif [ "$1" = --where ]; then cat "$HOME/places"; '
        'else echo "$@" >"$HOME/called"; fi\n'
    )
    command.chmod(0o755)
    return tmp_path


def uninstall(home: Path, answers: str | None, *options: str) -> tuple[str, str]:
    """What it says, and how it calls the program.

    Args:
        answers: typed at a terminal; None: there is none.
    """
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    person, terminal = os.openpty()
    try:
        os.write(person, (answers or "").encode())
        done = subprocess.run(
            ["sh", str(_SCRIPT), *options],
            stdin=subprocess.DEVNULL if answers is None else terminal,
            capture_output=True,
            text=True,
            env=environment,
        )
    finally:
        os.close(person)
        os.close(terminal)
    assert (done.returncode, done.stderr) == (0, "")
    assert [path for path in (home / ".local").rglob("*") if path.is_file()] == []
    return done.stdout, (home / "called").read_text(encoding="utf-8").strip()


@pytest.mark.parametrize(
    ("answers", "options", "called"),
    [
        ("n\nn\n", (), "--remove"),
        ("\n\n", (), "--remove"),
        ("y\nn\n", (), "--remove --everything"),
        ("y\ny\n", (), "--remove --everything --also takes"),
        ("n\ny\n", (), "--remove --also takes"),
        (None, (), "--remove"),
        (None, ("--everything",), "--remove --everything"),
    ],
)
def test_takes_go_only_with_a_yes_of_their_own(
    home: Path, answers: str | None, options: tuple[str, ...], called: str
) -> None:
    said, how = uninstall(home, answers, *options)
    assert how == called
    assert (f"(31.2 GB in {home}/my data/takes)" in said) is (answers is not None)


def test_it_does_not_ask_about_takes_that_are_not_there(home: Path) -> None:
    (home / "places").write_text("takes              -  /a/takes\n")
    said, how = uninstall(home, "y\n")
    assert how == "--remove --everything"
    assert said.count("[y/N]") == 1
