"""setup.exe of a thin bundle: NSIS, for one user, built on Linux or Windows."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import icons
import windows_bundle
import windows_signing
from thin_bundle import ThinBundle

from magi_desktop.panels.reference import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from magi_desktop.publication import INSTALLERS
from magi_desktop.windows_taskbar import APP_ID
from magi_engine.config.places import FOLDER
from magi_setup.errors import BusyError

_SPARE_MB = 50
_NSIS_ON_WINDOWS = r"C:\Program Files (x86)\NSIS"
_SIGNING = Path(__file__).with_name("windows_signing.py")


def build(bundle: ThinBundle, work: Path, out: Path) -> Path:
    """Make the installer in ``out``.

    Raises:
        FileNotFoundError: NSIS is not installed.
    """
    compiler = shutil.which("makensis", path=f"{os.environ['PATH']}{os.pathsep}{_NSIS_ON_WINDOWS}")
    if compiler is None:
        raise FileNotFoundError("makensis is not there: install NSIS (Debian's package nsis)")
    folder = work / "nsis"
    folder.mkdir()
    for name in ("installer.nsi", "strings.nsh"):
        shutil.copyfile(windows_bundle.FILES / name, folder / name)
    icons.write_ico(folder / "magi.ico")
    signed = windows_signing.is_wanted(os.environ)
    if signed:
        for path in (bundle.folder / "Magi.exe", bundle.folder / "magi.com"):
            windows_signing.sign(path, os.environ)
    else:
        print(windows_signing.NOTICE)
    target = out / INSTALLERS["windows-setup"].format(bundle.version)
    facts = {
        **facts_of(bundle),
        "OUT": str(target),
        "BUNDLE": str(bundle.folder),
        "ICON": str(folder / "magi.ico"),
    }
    if signed:
        facts["SIGN"] = f'"{sys.executable}" "{_SIGNING}"'
    (folder / "facts.nsh").write_text(as_script(facts), encoding="utf-8")
    subprocess.run(
        [compiler, "-V2", "-INPUTCHARSET", "UTF8", "-WX", "installer.nsi"], cwd=folder, check=True
    )
    return target


def facts_of(bundle: ThinBundle) -> dict[str, str]:
    """What the installer's script is told of a bundle."""
    said = windows_bundle.facts()
    size = sum(p.stat().st_size for p in bundle.folder.rglob("*") if p.is_file())
    return {
        "NAME": said["name"],
        "VERSION": bundle.version,
        "NUMBERS": ".".join(windows_bundle.four_numbers(bundle.version)),
        "PUBLISHER": said["publisher"],
        "LICENSE": said["license"],
        "APP_ID": APP_ID,
        "DATA_FOLDER": FOLDER,
        "BUSY": str(BusyError.EXIT_CODE),
        "SIZE_MB": str((size >> 20) + _SPARE_MB),
    }


def as_script(facts: Mapping[str, str]) -> str:
    """``facts.nsh``: a definition for each, and a macro for every kind of file that is opened."""
    lines = [f"!define {name} '{value}'" for name, value in facts.items()]
    lines.append("!macro EACH_SUFFIX do")
    suffixes = sorted({*IMAGE_SUFFIXES, *VIDEO_SUFFIXES})
    lines += [f"  !insertmacro ${{do}} {suffix}" for suffix in suffixes]
    return "\n".join([*lines, "!macroend", ""])
