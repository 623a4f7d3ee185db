"""Installs setup.exe on this Windows, sets it up, makes a video, and removes it again.

    python packaging\\windows_installed.py SETUP               all of it; needs a network
    python packaging\\windows_installed.py --use [WHEELS]      only the middle: what is installed

The release's workflow runs the first on a real Windows, windows_check.py the second in wine, where
WHEELS stands for the network. Standard library only. Whatever does not hold ends it with 1.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

_UNINSTALL = r"Software\Microsoft\Windows\CurrentVersion\Uninstall\MagiDesktop"
_FILES = (
    *("Magi.exe", "magi.com", "manifest.json", "requirements.txt", "uv.exe", "uninstall.exe"),
    *(r"python\python.exe", r"python\pythonw.exe", r"app\__main__.py"),
)
_PROMPT = "a red circle moves right, 红色的球 rollt über den Tisch 🎈"
_REMOVED_S = 300
_SHORTEST_BYTES = 4_000


def main(argv: Sequence[str]) -> int:
    """Run what was asked for; returns 0 if all of it holds."""
    if argv[:1] == ["--use"]:
        _use(_program(), argv[1:2])
    elif len(argv) == 1:
        _run(argv[0], "/S")
        program = _program()
        missing = [name for name in _FILES if not (program / name).is_file()]
        _require(missing == [], f"all files are there {missing}")
        _use(program, [])
        _remove(program)
    else:
        print(__doc__)
        return 2
    return 0


def _use(program: Path, wheels: Sequence[str]) -> None:
    """From what the installer left to a video."""
    magi = str(program / "magi.com")
    python = str(program / "python" / "python.exe")
    if not (_environments() / "current.json").exists():
        _run(magi, "doctor", expected=1)
        offline = ["--wheels", *wheels] if wheels else []
        _run(python, "-I", str(program / "app"), "--unattended", *offline)
    [environment] = [path for path in _environments().glob("*-cpu-*") if path.is_dir()]
    for name in ("python.exe", "msvcp140.dll", "msvcp140_atomic_wait.dll"):
        _require((environment / name).is_file(), f"{name} is in the environment")
    _run(magi, "doctor")
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder, "ü 圆.mp4")
        _run(
            magi, "generate", "--prompt", _PROMPT, "--seconds", "1", "--seed", "1", "-o", str(video)
        )
        _require(video.stat().st_size > _SHORTEST_BYTES, "the video has content")
        said = _run(magi, "settings-of", str(video))
        _require(_PROMPT in said, "its settings come out in UTF-8")


def _remove(program: Path) -> None:
    _run(str(program / "uninstall.exe"), "/S")  # it goes on in a copy of itself
    deadline = time.monotonic() + _REMOVED_S
    while (program.exists() or _location()) and time.monotonic() < deadline:
        time.sleep(1)
    _require(not program.exists(), "the program is gone")
    _require(not _environments().exists(), "and what its set-up made")
    _require(_location() == "", "and its place in the list of programs")


def _program() -> Path:
    location = _location()
    _require(location != "", "it is in the list of programs")
    return Path(location, "program")


def _location() -> str:
    if sys.platform != "win32":
        raise SystemExit("This is for Windows.")
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, _UNINSTALL) as key:
            return winreg.QueryValueEx(key, "InstallLocation")[0]
    except OSError:
        return ""


def _environments() -> Path:
    return Path(os.environ["LOCALAPPDATA"], "magi-desktop", "environments")


def _run(*command: str, expected: int = 0) -> str:
    """What it prints; it has to end as expected."""
    began = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace")
    took = time.monotonic() - began
    name = " ".join((Path(command[0]).name, *command[1:3]))
    _require(done.returncode == expected, f"{name} ended with {done.returncode} after {took:.0f} s")
    return done.stdout


def _require(holds: bool, what: str) -> None:
    # Only letters every console has.
    print(f"{'ok  ' if holds else 'FAIL'} {what}".encode("ascii", "replace").decode(), flush=True)
    if not holds:
        raise SystemExit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
