"""The goldens, each made by several processes of a processor: ``python -m tests.bench.ranks``.

A line for each says its largest error and the limit, which is the one for a single process.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from magi_engine.ops.mesh import join, leave
from tests.engine.sampling.test_goldens import (
    COPIED,
    COPIES,
    FP8_TOLERANCE,
    ONLY_SHARED,
    TOLERANCE,
    replayed,
)

_TIMEOUT_S = 3600.0
_SHARED = Path(__file__).parents[3] / "shared" / "goldens"


def main() -> int:
    """Returns how many cases missed their limit, or did not come to their end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="all that there are without any")
    parser.add_argument("--ranks", type=int, default=8)
    parser.add_argument("--goldens", type=Path, default=_SHARED if _SHARED.is_dir() else COPIES)
    args = parser.parse_args()
    cases = [args.goldens / f"{name}.json" for name in args.cases or COPIED + ONLY_SHARED]
    missed = 0
    for case in filter(Path.is_file, cases):
        with tempfile.TemporaryDirectory() as folder:
            store = Path(folder) / "store"
            ranks = [
                multiprocessing.Process(target=_replay, args=(case, store, rank, args.ranks))
                for rank in range(args.ranks)
            ]
            for rank in ranks:
                rank.start()
            for rank in ranks:
                rank.join()
            missed += any(rank.exitcode for rank in ranks)
    return missed


def _replay(case: Path, store: Path, rank: int, size: int) -> None:
    """One process's part; the leading one says what came out."""
    torch.set_num_threads(1)
    mesh = join(store, rank, size, torch.device("cpu"), timeout_s=_TIMEOUT_S)
    began = time.monotonic()
    outputs = replayed(case, mesh=mesh)
    seconds = time.monotonic() - began
    leave()
    if not mesh.leads:
        return
    errors = [
        ((outputs[name].double() - expected).norm() / expected.double().norm()).item()
        for name, expected in load_file(case.with_suffix(".safetensors")).items()
        if name.startswith("chunk.")
    ]
    fp8 = json.loads(case.read_text(encoding="utf-8"))["config"]["engine_config"]["fp8_quant"]
    limit = FP8_TOLERANCE if fp8 else TOLERANCE
    name = f"{case.parent.name}/{case.stem}"
    print(f"{name}: {max(errors):.2g} of {limit:g}, {seconds:.0f} s", flush=True)
    sys.exit(max(errors) > limit)


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")  # PyTorch is imported once, not once for each
    sys.exit(main())
