"""Fetches what a first start without a GPU fetches, into a folder that stands for the network.

    .venv/bin/python packaging/fetch_wheels.py BUNDLE FOLDER

BUNDLE is what an installer puts on the disk (/usr/lib/magi-desktop of the .deb). The files are
those for the Python this runs with; FOLDER serves deb_check.py, and ``magi-desktop --wheels``.
"""

from __future__ import annotations

import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import dev

sys.path.insert(0, str(dev.ROOT))

from magi_engine.errors import MagiError
from magi_setup import packages
from magi_setup.bundle import Bundle
from magi_setup.machine import CPU
from magi_setup.uv import Uv


def main(argv: Sequence[str]) -> int:
    """Fetch them; returns 1 after an error, which is printed as a sentence."""
    if len(argv) != 2:
        print(__doc__)
        return 2
    bundle, target = Bundle.read(Path(argv[0])), Path(argv[1])
    stop = threading.Event()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        uv = Uv(bundle.uv, work / "cache", stop)
        try:
            files = packages.resolve(bundle, uv, Path(sys.executable), CPU, None, work)
            for _ in packages.fetch(files, target, stop):
                pass
        except MagiError as error:
            print(error, file=sys.stderr)
            return 1
    print(f"{len(files)} packages, {sum(f.size_bytes for f in files) / 1e6:.0f} MB, in {target}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
