"""Proves the self-extracting installer in a clean Debian: installed by a user, upgraded, removed.

    sudo python3 packaging/run_check.py RUN WHEELS [--keep] [--pictures FOLDER]

RUN and WHEELS as for deb_check.py, which also says what is needed here. The system has Python and
the libraries that Qt needs, as the distributions this installer is for have them; nobody but the
user it is installed by changes anything. To be run when packaging/ or magi_setup/ changes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from clean_root import USERS, Root, clean_root, require, say
from screen import make_first_video, open_screen, wait_for
from system_packages import QT_LIBRARIES

USER = "joerg"
NAME = "Magi Desktop"
SETTINGS = ".config/magi-desktop"
_INSTALL = ("sh", "/tmp/magi.run", "--quiet")
INSTALLED = ".local/opt/magi-desktop"


def main(argv: Sequence[str]) -> int:
    """Run every check; returns 0 if all hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("wheels", type=Path)
    parser.add_argument("--keep", action="store_true", help="leave the root for a look")
    parser.add_argument("--pictures", type=Path)
    wishes = parser.parse_args(argv)
    with clean_root(wishes.wheels, wishes.keep) as root:
        shutil.copyfile(wishes.run, root.folder / "tmp" / "magi.run")
        check_cut_off(root)
        check_without(root, "xz")
        root.run("apt-get", "install", "-y", "xz-utils")
        check_without(root, "python3")
        needs = ("python3", "desktop-file-utils", *dict.fromkeys(QT_LIBRARIES.values()))
        got = root.run("apt-get", "install", "-y", "--no-install-recommends", *needs)
        require(got.returncode == 0, "Python and Qt's libraries", got.stderr)
        system, before = root.files(), files(root)
        install_older(root)
        check_upgrade(root)
        check_window(root, wishes.pictures)
        check_removal(root, before)
        require(root.files() == system, f"the system is as before: {root.files() ^ system}")
    say("all checks hold")
    return 0


def check_cut_off(root: Root) -> None:
    """A download that ended too early, or has a wrong byte, says so and installs nothing."""
    content = (root.folder / "tmp" / "magi.run").read_bytes()
    middle = len(content) // 2
    wrong = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    before = files(root)
    for what, damaged in (("cut off", content[: len(content) * 2 // 3]), ("damaged", wrong)):
        (root.folder / "tmp" / "damaged.run").write_bytes(damaged)
        said = root.run("sh", "/tmp/damaged.run", user=USER)
        clear = "download it again" in said.stderr
        require(said.returncode != 0 and clear, f"{what} says so", said.stderr)
        require(files(root) == before, "nothing of it is installed")


def check_without(root: Root, what: str) -> None:
    """Where something is missing, and no network to fetch it, it says so."""
    before = files(root)
    said = root.run(*_INSTALL, user=USER, prefix=("unshare", "-n"))
    told = said.stderr.strip().splitlines()
    require(said.returncode != 0 and what in said.stderr, f"without {what}: {told[:1]}")
    require(files(root) == before, "nothing of it is installed")


def install_older(root: Root) -> None:
    """An older version, made from this one, with a file that only it has."""
    place = "/tmp/older"
    said = root.run("sh", "/tmp/magi.run", "--noexec", "--target", place, user=USER)
    require(said.returncode == 0, "unpacks itself", said.stderr)
    program = root.folder / "tmp" / "older" / "magi-desktop"
    manifest = program / "manifest.json"
    text = manifest.read_text("utf-8").replace('"version": "', '"version": "0.')
    manifest.write_text(text, encoding="utf-8")
    (program / "only-in-the-older").write_text("1")
    said = root.run("sh", f"{place}/install.sh", user=USER)
    require(said.returncode == 0 and said.stderr == "", "an older version", said.stderr)
    require("missing" not in said.stdout, said.stdout.strip())
    shutil.rmtree(root.folder / "tmp" / "older")


def check_upgrade(root: Root) -> None:
    """In place: what is old goes, what is the user's stays."""
    mine = root.home(USER) / SETTINGS / "settings.json"
    mine.parent.mkdir(parents=True)
    mine.write_text("{}", encoding="utf-8")
    for path in (mine, mine.parent, mine.parent.parent):
        shutil.chown(path, root.home(USER).stat().st_uid, root.home(USER).stat().st_gid)
    said = run_installer(root)
    require(said.returncode == 0 and said.stderr == "", "installs over it", said.stderr)
    installed = root.home(USER) / INSTALLED
    require(not (installed / "only-in-the-older").exists(), "nothing of the older one is left")
    require(mine.read_text("utf-8") == "{}", "settings are as they were")
    mine.unlink()  # the program would call that damaged
    entry = root.home(USER) / ".local/share/applications/magi-desktop.desktop"
    command = f'Exec="{USERS[USER]}/.local/bin/magi-desktop"'
    require(command in entry.read_text("utf-8"), f"the menu starts it: {command}")
    if shutil.which("desktop-file-validate"):
        valid = subprocess.run(["desktop-file-validate", str(entry)], capture_output=True)
        require(valid.returncode == 0, "desktop-file-validate is content", str(valid))


def check_window(root: Root, pictures: Path | None) -> None:
    """From the menu's command to a video."""
    command = f"{USERS[USER]}/.local/bin/magi-desktop"
    with open_screen() as screen:
        root.display = screen.display
        process = root.start(command, "--wheels", "/wheels", user=USER)
        try:
            wait_for(lambda: screen.windows(NAME) != [], "the set-up's window")
            first = screen.windows(NAME)
            screen.picture(pictures, "run-setup")
            downloads = root.home(USER) / ".local/share/magi-desktop/environments/downloads"
            screen.press_until(first[-1], "Return", downloads.exists)
            wait_for(lambda: screen.windows("Welcome") != [], "the program's window", 300)
            made = make_first_video(screen, screen.windows(NAME)[0], root.videos(USER))
            require(made.stat().st_size > 10_000, f"a video: {made.name}")
            screen.press(screen.windows(NAME)[0], "ctrl+q")
            _, told = process.communicate(timeout=60)
            words = told.decode(errors="replace").strip()
            require(process.returncode == 0 and words == "", "ends well, no stderr", words)
        finally:
            process.kill()
            process.wait()


def check_removal(root: Root, before: set[str]) -> None:
    """Only what the user keeps is left; asked to, only the videos."""
    uninstaller = f"{USERS[USER]}/{INSTALLED}/uninstall.sh"
    folders = {".cache", ".config", ".local", ".local/share", ".local/state"}
    said = root.answer("", "sh", uninstaller, user=USER)
    asked = said.returncode == 0 and "[y/N]" in said.stdout and said.stderr == ""
    require(asked, "asks, and uninstalls", said.stdout + said.stderr)
    kept = (SETTINGS, "Videos", ".local/share/magi-desktop")
    left = {p for p in files(root) - before - folders if not p.startswith(kept)}
    require(left == set(), f"settings, list and videos are left, and nothing else: {left}")
    environments = root.home(USER) / ".local/share/magi-desktop/environments"
    require(not environments.exists(), "what was fetched is gone")
    require(any(root.videos(USER).glob("*.mp4")), "the video stays")
    require(run_installer(root).returncode == 0, "installs once more")
    said = root.answer("y\ny", "sh", uninstaller, user=USER)
    well = said.returncode == 0 and said.stderr == ""
    require(well, "uninstalls everything, told to", said.stdout + said.stderr)
    left = {p for p in files(root) - before - folders if not p.startswith("Videos")}
    require(left == set(), f"only videos are left: {left}")
    require(any(root.videos(USER).glob("*.mp4")), "the video stays")
    require(run_installer(root).returncode == 0, "installs a third time")
    said = root.run("sh", uninstaller, "--everything", user=USER)
    require(said.returncode == 0 and said.stderr == "", "uninstalls without asking", said.stderr)
    left = {p for p in files(root) - before - folders if not p.startswith("Videos")}
    require(left == set(), f"and again only videos are left: {left}")


def run_installer(root: Root) -> subprocess.CompletedProcess[str]:
    """As its user starts it; what the archive says of itself is left out of stderr."""
    return root.run(*_INSTALL, user=USER)


def files(root: Root) -> set[str]:
    """Every path in the user's home but what the system keeps there about fonts."""
    home, found = root.home(USER), set()
    for place, folders, names in os.walk(home):
        folders[:] = [name for name in folders if name != "fontconfig"]
        found |= {str(Path(place, n).relative_to(home)) for n in (*folders, *names)}
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
