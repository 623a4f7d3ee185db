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

import contextlib
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import system_packages
from system_packages import SetupError

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
CONSTRAINTS = ROOT / "packaging" / "constraints.txt"
STAMP = VENV / "magi-setup.txt"
PYTHONS = ((3, 13), (3, 12), (3, 11))
TEMPORARY = VENV / "tmp"
"""Where pip unpacks: /tmp may be small, or memory. Emptied at every set-up."""

# Fetched, and then used in .venv; rounded up.
FETCHED_GB = 3.0 if sys.platform.startswith("linux") else 0.5
USED_GB = 6.5 if sys.platform.startswith("linux") else 2.0
WITHOUT_CUDA_GB = 2.0
GB = 1_000_000_000

# Tests at a time: one a processor, but not more than memory has room for (about 2 GB each).
PROCESSES = min(os.cpu_count() or 1, 4)
PARALLEL = (f"--numprocesses={PROCESSES}", "--dist=worksteal")
BESIDE = (f"--numprocesses={max(PROCESSES // 2, 1)}", "--dist=worksteal")
"""Of the window's tests: each process of them starts an engine, and mostly waits for it."""


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
    window = not arguments and has_display(sys.platform, os.environ)
    get_ready("run", system_packages.missing_for_window() if window else [])
    if not arguments and not window:
        say("There is no display for the window: making the demo video instead.")
        arguments = ["demo"]
    # -P: a file in the user's folder must not shadow a module of the same name.
    module = "magi_desktop" if window else "magi_engine"
    return run_child([str(VENV_PYTHON), "-X", "utf8", "-P", "-m", module, *arguments])


def test(arguments: Sequence[str]) -> int:
    """Runs every check and sums them up, or only pytest with the given arguments."""
    get_ready("test", system_packages.missing_for_tests())
    environment = {**clean_environment(), "QT_QPA_PLATFORM": "offscreen"}
    if arguments:
        return run_child(python_module("pytest", *arguments), cwd=ROOT, env=environment)
    behind = ["nice"] if shutil.which("nice") else []
    checks = {
        "format": python_module("ruff", "format", "--check", "."),
        "lint": python_module("ruff", "check", "."),
        "types": python_module("pyright"),
        "layers": [str(VENV_PYTHON.with_name(f"lint-imports{VENV_PYTHON.suffix}"))],
        # Behind the window's tests, which are fewer at a time: these fill the pauses of those.
        "tests": [*behind, *python_module("pytest", "--ignore=tests/e2e", *PARALLEL)],
    }
    window = python_module("pytest", "tests/e2e", *BESIDE)
    failed = []
    # One thread for each: the processors have other work.
    with meanwhile(window, {**environment, "OMP_NUM_THREADS": "1"}) as finish_window:
        for name, command in checks.items():
            say(name)
            if run_child(command, cwd=ROOT, env=environment) != 0:
                failed.append(name)
        say("window")
        if finish_window() != 0:
            failed.append("window")
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
    with subprocess.Popen(command, cwd=cwd, env=env or clean_environment()) as process:
        code, _ = wait_through_interrupts(process)
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def meanwhile(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Callable[[], int]]:
    """Runs a program that mostly waits beside others that compute.

    Yields what waits for its end, says what it said, and returns its exit code.
    """
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=said, stderr=said)

        def finish() -> int:
            code, _ = wait_through_interrupts(process)
            said.seek(0)
            shutil.copyfileobj(said, sys.stdout.buffer)
            return code

        with process:
            yield finish


def run_step(command: Sequence[str], environment: Mapping[str, str] | None = None) -> int:
    """Runs a step of the set-up and returns its exit code, -N when signal N ended it.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed; the step has been left to wind down first.
    """
    with subprocess.Popen(command, env=environment or clean_environment()) as process:
        code, interrupted = wait_through_interrupts(process)
    if interrupted:
        raise KeyboardInterrupt
    return code


def clean_environment() -> dict[str, str]:
    """The environment without Python's variables: a set-up that needs one works here only."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def wait_through_interrupts(process: subprocess.Popen[bytes]) -> tuple[int, bool]:
    """Exit code of a child that shares this console, and whether Ctrl-C was pressed meanwhile.

    Noted and not raised: an exception on the way back from the system's call would lose the code.
    """
    presses: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: presses.append(number))
    try:
        return process.wait(), bool(presses)
    finally:
        signal.signal(signal.SIGINT, before)


def say(line: str) -> None:
    """Prints a line of this script, told apart from the output of what it runs."""
    print(f"==> {line}", flush=True)


def has_display(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a window could be shown: always on Windows and macOS, elsewhere if a server is."""
    if platform in ("win32", "darwin"):
        return True
    return bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


# --- the environment -----------------------------------------------------------------------


def get_ready(purpose: str, packages: Sequence[str]) -> None:
    """Makes .venv hold the pinned dependencies and this checkout; quick when it already does.

    Args:
        purpose: "run", or "test" for the test tools as well.
        packages: of the system, asked for together with what Python itself lacks.

    Raises:
        SetupError: something is missing that cannot be installed from here.
    """
    wanted = stamp_text(purpose, ROOT, [ROOT / "pyproject.toml", CONSTRAINTS])
    done = VENV_PYTHON.exists() and stamp_covers(STAMP, wanted)
    if done or environment_works():
        system_packages.install(packages, run_step)
    else:
        python, lacking = find_python()
        system_packages.install([*lacking, *packages], run_step)
        create_environment(python)
    if not done:
        set_up(purpose, wanted)


def set_up(purpose: str, wanted: str) -> None:
    """Installs into .venv what is not yet there; ``wanted`` is noted when all of it is."""
    require_room()
    say(
        f"Setting up; this happens once. Up to {FETCHED_GB} GB are fetched, and {USED_GB} GB used "
        f"in {VENV}, where {free_gb():.1f} GB are free."
    )
    STAMP.unlink(missing_ok=True)
    remove_half_installed(site_packages())
    # Small and first: where nothing can be fetched, this says so before anything big starts.
    # And the pip that Python brings may be too old to go on with a file that was cut off.
    say("Installing pip and the build tool")
    pip_install("--retries", "1", "--upgrade", "pip", "hatchling")
    say("Installing torch")
    pip_install("--no-deps", pinned("torch")[0])
    parts = [part for part in parts_of_torch() if not is_installed(part)]
    for number, part in enumerate(parts, start=1):
        # One by one: what is installed stays when a later one is interrupted.
        say(f"Installing what torch needs for GPUs, {number} of {len(parts)}")
        pip_install("--no-deps", part)
    say("Installing the program and what else it needs")
    extras = "[dev]" if purpose == "test" else ""
    pip_install("--no-build-isolation", "--editable", f"{ROOT}{extras}")
    if os.name == "nt":
        show_runtime_to_torch(VENV)
    shutil.rmtree(TEMPORARY)
    STAMP.write_text(wanted, encoding="utf-8")
    say("Set-up finished")


def require_room() -> None:
    """Looks whether the disk has room for what is still missing of .venv.

    Raises:
        SetupError: it has not.
    """
    whole = WITHOUT_CUDA_GB if has_torch_without_cuda() else USED_GB
    there = sum(path.lstat().st_size for path in VENV.rglob("*")) / GB
    missing, free = max(whole - there, 0.1), free_gb()
    if free < missing:
        raise SetupError(
            f"The disk is too full: {VENV} needs {missing:.1f} GB more, and {free:.1f} GB are "
            "free.\nFree some space, then type the same command again."
        )


def free_gb() -> float:
    """What is free where .venv is or will be."""
    return shutil.disk_usage(VENV if VENV.exists() else ROOT).free / GB


def has_torch_without_cuda() -> bool:
    """Whether .venv has a build of torch for the CPU, which somebody has put there."""
    if not VENV_PYTHON.exists():
        return False
    packages = site_packages()
    return any(packages.glob("torch-*.dist-info")) and not parts_of_torch()


def parts_of_torch() -> list[str]:
    """The pins of the large packages that the installed build of torch needs."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return []
    script = "import importlib.metadata as m; print(*(m.requires('torch') or ()))"
    answer = subprocess.run(
        [str(VENV_PYTHON), "-c", script], capture_output=True, text=True, env=clean_environment()
    )
    return pinned("nvidia-", "triton") if "nvidia-" in answer.stdout else []


def is_installed(pin: str) -> bool:
    """Whether .venv has exactly this."""
    name, _, version = pin.partition("==")
    return (site_packages() / f"{name.replace('-', '_')}-{version}.dist-info").is_dir()


def pinned(*beginnings: str) -> list[str]:
    """The lines of the pins that begin so."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith(beginnings)]


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


def create_environment(python: Sequence[str]) -> None:
    """Creates .venv, replacing a broken one.

    Raises:
        SetupError: it could not be created.
    """
    say(f"Creating {VENV}")
    # pip is put in afterwards, so that it, too, unpacks in there.
    made = run_step([*python, "-m", "venv", "--clear", "--without-pip", str(VENV)]) == 0
    pip = [str(VENV_PYTHON), "-m", "ensurepip", "--upgrade", "--default-pip"]
    if not made or run_step(pip, pip_environment()) != 0:
        require_room()
        raise SetupError(
            f"The environment {VENV} could not be created; the lines above say why.\n"
            "Check that its folder can be written to."
        )


def find_python() -> tuple[list[str], list[str]]:
    """The command of a Python this program runs on, and the system's packages it still lacks.

    It is the running one, or another that is there, or one that the system's packages offer, as
    Ubuntu does beside its own.

    Raises:
        SetupError: there is none.
    """
    if sys.version_info[:2] in PYTHONS:
        return [sys.executable], packages_for_venv([sys.executable], sys.version_info[:2])
    for version in PYTHONS:
        dotted = ".".join(map(str, version))
        for command in ([f"python{dotted}"], ["py", f"-{dotted}"]):
            if shutil.which(command[0]) and version_of(command) == version:
                return command, packages_for_venv(command, version)
    for major, minor in PYTHONS:
        name = f"python{major}.{minor}"
        if system_packages.offered(name):
            return [name], [name, f"{name}-venv"]
    raise SetupError(
        "Magi Desktop needs Python 3.11, 3.12 or 3.13; this is "
        f"{sys.version_info[0]}.{sys.version_info[1]}, and neither is another one installed nor do "
        "the packages of this system offer one.\nInstall Python 3.12, then type the same command "
        "again; Debian has a fitting one from version 12 on, Ubuntu from 24.04 on."
    )


def packages_for_venv(python: Sequence[str], version: tuple[int, int]) -> list[str]:
    """Debian keeps what makes environments in a package of its own, which may be missing."""
    if succeeds([*python, "-c", "import ensurepip, venv"]):
        return []
    return [f"python{version[0]}.{version[1]}-venv"]


def version_of(python: Sequence[str]) -> tuple[int, int] | None:
    """Major and minor version of an interpreter; None if it does not start."""
    script = "import sys; print(sys.version_info[0], sys.version_info[1])"
    try:
        answer = subprocess.run([*python, "-c", script], capture_output=True, text=True)
        major, minor = answer.stdout.split()
    except (OSError, ValueError):
        return None
    return int(major), int(minor)


def succeeds(command: Sequence[str], environment: Mapping[str, str] | None = None) -> bool:
    """Whether a program ends well; its output is of no interest."""
    silent, environment = subprocess.DEVNULL, environment or clean_environment()
    done = subprocess.run(command, stdout=silent, stderr=silent, stdin=silent, env=environment)
    return done.returncode == 0


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
    # Nothing outside .venv: a cache would hold everything a second time. And Python compiles what
    # it imports, which is a small part of the large packages.
    command += ["--no-cache-dir", "--no-compile", "--constraint", str(CONSTRAINTS), *arguments]
    code = run_step(command, pip_environment())
    if code != 0:
        raise SetupError(f"{why_pip_failed(code)} It goes on from here.")


def pip_environment() -> dict[str, str]:
    """The environment for pip, with an empty folder of its own to unpack in."""
    shutil.rmtree(TEMPORARY, ignore_errors=True)
    TEMPORARY.mkdir(parents=True)
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(TEMPORARY))
    # Where a connection is cut, it goes on in the file; a pip too old for that overlooks it.
    return {**clean_environment(), **folders, "PIP_RESUME_RETRIES": "20"}


def why_pip_failed(code: int) -> str:
    """What was wrong, and what to do about it."""
    if code < 0:
        return (
            f"pip was ended by signal {-code} ({signal.Signals(-code).name}); the system may have "
            "run out of memory.\nClose other programs, then type the same command again."
        )
    require_room()
    probe = python_module("pip", "download", "--quiet", "--no-deps", "--no-cache-dir")
    probe += ["--disable-pip-version-check", "--retries", "0", "--dest", str(TEMPORARY), "einops"]
    if succeeds(probe, pip_environment()):
        return (
            "Not everything could be installed, though packages can be fetched; pip's lines above "
            "say why.\nMend that, then type the same command again."
        )
    return (
        "Packages cannot be fetched; pip's lines above say why. Most often there is no network."
        "\nConnect, then type the same command again."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
