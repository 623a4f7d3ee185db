"""Proves setup.exe in wine: installed, updated, set up, used up to the window, removed.

    sudo .venv/bin/python packaging/windows_check.py [SETUP] [--root FOLDER] [--wheels FOLDER]
                                                     [--pictures FOLDER]

SETUP is built first where none is given. --root and --wheels keep what takes long to make, a Debian
with wine and the packages of a first start, for the next time. Needs root, debootstrap, NSIS, Xvfb,
xdotool and ImageMagick; with openssl and osslsigncode, the signing is tried as well. To be run when
packaging/windows*, magi_setup/ or the pins change. What it cannot show is in packaging/README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import build_tools
import dev

sys.path.insert(0, str(dev.ROOT))

import thin_bundle
import windows_bundle
import windows_installer
import windows_stand_ins
from clean_root import require, say
from screen import Screen, open_screen, wait_for
from thin_bundle import ThinBundle
from windows_walk import Walk
from wine_root import Windows, wine_root

from magi_desktop.windows_taskbar import APP_ID
from magi_engine import __version__
from magi_setup.bundle import Bundle
from magi_setup.packages import sha256_of

NAME = "Magi Desktop"
OLDER = "0.0.1"
NEWER = "99.1"
UNINSTALL = rf"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\{APP_ID}"
SETTINGS = {
    "version": 1,
    "preferences": {"appearance": "dark", "welcomed": True},
    "draft": {"settings": {"seconds": 2.0}},  # for short videos
    "odd": {"a": 1},
}
_MB = 1 << 20


def main(argv: Sequence[str]) -> int:
    """Run every check; returns 0 if all hold."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("setup", type=Path, nargs="?")
    parser.add_argument("--root", type=Path)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--pictures", type=Path)
    wishes = parser.parse_args(argv)
    began = time.monotonic()
    build_tools.install("release", "windows")
    with (
        tempfile.TemporaryDirectory() as name,
        wine_root(wishes.root) as root,
        open_screen() as screen,
    ):
        work = Path(name)
        check = Check(Windows(root, screen.display), screen, work, wishes.pictures)
        try:
            check.prepare(wishes.setup, wishes.wheels)
            for step in check.steps():
                say(f"--- {(time.monotonic() - began) / 60:.1f} minutes: {step.__name__}")
                step()
        finally:
            check.windows.shut_down()
    say(f"all checks hold, after {(time.monotonic() - began) / 60:.1f} minutes")
    return 0


class Check:
    """One installation's life, step by step."""

    def __init__(self, windows: Windows, screen: Screen, work: Path, pictures: Path | None) -> None:
        self.windows, self.screen, self.work, self.pictures = windows, screen, work, pictures
        self.program = windows.local / "Programs" / NAME / "program"
        self.data = windows.local / "magi-desktop"
        self.models = self.data / "models"
        self.video = windows.home / "Videos" / NAME / "ein Kreis ü.mp4"
        self.setup = work / "setup.exe"

    def steps(self) -> tuple[Callable[[], None], ...]:
        """What is done once it is prepared, in order."""
        return (
            self.unsupported,
            self.cut_off,
            self.older,
            self.update,
            self.first_start,
            self.everyday,
            self.newer,
            self.removed_in_use,
            self.removed_but_for_belongings,
            self.removed_with_belongings,
            self.another_folder,
        )

    def prepare(self, setup: Path | None, wheels: Path | None) -> None:
        """Build the installer unless there is one, and fetch what stands in for the network."""
        self.bundle = self.work / "bundle"
        self.wheels = wheels or self.work / "wheels"
        with ThreadPoolExecutor(1) as beside:
            ready = beside.submit(lambda: setup) if setup else self._begin_to_build(beside)
            self.windows.boot()
            shutil.copyfile(ready.result(), self.setup)
        say(f"setup.exe has {self.setup.stat().st_size / 1e6:.1f} MB")
        require(self.setup.stat().st_size <= 80e6, "setup.exe has at most 80 MB")

    def _begin_to_build(self, beside: Executor) -> Future[Path]:
        """Packing takes longer than all the rest: meanwhile the packages are fetched."""
        python = windows_stand_ins.python(self.work)
        bundle = thin_bundle.collect(
            self.work, False, lambda folder: windows_bundle.add(folder, python)
        )
        packing = beside.submit(windows_installer.build, bundle, self.work, self.work)
        windows_stand_ins.wheels(Bundle.read(bundle.folder), self.wheels)
        return packing

    def unsupported(self) -> None:
        """An old or a 32-bit Windows: refused, nothing installed."""
        version = ("wine", "reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/f")
        self.windows.run(*version, "/d", "win81")
        self._refused("Windows 8.1", 3)
        self.windows.run(*version, "/d", "win10")
        self.windows.shut_down()
        self.windows.prefix = "wine32"
        self.windows.boot()
        self._refused("a Windows of 32 bit", 3)
        self.windows.shut_down()
        self.windows.prefix = "wine"

    def cut_off(self) -> None:
        """A download that ended early, and one with a wrong byte."""
        good = self.setup.read_bytes()
        middle = len(good) // 2
        for what, content in (
            ("cut off", good[:middle]),
            ("one wrong byte", good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]),
        ):
            bad = self.windows.disk / "bad.exe"
            bad.write_bytes(content)
            process = self.windows.start("wine", r"C:\bad.exe")
            wait_for(self._complains, f"{what}: a message", 200)
            self.screen.picture(self.pictures, f"damaged-{len(content) // _MB}")
            process.kill()
            self.windows.shut_down()
            require(not self.program.exists(), f"{what}: not installed")
            bad.unlink()

    def older(self) -> None:
        """An earlier version, small but made by the same script; signed, where that can be done."""
        self.before = self._registry()
        folder = self.work / "older"
        (folder / "app").mkdir(parents=True)
        for name in ("Magi.exe", "manifest.json", "app/gone-since.py"):
            (folder / name).write_text(json.dumps({"version": OLDER}), encoding="utf-8")
        # Something real to sign.
        launchers = self.work / "launchers"
        launchers.mkdir()
        windows_bundle.build_launchers(folder, launchers)
        secrets = self._certificate()
        os.environ.update(secrets)
        older = windows_installer.build(ThinBundle(folder, OLDER), launchers, launchers)
        for name in secrets:
            del os.environ[name]
        require(self._install(older, "/DESKTOP") == 0, f"version {OLDER} installs without a window")
        if secrets:
            for path in (older, self.program / "uninstall.exe", self.program / "Magi.exe"):
                self._signed(path)
        require(f"DisplayVersion    REG_SZ    {OLDER}" in self.windows.registry(UNINSTALL), OLDER)
        for path, text in (
            (self.data / "settings.json", json.dumps(SETTINGS)),
            (self.models / "ckpt" / "vae" / "a.safetensors", "1"),
            (self.video, "1"),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.windows.own(self.windows.home)

    def update(self) -> None:
        """The new version over it: all of its files and no other, entries, settings."""
        began = time.monotonic()
        elsewhere = self._install(self.setup, r"/D=C:\elsewhere")
        require(elsewhere == 0, "the new version installs over the older one, where that is")
        say(f"without a window that takes {time.monotonic() - began:.0f} s")
        self._has_all_files()
        said = self.windows.registry(UNINSTALL)
        for value in (
            f"DisplayVersion    REG_SZ    {__version__}",
            f'"{self.windows.path(self.program)}\\uninstall.exe" /S',
            f'"{self.windows.path(self.program)}\\Magi.exe" --setup',
        ):
            require(value in said, f"in the list of programs: {value}", said)
        for place in (
            self.windows.home / "AppData/Roaming/Microsoft/Windows/Start Menu/Programs",
            self.windows.home / "Desktop",
        ):
            link = (place / f"{NAME}.lnk").read_bytes()
            require("Magi.exe".encode("utf-16-le") in link, f"a shortcut in {place.name}")
        command = f'"{self.windows.path(self.program)}\\Magi.exe" "%1"'
        opens = self.windows.registry(r"HKCU\Software\Classes\MagiDesktop.Media\shell\open\command")
        require(command in opens, "what Open with runs", opens)
        for suffix in (".png", ".mp4"):
            offered = self.windows.registry(rf"HKCU\Software\Classes\{suffix}\OpenWithProgids")
            require("MagiDesktop.Media" in offered, f"{suffix} is offered", offered)
        settings = json.loads((self.data / "settings.json").read_text(encoding="utf-8"))
        require(settings == SETTINGS, "the settings are as they were")
        self._belongings_are_there()

    def first_start(self) -> None:
        """From the double click to the program's window."""
        windows = self.windows
        if not self.bundle.exists():  # else they are there
            windows_stand_ins.wheels(Bundle.read(self.program), self.wheels)
        shutil.copytree(self.wheels, windows.disk / "wheels ü")
        windows_stand_ins.want_older_numpy(self.program, self.wheels)
        system = windows.disk / "windows" / "system32"
        windows_stand_ins.icu(self.program / "app/PySide6/Qt6Core.dll", system / "icuuc.dll")
        said = windows.run("wine", windows.path(self.program / "magi.com"), "doctor")
        require(said.returncode == 1 and "not set up" in said.stdout, "magi before the set-up")
        magi = ("wine", windows.path(self.program / "Magi.exe"), "--wheels", r"C:\wheels ü")
        began = time.monotonic()
        windows.start(*magi)
        wait_for(lambda: self.screen.windows(NAME) != [], "the set-up's window", 200)
        say(f"the set-up's window is there after {time.monotonic() - began:.1f} s")
        first, narrow = self.screen.windows(NAME), self._widest()
        time.sleep(15)
        self.screen.picture(self.pictures, "windows-setup")
        windows.run(*magi)
        require(self.screen.windows(NAME) == first, "a second start shows the first")
        place = self.data / "environments"
        self.screen.press_until(first[-1], "Return", lambda: any(place.glob("downloads/*")))
        began = time.monotonic()
        time.sleep(5)
        self.screen.picture(self.pictures, "windows-setting-up")
        wait_for(lambda: (place / "current.json").exists(), "the environment", 1800)
        say(f"the environment is built after {time.monotonic() - began:.0f} s")
        # Told apart by their size: an identifier is given to the next window once it is free.
        wait_for(lambda: self._widest() > narrow, "the program's window", 300)
        time.sleep(15)
        self.screen.picture(self.pictures, "windows-program")
        log = (self.data / "Logs" / "magi-desktop.log").read_text(encoding="utf-8")
        require(__version__ in log, "the program has begun its log", log)
        require("unhandled" not in log, "nothing went wrong unforeseen", log)

    def everyday(self) -> None:
        """What a person does in its window; then what takes longest, and the rest beside it."""
        walk = Walk(self.windows, self.screen, self.program, self.data, self.pictures)
        for step in walk.by_window():
            step()

        def rest() -> None:
            walk.by_command()
            self._second_user()

        with ThreadPoolExecutor(1) as beside:
            done = beside.submit(rest)
            walk.fp8()
            self._as_released()
            done.result()
        self.windows.shut_down()

    def _as_released(self) -> None:
        """What the release's own check does, without a window."""
        script = self.windows.disk / "windows_installed.py"
        shutil.copyfile(Path(__file__).with_name(script.name), script)
        python = next((self.data / "environments").glob("*-cpu-*")) / "python.exe"
        said = self.windows.run(
            *("wine", self.windows.path(python), self.windows.path(script), "--use"), limit_s=900
        )
        require(said.returncode == 0, "what the release checks on Windows", said.stdout)

    def _second_user(self) -> None:
        """While the first one's window is open another user sets up, and gets a window."""
        windows, home = self.windows, self.windows.disk / "second"
        home.mkdir()
        windows.own(home)
        second = ("env", f"MAGI_DESKTOP_HOME={windows.path(home)}", "wine")
        python = windows.path(self.program / "python" / "python.exe")
        unattended = (python, "-I", windows.path(self.program / "app"), "--unattended")
        said = windows.run(*second, *unattended, "--wheels", r"C:\wheels ü", limit_s=1800)
        require(said.returncode == 0, "a second user sets up", said.stdout)
        left = [path.name for path in (home / "data" / "environments").iterdir()]
        require(not any("removed" in name for name in left), f"what it fetched is removed: {left}")
        first = self.screen.windows(NAME)
        windows.start(*second, windows.path(self.program / "Magi.exe"))
        wait_for(lambda: len(self.screen.windows(NAME)) > len(first), "the second's window", 300)
        video = home / "ü.mp4"
        magi = (windows.path(self.program / "magi.com"), "generate", "--prompt", "a blue star")
        said = windows.run(*second, *magi, "--seconds", "1", "-o", windows.path(video), limit_s=900)
        require(said.returncode == 0 and video.exists(), "and makes a video", said.stdout)
        self.screen.picture(self.pictures, "windows-second-user")

    def newer(self) -> None:
        """What an installer of a newer version leaves: only the program itself is made anew."""
        windows, place = self.windows, self.data / "environments"
        source = self.work / "newer"
        thin_bundle.copy_sources(source)
        version = source / "magi_engine" / "__init__.py"
        text = version.read_text(encoding="utf-8").replace(__version__, NEWER)
        version.write_text(text, encoding="utf-8")
        wheels = self.program / "wheels"
        next(wheels.glob("*.whl")).unlink()
        wheel = thin_bundle.build_wheel(source, wheels)
        manifest = self.program / "manifest.json"
        said = json.loads(manifest.read_text(encoding="utf-8"))
        said |= {"version": NEWER, "wheel_sha256": sha256_of(wheel)}
        manifest.write_text(json.dumps(said), encoding="utf-8")
        windows.own(wheels)
        windows.own(manifest)
        windows.start("wine", windows.path(self.program / "Magi.exe"), "--wheels", r"C:\wheels ü")
        wait_for(lambda: self.screen.windows(NAME) != [], "the set-up's window", 200)
        narrow = self._widest()
        time.sleep(5)
        self.screen.picture(self.pictures, "windows-update")
        began = time.monotonic()
        made = f"{NEWER}-cpu-2"
        self.screen.press_until(
            self.screen.windows(NAME)[-1], "Return", lambda: (place / made).is_dir()
        )
        wait_for(lambda: self._widest() > narrow, "the newer version's window", 1800)
        say(f"the update takes {time.monotonic() - began:.0f} s to the program's window")
        log = (self.data / "Logs" / "magi-desktop.log").read_text(encoding="utf-8")
        require(f" {NEWER}, Python" in log, "the newer version runs", log)
        older = [path for path in place.glob("*-cpu-*") if path.name != made]
        require(all(path.suffix == ".removed" for path in older), f"nothing else uses {older}")
        # In wine what the newer one has in common with it and has loaded waits for the next start.
        wait_for(lambda: not any(map(_has_own_files, older)), "the older one to be removed")
        time.sleep(15)
        self.screen.picture(self.pictures, "windows-updated")

    def _widest(self) -> int:
        return max(map(self.screen.width, self.screen.windows(NAME)), default=0)

    def removed_in_use(self) -> None:
        """While the program runs nothing is removed."""
        self._uninstall()
        require((self.program / "Magi.exe").exists(), "in use: the program is still there")
        require((self.data / "environments/current.json").exists(), "and so is its environment")
        self.windows.shut_down()

    def removed_but_for_belongings(self) -> None:
        """Everything goes but what is the user's."""
        self._uninstall()
        self._is_gone()
        self._belongings_are_there()
        kept = ("settings.json", "magi.sqlite3", "pasted", "models", "takes")
        odd = sorted(p.name for p in self.data.iterdir() if not p.name.startswith(kept))
        require(
            odd == [], f"of its own data nothing but settings, library, models and takes: {odd}"
        )

    def removed_with_belongings(self) -> None:
        """Installed again, and removed with all but the video, which is left."""
        require(self._install(self.setup) == 0, "it installs again")
        self._uninstall("/MODELS=remove", "/TAKES=remove", "/SETTINGS=remove")
        self._is_gone()
        require(not self.data.exists(), "nothing is left")
        require(self.video.exists(), "but the video")

    def another_folder(self) -> None:
        """Into a folder with other things in it: they stay, though the program is damaged."""
        place = self.windows.disk / "Größe"
        place.mkdir()
        (place / "meins.txt").write_text("1", encoding="utf-8")
        self.windows.own(place)
        require(self._install(self.setup, rf"/D=C:\{place.name}") == 0, "into another folder")
        self.program = place / NAME / "program"
        self._has_all_files()
        (place / NAME / "notiz.txt").write_text("1", encoding="utf-8")
        shutil.rmtree(self.program / "app")
        self._uninstall()
        self._is_gone()
        left = sorted(p.name for p in place.rglob("*"))
        require(left == [NAME, "meins.txt", "notiz.txt"], f"what is not ours stays: {left}")

    def _complains(self) -> bool:
        return any(self.screen.windows(title) for title in ("Installer", "NSIS", NAME))

    def _refused(self, what: str, code: int) -> None:
        got = self._install(self.setup)
        require(got == code and not self.program.exists(), f"{what} is refused ({got})")

    def _install(self, setup: Path, *options: str) -> int:
        here = self.windows.disk / "setup ü.exe"
        shutil.copyfile(setup, here)
        return self.windows.run("wine", self.windows.path(here), "/S", *options).returncode

    def _uninstall(self, *options: str) -> None:
        self.windows.run("wine", self.windows.path(self.program / "uninstall.exe"), "/S", *options)
        # It works from a copy of itself.
        running = ["pgrep", "-f", r"Un.{0,2}\.exe"]
        wait_for(
            lambda: subprocess.run(running, stdout=subprocess.DEVNULL).returncode != 0,
            "the uninstaller to end",
            120,
        )

    def _has_all_files(self) -> None:
        there = {str(p.relative_to(self.program)) for p in self.program.rglob("*")}
        require("app/gone-since.py" not in there, "no file of the older version is left")
        if self.bundle.exists():
            wanted = {str(p.relative_to(self.bundle)) for p in self.bundle.rglob("*")}
            odd = there ^ (wanted | {"uninstall.exe"})
            require(odd == set(), f"exactly the new version's files: {sorted(odd)[:5]}")
        around = {p.name for p in self.program.parent.iterdir()}
        require(around == {"program"}, f"and nothing beside them: {around}")

    def _belongings_are_there(self) -> None:
        for path in (self.data / "settings.json", self.video):
            require(path.exists(), f"{path.name} is still there")
        require((self.models / "ckpt/vae/a.safetensors").exists(), "and so is a model")

    def _is_gone(self) -> None:
        require(not self.program.exists(), "the program is gone")
        require(not (self.data / "environments").exists(), "and what the set-up made")
        links = list(self.windows.home.rglob(f"{NAME}.lnk"))
        require(links == [], f"no shortcut is left: {links}")
        left = sorted(self._registry() - self.before)
        require(left == [], f"nothing is left in the registry: {left}")

    def _registry(self) -> set[str]:
        """Every line of the user's software that could be ours; no notes of wine's or Qt's."""
        text = self.windows.registry(r"HKCU\Software").lower()
        words = ("magi", "openwithprogids")
        lines = [line for line in text.splitlines() if any(word in line for word in words)]
        # Qt notes the last folder of a file dialog for all programs that are made with it.
        return {line for line in lines if not ("wine" in line or "lastvisited" in line)}

    def _certificate(self) -> dict[str, str]:
        """One made for this alone; empty where the tools are missing."""
        if not (shutil.which("openssl") and shutil.which("osslsigncode")):
            say("signing is not tried: openssl or osslsigncode is missing")
            return {}
        key, self.certificate = self.work / "key.pem", self.work / "certificate.pem"
        packed = self.work / "certificate.pfx"
        for command in (
            [
                *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Check"),
                *("-addext", "extendedKeyUsage=codeSigning", "-days", "2"),
                *("-keyout", str(key), "-out", str(self.certificate)),
            ],
            [
                *("pkcs12", "-export", "-inkey", str(key), "-in", str(self.certificate)),
                *("-out", str(packed), "-passout", "pass:geheim ü"),
            ],
        ):
            subprocess.run(["openssl", *command], check=True, stderr=subprocess.DEVNULL)
        return {"MAGI_SIGN_CERTIFICATE": str(packed), "MAGI_SIGN_PASSWORD": "geheim ü"}

    def _signed(self, path: Path) -> None:
        command = ["osslsigncode", "verify", "-CAfile", str(self.certificate), "-in", str(path)]
        said = subprocess.run(command, capture_output=True, text=True)
        require(said.returncode == 0, f"{path.name} is signed", said.stdout + said.stderr)


def _has_own_files(folder: Path) -> bool:
    """Whether a folder in which files are being removed has any without another name elsewhere."""
    found = (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)
    return any(os.path.exists(path) and os.stat(path).st_nlink == 1 for path in found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
