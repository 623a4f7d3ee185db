"""The .deb of a thin bundle: /usr/lib/magi-desktop, two commands, a desktop entry, icons."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import time
from pathlib import Path
from string import Template

import dev
from icons import DRAWING, LINUX_SIZES, write_png
from system_packages import QT_LIBRARIES
from thin_bundle import LICENSES_NAME, SBOM_NAME, ThinBundle

from magi_desktop.publication import INSTALLERS

_FILES = Path(__file__).parent / "linux"
_BEYOND_QT = ("python3 (>= 3.11)", "ca-certificates", "libc6 (>= 2.34)", "libstdc++6")


def build(bundle: ThinBundle, work: Path, out: Path) -> Path:
    """Make the package in ``out``."""
    root = work / "deb"
    share, library = root / "usr" / "share", root / "usr" / "lib" / "magi-desktop"
    shutil.copytree(bundle.folder, library)
    documents = share / "doc" / "magi-desktop"
    documents.mkdir(parents=True)
    for name in (SBOM_NAME, LICENSES_NAME):
        (library / name).rename(documents / name)
    lay_out_desktop_files(share, bundle.version)
    for name in ("magi-desktop", "magi"):
        _place(_FILES / name, root / "usr" / "bin" / name, mode=0o755)
    page = (_FILES / "magi-desktop.1").read_bytes()
    manual = share / "man" / "man1" / "magi-desktop.1.gz"
    manual.parent.mkdir(parents=True)
    manual.write_bytes(gzip.compress(page, mtime=0))
    (manual.parent / "magi.1.gz").symlink_to(manual.name)
    shutil.copyfile(_FILES / "copyright", documents / "copyright")
    history = Template((_FILES / "changelog").read_text(encoding="utf-8"))
    told = history.substitute(version=bundle.version, date=_release_date())
    (documents / "changelog.gz").write_bytes(gzip.compress(told.encode(), mtime=0))
    _place(_FILES / "lintian-overrides", share / "lintian" / "overrides" / "magi-desktop")
    _set_modes(root)
    _write_control(root, bundle.version)
    target = out / INSTALLERS["linux-deb"].format(bundle.version)
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(target)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return target


def lay_out_desktop_files(share: Path, version: str) -> None:
    """The desktop entry, the metainfo and the icons below a ``share`` folder."""
    _place(_FILES / "magi-desktop.desktop", share / "applications" / "magi-desktop.desktop")
    metainfo = Template((_FILES / "magi-desktop.metainfo.xml").read_text(encoding="utf-8"))
    target = share / "metainfo" / "magi-desktop.metainfo.xml"
    target.parent.mkdir(parents=True)
    told = metainfo.substitute(version=version, date=time.strftime("%Y-%m-%d", _released()))
    target.write_text(told, encoding="utf-8")
    icons = share / "icons" / "hicolor"
    _place(DRAWING, icons / "scalable" / "apps" / "magi-desktop.svg")
    for size in LINUX_SIZES:
        place = icons / f"{size}x{size}" / "apps" / "magi-desktop.png"
        place.parent.mkdir(parents=True)
        write_png(place, size)


def _write_control(root: Path, version: str) -> None:
    installed = sum(p.lstat().st_size for p in root.rglob("*") if p.is_file()) // 1024
    needs = [*_BEYOND_QT, *dict.fromkeys(QT_LIBRARIES.values())]
    control = Template((_FILES / "control").read_text(encoding="utf-8"))
    told = control.substitute(version=version, size=installed, depends=", ".join(needs))
    _place_text(told, root / "DEBIAN" / "control")
    _place(_FILES / "postrm", root / "DEBIAN" / "postrm", mode=0o755)
    _place_text(_md5_sums(root), root / "DEBIAN" / "md5sums")


def _md5_sums(root: Path) -> str:
    files = [p for p in sorted(root.rglob("*")) if p.is_file() and not p.is_symlink()]
    names = [str(p.relative_to(root)) for p in files if "DEBIAN" not in p.parts]
    return subprocess.run(
        ["md5sum", *names], cwd=root, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def _set_modes(root: Path) -> None:
    runs = {root / "usr" / "bin" / n for n in ("magi", "magi-desktop")}
    runs.add(root / "usr" / "lib" / "magi-desktop" / "uv")
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path in runs else 0o644)


def _released() -> time.struct_time:
    """The time of the commit that is built, so that the same commit gives the same package."""
    said = os.environ.get("SOURCE_DATE_EPOCH")
    if said is None:
        command = ["git", "-C", str(dev.ROOT), "log", "-1", "--format=%ct"]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return time.gmtime(int(said))


def _release_date() -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S +0000", _released())


def _place(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _place_text(text: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
