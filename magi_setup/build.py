"""Building an environment, from looking at the computer to the switch."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from magi_engine.errors import DISK_FULL, DiskFullError, MagiError
from magi_engine.loading import load_error
from magi_engine.messages import Message
from magi_setup import packages
from magi_setup.bundle import Bundle
from magi_setup.environments import (
    WINDOWS,
    Environment,
    EnvironmentRecord,
    Environments,
    long_path,
    normal_name,
    remove_tree,
)
from magi_setup.errors import (
    OR_REPORT,
    BuildError,
    DamagedPackageError,
    NetworkError,
    SetupCancelled,
    disk_full,
)
from magi_setup.machine import CPU, Choice
from magi_setup.packages import WheelFile
from magi_setup.uv import Uv
from magi_setup.windows_python import make_private

logger = logging.getLogger(__name__)

PYTHONS = ((3, 11), (3, 14))
"""The oldest, and the first that is too new."""
_UNPACKED_TO_PACKED = 3.5
"""Wheels seen on Linux, torch's CPU build included: 0.36 GB become 1.3 GB."""
_SPARE_BYTES = 200 << 20


class Step(Enum):
    """What is being done."""

    DOWNLOADING = Message("Fetching…")
    CHECKING = Message("Checking every file…")
    INSTALLING = Message("Unpacking…")
    TESTING = Message("Trying whether it starts…")


@dataclass(frozen=True)
class SetupProgress:
    """How far it is; both numbers 0 where that cannot be said."""

    step: Step
    done_bytes: int = 0
    total_bytes: int = 0
    bytes_per_s: float | None = None


@dataclass(frozen=True)
class Plan:
    """What a build will fetch and need; made before anything is touched."""

    flavor: str
    files: tuple[WheelFile, ...]
    """Those that the environment in use does not have."""
    kept: tuple[str, ...]
    """``name==version`` of what is taken over from it."""
    python: Path
    download_bytes: int
    disk_bytes: int
    free_bytes: int


class Builder:
    """Builds for one user from one installed version.

    Args:
        launcher: the command that opens the set-up again.
        wheels: a folder of packages to take instead of the network.
    """

    def __init__(
        self,
        bundle: Bundle,
        environments: Environments,
        launcher: tuple[str, ...],
        wheels: Path | None,
    ) -> None:
        self.bundle, self.environments = bundle, environments
        self.wheels = wheels
        self.cancelled = threading.Event()
        self._launcher = launcher
        self._uv = Uv(bundle.uv, environments.cache, self.cancelled)

    def needs_build(self) -> bool:
        """Whether there is no environment of this version."""
        record = self.record
        return record is None or record.wheel_sha256 != self.bundle.wheel_sha256

    @property
    def record(self) -> EnvironmentRecord | None:
        """What the environment in use says of itself; None: there is none."""
        current = self.environments.current
        return current.record if current else None

    def usual_flavor(self, choice: Choice) -> str:
        """The build of torch in use, if this version still offers it, else the recommended one."""
        record = self.record
        if record is not None and record.flavor in self.bundle.flavors:
            return record.flavor
        return choice.flavor

    def plan(self, flavor: str, damaged: frozenset[str] = frozenset()) -> Plan:
        """Look up what it takes.

        Args:
            damaged: ``name==version`` of what has to be fetched again.

        Raises:
            NetworkError, BuildError, DamagedPackageError, DiskFullError, SetupCancelled
        """
        folder = self.environments.folder
        _make_writable(folder)
        python = self._python()
        files = packages.resolve(self.bundle, self._uv, python, flavor, self.wheels, folder)
        here = self._usable_packages(python) - damaged
        new = tuple(f for f in files if _pin(f) not in here)
        download = packages.bytes_missing(list(new), self.environments.downloads)
        disk = int(sum(f.size_bytes for f in new) * _UNPACKED_TO_PACKED) + download
        kept = tuple(_pin(f) for f in files if _pin(f) in here)
        free = shutil.disk_usage(folder).free
        return Plan(flavor, new, kept, python, download, disk + _SPARE_BYTES, free)

    def build(self, plan: Plan) -> Iterator[SetupProgress]:
        """Carry out a plan; at its end the new environment is in use.

        Raises:
            NetworkError, BuildError, LoadError, DamagedPackageError, DiskFullError, BusyError,
            SetupCancelled
        """
        with self.environments.alone():
            yield from self._build(plan)

    def _build(self, plan: Plan) -> Iterator[SetupProgress]:
        if plan.free_bytes < plan.disk_bytes:
            raise DiskFullError(
                "There is too little space in {folder}: {needed:bytes} are needed, "
                "{free:bytes} are free.",
                "Free some space, then try again.",
                folder=self.environments.folder,
                needed=plan.disk_bytes,
                free=plan.free_bytes,
            )
        yield from self._fetch(plan)
        environment = self.environments.new(self.bundle.version, plan.flavor)
        yield SetupProgress(Step.INSTALLING)
        self._make_python(environment, plan.python)
        used = self.environments.current
        if used is not None:
            have = used.installed()
            for pin in plan.kept:
                environment.adopt(have[pin], used)
        yield from self._install(environment, plan)
        yield SetupProgress(Step.TESTING)
        if failure := environment.start_failure(self.bundle.start_test):
            logger.error("the new environment does not start: %s", failure)
            remove_tree(environment.folder)
            raise load_error(failure) or _unknown_failure(plan.flavor)
        environment.finish(
            EnvironmentRecord(
                self.bundle.version, plan.flavor, self.bundle.wheel_sha256, self._launcher
            )
        )
        self.environments.switch(environment)

    def verify(self) -> Generator[SetupProgress, None, frozenset[str]]:
        """Hash everything installed again; returns the damaged packages.

        Raises:
            SetupCancelled
        """
        current = self.environments.current
        damaged = set()
        if current is not None:
            total = len(current.installed())
            for number, (pin, is_damaged) in enumerate(current.damaged()):
                if self.cancelled.is_set():
                    raise SetupCancelled
                yield SetupProgress(Step.CHECKING, number, total)
                if is_damaged:
                    damaged.add(pin)
        return frozenset(damaged)

    def _fetch(self, plan: Plan) -> Iterator[SetupProgress]:
        files = list(plan.files)
        total = sum(f.size_bytes for f in files)
        began, first = time.monotonic(), None
        for done in packages.fetch(files, self.environments.downloads, self.cancelled):
            first = done if first is None else first
            rate = (done - first) / max(time.monotonic() - began, 1e-3)
            yield SetupProgress(Step.DOWNLOADING, done, total, rate or None)

    def _install(self, environment: Environment, plan: Plan) -> Iterator[SetupProgress]:
        wheel = next(self.bundle.wheels.glob("*.whl"))
        pins = [f.pin for f in plan.files]
        pins.append(f"magi-desktop=={self.bundle.version} --hash=sha256:{self.bundle.wheel_sha256}")
        wanted = self.environments.folder / "install.txt"
        wanted.write_text("\n".join([*pins, ""]), encoding="utf-8")
        fetched = [self.environments.downloads / f.filename for f in plan.files]
        total = sum(_unpacked_bytes(path) for path in [*fetched, wheel])
        if shutil.disk_usage(self.environments.folder).free < total:
            raise disk_full()
        next_look = 0.0  # looking takes a sixth of the time at most
        for done in self._uv.watch(
            *("pip", "install", "--python", str(environment.python), "--offline", "--no-index"),
            *("--find-links", str(self.environments.downloads)),
            *("--find-links", str(self.bundle.wheels)),
            *("--no-deps", "--require-hashes", "-r", str(wanted)),
        ):
            if done is None:
                if time.monotonic() < next_look:
                    continue
                began = time.monotonic()
                unpacked = _folder_bytes(self.environments.cache)
                next_look = time.monotonic() + 5 * (time.monotonic() - began)
                yield SetupProgress(Step.INSTALLING, min(unpacked, total), total)
            elif done.returncode != 0:
                raise self._failure(Message("The packages could not be installed."))

    def _python(self) -> Path:
        """The interpreter environments are made from: ours if it fits, else one that uv fetches."""
        if WINDOWS:  # the one beside the one without a console
            return Path(sys.executable).with_name("python.exe")
        if PYTHONS[0] <= sys.version_info[:2] < PYTHONS[1]:
            return Path(sys.executable)
        place = self.environments.python
        answer = self._uv.run("python", "find", ">={}.{},<{}.{}".format(*PYTHONS[0], *PYTHONS[1]))
        if answer.returncode != 0:
            options = ("--install-dir", str(place), "--no-bin")
            if self._uv.run("python", "install", "3.12", *options).returncode != 0:
                raise NetworkError("Python 3.12 could not be fetched.", packages.TRY_AGAIN)
            return next(place.glob("cpython-3.12*/bin/python3.12"))
        return Path(answer.stdout.strip())

    def _make_python(self, environment: Environment, python: Path) -> None:
        if WINDOWS:
            # A copy of the bundled Python is an environment, and needs the bundle no more.
            shutil.copytree(python.parent, environment.folder)
            environment.packages.mkdir(parents=True, exist_ok=True)
            make_private(environment.folder)
            return
        made = self._uv.run("venv", "--python", str(python), str(environment.folder))
        if made.returncode != 0:
            raise self._failure(Message("The environment could not be made."))

    def _failure(self, sentence: Message) -> MagiError:
        """What to raise after uv failed, perhaps for want of space without saying so."""
        if shutil.disk_usage(self.environments.folder).free < _SPARE_BYTES // 4:
            return disk_full()
        return BuildError(sentence, OR_REPORT)

    def _usable_packages(self, python: Path) -> set[str]:
        """Those in use that fit an environment made from ``python``."""
        current = self.environments.current
        if current is None:
            return set()
        major, minor = _version_of(python)
        if WINDOWS:
            fits = (current.folder / f"python{major}{minor}.dll").exists()
        else:
            fits = current.packages.parent.name == f"python{major}.{minor}"
        if not fits:
            return set()
        return set(current.installed())


def _unknown_failure(flavor: str) -> BuildError:
    without_gpu = Message("Choose “Without a GPU”, or report it with the log.")
    hint = OR_REPORT if flavor == CPU else without_gpu
    return BuildError("What was installed does not start.", hint)


def _version_of(python: Path) -> tuple[int, int]:
    if WINDOWS or python == Path(sys.executable):  # without a console, but of one installation
        return sys.version_info[:2]
    code = "import sys; print(*sys.version_info[:2])"
    told = subprocess.run([str(python), "-I", "-c", code], capture_output=True, text=True)
    major, minor = told.stdout.split()
    return int(major), int(minor)


def _pin(file: WheelFile) -> str:
    return f"{normal_name(file.name)}=={file.version}"


def _unpacked_bytes(wheel: Path) -> int:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return sum(entry.file_size for entry in archive.infolist())
    except zipfile.BadZipFile as error:
        raise DamagedPackageError("{name} is damaged.", "Get it again.", name=wheel.name) from error


def _folder_bytes(folder: Path) -> int:
    total, waiting = 0, [str(long_path(folder))]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    continue
                # Windows tells the size with the name; to ask for each file takes minutes there.
                with contextlib.suppress(OSError):  # gone meanwhile
                    total += entry.stat(follow_symlinks=False).st_size
    return total


def _make_writable(folder: Path) -> None:
    probe = folder / "probe"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"1")
        probe.unlink()
    except OSError as error:
        if error.errno in DISK_FULL:
            raise disk_full() from error
        raise BuildError(
            "{folder} cannot be written to.",
            "Allow yourself to write there, then try again.",
            folder=folder,
        ) from error
