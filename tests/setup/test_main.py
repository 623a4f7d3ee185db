"""The command an installer leaves behind."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from magi_setup.environments import Environments
from tests.places import user_places
from tests.setup.releases import BROKEN, Release, clean_environment, make_release, started

_ROOT = Path(__file__).parents[2]
_COMMAND = """\
import sys
from pathlib import Path
from magi_setup.__main__ import main
launcher = (sys.executable, "-c", sys.orig_argv[2], sys.argv[1])
sys.exit(main(sys.argv[2:], Path(sys.argv[1]), launcher))
"""


class User:
    """Somebody with a home who types commands."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environments = Environments(home / "data" / "environments")

    def types(self, release: Release, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``magi-desktop ARGUMENTS`` of an installed release."""
        return subprocess.run(
            [sys.executable, "-c", _COMMAND, str(release.bundle.folder), *arguments],
            cwd=_ROOT,
            env=self._surroundings(),
            capture_output=True,
            text=True,
        )

    def _surroundings(self) -> dict[str, str]:
        places = {**user_places(self.home), "MAGI_DESKTOP_HOME": str(self.home)}
        return {**clean_environment(), **places}

    def sets_up(self, release: Release, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The same without a window and without a network."""
        return self.types(release, "--unattended", "--wheels", str(release.wheels), *arguments)


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path / "Jörg Müller 视频")


def test_unattended_it_sets_up_updates_and_survives_a_broken_update(
    tmp_path: Path, first: Release, user: User
) -> None:
    done = user.sets_up(first)
    assert (done.returncode, done.stderr) == (0, "")
    assert "recommended: cpu. " in done.stdout
    done = user.sets_up(make_release(tmp_path / "v2", "2.0", helper="2.0", content=BROKEN))
    assert done.returncode == 1
    assert "What was there before is still in use" in done.stderr
    assert started(user.environments) == "1.0"
    log = (user.home / "logs" / "setup.log").read_text(encoding="utf-8")
    assert "ImportError: a library is missing" in log

    places = user.types(first, "--where").stdout.splitlines()
    line = next(place for place in places if place.startswith("program"))
    assert line.endswith(f" MB  {user.environments.folder}")
    with user.environments.alone():
        busy = user.types(first, "--remove", "--also", "settings")
    assert (busy.returncode, busy.stderr.count("\n")) == (3, 1), busy.stderr
    assert started(user.environments) == "1.0"
    assert user.types(first, "--remove", "--also", "settings").returncode == 0
    assert list(user.home.iterdir()) == []
    assert user.types(first, "--remove").returncode == 0, "there is nothing to remove"


def test_an_installed_program_starts_at_once_and_clears_up_behind_it(
    user: User, first: Release
) -> None:
    assert user.sets_up(first).returncode == 0
    left = user.environments.folder / "0.9-cpu-7"
    left.mkdir()
    done = user.types(first, "a.png")
    assert done.stdout == f"1.0 {_ROOT / 'a.png'}\n", done.stderr
    deadline = time.monotonic() + 300
    while left.exists():
        assert time.monotonic() < deadline, "what an earlier set-up left is still there"
        time.sleep(0.02)
    assert started(user.environments) == "1.0"


def test_mistakes_are_answered_in_a_sentence(first: Release, user: User) -> None:
    done = user.types(first, "--magi", "doctor")
    assert done.returncode == 1
    assert "not set up yet" in done.stderr
    for idle, goes_with in (
        (("--everything",), "--remove"),
        (("--also", "takes"), "--remove"),
        (("--also", "settings", "--where"), "--remove"),
        (("--flavor", "cpu", "--tidy"), "--unattended"),
    ):
        done = user.types(first, *idle)
        assert done.returncode == 2
        assert f"for {goes_with}" in done.stderr
    done = user.sets_up(first, "--flavor", "cu999")
    assert done.returncode == 1
    assert done.stderr == "There is no build cu999. Choose one of: cpu, cu126, cu130\n"
