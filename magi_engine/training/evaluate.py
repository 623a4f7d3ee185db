"""Measure what a pocket model can do, and print the table.

``python -m magi_engine.training.evaluate --prompts 100``

Every trial is generated from a fresh prompt, image or clip with the model's files and judged by
image analysis of its decoded frames:

* t2v: 3 chunks from a prompt, every fifth for two objects; for two, right means both.
* i2v: 4 chunks from a rendered image and its caption, which names no size; the objects at the end
  are those of the last half second. Size: of single ones that rest, spin, bounce or circle.
* v2v: 48 rendered frames of straight or bouncing motion and their caption; the centre one second
  after the clip ends against the laws of motion. Clips whose object comes to rest are left out,
  and a lost object counts as an error of a whole width.
* long: 10 chunks from a prompt; the object of that colour in 9 of 10 frames of the last one.
* change: the prompt changes its colour or its direction at the first or second boundary of
  chunks; colour as at the end, direction as over the second half or the whole of the next chunk.
  An object that has no room in the new direction is not counted.
* pair: as t2v, two objects each. circle: as t2v, one that circles. backdrop: as change, the
  background. minute: 60 chunks of what bounces, circles or stands; size and motion at the end
  over the last three chunks, the size against the second to fourth.
* at once: as change, but the words come when that chunk has begun: it starts anew. new place, new
  one, cut: the chunk begins with that transition; object and background at its end, and whether
  there is a second object, at its beginning or its end.

Rows can be measured apart and put together: ``--json`` keeps results, ``--merge`` prints the table
of several files. After ``--minutes``, Ctrl-C or SIGTERM it prints what is there so far.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from magi_engine.errors import InvalidRequestError, MagiError
from magi_engine.runtime.machine.devices import choose_device, choose_dtype
from magi_engine.sampling.schedule import SamplerSettings
from magi_engine.training.report import (
    Result,
    Setting,
    merge_results,
    save_results,
    table,
    wrong_cases,
)
from magi_engine.training.sheets import Strip, save_sheet
from magi_engine.training.trials import Row
from magi_engine.training.workers import Studio, run_trials
from magi_engine.weights.layout import find_model

#: More processes than this gain nothing on one GPU, and need much memory on a CPU.
_MOST_JOBS = 8
_INTERRUPTED = 130


class _Progress:
    """One line that says how far it is, rewritten on a terminal, now and then elsewhere."""

    def __init__(self, total: int, stream: TextIO) -> None:
        self._total, self._stream = total, stream
        self._start = time.monotonic()
        self._done = 0
        self._last = 0.0

    def advance(self) -> None:
        """One more trial is done."""
        self._done += 1
        seconds = time.monotonic() - self._start
        terminal = self._stream.isatty()
        if not terminal and 1 < self._done < self._total and seconds - self._last < 15:
            return
        self._last = seconds
        left = seconds / self._done * (self._total - self._done)
        text = f"{self._done} of {self._total} trials, {seconds:.0f} s, {left:.0f} s left"
        self._stream.write(f"\r{text:<60}" if terminal else f"{text}\n")
        self._stream.flush()

    def close(self) -> None:
        """End the line."""
        if self._stream.isatty():
            self._stream.write("\n")


class _Collection:
    """What has been measured so far."""

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.strips: dict[str, dict[int, Strip]] = {}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; 0 if all trials ran, 1 after an error, 130 after Ctrl-C."""
    args = _parser().parse_args(argv)
    try:
        if args.merge:
            setting, results = merge_results(args.merge)
            _print_results(results, setting, args.verbose)
            return 0
        return _measure(args)
    except MagiError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m magi_engine.training.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = ",".join(row.value for row in Row)
    parser.add_argument("--model", default="pocket", help="a known model or its .json file")
    parser.add_argument("--prompts", type=int, default=100, help="trials per row (100)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="at most so long (no limit)"
    )
    parser.add_argument("--rows", default=names, help=f"which rows ({names})")
    parser.add_argument("--steps", type=int, help="denoising steps (the model's own)")
    parser.add_argument("--window", type=int, help="chunks denoised together (the model's own)")
    parser.add_argument("--jobs", type=int, help="processes (one per core, 8 at most)")
    parser.add_argument("--seed", type=int, default=1, help="other seeds, other trials (1)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results in FILE")
    parser.add_argument("--merge", type=Path, nargs="+", metavar="FILE", help="only print these")
    parser.add_argument("--sheets", type=Path, metavar="DIR", help="save contact sheets in DIR")
    parser.add_argument("--sheet-trials", type=int, default=12, help="trials per sheet (12)")
    parser.add_argument("--verbose", action="store_true", help="list what went wrong")
    return parser


def _measure(args: argparse.Namespace) -> int:
    rows = _rows(args.rows)
    jobs = args.jobs if args.jobs is not None else min(_MOST_JOBS, os.cpu_count() or 1)
    for option, number in (("--prompts", args.prompts), ("--jobs", jobs)):
        if number < 1:
            raise InvalidRequestError(
                "{option} {number} is too few.", "Give at least 1.", option=option, number=number
            )
    found = find_model(args.model)
    settings = SamplerSettings.from_config(found.config)
    settings = dataclasses.replace(
        settings,
        num_steps=settings.num_steps if args.steps is None else args.steps,
        window_size=settings.window_size if args.window is None else args.window,
    )
    device = choose_device(args.device)
    studio = Studio(
        found,
        settings,
        device,
        choose_dtype("auto", device),
        args.seed,
        args.sheet_trials if args.sheets is not None else 0,
    )
    collected = _Collection()
    try:
        _collect(collected, studio, rows, args, jobs)
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    finally:
        # Also after an error: what was measured is kept.
        _finish(collected, Setting(found.name, settings.num_steps, settings.window_size), args)


def _rows(text: str) -> list[Row]:
    try:
        return [Row(name.strip()) for name in text.split(",")]
    except ValueError as error:
        raise InvalidRequestError(
            "--rows {text} names an unknown row.",
            "Rows: {value}.",
            text=text,
            value=", ".join(r.value for r in Row),
        ) from error


def _collect(
    collected: _Collection,
    studio: Studio,
    rows: Sequence[Row],
    args: argparse.Namespace,
    jobs: int,
) -> None:
    progress = _Progress(len(rows) * args.prompts, sys.stderr)
    end = time.monotonic() + args.minutes * 60
    try:
        with contextlib.closing(run_trials(studio, rows, args.prompts, jobs)) as takes:
            for take in takes:
                result = take.result
                collected.results.append(result)
                if take.strip is not None:
                    collected.strips.setdefault(result.row, {})[result.index] = take.strip
                progress.advance()
                if time.monotonic() >= end:
                    break
    finally:
        progress.close()


def _finish(collected: _Collection, setting: Setting, args: argparse.Namespace) -> None:
    if not collected.results:
        return
    _print_results(collected.results, setting, args.verbose)
    if args.json is not None:
        save_results(args.json, setting, collected.results)
    for row, strips in collected.strips.items():
        save_sheet(args.sheets / f"{row}.png", strips)


def _print_results(results: Sequence[Result], setting: Setting, verbose: bool) -> None:
    print(table(results, setting))
    if verbose:
        print()
        print("\n".join(wrong_cases(results)) or "Nothing went wrong.")


if __name__ == "__main__":
    # What was measured is also kept when a system for jobs, or timeout, ends it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    raise SystemExit(main())
