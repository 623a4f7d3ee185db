"""A clean Debian in a folder, for checks of what is installed, and how checks report."""

from __future__ import annotations

import contextlib
import os
import pty
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

SUITE = "bookworm"
"""Debian 12, the oldest system that everything runs on."""
# A name and a home that programs stumble over.
USERS = {"joerg": "/home/Jörg Müller", "second": "/home/second"}


class Root:
    """A clean Debian in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.display = ""
        """Of the screen that programs use."""

    def run(
        self, *command: str, user: str | None = None, prefix: Sequence[str] = (), limit_s: int = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run something in it, to its end."""
        return subprocess.run(
            self._inside(user, prefix, command),
            capture_output=True,
            text=True,
            timeout=limit_s,
        )

    def answer(self, said: str, *command: str, user: str) -> subprocess.CompletedProcess[str]:
        """Run something in it at a terminal, where a person types ``said`` and Enter."""
        person, terminal = pty.openpty()
        try:
            os.write(person, f"{said}\n".encode())
            return subprocess.run(
                self._inside(user, (), command),
                stdin=terminal,
                capture_output=True,
                text=True,
                timeout=600,
            )
        finally:
            os.close(person)
            os.close(terminal)

    def start(
        self, *command: str, user: str, stderr: int | None = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        """Start something in it, on this console; what it says on stderr can be read."""
        return subprocess.Popen(self._inside(user, (), command), stderr=stderr)

    def home(self, user: str) -> Path:
        """A user's home, seen from outside."""
        return self.folder / USERS[user].lstrip("/")

    def videos(self, user: str) -> Path:
        """A user's folder of videos, seen from outside."""
        return self.home(user) / "Videos" / "Magi Desktop"

    def files(self) -> set[str]:
        """Every path in it but those that come and go by themselves."""
        skipped = {"proc", "dev", "sys", "tmp", "wheels", "run", "home"}
        found = set()
        for place, folders, names in os.walk(self.folder):
            inside = Path(place).relative_to(self.folder)
            if inside == Path():
                folders[:] = [f for f in folders if f not in skipped]
            found |= {str(inside / name) for name in (*folders, *names)}
        return found

    def _inside(self, user: str | None, prefix: Sequence[str], command: Sequence[str]) -> list[str]:
        home = USERS[user] if user else "/root"
        who = [f"--userspec={user}:{user}"] if user else []
        surroundings = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", f"HOME={home}"]
        surroundings += [f"DISPLAY={self.display}", "DEBIAN_FRONTEND=noninteractive"]
        return [
            *prefix,
            *("chroot", *who, str(self.folder), "env", "-i", *surroundings),
            *command,
        ]


@contextlib.contextmanager
def clean_root(wheels: Path | None, keep: bool, suite: str = SUITE) -> Iterator[Root]:
    """Make a minimal Debian with two users; ``wheels``, if any, is in it as /wheels.

    Args:
        keep: leave it there, for a look.
    """
    folder = Path(tempfile.mkdtemp(prefix="magi-root-", dir="/var/tmp"))
    say(f"a clean Debian {suite} in {folder}")
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", suite, str(folder)], stdout=subprocess.DEVNULL
    )
    require(made.returncode == 0, "debootstrap")
    folder.chmod(0o755)
    if wheels is not None:
        shutil.copytree(wheels, folder / "wheels")
    root = Root(folder)
    try:
        # Its /dev is its own, as debootstrap makes it; memory to share is all that it lacks.
        for kind, place in (("proc", "proc"), ("tmpfs", "dev/shm")):
            subprocess.run(["mount", "-t", kind, kind, str(folder / place)], check=True)
        for name, home in USERS.items():
            require(root.run("useradd", "-m", "-d", home, name).returncode == 0, f"user {name}")
        (folder / "etc" / "apt" / "apt.conf.d" / "99check").write_text(
            'Acquire::Check-Date "false";\n'
        )
        require(root.run("apt-get", "update", "-qq").returncode == 0, "apt update")
        yield root
    finally:
        for mount in (root.home("second"), folder / "tmp", folder / "proc", folder / "dev" / "shm"):
            subprocess.run(["umount", "-l", str(mount)], stderr=subprocess.DEVNULL)
        # Never into what is still mounted.
        if not keep and str(folder) not in Path("/proc/self/mounts").read_text(encoding="utf-8"):
            shutil.rmtree(folder, ignore_errors=True)


def is_one_sentence(said: subprocess.CompletedProcess[str]) -> bool:
    """Whether it failed with an error as users are told one."""
    return said.returncode == 1 and "Traceback" not in said.stderr and 0 < len(said.stderr) < 400


def require(holds: bool, what: str, told: str = "") -> None:
    """Go on only if it holds; otherwise ends with what a program has told."""
    say(f"{'ok  ' if holds else 'FAIL'} {what}")
    if not holds:
        say(told)
        raise SystemExit(1)


def say(line: str) -> None:
    """A line of the report."""
    print(line, flush=True)
