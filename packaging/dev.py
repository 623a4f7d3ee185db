"""Sets up everything a checkout needs, then runs the program or its tests. Standard library only.

    python3 packaging/dev.py run               the window, or the built-in demo video
    python3 packaging/dev.py run ARGS...       the command line, such as: run generate --help
    python3 packaging/dev.py test              every check: format, lint, types, layers, tests
    python3 packaging/dev.py test ARGS...      pytest with these arguments

The set-up lives in .venv and is done once; it goes on where it stopped when interrupted, and
again when pyproject.toml or the pins change. This file also parses on Pythons too old for the
program, so that they get a sentence instead of a syntax error.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
STAMP = VENV / "magi-setup.txt"
PYTHONS = ((3, 13), (3, 12), (3, 11))
SMALLEST_FREE_BYTES = 1 << 30

# What PySide6's wheels expect of the system: shared library -> its Debian and Ubuntu package.
QT_LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
# Tests at a time: one a processor, but not more than memory has room for (about 2 GB each).
PARALLEL = ("--numprocesses=logical", "--maxprocesses=4", "--dist=worksteal")
# Programs with which the tests make a screen and use its mouse and keys -> package.
TEST_PROGRAMS = {"Xvfb": "xvfb", "xauth": "xauth", "xdotool": "xdotool"}


class SetupError(Exception):
    """The set-up cannot go on; the text is what the user reads: what is wrong and what to do."""


def main(argv: Sequence[str]) -> int:
    """Runs one of the commands above and returns the exit code of what was run."""
    if not argv or argv[0] not in ("run", "test"):
        print(__doc__)
        return 0 if argv and argv[0] in ("-h", "--help") else 2
    command, arguments = argv[0], list(argv[1:])
    try:
        return run(arguments) if command == "run" else test(arguments)
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on from here.", file=sys.stderr)
        return 130


def run(arguments: Sequence[str]) -> int:
    """Passes the arguments to the command line; without any, ends in something to look at."""
    set_up("run")
    module = "magi_engine"
    if not arguments:
        if has_display(sys.platform, os.environ):
            require_system_packages(missing_packages(QT_LIBRARIES, library_loads))
            module = "magi_desktop"
        else:
            say("There is no display for the window: making the demo video instead.")
            arguments = ["demo"]
    # -P: a file in the user's folder must not shadow a module of the same name.
    return run_child([str(VENV_PYTHON), "-X", "utf8", "-P", "-m", module, *arguments])


def test(arguments: Sequence[str]) -> int:
    """Runs every check and sums them up, or only pytest with the given arguments."""
    set_up("test")
    missing = missing_packages(QT_LIBRARIES, library_loads)
    missing += missing_packages(TEST_PROGRAMS, lambda name: shutil.which(name) is not None)
    require_system_packages(missing)

    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    if arguments:
        return run_child(python_module("pytest", *arguments), cwd=ROOT, env=environment)
    checks = {
        "format": python_module("ruff", "format", "--check", "."),
        "lint": python_module("ruff", "check", "."),
        "types": python_module("pyright"),
        "layers": [str(VENV_PYTHON.with_name(f"lint-imports{VENV_PYTHON.suffix}"))],
        "tests": python_module("pytest", "--ignore=tests/e2e", *PARALLEL, "--cov", "--cov-report="),
        "window": python_module(
            "pytest", "tests/e2e", *PARALLEL, "--cov", "--cov-append", "--cov-report=term"
        ),
    }
    failed = []
    for name, command in checks.items():
        say(name)
        if run_child(command, cwd=ROOT, env=environment) != 0:
            failed.append(name)
    say(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return 1 if failed else 0


def python_module(name: str, *arguments: str) -> list[str]:
    """The command that runs an installed module of the environment."""
    return [str(VENV_PYTHON), "-m", name, *arguments]


def run_child(
    command: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> int:
    """Runs a program on this console and returns its exit code, 128 + N when signal N ended it.

    Ctrl-C reaches the child too: it may have a partial video to keep, so it is waited for.
    """
    with subprocess.Popen(command, cwd=cwd, env=env) as process:
        code, _ = wait_through_interrupts(process)
    return code if code >= 0 else 128 - code


def run_step(command: Sequence[str]) -> bool:
    """Runs a step of the set-up and returns whether it ended well.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the step has been left to wind down first.
    """
    with subprocess.Popen(command) as process:
        code, interrupted = wait_through_interrupts(process)
    if interrupted:
        raise KeyboardInterrupt
    return code == 0


def wait_through_interrupts(process: subprocess.Popen[bytes]) -> tuple[int, bool]:
    """Exit code of a child that shares this console, and whether Ctrl-C was pressed meanwhile."""
    interrupted = False
    while True:
        try:
            return process.wait(), interrupted
        except KeyboardInterrupt:
            interrupted = True


def say(line: str) -> None:
    """Prints a line of this script, told apart from the output of what it runs."""
    print(f"==> {line}", flush=True)


def has_display(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a window could be shown: always on Windows and macOS, elsewhere if a server is."""
    if platform in ("win32", "darwin"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


# --- the environment -----------------------------------------------------------------------


def set_up(purpose: str) -> None:
    """Makes .venv hold the pinned dependencies and this checkout; quick when it already does.

    Args:
        purpose: "run", or "test" for the test tools as well.
    """
    wanted = stamp_text(purpose, ROOT, [ROOT / "pyproject.toml", CONSTRAINTS])
    if VENV_PYTHON.exists() and stamp_covers(STAMP, wanted):
        return
    say("Setting up; this happens once and takes some minutes (about 2 GB, more with CUDA).")
    if not environment_works():
        create_environment()
    STAMP.unlink(missing_ok=True)
    remove_half_installed(site_packages())

    # Small and first: where nothing can be fetched, this says so before anything big starts.
    say("Installing the build tool")
    pip_install("--retries", "1", "hatchling")
    say("Installing the program and what it needs")
    extras = "[dev]" if purpose == "test" else ""
    pip_install("--no-build-isolation", "--editable", f"{ROOT}{extras}")
    if os.name == "nt":
        show_runtime_to_torch(VENV)
    STAMP.write_text(wanted, encoding="utf-8")
    say("Set-up finished")


def show_runtime_to_torch(environment: Path) -> None:
    """Copies Microsoft's C++ runtime to where torch looks for libraries.

    The package msvc-runtime puts it beside the interpreter, as it should be; but that of a virtual
    environment only starts another one, beside which a clean Windows has none.

    Raises:
        SetupError: the package did not bring it.
    """
    found = sorted(environment.glob("msvcp140*.dll"))
    if not found:
        raise SetupError(
            f"Microsoft's C++ runtime, which torch needs, is not in {environment}.\n"
            "Remove that folder, then type the same command again."
        )
    target = environment / "Library" / "bin"
    target.mkdir(parents=True, exist_ok=True)
    for path in found:
        shutil.copyfile(path, target / path.name)


def stamp_text(purpose: str, root: Path, files: Sequence[Path]) -> str:
    """What a finished set-up writes down: a digest of its inputs, and what it is good for."""
    digest = hashlib.sha256(str(root).encode())
    for file in files:
        digest.update(file.read_bytes())
    return f"{digest.hexdigest()} {purpose}\n"


def stamp_covers(stamp: Path, wanted: str) -> bool:
    """Whether a set-up was finished from the same inputs; one for tests also serves to run."""
    if not stamp.is_file():
        return False
    done = stamp.read_text(encoding="utf-8").split()
    digest, purpose = wanted.split()
    return done[:1] == [digest] and done[1:] in (["test"], [purpose])


def environment_works() -> bool:
    """Whether .venv has a Python this program runs on, and pip in it."""
    if not VENV_PYTHON.exists():
        return False
    return version_of([str(VENV_PYTHON)]) in PYTHONS and succeeds(
        [str(VENV_PYTHON), "-c", "import pip"]
    )


def create_environment() -> None:
    """Creates .venv, replacing a broken one.

    Raises:
        SetupError: no Python fits, its venv module is missing, or the folder is not writable.
    """
    python = find_python()
    if not succeeds([*python, "-c", "import ensurepip, venv"]):
        major, minor = version_of(python) or PYTHONS[0]
        require_system_packages([f"python{major}.{minor}-venv"])
    say(f"Creating {VENV}")
    if not run_step([*python, "-m", "venv", "--clear", str(VENV)]):
        raise SetupError(
            f"The environment {VENV} could not be created; the lines above say why.\n"
            "Check that its folder can be written to and the disk is not full."
        )


def find_python() -> list[str]:
    """The command of a Python this program runs on: the running one, or another that is there.

    Where the system's packages offer one, as Ubuntu does beside its own, it is installed.

    Raises:
        SetupError: there is none.
    """
    if sys.version_info[:2] in PYTHONS:
        return [sys.executable]
    for version in PYTHONS:
        dotted = ".".join(map(str, version))
        for command in ([f"python{dotted}"], ["py", f"-{dotted}"]):
            if shutil.which(command[0]) and version_of(command) == version:
                return command
    if shutil.which("apt-cache"):
        for major, minor in PYTHONS:
            name = f"python{major}.{minor}"
            if succeeds(["apt-cache", "show", name]):
                require_system_packages([name, f"{name}-venv"])
                return [name]
    raise SetupError(
        "Magi Desktop needs Python 3.11, 3.12 or 3.13; this is "
        f"{sys.version_info[0]}.{sys.version_info[1]} and no other was found.\n"
        "Install Python 3.12 beside it, then type the same command again."
    )


def version_of(python: Sequence[str]) -> tuple[int, int] | None:
    """Major and minor version of an interpreter; None if it does not start."""
    script = "import sys; print(sys.version_info[0], sys.version_info[1])"
    try:
        answer = subprocess.run([*python, "-c", script], capture_output=True, text=True)
        major, minor = answer.stdout.split()
    except (OSError, ValueError):
        return None
    return int(major), int(minor)


def succeeds(command: Sequence[str]) -> bool:
    """Whether a program ends well; its output is of no interest."""
    silent = subprocess.DEVNULL
    return subprocess.run(command, stdout=silent, stderr=silent, stdin=silent).returncode == 0


def site_packages() -> Path:
    """Where the environment keeps its packages."""
    script = "import sysconfig; print(sysconfig.get_path('purelib'))"
    command = [str(VENV_PYTHON), "-X", "utf8", "-c", script]
    answer = subprocess.run(command, capture_output=True, encoding="utf-8")
    return Path(answer.stdout.strip())


def remove_half_installed(packages: Path) -> None:
    """Forgets what an interrupted pip left, so that the next one installs it again.

    pip writes RECORD last and refuses to replace a package without it; folders that begin
    with ``~`` are what it had set aside.
    """
    for folder in packages.glob("*.dist-info"):
        if not (folder / "RECORD").is_file():
            shutil.rmtree(folder)
    for left_over in packages.glob("~*"):
        shutil.rmtree(left_over, ignore_errors=True)


def pip_install(*arguments: str) -> None:
    """Runs pip with the pins, on this console, so that its progress is seen.

    Raises:
        SetupError: pip failed.
    """
    command = python_module("pip", "install", "--no-input", "--disable-pip-version-check")
    if run_step([*command, "--constraint", str(CONSTRAINTS), *arguments]):
        return
    if shutil.disk_usage(VENV).free < SMALLEST_FREE_BYTES:
        raise SetupError(
            "The disk is full.\nFree some gigabytes, then type the same command again."
        )
    raise SetupError(
        "Not all packages could be fetched; pip's lines above say why. Most often there is no "
        "network.\nConnect, then type the same command again: it goes on from here."
    )


# --- packages of the system ----------------------------------------------------------------


def missing_packages(needs: Mapping[str, str], present: Callable[[str], bool]) -> list[str]:
    """The Debian packages of those needs that are not there; none on other systems than Linux."""
    if not sys.platform.startswith("linux"):
        return []
    return [package for name, package in needs.items() if not present(name)]


def library_loads(name: str) -> bool:
    """Whether the system's loader finds a shared library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def require_system_packages(packages: Sequence[str]) -> None:
    """Installs Debian packages where that is allowed, and otherwise says what to type.

    Raises:
        SetupError: they are still missing.
    """
    if not packages:
        return
    prefix = apt_prefix()
    if prefix is not None:
        say(f"Installing system packages: {' '.join(packages)}")
        apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
        # A failing update (one broken source of many) need not keep packages from installing.
        run_step([*apt, "update"])
        if run_step([*apt, "install", "-y", "--no-install-recommends", *packages]):
            return
    raise SetupError(system_packages_message(packages, has_apt=shutil.which("apt-get") is not None))


def apt_prefix() -> list[str] | None:
    """What to put before apt-get: nothing for root, sudo where it asks no password; else None."""
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid"):
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and succeeds(["sudo", "-n", "true"]):
        return ["sudo", "-n"]
    return None


def system_packages_message(packages: Sequence[str], *, has_apt: bool) -> str:
    """What to tell a user whose system lacks packages this script may not install."""
    if not has_apt:
        return (
            f"The system lacks what these Debian packages contain: {' '.join(packages)}.\n"
            "Install your system's counterparts, then type the same command again."
        )
    return (
        "The system lacks some packages. Type this, then the same command again:\n"
        f"    sudo apt-get install --no-install-recommends {' '.join(packages)}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
