"""``magi bench``: how fast this machine is, without any model's files."""

from __future__ import annotations

import argparse
from pathlib import Path

from magi_engine.atomic import write_text
from magi_engine.cli.exit_codes import DONE
from magi_engine.disk import writing


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "bench",
        help="measure how fast this machine makes videos; takes about a minute",
        description="Makes videos of four seconds with a model of full size and random weights, "
        "for which nothing is downloaded; without an NVIDIA graphics card with the pocket model. "
        "What takes too long is computed in part, and marked as an estimate. Text encoder and "
        "file take no part.",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write it for other programs")
    parser.add_argument(
        "--device", default="auto", metavar="DEVICE", help="cuda, cuda:1, cpu; default: the fastest"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure and print; returns the exit code."""
    from rich.console import Console
    from rich.progress import Progress

    from magi_engine.config.places import default_cache_dir
    from magi_engine.runtime.engine import Engine
    from magi_engine.runtime.speed.report import SpeedReport

    report: SpeedReport | None = None
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=1.0)
        for event in Engine(cache_dir=default_cache_dir()).measure(args.device):
            if isinstance(event, SpeedReport):
                report = event
            else:
                progress.update(task, completed=event.share, description=str(event.doing))
    assert report is not None, "nobody cancelled it"
    print(report.to_text(), end="")
    if args.json is not None:
        with writing(args.json):
            write_text(args.json, report.to_json())
    return DONE
