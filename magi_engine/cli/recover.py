"""``magi recover``: finish what a killed program or a power cut left behind."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from magi_engine.cli.exit_codes import DONE, exit_code_for
from magi_engine.errors import MagiError
from magi_engine.media.output import recover_partial
from magi_engine.media.targets import find_partials, is_part


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "recover",
        help="bring back videos whose generation was killed",
        description="While a video is made, it grows in a hidden file beside its place. If the "
        "program was killed, that file holds every finished chunk; this gives it its name.",
    )
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path(), help="where to look; default: this folder"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Recover everything in the folder; returns the exit code."""
    code = DONE
    parts = find_partials(args.folder)
    for part in parts:
        try:
            recovered = recover_partial(part)
            print(f"Recovered {recovered}" if recovered else f"Removed {part}: nothing was in it.")
        except MagiError as error:
            print(f"Error: {error}", file=sys.stderr)
            code = exit_code_for(error)
    left = sorted(path for path in args.folder.iterdir() if is_part(path) and path not in parts)
    for part in left:
        print(f"Left alone: {part}. It may still grow, here or on another machine or container.")
    if not (parts or left):
        print("There is nothing to recover.")
    return code
