"""The per-user installer for other distributions: one file that unpacks itself (makeself)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import debian_package
import dev
from thin_bundle import ThinBundle

_FILES = Path(__file__).parent / "linux"
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
    text = _MISSING_LIBRARIES.format(names=list(dev.QT_LIBRARIES))
    (folder / "magi-desktop" / "missing_libraries.py").write_text(text, encoding="utf-8")
    debian_package.lay_out_desktop_files(folder / "share", bundle.version)
    for name in ("install.sh", "uninstall.sh"):
        shutil.copyfile(_FILES / name, folder / name)
        (folder / name).chmod(0o755)
    target = out / f"magi-desktop-{bundle.version}-x86_64.run"
    title = f"Magi Desktop {bundle.version}"
    subprocess.run(
        [
            "makeself",
            "--quiet",
            "--xz",
            "--sha256",
            str(folder),
            str(target),
            title,
            "./install.sh",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return [target]
