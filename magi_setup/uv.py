"""Running the bundled uv."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from magi_setup.errors import SetupCancelled, disk_full

logger = logging.getLogger(__name__)

POLL_S = 0.2
_NO_SPACE = re.compile(r"os error (28|112|122)\b")
"""As uv tells of a full disk on Linux, on Windows, and of a used up quota on Linux."""
_HIDDEN = subprocess.CREATE_NO_WINDOW if sys.platform == "win32" else 0


class Uv:
    """The program, with a cache of its own that is thrown away at the end."""

    def __init__(self, program: Path, cache: Path, cancelled: threading.Event) -> None:
        self.program, self.cache, self._cancelled = program, cache, cancelled

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run to the end; what it printed is logged where it failed.

        Raises:
            SetupCancelled: it was stopped.
            DiskFullError: there was no space for what it wrote.
        """
        for done in self.watch(*arguments):
            if done is not None:
                return done
        raise AssertionError("watch ends with a result")

    def watch(self, *arguments: str) -> Iterator[subprocess.CompletedProcess[str] | None]:
        """Run it, yielding None several times a second, its result last; raises as ``run``."""
        command = [str(self.program), *arguments, "--no-progress"]
        environment = {**os.environ, "UV_CACHE_DIR": str(self.cache), "UV_NO_CONFIG": "1"}
        # Beside the cache: the folder of temporary files may be full, or none.
        said = partial(
            tempfile.TemporaryFile,
            "w+",
            encoding="utf-8",
            errors="replace",
            dir=self.cache.parent,
        )
        with said() as out, said() as errors:
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                creationflags=_HIDDEN,
            )
            try:
                while process.poll() is None:
                    if self._cancelled.wait(POLL_S):
                        raise SetupCancelled
                    yield None
            finally:
                process.kill()
                process.wait()
            out.seek(0)
            errors.seek(0)
            result = subprocess.CompletedProcess(
                command, process.returncode, out.read(), errors.read()
            )
        if result.returncode != 0:
            logger.error("%s: %s", " ".join(arguments[:3]), result.stderr.strip())
            if _NO_SPACE.search(result.stderr):
                raise disk_full()
        yield result
