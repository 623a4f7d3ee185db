"""The private environments of one user: which is in use, what is in it, starting it.

An environment is a folder that is never changed once it is finished: a change builds another one
beside it, from the files that stay and those that are new, tests it, and then ``current.json``
names that one instead. Whatever happens on the way, the old one goes on working.
"""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from magi_desktop.set_up import IN_USE_NAME, RECORD_NAME
from magi_engine import disk
from magi_engine.atomic import write_text
from magi_setup.errors import BusyError
from magi_setup.windows_python import PACKAGES

WINDOWS = sys.platform == "win32"
# Of a package's files: start scripts, which are not used, and what has been compiled, which is
# made again.
_PASSED_OVER = re.compile(r"[/\\]|(\.\./)+(bin|Scripts)/|.*\.pyc$")
_DOWNLOADS_KEPT_S = 14 * 24 * 3600
_DOOMED = ".removed"
"""Ending of a folder that is on its way out."""


@dataclass(frozen=True)
class EnvironmentRecord:
    """What a finished environment says of itself."""

    version: str
    flavor: str
    wheel_sha256: str
    launcher: tuple[str, ...]
    """The command that opens the set-up again."""


@dataclass(frozen=True)
class Environment:
    """A folder with a Python and packages."""

    folder: Path

    @property
    def python(self) -> Path:
        """Its interpreter; on Windows the one without a console is beside it."""
        return self.folder / ("python.exe" if WINDOWS else "bin/python")

    @property
    def packages(self) -> Path:
        """Where its packages are."""
        if WINDOWS:
            return long_path(self.folder / PACKAGES)
        found = next(self.folder.glob("lib/python3*"), self.folder / "lib" / "python3")
        return found / "site-packages"

    @property
    def has_its_python(self) -> bool:
        """Whether its interpreter is there and is still the one its packages are for.

        It is the system's, which may become another one when the system is upgraded.
        """
        if not self.python.exists():
            return False
        named = re.match(r"python(3\.\d+)", self.python.resolve().name)
        return WINDOWS or named is None or self.packages.parent.name in (named[0], "python3")

    @property
    def record(self) -> EnvironmentRecord | None:
        """None unless it was finished."""
        try:
            said = json.loads((self.folder / RECORD_NAME).read_text(encoding="utf-8"))
            return EnvironmentRecord(**{**said, "launcher": tuple(said["launcher"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def finish(self, record: EnvironmentRecord) -> None:
        """Say that it is complete."""
        text = json.dumps(asdict(record), indent=2)
        write_text(self.folder / RECORD_NAME, text)

    def installed(self) -> dict[str, Path]:
        """The ``dist-info`` folder of every ``name==version``, names as in requirements."""
        found = {}
        for folder in self.packages.glob("*.dist-info"):
            name, version = folder.name.removesuffix(".dist-info").split("-", 1)
            if (folder / "RECORD").is_file():
                found[f"{normal_name(name)}=={version}"] = folder
        return found

    def damaged(self) -> Iterator[tuple[str, bool]]:
        """Hash every file again: yields each ``name==version``, and whether it is damaged."""
        for pin, folder in sorted(self.installed().items()):
            yield pin, any(not _is_intact(self._file(n), h) for n, h in _recorded(folder))

    def adopt(self, dist_info: Path, source: Environment) -> None:
        """Take over a package of another environment, without using space again."""
        made: set[Path] = set()  # to ask for a folder again takes longer on Windows than a link
        for name in (n for n, _ in _recorded(dist_info)):
            target = self._file(name)
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            try:
                os.link(source._file(name), target)
            except FileExistsError:  # some of NVIDIA's packages share a file
                continue
            except OSError:  # a file system without links
                shutil.copy2(source._file(name), target)

    def _file(self, name: str) -> Path:
        """Where a file of a package is, which may lie above the packages, beside Python."""
        place = self.packages  # in a form that knows no ".." on Windows
        while name.startswith("../"):
            place, name = place.parent, name.removeprefix("../")
        return place / name

    def command(self, files: list[str]) -> list[str]:
        """What starts the program."""
        python = self.folder / "pythonw.exe" if WINDOWS else self.python
        return [str(python), "-X", "utf8", "-P", "-m", "magi_desktop", *files]

    def start_failure(self, modules: tuple[str, ...]) -> str:
        """What an attempt to import the program's parts says; empty: it starts."""
        code = "\n".join(f"import {name}" for name in modules)
        try:
            answer = subprocess.run(
                [str(self.python), "-P", "-c", code],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=900,
                creationflags=subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if answer.returncode == 0:
            return ""
        return answer.stderr.strip() or f"exit code {answer.returncode}"

    def is_held(self) -> bool:
        """Whether a program runs from it."""
        path = self.folder / IN_USE_NAME
        if not path.exists():
            return False
        if sys.platform == "win32":
            # An open file can be neither renamed nor removed there.
            with contextlib.suppress(OSError):
                path.replace(path.with_suffix(".free"))
                path.with_suffix(".free").replace(path)
                return False
            return True
        import fcntl

        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            except OSError:  # a file system without locks
                return False
        return False


class Environments:
    """All environments of a user, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def python(self) -> Path:
        """Where a Python is put if one has to be fetched; outlives every environment."""
        return self.folder / "python"

    @property
    def downloads(self) -> Path:
        """Files on their way into an environment; gone afterwards."""
        return self.folder / "downloads"

    @property
    def cache(self) -> Path:
        """uv's, while something is built."""
        return self.folder / "cache"

    @property
    def current(self) -> Environment | None:
        """The one in use, if it is finished and its Python is still there."""
        environment = self._named() or self._newest()
        if environment is None or environment.record is None or not environment.has_its_python:
            return None
        return environment

    def _named(self) -> Environment | None:
        try:
            name = json.loads(self._pointer.read_text(encoding="utf-8"))["environment"]
            return Environment(self.folder / name)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _newest(self) -> Environment | None:
        """Where the pointer was lost: the one that was finished last, since that was tested."""
        finished = [p for p in self._all() if Environment(p).record is not None]
        return max(map(Environment, finished), key=lambda e: _number(e.folder), default=None)

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Only one process at a time changes what is here.

        Raises:
            BusyError: another one does.
            DiskFullError, OutputError: the folder cannot be written.
        """
        busy = BusyError("The set-up runs already.", "Wait until it has finished.")
        return disk.alone(self.folder / "lock", busy)

    def new(self, version: str, flavor: str) -> Environment:
        """A folder for the next one; what an interrupted attempt left is removed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        used = self.current
        self._remove_unused(used)
        numbers = [_number(path) for path in self._all()]
        environment = Environment(self.folder / f"{version}-{flavor}-{max(numbers, default=0) + 1}")
        assert used is None or used.folder != environment.folder
        return environment

    def switch(self, environment: Environment) -> None:
        """Use this one from now on.

        Others, where nothing runs from them, and what was fetched are left for ``tidy``: to remove
        them takes longer than somebody should wait for the program.
        """
        write_text(self._pointer, json.dumps({"environment": environment.folder.name}))
        self._doom_unused(environment)
        for folder in (self.downloads, self.cache):
            _doom(folder)

    def needs_tidying(self) -> bool:
        """Whether there is something that ``tidy`` may be able to remove; quick."""
        used = self.current
        rest = [p for p in self._all() if used is None or p != used.folder]
        return bool(rest or self._doomed() or self._forgotten())

    def tidy(self) -> None:
        """Remove what an interrupted or given-up set-up and earlier versions left.

        Fetched files are kept for two weeks: somebody may yet go on with them.

        Raises:
            BusyError: the set-up runs.
        """
        with self.alone():
            used = self.current
            self._remove_unused(used)
            for folder in self._forgotten():
                remove_tree(folder)

    def remove(self) -> None:
        """Remove everything the set-up has made.

        Raises:
            BusyError: the program or the set-up runs.
        """
        if not self.folder.exists():
            return
        with self.alone():
            if any(Environment(path).is_held() for path in self._all()):
                raise BusyError("Magi Desktop is running.", "Close it, then try again.")
        remove_tree(self.folder)

    def _remove_unused(self, used: Environment | None) -> None:
        self._doom_unused(used)
        for path in self._doomed():
            remove_tree(path)

    def _doom_unused(self, used: Environment | None) -> None:
        for path in self._all():
            if (used is None or path != used.folder) and not Environment(path).is_held():
                _doom(path)

    def _doomed(self) -> list[Path]:
        return list(self.folder.glob(f"*{_DOOMED}"))

    def _forgotten(self) -> list[Path]:
        oldest = time.time() - _DOWNLOADS_KEPT_S
        return [
            folder
            for folder in (self.downloads, self.cache)
            if folder.is_dir() and folder.stat().st_mtime < oldest
        ]

    @property
    def _pointer(self) -> Path:
        return self.folder / "current.json"

    def _all(self) -> list[Path]:
        if not self.folder.is_dir():
            return []
        return [p for p in self.folder.iterdir() if re.fullmatch(r".+-[a-z0-9]+-\d+", p.name)]


def _doom(folder: Path) -> None:
    """Whole or not at all: half an environment would look like one to repair."""
    with contextlib.suppress(OSError):
        folder.rename(folder.with_name(f"{folder.name}-{time.time_ns()}{_DOOMED}"))


def _number(folder: Path) -> int:
    return int(folder.name.rsplit("-", 1)[1])


def remove_tree(folder: Path) -> None:
    """Remove a folder as far as it can be, however deep it is."""
    shutil.rmtree(long_path(folder), ignore_errors=True)


def long_path(path: Path) -> Path:
    """The same path, in the form that may have more than 260 characters on Windows.

    The names of some files of torch have over 170 by themselves.
    """
    text = os.path.abspath(path)
    if not WINDOWS or text.startswith("\\\\"):
        return path
    return Path(f"\\\\?\\{text}")


def normal_name(name: str) -> str:
    """The one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _recorded(dist_info: Path) -> Iterator[tuple[str, str]]:
    with (dist_info / "RECORD").open(encoding="utf-8", newline="") as file:
        for row in csv.reader(file):
            if row and not _PASSED_OVER.match(row[0]):
                yield row[0], row[1]


def _is_intact(path: Path, recorded: str) -> bool:
    if not path.is_file():
        return False
    if not recorded:
        return True
    kind, _, value = recorded.partition("=")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, kind).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == value
