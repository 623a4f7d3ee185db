"""Packages of the system that a checkout needs: which are missing, and how to get them.

Standard library only. This file also parses on Pythons too old for the program; see dev.py.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

# What PySide6's wheels expect of the system: shared library -> its Debian and Ubuntu package.
QT_LIBRARIES = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libgssapi_krb5.so.2": "libgssapi-krb5-2",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
# Programs with which the tests make a screen and use its mouse and keys -> package.
TEST_PROGRAMS = {"Xvfb": "xvfb", "xauth": "xauth", "xdotool": "xdotool"}


class SetupError(Exception):
    """The set-up cannot go on; the text is what the user reads: what is wrong and what to do."""


def missing_for_window() -> list[str]:
    """What the window lacks."""
    return missing(QT_LIBRARIES, library_loads)


def missing_for_tests() -> list[str]:
    """What the tests lack; none of it is needed to run the engine."""
    return missing_for_window() + missing(TEST_PROGRAMS, lambda n: shutil.which(n) is not None)


def missing(needs: Mapping[str, str], present: Callable[[str], bool]) -> list[str]:
    """The Debian packages of those needs that are not there; none on other systems than Linux."""
    if not sys.platform.startswith("linux"):
        return []
    return [package for name, package in needs.items() if not present(name)]


def library_loads(name: str) -> bool:
    """Whether the system's loader finds a shared library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def offered(name: str) -> bool:
    """Whether the system's lists offer a package of exactly this name."""
    if shutil.which("apt-cache") is None:
        return False
    # apt-cache takes a name that it does not know as a pattern, and shows others.
    answer = subprocess.run(["apt-cache", "show", name], capture_output=True, text=True)
    return f"Package: {name}" in answer.stdout.splitlines()


def install(packages: Sequence[str], run_step: Callable[[Sequence[str]], int]) -> None:
    """Installs Debian packages where that is allowed, and otherwise says what to type.

    Args:
        run_step: runs a program on this console and returns its exit code.

    Raises:
        SetupError: they are still missing.
    """
    if not packages:
        return
    prefix = apt_prefix()
    if prefix is not None:
        print(f"==> Installing system packages: {' '.join(packages)}", flush=True)
        apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
        # A failing update (one broken source of many) need not keep packages from installing.
        run_step([*apt, "update"])
        if run_step([*apt, "install", "-y", "--no-install-recommends", *packages]) == 0:
            return
    raise SetupError(message(packages, has_apt=shutil.which("apt-get") is not None))


def apt_prefix() -> list[str] | None:
    """What to put before apt-get: nothing for root, sudo where it asks no password; else None."""
    if shutil.which("apt-get") is None or not hasattr(os, "geteuid"):
        return None
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") is None:
        return None
    silent = subprocess.DEVNULL
    asked = subprocess.run(["sudo", "-n", "true"], stdin=silent, stdout=silent, stderr=silent)
    return ["sudo", "-n"] if asked.returncode == 0 else None


def message(packages: Sequence[str], *, has_apt: bool) -> str:
    """What to tell a user whose system lacks packages this script may not install."""
    if not has_apt:
        return (
            f"The system lacks what these Debian packages contain: {' '.join(packages)}.\n"
            "Install your system's counterparts, then type the same command again."
        )
    return (
        "The system lacks some packages. Type this line, then the same command again:\n"
        "    sudo apt-get update && sudo apt-get install --no-install-recommends "
        + " ".join(packages)
    )
