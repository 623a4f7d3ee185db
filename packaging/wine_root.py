"""A Debian with wine in a folder, and one Windows user in it: what windows_check.py looks at."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from clean_root import require, say

SUITE = "trixie"
"""Its wine is 10."""
_PACKAGES = ("wine", "wine64", "wine32:i386", "fonts-wine", "fonts-noto-core")
_FONT = "fonts-droid-fallback"
"""For Chinese."""
# A name that programs stumble over. No useradd makes it; Windows would.
USER = "Jörg Müller"
_ID = 4242
CPP_RUNTIME = (
    *("msvcp140", "msvcp140_1", "msvcp140_2", "msvcp140_atomic_wait", "concrt140", "vcomp140"),
    *("vcruntime140", "vcruntime140_1"),
)
_ENCODING = "cp437"
"""Of what Windows programs print in an English Windows."""


class Windows:
    """A root with a user whose home is a Windows disk.

    Args:
        display: the screen programs appear on.
    """

    def __init__(self, root: Path, display: str) -> None:
        self.root, self.display = root, display
        self.prefix = "wine"
        self.user_id = _ID

    @property
    def disk(self) -> Path:
        """C:, seen from outside."""
        return self.root / "home" / USER / self.prefix / "drive_c"

    @property
    def home(self) -> Path:
        """The user's folder, seen from outside."""
        return self.disk / "users" / USER

    @property
    def local(self) -> Path:
        """Where programs keep what is not to travel with the user."""
        return self.home / "AppData" / "Local"

    def path(self, outside: Path) -> str:
        """What a file below C: is called in Windows."""
        return "C:\\" + str(outside.relative_to(self.disk)).replace("/", "\\")

    def run(self, *command: str, limit_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run something to its end; what it starts may outlive it."""
        with tempfile.TemporaryFile("w+", encoding=_ENCODING, errors="replace") as said:
            process = self._popen(command, said.fileno())
            try:
                code = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                _end(process)
                code = 124
            said.seek(0)
            return subprocess.CompletedProcess(command, code, said.read(), "")

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start something."""
        return self._popen(command, subprocess.DEVNULL)

    def boot(self) -> None:
        """Make the disk, or wait until it is there."""
        require(self.run("wineboot", "--init").returncode == 0, f"a disk for Windows ({USER})")

    def registry(self, key: str) -> str:
        """Everything below a key, as text."""
        return self.run("wine", "reg", "query", key, "/s").stdout

    def own(self, folder: Path) -> None:
        """Make a file, or a folder and all in it, the user's."""
        for path in (folder, *folder.rglob("*")):
            os.chown(path, _ID, _ID, follow_symlinks=False)

    def shut_down(self) -> None:
        """End every Windows program."""
        self.run("wineserver", "--kill", limit_s=60)

    def _popen(self, command: Sequence[str], output: int) -> subprocess.Popen[bytes]:
        home = f"/home/{USER}"
        surroundings = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": home,
            "WINEPREFIX": f"{home}/{self.prefix}",
            "WINEDEBUG": "-all",
            # Wine offers to fetch browsers and .NET, which nothing here wants, and has Microsoft's
            # C++ runtime, which a clean Windows has not.
            "WINEDLLOVERRIDES": f"mscoree,mshtml=;{','.join(CPP_RUNTIME)}=n",
            # What OpenMP asks Windows of its processors, wine does not answer.
            "KMP_TOPOLOGY_METHOD": "flat",
            "DISPLAY": self.display,
        }
        if self.prefix == "wine32":
            surroundings["WINEARCH"] = "win32"
        settings = [f"{name}={value}" for name, value in surroundings.items()]
        return subprocess.Popen(
            ["chroot", f"--userspec={_ID}:{_ID}", str(self.root), "env", "-i", *settings, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


@contextlib.contextmanager
def wine_root(folder: Path | None) -> Iterator[Path]:
    """A root with wine; made, and removed at the end, unless one is given.

    Args:
        folder: is used if it is one, filled if it is missing, and kept.
    """
    root = folder or Path(tempfile.mkdtemp(prefix="magi-wine-"))
    if not (root / "usr" / "lib" / "wine").is_dir():
        say(f"a clean Debian {SUITE} with wine in {root}")
        _make(root)
    mounts = (root / "proc", root / "sys")

    def unmount() -> None:
        for mount in mounts:
            subprocess.run(["umount", "-l", str(mount)], stderr=subprocess.DEVNULL)

    unmount()  # what a killed run has left
    try:
        # Without sysfs wine sees no processors. Of this machine's own /dev nothing is in there.
        for kind, mount in zip(("proc", "sysfs"), mounts, strict=True):
            subprocess.run(["mount", "-t", kind, kind, str(mount)], check=True)
        (root / "dev" / "shm").chmod(0o1777)
        shutil.rmtree(root / "home", ignore_errors=True)
        (root / "home" / USER).mkdir(parents=True)
        os.chown(root / "home" / USER, _ID, _ID)
        passwd, line = root / "etc" / "passwd", f"{USER}:x:{_ID}:{_ID}::/home/{USER}:/bin/sh\n"
        if line not in passwd.read_text(encoding="utf-8"):
            with passwd.open("a", encoding="utf-8") as file:
                file.write(line)
        yield root
    finally:
        unmount()
        # Never into what is still mounted.
        if folder is None and str(root) not in Path("/proc/self/mounts").read_text(
            encoding="utf-8"
        ):
            shutil.rmtree(root, ignore_errors=True)


def _make(root: Path) -> None:
    steps = (
        ["debootstrap", "--variant=minbase", SUITE, str(root)],
        ["chroot", str(root), "dpkg", "--add-architecture", "i386"],
        ["chroot", str(root), "apt-get", "-o", "Acquire::Check-Date=false", "update", "-qq"],
        [
            *("chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive"),
            *("apt-get", "install", "-qq", "--no-install-recommends", *_PACKAGES, _FONT),
        ],
    )
    for step in steps:
        made = subprocess.run(step, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        require(made.returncode == 0, " ".join(step[:4]), made.stderr)
    root.chmod(0o755)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
