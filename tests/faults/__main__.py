"""The long form: ``python -m tests.faults PART [--count N] [--seed S]``; no PART: all of them."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import cuts, disks, farm, fuzz, kills, machines, served, together
from tests.faults.figures import Part
from tests.mounting import CannotMount

PARTS: dict[str, tuple[Part, int]] = {
    "generation": (kills.generation, 100),
    "window": (kills.window, 100),
    "downloads": (kills.downloads, 100),
    "settings": (kills.settings, 100),
    "power": (disks.power, 40),
    "full": (disks.full, 40),
    "media": (fuzz.media, 1000),
    "configurations": (fuzz.configurations, 1000),
    "checkpoints": (fuzz.checkpoints, 500),
    "twice": (together.twice, 10),
    "endless": (together.endless, 1000),
    "cuts": (cuts.cuts, 100),
    "servers": (served.servers, 20),
    "clients": (served.clients, 20),
    "windows elsewhere": (served.windows, 20),
    "farm": (farm.farm, 3),
    "machines": (machines.machines, 1),
}
"""Each with its count."""


def main() -> int:
    """Run; returns how many parts found a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--count", type=int, help="kills, files, cuts, ...; default: the issue's")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    bad = 0
    for name in args.parts or PARTS:
        part, count = PARTS[name]
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="magi-faults-") as folder:
            try:
                figures = part(random.Random(args.seed), args.count or count, Path(folder))
            except CannotMount as error:
                print(f"{name}: not run, no disk can be mounted: {error}", flush=True)
                continue
        print(f"{name} (seed {args.seed}): {figures}; {time.monotonic() - began:.0f} s", flush=True)
        for fault in figures.faults:
            print("  FAULT", fault, flush=True)
        bad += bool(figures.faults)
    return bad


if __name__ == "__main__":
    sys.exit(main())
