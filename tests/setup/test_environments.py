"""Environments are whole or not there, and a change never touches the one in use."""

import base64
import hashlib
import sys
from pathlib import Path

import pytest

from magi_setup.environments import WINDOWS, Environment, EnvironmentRecord, Environments

_PACKAGES = "Lib/site-packages" if WINDOWS else "lib/python3.11/site-packages"
RECORD = EnvironmentRecord("1.0", "cpu", "0" * 64, ("magi-desktop",))


def make(environments: Environments, files: dict[str, bytes]) -> Environment:
    environment = environments.new("1.0", "cpu")
    environment.python.parent.mkdir(parents=True)
    environment.python.write_bytes(b"")
    packages = environment.folder / _PACKAGES
    info = packages / "Some_Package-1.5.dist-info"
    info.mkdir(parents=True)
    lines = ["../../bin/some,,", "some/__pycache__/a.pyc,,"]
    for name, content in files.items():
        (packages / name).parent.mkdir(parents=True, exist_ok=True)
        (packages / name).write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    (info / "RECORD").write_text("\n".join(lines))
    return environment


def make_current(environments: Environments, files: dict[str, bytes]) -> Environment:
    environment = make(environments, files)
    environment.finish(RECORD)
    environments.switch(environment)
    return environment


def test_an_unfinished_environment_is_not_used_and_is_cleared_away(tmp_path: Path) -> None:
    environments = Environments(tmp_path / "ü v")
    first = make(environments, {"some/a.py": b"1"})
    assert environments.current is None
    second = environments.new("1.0", "cpu")
    assert not first.folder.exists()
    assert not second.folder.exists()


def test_the_one_in_use_stays_until_another_is_finished(tmp_path: Path) -> None:
    environments = Environments(tmp_path)
    first = make_current(environments, {"some/a.py": b"1"})
    second = make(environments, {"some/a.py": b"2"})
    assert environments.current == first
    second.finish(RECORD)
    environments.switch(second)
    assert environments.current == second
    assert not first.folder.exists()


def test_what_a_package_puts_beside_python_is_looked_after_too(tmp_path: Path) -> None:
    environments = Environments(tmp_path)
    above = "../../" if WINDOWS else "../../../"
    first = make_current(environments, {"some/a.py": b"1", f"{above}runtime.dll": b"14.44"})
    second = make(environments, {})
    [dist_info] = first.installed().values()
    second.adopt(dist_info, first)
    assert (second.folder / "runtime.dll").read_bytes() == b"14.44"
    assert list(first.damaged()) == [("some-package==1.5", False)]
    (first.folder / "runtime.dll").unlink()
    assert list(first.damaged()) == [("some-package==1.5", True)]


@pytest.mark.parametrize("pointer", ['{"envi', "", "[]", '{"environment": 3}'])
def test_where_the_pointer_is_lost_the_newest_finished_one_is_used(
    tmp_path: Path, pointer: str
) -> None:
    environments = Environments(tmp_path)
    first = make_current(environments, {"some/a.py": b"1"})
    make(environments, {"some/a.py": b"2"})
    (tmp_path / "current.json").write_text(pointer)
    assert environments.current == first
    environments.tidy()
    assert environments.current == first, "and it is not cleared away"


@pytest.mark.skipif(sys.platform == "win32", reason="an environment is a whole Python there")
def test_a_system_with_another_python_needs_another_environment(tmp_path: Path) -> None:
    environments = Environments(tmp_path / "environments")
    used = make_current(environments, {"some/a.py": b"1"})
    for version in ("3.11", "3.13"):
        (tmp_path / f"python{version}").touch()
    used.python.unlink()
    used.python.symlink_to(tmp_path / "python3")
    (tmp_path / "python3").symlink_to("python3.11")
    assert environments.current == used
    (tmp_path / "python3").unlink()
    (tmp_path / "python3").symlink_to("python3.13")  # as an upgrade of the system does
    assert environments.current is None
    (tmp_path / "python3").unlink()
    assert environments.current is None


def test_a_changed_or_missing_file_is_damage(tmp_path: Path) -> None:
    environments = Environments(tmp_path)
    used = make(environments, {"some/a.py": b"1", "some/b.py": b"2"})
    assert dict(used.damaged()) == {"some-package==1.5": False}
    (used.packages / "some" / "a.py").write_bytes(b"3")
    assert dict(used.damaged()) == {"some-package==1.5": True}
    (used.packages / "some" / "a.py").unlink()
    assert dict(used.damaged()) == {"some-package==1.5": True}


def test_what_is_adopted_survives_the_one_it_came_from(tmp_path: Path) -> None:
    environments = Environments(tmp_path)
    used = make(environments, {"some/a.py": b"1"})
    used.finish(RECORD)
    environments.switch(used)
    other = environments.new("2.0", "cpu")
    (other.folder / _PACKAGES).mkdir(parents=True)
    (other.packages / "Some_Package-1.5.dist-info").mkdir()
    (other.packages / "Some_Package-1.5.dist-info" / "RECORD").write_bytes(
        (used.packages / "Some_Package-1.5.dist-info" / "RECORD").read_bytes()
    )
    other.adopt(used.installed()["some-package==1.5"], used)
    (used.packages / "some" / "a.py").unlink()
    assert dict(other.damaged()) == {"some-package==1.5": False}


def test_packages_that_share_a_file_are_both_adopted(tmp_path: Path) -> None:
    environments = Environments(tmp_path)
    old = make_current(environments, {"nvidia/__init__.py": b"", "nvidia/a.py": b"1"})
    first = next(old.packages.glob("*.dist-info"))
    second = old.packages / "other-1.0.dist-info"
    second.mkdir()
    (second / "RECORD").write_text((first / "RECORD").read_text(encoding="utf-8"))
    new = environments.new("2.0", "cpu")
    (new.folder / _PACKAGES).mkdir(parents=True)
    for info in (first, second):
        new.adopt(info, old)
    assert (new.packages / "nvidia/a.py").read_bytes() == b"1"


def test_removed_nothing_is_left(tmp_path: Path) -> None:
    environments = Environments(tmp_path / "environments")
    make(environments, {"some/a.py": b"1"})
    environments.remove()
    assert not (tmp_path / "environments").exists()
