"""From one version to the next and back, with a real uv and real (small) wheels."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from magi_desktop import set_up
from magi_engine.errors import DiskFullError
from magi_setup.environments import Environments
from magi_setup.errors import BuildError, BusyError, DamagedPackageError, SetupCancelled
from tests.setup.releases import (
    BROKEN,
    Release,
    clean_environment,
    install,
    make_release,
    make_wheel,
    started,
)


def folders(environments: Environments) -> list[str]:
    return sorted(p.name for p in environments.folder.iterdir() if p.is_dir())


def test_an_update_fetches_what_changed_and_leaves_nothing_behind(
    home: Path, first: Release, environments: Environments
) -> None:
    second = make_release(home / "v2", "2.0", helper="2.0")
    assert second.builder(environments).needs_build()
    assert not first.builder(environments).needs_build()
    assert environments.current is not None
    steady = (environments.current.packages / "steady.py").stat().st_ino
    assert install(second, environments) == ["helper"]
    assert started(environments) == "2.0"
    assert (environments.current.packages / "steady.py").stat().st_ino == steady, "not twice"
    assert folders(environments) == ["2.0-cpu-2"]


def test_nobody_waits_for_what_was_there_before_to_be_removed(
    home: Path, first: Release, environments: Environments
) -> None:
    builder = make_release(home / "v2", "2.0", helper="2.0").builder(environments)
    for _ in builder.build(builder.plan("cpu")):
        pass
    assert started(environments) == "2.0"
    left = environments.folder.glob("*.removed")
    assert sorted(path.name.split("-")[0] for path in left) == ["1.0", "cache", "downloads"]
    assert environments.needs_tidying()
    environments.tidy()
    assert folders(environments) == ["2.0-cpu-2"]


def test_an_update_that_does_not_start_leaves_the_version_before(
    home: Path, first: Release, environments: Environments
) -> None:
    broken = make_release(home / "v2", "2.0", helper="2.0", content=BROKEN)
    with pytest.raises(BuildError, match="does not start"):
        install(broken, environments)
    assert started(environments) == "1.0"
    assert install(make_release(home / "v3", "3.0", helper="2.0"), environments) == ["helper"]
    assert started(environments) == "3.0"
    assert folders(environments) == ["3.0-cpu-2"]


def test_a_version_that_runs_is_removed_once_it_has_ended(
    home: Path, first: Release, environments: Environments
) -> None:
    assert environments.current is not None
    held = set_up.hold(environments.current.folder)
    assert held is not None
    install(make_release(home / "v2", "2.0", helper="2.0"), environments)
    assert folders(environments) == ["1.0-cpu-1", "2.0-cpu-2"]
    assert environments.needs_tidying()
    environments.tidy()
    assert "1.0-cpu-1" in folders(environments), "it still runs"
    os.close(held)
    environments.tidy()
    assert folders(environments) == ["2.0-cpu-2"]
    assert not environments.needs_tidying()


def test_what_runs_is_not_uninstalled(first: Release, environments: Environments) -> None:
    assert environments.current is not None
    held = set_up.hold(environments.current.folder)
    assert held is not None
    with pytest.raises(BusyError, match="running"):
        environments.remove()
    os.close(held)
    environments.remove()
    assert not environments.folder.exists()


def test_only_one_set_up_at_a_time(first: Release, environments: Environments) -> None:
    with (
        environments.alone(),
        pytest.raises(BusyError, match="runs already"),
    ):
        install(first, environments)
    assert started(environments) == "1.0"


def test_damage_is_found_and_only_that_is_fetched_again(
    first: Release, environments: Environments
) -> None:
    assert environments.current is not None
    (environments.current.packages / "helper.py").write_text("VALUE = 'gone wrong'\n")
    assert install(first, environments) == ["helper"]
    assert (environments.current.packages / "helper.py").read_text(
        encoding="utf-8"
    ) == "VALUE = '1.0'\n"
    assert folders(environments) == ["1.0-cpu-2"]


def test_checking_ends_when_it_is_stopped(first: Release, environments: Environments) -> None:
    builder = first.builder(environments)
    checking = builder.verify()
    next(checking)
    builder.cancelled.set()
    with pytest.raises(SetupCancelled):
        list(checking)


def test_what_was_made_with_another_python_is_not_taken_over(
    first: Release, environments: Environments, monkeypatch: pytest.MonkeyPatch
) -> None:
    builder = first.builder(environments)
    assert builder.plan("cpu").kept
    # As on a system whose own Python is too new, for which uv brings one of another version.
    elsewhere = environments.folder / "python"
    elsewhere.write_text("#!/bin/sh\necho 3 99\n")
    elsewhere.chmod(0o755)
    assert builder._usable_packages(elsewhere) == set()
    assert builder._usable_packages(Path(sys.executable)) != set()


def test_an_environment_that_somebody_emptied_is_built_again(
    first: Release, environments: Environments
) -> None:
    assert environments.current is not None
    shutil.rmtree(environments.current.folder / "lib")
    assert install(first, environments) == ["helper", "steady"]
    assert started(environments) == "1.0"


def test_another_gpu_support_is_another_environment_of_the_same_version(
    first: Release, environments: Environments
) -> None:
    assert install(first, environments, "cu130") == []
    assert folders(environments) == ["1.0-cu130-2"]
    assert started(environments) == "1.0"


def test_a_package_with_a_wrong_byte_is_refused_and_the_old_one_goes_on(
    home: Path, first: Release, environments: Environments
) -> None:
    second = make_release(home / "v2", "2.0", helper="2.0")
    make_wheel(second.wheels, "helper", "2.0", {"helper.py": "VALUE = 'smuggled in'\n"})
    with pytest.raises(DamagedPackageError, match="helper"):
        install(second, environments)
    assert started(environments) == "1.0"


def test_a_folder_of_packages_is_not_unpacked_to_look_into_it(
    home: Path, first: Release, environments: Environments
) -> None:
    second = make_release(home / "v2", "2.0", helper="2.0")
    (fetched,) = second.builder(environments).plan("cpu").files
    assert fetched.filename == "helper-2.0-py3-none-any.whl"
    assert not any(environments.cache.rglob("helper.py"))


def test_of_a_folder_for_several_pythons_that_of_this_one_is_taken(
    home: Path, first: Release, environments: Environments
) -> None:
    second = make_release(home / "v2", "2.0", helper="2.0")
    fitting = second.wheels / "helper-2.0-py3-none-any.whl"
    shutil.copy(fitting, fitting.with_name("helper-2.0-py2-none-any.whl"))
    assert install(second, environments) == ["helper"]
    assert started(environments) == "2.0"


def test_too_little_space_is_said_in_numbers_before_anything_happens(
    home: Path, first: Release, environments: Environments
) -> None:
    builder = make_release(home / "v2", "2.0", helper="2.0").builder(environments)
    plan = dataclasses.replace(builder.plan("cpu"), disk_bytes=5_300_000_000, free_bytes=10**8)
    with pytest.raises(DiskFullError, match=r"5\.3 GB are needed, 0\.1 GB are free"):
        list(builder.build(plan))
    assert folders(environments) == ["1.0-cpu-1", "cache"]


def test_a_folder_that_cannot_be_written_is_named(home: Path, first: Release) -> None:
    in_the_way = home / "file"
    in_the_way.write_text("of the user", encoding="utf-8")
    builder = first.builder(Environments(in_the_way / "environments"))
    with pytest.raises(BuildError, match="environments cannot be written to"):
        builder.plan("cpu")
    assert in_the_way.read_text(encoding="utf-8") == "of the user"


def test_two_users_have_nothing_in_common_but_the_installed_files(
    tmp_path: Path, first: Release, environments: Environments
) -> None:
    before = _everything(first.bundle.folder)
    other = Environments(tmp_path / "second" / "environments")
    install(first, other)
    other.remove()
    assert started(environments) == "1.0"
    assert _everything(first.bundle.folder) == before, "the installed files are only read"


def _everything(folder: Path) -> dict[Path, float]:
    return {p: p.lstat().st_mtime for p in folder.rglob("*")}


_SET_UP = """\
import sys, time
from pathlib import Path
from magi_setup.environments import Environment, Environments
from magi_setup.bundle import Bundle
from magi_setup.build import Builder
home = Path(sys.argv[1])
slow = Environment.start_failure
def wait(self, modules):
    print("testing", flush=True)
    time.sleep(60)
Environment.start_failure = wait
builder = Builder(Bundle.read(home / "v2"), Environments(home / "environments"), ("x",),
                  home / "v2" / "packages")
list(builder.build(builder.plan("cpu")))
"""


@pytest.fixture
def killed_update(home: Path, first: Release) -> Release:
    """An update to version 2 whose process was killed just before the switch."""
    second = make_release(home / "v2", "2.0", helper="2.0")
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", _SET_UP, str(home)],
        stdout=subprocess.PIPE,
        cwd=root,
        env=clean_environment(),
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"testing\n"
        process.send_signal(signal.SIGKILL)
    return second


def test_killed_half_way_the_old_version_starts_and_the_update_goes_on(
    killed_update: Release, environments: Environments
) -> None:
    assert started(environments) == "1.0"
    assert folders(environments) == ["1.0-cpu-1", "2.0-cpu-2", "cache", "downloads"]
    assert install(killed_update, environments) == ["helper"]
    assert started(environments) == "2.0"
    assert folders(environments) == ["2.0-cpu-2"]


def test_given_up_its_leftovers_go(killed_update: Release, environments: Environments) -> None:
    environments.tidy()
    assert folders(environments) == ["1.0-cpu-1", "cache", "downloads"], "perhaps it goes on"
    long_ago = time.time() - 15 * 24 * 3600
    for folder in (environments.downloads, environments.cache):
        os.utime(folder, (long_ago, long_ago))
    assert environments.needs_tidying()
    environments.tidy()
    assert folders(environments) == ["1.0-cpu-1"]
