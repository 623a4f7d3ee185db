"""Proves the README's two lines in clean Debians that have nothing but Python and git.

    sudo python3 packaging/fresh_check.py WHEELS [SUITE ...] [--tests] [--keep] [--pictures FOLDER]

WHEELS is a folder with every package of a set-up for the Pythons of the suites (bookworm and
trixie), and torch's ordinary build for CUDA; a server here gives them out as a package index
does. Needs root, debootstrap, git, Xvfb, xdotool, network for Debian's packages, and 15 GB.
With ``--tests`` all tests are run, too. What is checked is the last commit. To be run when the
set-up, the pins or packaging/ change.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import re
import subprocess
import sys
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from clean_root import USERS, Root, clean_root, require, say
from screen import make_first_video, open_screen, wait_for

ROOT = Path(__file__).resolve().parent.parent
LINE = "packaging/dev.py"
PERSON = "joerg"
LARGE = "nvidia_cudnn"
_BLOCK = 1 << 20


class Index(http.server.ThreadingHTTPServer):
    """Gives out the wheels of a folder, with nothing that would let a client keep them."""

    def __init__(self, wheels: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.wheels = wheels
        self.sent: Counter[str] = Counter()
        """Bytes of each file, all times taken together."""
        self.cut = ""
        """Beginning of the file whose connection is cut in the middle, once."""
        self.hidden = ""
        """The package that there is none of."""

    @property
    def settings(self) -> str:
        """For /etc/pip.conf."""
        return f"[global]\nindex-url = http://127.0.0.1:{self.server_address[1]}/simple\n"


class _Answer(http.server.BaseHTTPRequestHandler):
    server: Index  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        kind, _, name = urllib.parse.unquote(self.path).strip("/").partition("/")
        if kind == "simple":
            self._links(name)
        else:
            self._file(self.server.wheels / Path(name).name)

    def _links(self, package: str) -> None:
        wheels = sorted(path.name for path in self.server.wheels.glob("*.whl"))
        own = [w for w in wheels if re.sub(r"[-_.]+", "-", w.split("-")[0]).lower() == package]
        if not own or package == self.server.hidden:
            self.send_error(404)
            return
        content = "".join(f'<a href="/files/{name}">{name}</a>\n' for name in own).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _file(self, path: Path) -> None:
        size = path.stat().st_size
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        self.send_header("Content-Length", str(size - start))
        self.end_headers()
        end = size
        if self.server.cut and path.name.startswith(self.server.cut):
            end, self.server.cut = size // 2, ""
        with path.open("rb") as file, contextlib.suppress(ConnectionError):
            file.seek(start)
            while block := file.read(min(_BLOCK, end - file.tell())):
                self.wfile.write(block)
                self.server.sent[path.name] += len(block)

    def log_message(self, format: str, *args: object) -> None:
        """What is asked for is of no interest."""


@contextlib.contextmanager
def open_index(wheels: Path) -> Iterator[Index]:
    """An index for as long as it is used."""
    index = Index(wheels)
    thread = threading.Thread(target=index.serve_forever)
    thread.start()
    try:
        yield index
    finally:
        index.shutdown()
        thread.join()
        index.server_close()


class Checkout:
    """The last commit, as a user of a root has cloned it."""

    def __init__(self, root: Root, user: str | None) -> None:
        self.root, self.user = root, user
        self.place = f"{USERS[user] if user else '/root'}/magi"
        folder = root.folder / self.place.lstrip("/")
        subprocess.run(["git", "clone", "-q", f"file://{ROOT}", str(folder)], check=True)
        if user is not None:
            subprocess.run(["chown", "-R", owner_of(folder.parent), str(folder)], check=True)
        self.folder = folder

    def type(self, *words: str, prefix: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """One of the lines; everything it printed is in ``stdout``."""
        said = self.root.run(*self.command(*words), user=self.user, prefix=prefix, limit_s=5400)
        return subprocess.CompletedProcess(said.args, said.returncode, said.stdout + said.stderr)

    def command(self, *words: str) -> list[str]:
        """What a shell does with a line that is typed in the checkout."""
        return ["sh", "-c", 'cd "$0" && exec python3 "$@"', self.place, LINE, *words]

    @property
    def used_gb(self) -> float:
        """By its environment, on the disk."""
        command = ["du", "-sk", str(self.folder / ".venv")]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return int(said.split()[0]) * 1024 / 1e9


def main(argv: Sequence[str]) -> int:
    """Run every check; returns 0 if all hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheels", type=Path)
    parser.add_argument("suites", nargs="*", default=["bookworm", "trixie"])
    parser.add_argument("--tests", action="store_true", help="run all tests, too")
    parser.add_argument("--keep", action="store_true", help="leave the roots for a look")
    parser.add_argument("--pictures", type=Path)
    wishes = parser.parse_args(argv)
    for suite in wishes.suites:
        with clean_root(None, wishes.keep, suite) as root, open_index(wishes.wheels) as index:
            got = root.run("apt-get", "install", "-qq", "--no-install-recommends", "python3", "git")
            require(got.returncode == 0, "Python and git", got.stderr)
            (root.folder / "etc" / "pip.conf").write_text(index.settings)
            checkout = Checkout(root, PERSON)
            check_what_is_asked_for(root, checkout)
            check_no_network(checkout)
            check_small_disk(root)
            check_missing_package(index, checkout)
            check_set_up(root, index, checkout)
            check_stale_display(root, checkout)
            check_window(root, checkout, wishes.pictures)
            if wishes.tests:
                check_tests(checkout)
            check_as_root(root)
    say("all checks hold")
    return 0


def check_what_is_asked_for(root: Root, checkout: Checkout) -> None:
    """A user without rights gets one line to type, first and for everything; it works."""
    said = checkout.type("test")
    lines = [line.strip() for line in said.stdout.splitlines() if "sudo" in line]
    require(said.returncode == 1 and len(lines) == 1, "one line for everything", said.stdout)
    require(not (checkout.folder / ".venv").exists(), "before anything is made")
    say(lines[0])
    as_root = lines[0].replace("sudo ", "").replace(" install ", " install -y ")
    done = root.run("sh", "-c", as_root)
    require(done.returncode == 0, "the line works", done.stderr)


def check_no_network(checkout: Checkout) -> None:
    """It is the network that is blamed, and soon."""
    began = time.monotonic()
    said = checkout.type("run", prefix=("unshare", "-n"))
    told = said.returncode == 1 and "no network" in said.stdout
    require(told, f"no network, after {time.monotonic() - began:.0f} s", said.stdout)


def check_small_disk(root: Root) -> None:
    """A disk that is too small is found out before anything is fetched, with numbers."""
    home = root.home("second")
    owner, _, group = owner_of(home).partition(":")
    mount_memory(home, f"size=2g,uid={owner},gid={group}")
    said = Checkout(root, "second").type("run")
    told = re.search(r"needs (\S+) GB more, and (\S+) GB are free", said.stdout)
    require(said.returncode == 1 and told is not None, "a small disk", said.stdout)
    say(told[0] if told else "")
    require("no network" not in said.stdout, "nothing else is blamed")
    subprocess.run(["umount", str(home)], check=True)


def check_missing_package(index: Index, checkout: Checkout) -> None:
    """Where something cannot be had, the network is not blamed."""
    index.hidden = "torch"
    said = checkout.type("run")
    told = "though packages can be fetched" in said.stdout and "no network" not in said.stdout
    require(said.returncode == 1 and told, "a package that is missing", said.stdout)
    index.hidden = ""


def check_set_up(root: Root, index: Index, checkout: Checkout) -> None:
    """With a full /tmp, a connection that is cut, and a kill: nothing is fetched again."""
    temporary = root.folder / "tmp"
    mount_memory(temporary, "size=1m,mode=1777")
    index.sent.clear()
    index.cut = LARGE
    began = time.monotonic()
    process = root.start(*checkout.command("run"), user=PERSON)
    try:
        wait_for(lambda: any(name.startswith("nvidia_nccl") for name in index.sent), "a part", 1200)
    finally:
        killed = list_children(process.pid)
        for pid in killed:
            subprocess.run(["kill", "-9", pid], stderr=subprocess.DEVNULL)
        process.wait()
    said = checkout.type("run")
    require(said.returncode == 0, "cut, killed, and gone on with /tmp full", said.stdout[-3000:])
    say(f"the first line: {time.monotonic() - began:.0f} s, {checkout.used_gb:.2f} GB in .venv")
    subprocess.run(["umount", str(temporary)], check=True)
    sizes = {name: (index.wheels / name).stat().st_size for name in index.sent}
    say(f"fetched {sum(index.sent.values()) / 1e9:.2f} GB of {sum(sizes.values()) / 1e9:.2f}")
    large = {n for n, size in sizes.items() if size > 50e6 and not n.startswith("nvidia_nccl")}
    twice = [name for name in large if index.sent[name] > 1.1 * sizes[name]]
    require(twice == [], f"no large file was fetched again: {twice}")
    require(any(checkout.folder.glob("*.mp4")), "a video is there")
    again = checkout.type("run", "doctor")
    require(again.returncode == 0 and "==>" not in again.stdout, "a second start does nothing")


def owner_of(folder: Path) -> str:
    """As chown takes it."""
    return f"{folder.stat().st_uid}:{folder.stat().st_gid}"


def mount_memory(place: Path, options: str) -> None:
    """A disk of a size of its own."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(place)], check=True)


def list_children(pid: int) -> list[str]:
    """A process and all that it started."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid"], stdout=subprocess.PIPE, text=True).stdout
    pairs = [line.split() for line in listed.splitlines()[1:]]
    found = [str(pid)]
    for parent in found:
        found += [child for child, of in pairs if of == parent]
    return found


def check_stale_display(root: Root, checkout: Checkout) -> None:
    """A screen that is not there any more is one sentence."""
    root.display = ":4711"
    said = checkout.type("run")
    told = "There is no screen" in said.stdout and "plugin" not in said.stdout
    require(said.returncode == 1 and told, f"a stale DISPLAY: {said.stdout.strip()}")
    root.display = ""


def check_window(root: Root, checkout: Checkout, pictures: Path | None) -> None:
    """The first line on a screen: a video by keys."""
    with open_screen() as screen:
        root.display = screen.display
        began = time.monotonic()
        process = root.start(*checkout.command("run"), user=PERSON)
        try:
            wait_for(lambda: screen.windows("Magi Desktop") != [], "the window")
            say(f"the window is there after {time.monotonic() - began:.1f} s")
            window = screen.windows("Magi Desktop")[0]
            make_first_video(screen, window, root.videos(PERSON))
            screen.picture(pictures, "fresh-video")
            screen.press(window, "ctrl+q")
            require(process.wait(timeout=60) == 0, "a video by keys, and a good end")
        finally:
            for pid in list_children(process.pid):
                subprocess.run(["kill", "-9", pid], stderr=subprocess.DEVNULL)
            process.wait()
            root.display = ""


def check_tests(checkout: Checkout) -> None:
    """The second line."""
    began = time.monotonic()
    code = checkout.root.start(*checkout.command("test"), user=PERSON, stderr=None).wait()
    minutes = (time.monotonic() - began) / 60
    require(code == 0, f"the second line, {minutes:.0f} min, {checkout.used_gb:.2f} GB in .venv")


def check_as_root(root: Root) -> None:
    """As root, who is asked for nothing: the line that sets everything up by itself."""
    root.run("apt-get", "purge", "-qq", "--auto-remove", "libegl1", "xvfb")
    checkout = Checkout(root, None)
    said = checkout.type("test", "tests/packaging/test_dev.py")
    require(said.returncode == 0, "as root, with what was missing", said.stdout[-3000:])
    require("Installing system packages" in said.stdout, "installed by itself")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
