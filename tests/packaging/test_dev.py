"""The parts of packaging/dev.py that decide something; the set-up itself is what runs these."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import dev
import pytest
import system_packages

ROOT = Path(__file__).resolve().parents[2]


def test_a_checkout_has_the_cpp_runtime_where_torch_looks(tmp_path: Path) -> None:
    with pytest.raises(dev.SetupError, match="runtime"):
        dev.show_runtime_to_torch(tmp_path)
    for name in ("msvcp140.dll", "msvcp140_atomic_wait.dll", "python.exe"):
        (tmp_path / name).write_text(name)
    dev.show_runtime_to_torch(tmp_path)
    there = [p.name for p in (tmp_path / "Library" / "bin").iterdir()]
    assert sorted(there) == ["msvcp140.dll", "msvcp140_atomic_wait.dll"]


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("win32", {}, True),
        ("darwin", {}, True),
        ("linux", {}, False),
        ("linux", {"DISPLAY": ""}, False),
        ("linux", {"DISPLAY": ":0"}, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True),
    ],
)
def test_display(platform: str, environment: dict[str, str], expected: bool) -> None:
    assert dev.has_display(platform, environment) is expected


def test_stamp_changes_with_the_pins_the_place_and_the_purpose(tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    pins.write_text("a==1")
    first = dev.stamp_text("run", tmp_path, [pins])
    assert dev.stamp_text("run", tmp_path, [pins]) == first
    assert dev.stamp_text("test", tmp_path, [pins]) != first
    assert dev.stamp_text("run", tmp_path / "elsewhere", [pins]) != first
    pins.write_text("a==2")
    assert dev.stamp_text("run", tmp_path, [pins]) != first


@pytest.mark.parametrize(
    ("done", "wanted", "covered"),
    [
        (None, "abc run\n", False),
        ("", "abc run\n", False),
        ("abc run\n", "abc run\n", True),
        ("abc test\n", "abc run\n", True),
        ("abc run\n", "abc test\n", False),
        ("abc test\n", "abc test\n", True),
        ("abd test\n", "abc test\n", False),
    ],
)
def test_a_set_up_for_tests_also_serves_to_run(
    tmp_path: Path, done: str | None, wanted: str, covered: bool
) -> None:
    stamp = tmp_path / "stamp"
    if done is not None:
        stamp.write_text(done)
    assert dev.stamp_covers(stamp, wanted) is covered


def test_a_finished_set_up_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = tmp_path / "stamp"
    stamp.write_text(dev.stamp_text("test", ROOT, [ROOT / "pyproject.toml", dev.CONSTRAINTS]))
    monkeypatch.setattr(dev, "STAMP", stamp)
    monkeypatch.setattr(dev, "VENV_PYTHON", Path(sys.executable))
    monkeypatch.setattr(dev, "run_step", lambda command: pytest.fail(f"started {command}"))
    dev.get_ready("run", [])
    dev.get_ready("test", [])


def test_half_installed_packages_are_forgotten(tmp_path: Path) -> None:
    whole, half, aside = (tmp_path / n for n in ("a-1.dist-info", "b-1.dist-info", "~orch"))
    for folder in (whole, half, aside):
        folder.mkdir()
        (folder / "METADATA").touch()
    (whole / "RECORD").touch()
    dev.remove_half_installed(tmp_path)
    assert list(tmp_path.iterdir()) == [whole]


def test_only_absent_libraries_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    needs = {"libEGL.so.1": "libegl1", "libGL.so.1": "libgl1"}
    assert system_packages.missing(needs, lambda name: name == "libGL.so.1") == ["libegl1"]
    assert system_packages.missing(needs, lambda _: True) == []
    monkeypatch.setattr(sys, "platform", "win32")
    assert system_packages.missing(needs, lambda _: False) == []


def test_a_library_that_does_not_exist_does_not_load() -> None:
    assert not system_packages.library_loads("libno-such-thing.so.7")


def test_without_rights_the_exact_command_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_packages, "apt_prefix", lambda: None)
    monkeypatch.setattr(system_packages.shutil, "which", lambda name: f"/usr/bin/{name}")
    with pytest.raises(dev.SetupError) as caught:
        system_packages.install(["libegl1", "libgl1"], lambda command: pytest.fail("started"))
    assert str(caught.value).splitlines()[-1].strip() == (
        "sudo apt-get update && sudo apt-get install --no-install-recommends libegl1 libgl1"
    )


def test_apt_is_run_with_sudo_where_it_asks_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[Sequence[str]] = []
    monkeypatch.setattr(system_packages, "apt_prefix", lambda: ["sudo", "-n"])
    system_packages.install(["xvfb"], lambda command: commands.append(command) or 0)
    assert [command[:2] for command in commands] == [["sudo", "-n"]] * 2
    assert commands[0][-1] == "update"
    assert commands[1][-4:] == ["install", "-y", "--no-install-recommends", "xvfb"]


def test_what_the_system_lacks_is_asked_for_at_once_and_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package of Python's environments together with Qt's and the screen's."""
    asked: list[list[str]] = []

    def refuse(packages: Sequence[str], run_step: object) -> None:
        asked.append(list(packages))
        raise dev.SetupError

    monkeypatch.setattr(dev, "VENV_PYTHON", tmp_path / "python")
    monkeypatch.setattr(dev, "succeeds", lambda command, environment=None: False)
    monkeypatch.setattr(system_packages, "missing_for_tests", lambda: ["libegl1", "xvfb"])
    monkeypatch.setattr(system_packages, "install", refuse)
    monkeypatch.setattr(dev, "run_step", lambda command: pytest.fail(f"started {command}"))
    assert dev.main(["test"]) == 1
    major, minor = sys.version_info[:2]
    assert asked == [[f"python{major}.{minor}-venv", "libegl1", "xvfb"]]


def test_a_fitting_interpreter_is_kept() -> None:
    assert dev.find_python() == ([sys.executable], [])
    assert dev.version_of([sys.executable]) == sys.version_info[:2]


def test_no_fitting_interpreter_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setattr(dev.shutil, "which", lambda _: None)
    with pytest.raises(dev.SetupError, match=r"needs Python 3\.11, 3\.12 or 3\.13; this is 3\.9"):
        dev.find_python()


def launcher(folder: Path, name: str, script: str) -> None:
    """A program for a test of which programs are found; POSIX only."""
    if os.name == "nt":
        pytest.skip("makes POSIX launchers")
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_another_interpreter_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A launcher that is there but does not start, as pyenv leaves them, is passed over."""
    wanted = "3.12" if sys.version_info[1] != 12 else "3.11"
    launcher(tmp_path, "python3.13", "exit 127")
    launcher(tmp_path, f"python{wanted}", f"echo {wanted.replace('.', ' ')}")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert dev.find_python() == ([f"python{wanted}"], [])


def test_an_interpreter_that_the_system_offers_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """apt-cache takes a name for a pattern: what Debian 11 shows for python3.13 is another."""
    launcher(
        tmp_path,
        "apt-cache",
        'case $2 in *11) echo "Package: python3.11";; *) echo "Package: python3-1313";; esac',
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "version_info", (3, 10, 12))
    assert dev.find_python() == (["python3.11"], ["python3.11", "python3.11-venv"])
    launcher(tmp_path, "apt-cache", 'echo "Package: python3-1313"')
    with pytest.raises(dev.SetupError, match="Debian has a fitting one from version 12 on"):
        dev.find_python()


def test_children_get_none_of_pythons_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.invalid")
    monkeypatch.setenv("PIP_INDEX_URL", "http://index.invalid")
    code = (
        "import os; e = os.environ; ok = 'HTTPS_PROXY' in e and 'PIP_INDEX_URL' in e;"
        "raise SystemExit(not ok or any(n.startswith('PYTHON') for n in e))"
    )
    for run in (dev.run_child, dev.run_step):
        assert run([sys.executable, "-c", code]) == 0


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place for .venv, with this Python in it."""
    monkeypatch.setattr(dev, "VENV", tmp_path)
    monkeypatch.setattr(dev, "TEMPORARY", tmp_path / "tmp")
    monkeypatch.setattr(dev, "VENV_PYTHON", Path(sys.executable))
    return tmp_path


def test_pip_unpacks_in_an_empty_folder_of_its_own(venv: Path) -> None:
    (venv / "tmp").mkdir()
    (venv / "tmp" / "left over").touch()
    environment = dev.pip_environment()
    assert environment["TMPDIR"] == environment["TEMP"] == str(venv / "tmp")
    assert list((venv / "tmp").iterdir()) == []


def test_a_disk_that_is_too_full_is_said_with_numbers(
    venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "has_torch_without_cuda", lambda: False)
    monkeypatch.setattr(dev, "USED_GB", 6.0)
    usage = shutil.disk_usage(venv)
    for free, fits in ((6.1e9, True), (2.5e9, False)):
        there = usage._replace(free=int(free))
        monkeypatch.setattr(dev.shutil, "disk_usage", lambda path, there=there: there)
        if fits:
            dev.require_room()
            continue
        with pytest.raises(dev.SetupError, match=r"needs 6\.0 GB more, and 2\.5 GB are free"):
            dev.require_room()
        # Nor is anything else blamed where pip found out.
        with pytest.raises(dev.SetupError, match=r"2\.5 GB are free"):
            dev.why_pip_failed(1)


@pytest.mark.parametrize(
    ("code", "fetched", "said"),
    [
        (-9, True, "signal 9 (SIGKILL)"),
        (1, True, "though packages can be fetched"),
        (1, False, "Most often there is no network"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_only_what_was_at_fault_is_blamed(
    venv: Path, code: int, fetched: bool, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "require_room", lambda: None)
    monkeypatch.setattr(dev, "succeeds", lambda command, environment: fetched)
    assert said in dev.why_pip_failed(code)


def test_what_is_no_interpreter_has_no_version(tmp_path: Path) -> None:
    assert dev.version_of([str(tmp_path / "python")]) is None
    assert dev.version_of([sys.executable, "-c", "print('odd')"]) is None


def test_exit_codes_pass_through() -> None:
    assert dev.run_child([sys.executable, "-c", "raise SystemExit(7)"]) == 7


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_signal_becomes_a_shell_s_exit_code() -> None:
    script = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert dev.run_child([sys.executable, "-c", script]) == 128 + signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_lets_the_child_finish() -> None:
    """As on a console, parent and child both get the signal; the child ends in its own way."""
    child = "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: raise SystemExit(5)"
    parent = f"import dev, sys; sys.exit(dev.run_child([sys.executable, '-c', {child!r}]))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "packaging")}
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        env=environment,
        start_new_session=True,
        # What a shell starts in the background ignores the signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    stop = threading.Timer(1.0, os.killpg, (process.pid, signal.SIGINT))
    stop.start()
    try:
        assert process.wait(timeout=300) == 5
    finally:
        stop.join()


def test_ctrl_c_in_a_step_of_the_set_up_stops_the_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "wait_through_interrupts", lambda process: (process.wait(), True))
    with pytest.raises(KeyboardInterrupt):
        dev.run_step([sys.executable, "-c", ""])


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["--help"], 0), (["fly"], 2)])
def test_usage(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert dev.main(arguments) == code
    assert "packaging/dev.py run" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "display", "passed_on"),
    [
        ([], "", ["magi_engine", "demo"]),
        ([], ":0", ["magi_desktop"]),
        (["generate", "--help"], ":0", ["magi_engine", "generate", "--help"]),
        (["doctor"], "", ["magi_engine", "doctor"]),
    ],
)
def test_run_passes_on(
    arguments: list[str],
    display: str,
    passed_on: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands: list[Sequence[str]] = []
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(dev, "get_ready", lambda purpose, packages: None)
    monkeypatch.setattr(dev, "run_child", lambda command: commands.append(command) or 3)
    assert dev.main(["run", *arguments]) == 3
    assert list(commands[0][commands[0].index("-m") + 1 :]) == passed_on
    says_why_no_window = "There is no display" in capsys.readouterr().out
    assert says_why_no_window is (not display and not arguments)


def test_all_checks_run_and_one_failure_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[str] = []

    @contextlib.contextmanager
    def window(command: Sequence[str], env: Mapping[str, str]) -> Iterator[Callable[[], int]]:
        assert env["QT_QPA_PLATFORM"] == "offscreen"
        commands.append(" ".join(command))
        yield lambda: 1

    def fails_at_types(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> int:
        assert cwd == ROOT
        assert env["QT_QPA_PLATFORM"] == "offscreen"
        commands.append(" ".join(command))
        return 1 if "pyright" in command else 0

    monkeypatch.setattr(dev, "get_ready", lambda purpose, packages: None)
    monkeypatch.setattr(dev, "run_child", fails_at_types)
    monkeypatch.setattr(dev, "meanwhile", window)
    assert dev.main(["test"]) == 1
    assert "failed: types, window" in capsys.readouterr().out
    for tool in (
        "ruff format --check",
        "ruff check",
        "pyright",
        "lint-imports",
        "pytest --ignore=tests/e2e",
        "pytest tests/e2e",
    ):
        assert any(tool in command for command in commands)


def test_what_runs_beside_others_says_all_it_said_at_its_end(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    script = "import sys; print('ü'); print('no', file=sys.stderr); sys.exit(5)"
    command = [sys.executable, "-X", "utf8", "-c", script]
    with dev.meanwhile(command, dev.clean_environment()) as finish:
        assert finish() == 5
    out, errors = capfdbinary.readouterr()
    assert sorted(out.decode().split()) == ["no", "ü"]
    assert not errors


def test_every_dependency_is_pinned_exactly_once() -> None:
    lines = [
        line
        for line in (ROOT / "packaging" / "constraints.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[A-Za-z0-9.]+", line) for line in lines)
    names = [line.split("==")[0] for line in lines]
    assert len(names) == len(set(names))
    project = project_dependencies()
    assert project
    assert {name.lower() for name in project} <= set(names)


def project_dependencies() -> list[str]:
    """Names of what pyproject.toml asks for, extras and groups included."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        tables = tomllib.load(file)
    groups = [tables["project"]["dependencies"]]
    groups += tables["project"]["optional-dependencies"].values()
    groups += tables["dependency-groups"].values()
    return [re.split(r"[<>=\[;]", entry)[0].strip() for group in groups for entry in group]
