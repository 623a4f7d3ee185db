"""What somebody who helps needs to know; copied to the clipboard, never sent anywhere."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from importlib import metadata

from PySide6.QtCore import qVersion
from PySide6.QtGui import QGuiApplication

from magi_desktop import logs
from magi_desktop.paths import Places
from magi_engine import __version__
from magi_engine.runtime.machine.facts import Finding

_PACKAGES = ("PySide6-Essentials", "torch", "av", "transformers", "numpy")


def describe(places: Places, findings: Sequence[Finding]) -> str:
    """Versions, screens, what the engine found out about this machine, the end of the log.

    Args:
        findings: empty while the machine was not examined.
    """
    lines = [
        f"Magi Desktop {__version__}",
        f"{platform.platform()}, Python {sys.version.split()[0]}, Qt {qVersion()}",
        ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
    ]
    for screen in QGuiApplication.screens():
        size, ratio = screen.size(), screen.devicePixelRatio()
        lines.append(f"Screen {size.width()}x{size.height()} at {ratio:g}")
    for f in findings:
        works = {True: "yes", False: "no", None: ""}[f.works]
        lines.append(f"{f.topic}: {f.name} {works} {f.detail}".rstrip())
    return "\n".join([*lines, "", logs.tail(places.log_file), "", logs.tail(places.engine_log)])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"
