"""The whole program in one archive, for computers without a network: magi.spec's folder, packed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import dev
from thin_bundle import LICENSES_NAME, SBOM_NAME, ThinBundle


def freeze(work: Path) -> Path:
    """Freeze the program of this checkout; returns its folder, below ``work``."""
    command = [sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"]
    command += ["--distpath", str(work / "dist"), "--workpath", str(work / "work")]
    subprocess.run([*command, str(dev.ROOT / "magi.spec")], check=True, cwd=dev.ROOT)
    return work / "dist" / "Magi"


def build(bundle: ThinBundle, work: Path, out: Path) -> Path:
    """Make the archive in ``out``: on Windows a .zip, elsewhere a .tar.xz.

    Args:
        bundle: where the licences and the bill of materials come from.
    """
    folder = freeze(work / "frozen")
    shutil.copyfile(dev.ROOT / "LICENSE", folder / "LICENSE")
    for listed in (LICENSES_NAME, SBOM_NAME):
        shutil.copyfile(bundle.folder / listed, folder / listed)
    name = f"magi-desktop-{bundle.version}-{sys.platform}-x86_64-offline"
    if sys.platform == "win32":
        return Path(shutil.make_archive(str(out / name), "zip", folder.parent, folder.name))
    target = out / f"{name}.tar.xz"
    # xz by itself: it uses every core, which Python's does not.
    command = ["tar", "--use-compress-program", "xz -T0", "-cf", str(target)]
    subprocess.run([*command, "-C", str(folder.parent), folder.name], check=True)
    return target
