"""The per-user installer for other distributions: one file that unpacks itself (makeself)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import debian_package
from system_packages import QT_LIBRARIES
from thin_bundle import ThinBundle

from magi_desktop.publication import INSTALLERS

_FILES = Path(__file__).parent / "linux"
_HEADER = Path("/usr/share/makeself/makeself-header.sh")
_DAMAGED = "This file is damaged or not complete: download it again."
_NOT_UNPACKED = (
    "It could not be unpacked: is the command xz installed (package xz or xz-utils), "
    "and is there space in /tmp?"
)
_SENTENCES = {
    'echo " Unexpected archive size."': f'echo " {_DAMAGED}"',
    'echo "Error in SHA256 checksums: \\$shasum is different from \\$sha"': f'echo " {_DAMAGED}"',
    'echo " ... Decompression failed."': f'echo " {_NOT_UNPACKED}"',
}
"""What makeself says of damage, and what is to be said instead."""
_MISSING_LIBRARIES = '''"""Prints which libraries that the window needs are not on this system."""

import ctypes

for name in {names}:
    try:
        ctypes.CDLL(name)
    except OSError:
        print(name, end=" ")
'''


def build(bundle: ThinBundle, work: Path, out: Path) -> list[Path]:
    """Make the installer in ``out``; nothing, with a notice, where makeself is missing."""
    if shutil.which("makeself") is None:
        print("makeself is not installed: no self-extracting installer is made")
        return []
    folder = work / "run"
    shutil.copytree(bundle.folder, folder / "magi-desktop")
    text = _MISSING_LIBRARIES.format(names=list(QT_LIBRARIES))
    (folder / "magi-desktop" / "missing_libraries.py").write_text(text, encoding="utf-8")
    debian_package.lay_out_desktop_files(folder / "share", bundle.version)
    for name in ("install.sh", "uninstall.sh"):
        shutil.copyfile(_FILES / name, folder / name)
        (folder / name).chmod(0o755)
    target = out / INSTALLERS["linux-run"].format(bundle.version)
    title = f"Magi Desktop {bundle.version}"
    subprocess.run(
        [
            "makeself",
            "--quiet",
            "--xz",
            "--sha256",
            *("--header", str(_header(work))),
            str(folder),
            str(target),
            title,
            "./install.sh",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return [target]


def _header(work: Path) -> Path:
    """makeself's own beginning of the file, with sentences that say what to do."""
    text = _HEADER.read_text(encoding="utf-8")
    for said, better in _SENTENCES.items():
        if said not in text:
            raise ValueError(f"{_HEADER} is not as expected: it lacks {said}")
        text = text.replace(said, better)
    target = work / "header.sh"
    target.write_text(text, encoding="utf-8")
    return target
