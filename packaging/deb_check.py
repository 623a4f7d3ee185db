"""Proves the .deb in a clean Debian: installed, set up, broken in many ways, used, purged.

    sudo python3 packaging/deb_check.py DEB WHEELS [--keep] [--pictures FOLDER]

WHEELS is a folder with every package of the release for the Python of Debian 12, and torch's CPU
build; it stands for the network. Needs root, debootstrap, Xvfb, xdotool, and for the static checks
lintian, desktop-file-validate and appstreamcli. To be run when packaging/ or magi_setup/ changes;
the checks that need no root are in tests/setup.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from clean_root import Root, clean_root, is_one_sentence, require, say
from screen import Screen, make_first_video, open_screen, wait_for

NAME = "Magi Desktop"
ENVIRONMENTS = ".local/share/magi-desktop/environments"


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
    with clean_root(wishes.wheels, wishes.keep) as root:
        check_cut_off(root, wishes.deb)
        before = install(root, wishes.deb)
        check_command_line_without_set_up(root)
        check_no_network(root)
        check_damaged_wheel(root)
        check_killed_and_resumed(root)
        check_repair(root)
        check_use(root)
        check_disk_full(root)
        check_window(root, wishes.pictures)
        check_upgrade(root, wishes.deb)
        purge(root, before)
    say("all checks hold")
    return 0


def check_statically(deb: Path) -> None:
    """Lintian, and the validators of what is inside."""
    linted = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--allow-root", str(deb)],
        capture_output=True,
        text=True,
    )
    require(linted.returncode == 0, "lintian is content", linted.stdout)
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
            require(said.returncode == 0, f"{command[0]} is content", f"{said.stdout}{said.stderr}")


def check_cut_off(root: Root, deb: Path) -> None:
    """A download that ended too early is not installed, not even in part."""
    content = deb.read_bytes()
    (root.folder / "tmp" / "cut.deb").write_bytes(content[: len(content) * 2 // 3])
    said = root.run("apt-get", "install", "-y", "--no-install-recommends", "/tmp/cut.deb")
    require(said.returncode != 0, f"a cut off package: {said.stderr.splitlines()[:1]}")
    require(not (root.folder / "usr/lib/magi-desktop").exists(), "nothing of it is installed")
    root.run("dpkg", "--purge", "--force-all", "magi-desktop")


def install(root: Root, deb: Path) -> set[str]:
    """Install with apt and nothing else; returns the paths there were before."""
    shutil.copy(deb, root.folder / "tmp" / deb.name)
    before = root.files()
    got = root.run("apt-get", "install", "-y", "--no-install-recommends", f"/tmp/{deb.name}")
    require(got.returncode == 0, "apt installs the package", got.stderr)
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
    require(said.returncode == 0, "goes on after two kills", said.stderr)


def kill_when(root: Root, moment: Callable[[], bool]) -> None:
    """Start the set-up and kill it at a moment."""
    process = root.start("magi-desktop", "--unattended", "--wheels", "/wheels", user="joerg")
    wait_for(lambda: moment() or process.poll() is not None, "the moment", 300)
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
    require(said.returncode == 0, "repairs", said.stderr)
    repaired = next(place.glob("*/lib/python3*/site-packages/einops/__init__.py"))
    require(repaired.read_bytes() == good, "the changed file is good again")
    require(len(list(place.glob("*-cpu-*"))) == 1, "one environment is left")


def check_use(root: Root) -> None:
    """A pocket video from the command line."""
    made = root.run(
        *("magi", "generate", "--prompt", "a red circle", "--seconds", "1", "-o", "/tmp/ü v.mp4"),
        user="joerg",
    )
    require(made.returncode == 0, "a video", made.stderr)
    require((root.folder / "tmp" / "ü v.mp4").stat().st_size > 1000, "the video is there")


def check_disk_full(root: Root) -> None:
    """On a disk that is too small: one sentence; with room, it goes on. For a second user."""
    home = root.home("second")
    owner = f"uid={home.stat().st_uid},gid={home.stat().st_gid}"
    for size in ("100m", "600m"):
        options = f"size={size},{owner}"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(home)], check=True)
        said = set_up(root, "second")
        clear = is_one_sentence(said) and "free some space" in said.stderr.lower()
        require(clear, f"a disk of {size}: {said.stderr.strip()}")
        subprocess.run(["umount", str(home)], check=True)
    # Found out only on the way: the space goes while it is being used.
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size=4g,{owner}", "none", str(home)], check=True
    )
    process = root.start("magi-desktop", "--unattended", "--wheels", "/wheels", user="second")
    place = home / ENVIRONMENTS
    wait_for(
        lambda: any(place.glob("downloads/*.part")) or process.poll() is not None, "a download", 100
    )
    filler = home / "filler"
    # Fills what there is, whatever is written meanwhile, and ends with an error.
    run_quietly("dd", "if=/dev/zero", f"of={filler}", "bs=1M")
    _, told = process.communicate(timeout=300)
    words = told.decode(errors="replace")
    require(process.returncode == 1 and "Traceback" not in words, f"filled up: {words.strip()}")
    filler.unlink()
    require(set_up(root, "second").returncode == 0, "goes on when there is room")
    root.run("magi-desktop", "--remove", user="second")
    subprocess.run(["umount", str(home)], check=True)


def check_window(root: Root, pictures: Path | None) -> None:
    """The first start as a person sees it: three key presses and a sentence, then a video."""
    require(root.run("magi-desktop", "--remove", user="joerg").returncode == 0, "removes itself")
    require(not (root.home("joerg") / ENVIRONMENTS).exists(), "nothing of the set-up is left")
    with open_screen() as screen:
        root.display = screen.display
        began = time.monotonic()
        process = root.start("magi-desktop", "--wheels", "/wheels", user="joerg")
        try:
            wait_for(lambda: screen.windows(NAME) != [], "the set-up's window")
            say(f"the set-up's window is there after {time.monotonic() - began:.1f} s")
            time.sleep(20)
            screen.picture(pictures, "setup-ready")
            first = screen.windows(NAME)
            second = root.run("magi-desktop", "--wheels", "/wheels", user="joerg")
            shown = second.returncode == 0 and screen.windows(NAME) == first
            require(shown, "a second start shows the first")
            downloads = root.home("joerg") / ENVIRONMENTS / "downloads"
            screen.press_until(first[-1], "Return", downloads.exists)
            began = time.monotonic()
            time.sleep(3)
            screen.picture(pictures, "setup-running")
            wait_for(lambda: screen.windows("Welcome") != [], "the program's window", 300)
            say(f"the program's window is there {time.monotonic() - began:.0f} s after Install")
            video = make_first_video(screen, screen.windows(NAME)[0], root.videos("joerg"))
            say(f"a first video is there {time.monotonic() - began:.0f} s after Install")
            time.sleep(1)
            screen.picture(pictures, "program")
            require(frames(root, "joerg", video) >= 24, "the video can be played")
            check_second_user(root, screen)
            screen.press(screen.windows(NAME)[0], "ctrl+q")
            _, told = process.communicate(timeout=60)
            require(process.returncode == 0, f"it ends well: {process.returncode}")
            words = told.decode(errors="replace").strip()
            require(words == "", "nothing on stderr", words)
        finally:
            process.kill()
            process.wait()


def check_second_user(root: Root, screen: Screen) -> None:
    """While one user's window is open, another sets the program up and opens a window too."""
    windows = screen.windows(NAME)
    require(set_up(root, "second").returncode == 0, "a second user sets it up meanwhile")
    process = root.start("magi-desktop", user="second")
    try:
        wait_for(lambda: screen.windows("Welcome") != [], "the second user's window")
        screen.press(screen.windows("Welcome")[0], "Return")
        wait_for(lambda: screen.windows("Welcome") == [], "the welcome to close")
        own = sorted(set(screen.windows(NAME)) - set(windows))
        require(own != [] and set(windows) < set(screen.windows(NAME)), "beside the first user's")
        screen.press(own[0], "ctrl+q")
        require(process.wait(timeout=60) == 0, "it ends well, too")
    finally:
        process.kill()
        process.wait()
    removed = root.run("magi-desktop", "--remove", user="second")
    require(removed.returncode == 0, "the second user removes it again", removed.stderr)


def check_upgrade(root: Root, deb: Path) -> None:
    """Over an older version: the files are the newer one's, and everything goes on working."""
    with tempfile.TemporaryDirectory() as folder:
        older = Path(folder, "older")
        subprocess.run(["dpkg-deb", "-R", str(deb), str(older)], check=True)
        control = older / "DEBIAN" / "control"
        text = re.sub(r"(?m)^Version: .*$", "Version: 0.0.1", control.read_text("utf-8"))
        control.write_text(text, encoding="utf-8")
        (older / "usr/lib/magi-desktop/only-in-the-older").write_text("1")
        target = root.folder / "tmp" / "older.deb"
        run_quietly("dpkg-deb", "-Znone", "-b", str(older), str(target))
    options = ("install", "-y", "--no-install-recommends", "--allow-downgrades")
    require(root.run("apt-get", *options, "/tmp/older.deb").returncode == 0, "an older version")
    require(root.run("apt-get", *options, f"/tmp/{deb.name}").returncode == 0, "apt upgrades it")
    left = root.folder / "usr/lib/magi-desktop/only-in-the-older"
    require(not left.exists(), "nothing of the older version is left")
    said = root.run("magi", "--version", user="joerg")
    require(said.returncode == 0, f"{said.stdout.strip()} {said.stderr}")


def purge(root: Root, before: set[str]) -> None:
    """Purged, nothing is left but what the package's needs left."""
    root.run("magi-desktop", "--remove", user="joerg")
    root.run("magi-desktop", "--remove")  # as root, who may write beside the program
    require(root.run("apt-get", "purge", "-y", "magi-desktop").returncode == 0, "apt purges")
    left = sorted(p for p in root.files() - before if "magi" in p)
    require(left == [], f"no file is left: {left}")
    homes = sorted(str(p) for p in (root.folder / "home").rglob("*environments*"))
    require(homes == [], f"no environment is left: {homes}")
    require(any(root.videos("joerg").glob("*.mp4")), "the video stays")


def set_up(root: Root, user: str) -> subprocess.CompletedProcess[str]:
    """The first start without a window."""
    return root.run("magi-desktop", "--unattended", "--wheels", "/wheels", user=user)


def frames(root: Root, user: str, video: Path) -> int:
    """How many frames of a video can be decoded, with what the user has installed."""
    python = next((root.home(user) / ENVIRONMENTS).glob("*/bin/python"))
    code = "import av, sys; print(sum(1 for _ in av.open(sys.argv[1]).decode(video=0)))"
    inside = [f"/{path.relative_to(root.folder)}" for path in (python, video)]
    return int(root.run(inside[0], "-c", code, inside[1], user=user).stdout or 0)


def run_quietly(*command: str) -> None:
    """Run something whose output and result are of no interest."""
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
