"""Proves the .deb in a clean Debian: installed, set up, broken in many ways, used, purged.

    sudo python3 packaging/deb_check.py DEB WHEELS [--keep] [--pictures FOLDER]

WHEELS is a folder with every package of the release for the Python of Debian 12, and torch's CPU
build; it stands for the network. Needs root, debootstrap, Xvfb, xdotool, and for the static checks
lintian, desktop-file-validate and appstreamcli. To be run when packaging/ or magi_setup/ changes;
the checks that need no root are in tests/setup.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

SUITE = "bookworm"
# A name and a home that programs stumble over.
USERS = {"joerg": "/home/Jörg Müller", "second": "/home/second"}
DISPLAY = ":97"
ENVIRONMENTS = ".local/share/magi-desktop/environments"


class Root:
    """A clean Debian in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

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

    def start(self, *command: str, user: str) -> subprocess.Popen[bytes]:
        """Start something in it."""
        return subprocess.Popen(self._inside(user, (), command), stderr=subprocess.PIPE)

    def home(self, user: str) -> Path:
        """A user's home, seen from outside."""
        return self.folder / USERS[user].lstrip("/")

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
        surroundings += [f"DISPLAY={DISPLAY}", "DEBIAN_FRONTEND=noninteractive"]
        return [
            *prefix,
            *("chroot", *who, str(self.folder), "env", "-i", *surroundings),
            *command,
        ]


def main(argv: Sequence[str]) -> int:
    """Run every check; returns 0 if all hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("deb", type=Path)
    parser.add_argument("wheels", type=Path)
    parser.add_argument("--keep", action="store_true", help="leave the root for a look")
    parser.add_argument("--pictures", type=Path)
    wishes = parser.parse_args(argv)
    check_statically(wishes.deb)
    folder = Path(tempfile.mkdtemp(prefix="magi-root-"))
    try:
        with clean_root(folder, wishes.wheels) as root:
            before = install(root, wishes.deb)
            check_command_line_without_set_up(root)
            check_no_network(root)
            check_damaged_wheel(root)
            check_killed_and_resumed(root)
            check_repair(root)
            check_use(root)
            check_disk_full(root)
            check_window(root, wishes.pictures)
            purge(root, before)
    finally:
        if not wishes.keep:
            shutil.rmtree(folder, ignore_errors=True)
    say("all checks hold")
    return 0


@contextlib.contextmanager
def clean_root(folder: Path, wheels: Path) -> Iterator[Root]:
    """Make a minimal Debian with two users."""
    say(f"a clean Debian {SUITE}")
    made = subprocess.run(
        ["debootstrap", "--variant=minbase", SUITE, str(folder)],
        stdout=subprocess.DEVNULL,
    )
    require(made.returncode == 0, "debootstrap")
    folder.chmod(0o755)
    shutil.copytree(wheels, folder / "wheels")
    root = Root(folder)
    mounts = [folder / "proc", folder / "dev"]
    subprocess.run(["mount", "-t", "proc", "proc", str(mounts[0])], check=True)
    subprocess.run(["mount", "--bind", "/dev", str(mounts[1])], check=True)
    try:
        for name, home in USERS.items():
            require(root.run("useradd", "-m", "-d", home, name).returncode == 0, f"user {name}")
        yield root
    finally:
        for mount in (root.home("second"), *mounts):
            subprocess.run(["umount", "-l", str(mount)], stderr=subprocess.DEVNULL)


def check_statically(deb: Path) -> None:
    """Lintian, and the validators of what is inside."""
    linted = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--allow-root", str(deb)],
        capture_output=True,
        text=True,
    )
    require(linted.returncode == 0, f"lintian is content\n{linted.stdout}")
    with tempfile.TemporaryDirectory() as unpacked:
        subprocess.run(["dpkg-deb", "-x", str(deb), unpacked], check=True)
        share = Path(unpacked, "usr", "share")
        for command in (
            ["desktop-file-validate", str(share / "applications" / "magi-desktop.desktop")],
            [
                *("appstreamcli", "validate", "--no-net"),
                str(share / "metainfo" / "magi-desktop.metainfo.xml"),
            ],
        ):
            said = subprocess.run(command, capture_output=True, text=True)
            require(said.returncode == 0, f"{command[0]} is content\n{said.stdout}{said.stderr}")


def install(root: Root, deb: Path) -> set[str]:
    """Install with apt and nothing else; returns the paths there were before."""
    shutil.copy(deb, root.folder / "tmp" / deb.name)
    (root.folder / "etc" / "apt" / "apt.conf.d" / "99check").write_text(
        'Acquire::Check-Date "false";\n'
    )
    require(root.run("apt-get", "update", "-qq").returncode == 0, "apt update")
    before = root.files()
    got = root.run("apt-get", "install", "-y", "--no-install-recommends", f"/tmp/{deb.name}")
    require(got.returncode == 0, f"apt installs the package\n{got.stderr}")
    return before


def check_command_line_without_set_up(root: Root) -> None:
    """``magi`` before the first start says what to do."""
    said = root.run("magi", "doctor", user="joerg")
    require(said.returncode == 1 and "not set up" in said.stderr, "magi before the set-up")


def check_no_network(root: Root) -> None:
    """Without a network: one sentence, and nothing claimed."""
    began = time.monotonic()
    said = root.run("magi-desktop", "--unattended", user="joerg", prefix=("unshare", "-n"))
    seconds = time.monotonic() - began
    require(is_one_sentence(said), f"no network, after {seconds:.0f} s: {said.stderr.strip()}")


def check_damaged_wheel(root: Root) -> None:
    """A file with one wrong byte is refused by name."""
    victim = next((root.folder / "wheels").glob("einops-*"))
    good = victim.read_bytes()
    middle = len(good) // 2
    victim.write_bytes(good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :])
    said = set_up(root, "joerg")
    require(is_one_sentence(said) and "einops" in said.stderr, f"damaged: {said.stderr.strip()}")
    victim.write_bytes(good)


def check_killed_and_resumed(root: Root) -> None:
    """Killed while fetching and again while installing, it goes on and ends well."""
    place = root.home("joerg") / ENVIRONMENTS
    kill_when(root, lambda: any(place.glob("downloads/*.part")))
    kill_when(root, lambda: any(place.glob("*-cpu-*/lib/python3*/site-packages/torch")))
    said = set_up(root, "joerg")
    require(said.returncode == 0, f"goes on after two kills\n{said.stderr}")


def kill_when(root: Root, moment: Callable[[], bool]) -> None:
    """Start the set-up and kill it at a moment."""
    process = root.start("magi-desktop", "--unattended", "--wheels", "/wheels", user="joerg")
    wait_for(lambda: moment() or process.poll() is not None, 300)
    require(process.poll() is None, "the set-up was alive when it was to be killed")
    process.kill()
    process.wait()
    require(root.run("magi", "doctor", user="joerg").returncode == 1, "killed: not claimed")


def check_repair(root: Root) -> None:
    """A changed file is found and made good."""
    place = root.home("joerg") / ENVIRONMENTS
    victim = next(place.glob("*/lib/python3*/site-packages/einops/__init__.py"))
    good = victim.read_bytes()
    victim.write_bytes(b"raise RuntimeError\n")
    said = set_up(root, "joerg")
    require(said.returncode == 0, f"repairs\n{said.stderr}")
    repaired = next(place.glob("*/lib/python3*/site-packages/einops/__init__.py"))
    require(repaired.read_bytes() == good, "the changed file is good again")
    require(len(list(place.glob("*-cpu-*"))) == 1, "one environment is left")


def check_use(root: Root) -> None:
    """A pocket video from the command line."""
    made = root.run(
        *("magi", "generate", "--prompt", "a red circle", "--seconds", "1", "-o", "/tmp/ü v.mp4"),
        user="joerg",
    )
    require(made.returncode == 0, f"a video\n{made.stderr}")
    require((root.folder / "tmp" / "ü v.mp4").stat().st_size > 1000, "the video is there")


def check_disk_full(root: Root) -> None:
    """On a disk that is too small: one sentence; with room, it goes on. For a second user."""
    home = root.home("second")
    owner = f"uid={home.stat().st_uid},gid={home.stat().st_gid}"
    for size in ("100m", "600m"):
        options = f"size={size},{owner}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(home)], check=True)
        said = set_up(root, "second")
        require(is_one_sentence(said), f"a disk of {size}: {said.stderr.strip()}")
        subprocess.run(["umount", str(home)], check=True)
    # Found out only on the way: the space goes while it is being used.
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size=4g,{owner}", "none", str(home)], check=True
    )
    process = root.start("magi-desktop", "--unattended", "--wheels", "/wheels", user="second")
    place = home / ENVIRONMENTS
    wait_for(lambda: any(place.glob("downloads/*.part")) or process.poll() is not None, 100)
    filler = home / "filler"
    # Fills what there is, whatever is written meanwhile, and ends with an error.
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=1M", "status=none"], **_QUIET)
    _, told = process.communicate(timeout=300)
    words = told.decode(errors="replace")
    require(process.returncode == 1 and "Traceback" not in words, f"filled up: {words.strip()}")
    filler.unlink()
    require(set_up(root, "second").returncode == 0, "goes on when there is room")
    root.run("magi-desktop", "--remove", user="second")
    subprocess.run(["umount", str(home)], check=True)


def check_window(root: Root, pictures: Path | None) -> None:
    """The first start as a person sees it: one key press, then the program's window."""
    require(root.run("magi-desktop", "--remove", user="joerg").returncode == 0, "removes itself")
    require(not (root.home("joerg") / ENVIRONMENTS).exists(), "nothing of the set-up is left")
    screen = subprocess.Popen(
        ["Xvfb", DISPLAY, "-screen", "0", "1400x900x24"], stderr=subprocess.DEVNULL
    )
    process = None
    try:
        wait_for(lambda: subprocess.run(["xdotool", "getmouselocation"], **_QUIET).returncode == 0)
        began = time.monotonic()
        process = root.start("magi-desktop", "--wheels", "/wheels", user="joerg")
        wait_for(lambda: windows() != [])
        say(f"the set-up's window is there after {time.monotonic() - began:.1f} s")
        time.sleep(8)
        picture(pictures, "setup-ready")
        first = windows()
        second = root.run("magi-desktop", "--wheels", "/wheels", user="joerg")
        require(second.returncode == 0 and windows() == first, "a second start shows the first")
        subprocess.run(["xdotool", "windowfocus", first[-1], "key", "Return"], check=True, **_QUIET)
        time.sleep(6)
        picture(pictures, "setup-running")
        wait_for(lambda: windows() != [] and windows() != first, 300)
        time.sleep(8)
        picture(pictures, "program")
        require(process.poll() is None, "the program runs")
    finally:
        if process is not None:
            process.terminate()
            _, told = process.communicate(timeout=60)
            words = told.decode(errors="replace").strip()
            require(words == "", f"nothing on stderr\n{words}")
        screen.terminate()
        screen.wait()


def purge(root: Root, before: set[str]) -> None:
    """Purged, nothing is left but what the package's needs left."""
    root.run("magi-desktop", "--remove", user="joerg")
    require(root.run("apt-get", "purge", "-y", "magi-desktop").returncode == 0, "apt purges")
    left = sorted(p for p in root.files() - before if "magi" in p)
    require(left == [], f"no file is left: {left}")
    homes = sorted(str(p) for p in (root.folder / "home").rglob("*environments*"))
    require(homes == [], f"no environment is left: {homes}")


def set_up(root: Root, user: str) -> subprocess.CompletedProcess[str]:
    """The first start without a window."""
    return root.run("magi-desktop", "--unattended", "--wheels", "/wheels", user=user)


def is_one_sentence(said: subprocess.CompletedProcess[str]) -> bool:
    """Whether it failed with an error as users are told one."""
    return said.returncode == 1 and "Traceback" not in said.stderr and 0 < len(said.stderr) < 400


def windows() -> list[str]:
    """Identifiers of the visible windows with the program's name."""
    command = ["xdotool", "search", "--onlyvisible", "--name", "Magi"]
    return sorted(
        subprocess.run(command, stdout=subprocess.PIPE, text=True, env=_SCREEN).stdout.split()
    )


def picture(folder: Path | None, name: str) -> None:
    """A picture of the screen, for a person to look at."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["import", "-window", "root", str(folder / f"{name}.png")]
        subprocess.run(command, check=True, env=_SCREEN)


def wait_for(condition: Callable[[], bool], limit_s: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            require(False, "waited in vain")
        time.sleep(0.02)


def require(holds: bool, what: str) -> None:
    """Go on only if it holds."""
    say(f"{'ok  ' if holds else 'FAIL'} {what}")
    if not holds:
        raise SystemExit(1)


def say(line: str) -> None:
    """A line of the report."""
    print(line, flush=True)


_SCREEN = {**os.environ, "DISPLAY": DISPLAY}
_QUIET = {"env": _SCREEN, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
