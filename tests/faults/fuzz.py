"""Damaged files: each ends in our own errors, in bounded time and memory, and runs nothing.

A child opens them, file after file, and says how that went; one that crashes or never comes back
costs itself only.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.faults import samples
from tests.faults.figures import REPOSITORY, Figures, environment

MOST_CPU_S = 20.0
MOST_BYTES = 600 << 20
"""Of one file, beyond what the program takes itself."""
_BATCH = 40


def media(rng: random.Random, count: int, folder: Path) -> Figures:
    """Pictures and videos in every format, through everything that opens one."""
    bases = samples.media(folder / "bases")
    return _fuzz("media", rng, count, folder, lambda: _damaged_copy(rng, rng.choice(bases)))


def configurations(rng: random.Random, count: int, folder: Path) -> Figures:
    """Every kind of JSON the program reads: bytes are damaged, or a value is a nasty one."""
    bases = samples.configurations(folder / "bases")

    def one() -> tuple[str, bytes]:
        base = rng.choice(bases)
        if rng.random() < 0.3:
            return _damaged_copy(rng, base)
        return base.name, _nasty(rng, json.loads(base.read_text(encoding="utf-8")))

    return _fuzz("configurations", rng, count, folder, one)


def checkpoints(rng: random.Random, count: int, folder: Path) -> Figures:
    """Files of weights in every format, and pickles that would run something."""
    bases = samples.checkpoints(folder / "bases", folder / "was-run")
    figures = _fuzz(
        "checkpoints", rng, count, folder, lambda: _damaged_copy(rng, rng.choice(bases))
    )
    figures.check(not (folder / "was-run").exists(), "code of a pickle was run")
    return figures


def _fuzz(
    kind: str, rng: random.Random, count: int, folder: Path, one: Callable[[], tuple[str, bytes]]
) -> Figures:
    figures = Figures()
    files = folder / kind
    files.mkdir()
    while figures.tried < count:
        batch = []
        for _ in range(min(_BATCH, count - figures.tried)):
            name, data = one()
            path = files / f"{figures.tried:05}-{rng.randrange(10**6)}" / name
            path.parent.mkdir()
            path.write_bytes(data)
            batch.append(path)
            figures.tried += 1
        while batch:
            done = open_in_child(figures, kind, batch, folder / "home")
            batch = batch[done:]
        if not figures.faults:
            shutil.rmtree(files)
            files.mkdir()
    return figures


def open_in_child(figures: Figures, kind: str, batch: Sequence[Path], home: Path) -> int:
    """Have files opened; returns how many of them the child has been through."""
    command = [sys.executable, "-m", "tests.faults.opening", kind, *map(str, batch)]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment(home), capture_output=True, text=True
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    for path, told in zip(batch, said, strict=False):
        what = f"{path.parent.name}/{path.name}: {told}"
        known = told["outcome"] in ("opened", "refused")
        figures.outcomes[told["outcome"] if known else "unexpected"] += 1
        figures.check(known, what)
        figures.check(told["cpu_s"] <= MOST_CPU_S, what)
        figures.check(told["bytes"] <= MOST_BYTES, what)
        figures.check_words(told["said"], what)
    if len(said) < len(batch):
        path = batch[len(said)]
        figures.check(False, f"{path} ended the child with {done.returncode}: {done.stderr[-500:]}")
        _keep(path)
        return len(said) + 1
    return len(said)


def _keep(path: Path) -> None:
    """Beside the temporary folder, which goes: to be looked at."""
    shutil.copy(path, Path(path.anchor, "tmp", f"magi-fault-{path.name}"))


def _damaged_copy(rng: random.Random, base: Path) -> tuple[str, bytes]:
    data = bytearray(base.read_bytes())
    for _ in range(rng.choice((0, 1, 1, 1, 2, 8))):
        if not data:
            break
        where = int(len(data) * rng.random() ** rng.choice((1, 4)))  # headers more often
        length = min(len(data) - where, rng.choice((1, 1, 2, 4, 8, 64, 1024)))
        match rng.randrange(6):
            case 0:
                data[where : where + length] = rng.randbytes(length)
            case 1:
                data[where] ^= 1 << rng.randrange(8)
            case 2:
                data[where : where + length] = rng.choice((b"\0", b"\xff", b"\x7f")) * length
            case 3:
                del data[where : where + length]
            case 4:
                data[where:where] = data[where : where + length]
            case 5:
                del data[where:]
    return base.name, bytes(data)


_NASTY: tuple[str, ...] = (
    *("NaN", "Infinity", "-Infinity", "1e999", "-1", "0", "0.5", "1e308", "-1e308", "null", "true"),
    *(str(2**40), str(10**400), "9" * 6000, '""', '"\\u0000"', '"~nosuchuser/x"', '"$NOSUCH/x"'),
    *('"../../../victim"', '"/dev/zero"', '"/dev/stdin"', '"\\ud800"', '"' + "a" * 100_000 + '"'),
    *("[]", "{}", "[[]]", "[1]", "[-1]", "[null]", "[NaN]", '["a"]', '{"a": 1}'),
    *("[" * 100_000, "[" * 500 + "]" * 500, '{"a":' * 100_000, "[" + "1," * 300_000 + "1]"),
)
_NASTY_NAMES = ("0", "-1", "", "\0", "9" * 6000, "~nosuchuser/x", "../x", "__class__", "\ud800")


def _nasty(rng: random.Random, value: object) -> bytes:
    """JSON with one value, anywhere in it, replaced."""
    places: list[tuple[dict[str, object] | list[object], str | int]] = []

    def walk(inner: object) -> None:
        items: list[tuple[str | int, object]] = []
        if isinstance(inner, dict):
            items = list(inner.items())
        elif isinstance(inner, list):
            items = list(enumerate(inner))
        for key, below in items:
            places.append((inner, key))  # type: ignore[arg-type]
            walk(below)

    walk(value)
    nasty = rng.choice(_NASTY)
    if not places or rng.random() < 0.05:
        return nasty.encode()
    container, key = rng.choice(places)
    if isinstance(container, dict) and rng.random() < 0.1:
        container[rng.choice(_NASTY_NAMES)] = container.pop(str(key))
        return json.dumps(value).encode()
    container[key] = "@nasty@"  # type: ignore[index]
    return json.dumps(value).replace('"@nasty@"', nasty).encode()
