"""``magi doctor``: what this machine can do, tried out rather than guessed."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from magi_engine.cli.exit_codes import DONE
from magi_engine.cli.naming import as_typed
from magi_engine.runtime.machine.facts import Finding

_MARKS = {True: "yes", False: "no", None: ""}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "doctor",
        help="say what works on this machine, and why something does not",
        description="Says which versions, devices, number formats, codecs and models work here. "
        "Everything is tried out, nothing is changed.",
    )
    parser.add_argument("--json", action="store_true", help="for other programs")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--models-dir", type=Path, metavar="DIR", help="where downloaded models are kept"
    )
    what.add_argument(
        "--attention",
        action="store_true",
        help="measure every way to compute attention, and remember which one is fastest",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examine and print; returns the exit code."""
    from magi_engine.config.places import default_cache_dir
    from magi_engine.runtime.doctor import measure_attention
    from magi_engine.runtime.engine import Engine

    cache_dir = default_cache_dir()
    if args.attention:
        findings = measure_attention(cache_dir)
    else:
        findings = Engine(args.models_dir, cache_dir).examine()
    if args.json:
        print(json.dumps([dataclasses.asdict(f) for f in findings], indent=2))
    else:
        _print_table(findings)
    return DONE


def _print_table(findings: list[Finding]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for topic in dict.fromkeys(finding.topic for finding in findings):
        table = Table.grid(padding=(0, 2))
        for finding in findings:
            if finding.topic == topic:
                mark = Text(_MARKS[finding.works], style="green" if finding.works else "yellow")
                table.add_row(finding.name, mark, Text(as_typed(finding.detail)))
        console.print(Text(topic, style="bold"))
        console.print(Padding(table, (0, 0, 0, 2)))
