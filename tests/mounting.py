"""Disks of a test's own, which need root on Linux."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path


class CannotMount(Exception):
    """This machine mounts nothing for us."""


@contextlib.contextmanager
def mounted(folder: Path, *how: str) -> Iterator[Path]:
    """``mount *how folder`` until the end of the block.

    Raises:
        CannotMount: that does not work here.
    """
    folder.mkdir(exist_ok=True)
    if sys.platform != "linux" or shutil.which("mount") is None:
        raise CannotMount("there is no mount here")
    done = subprocess.run(["mount", *how, str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotMount(done.stderr)
    try:
        yield folder
    finally:
        while subprocess.run(["umount", str(folder)], capture_output=True).returncode != 0:
            time.sleep(0.05)  # a process that was killed has not let go yet
