"""``magi audition``: the first second of several videos, to choose among them."""

from __future__ import annotations

import argparse
import dataclasses
import os
from pathlib import Path

from magi_engine.cli.engines import add_engine_options
from magi_engine.cli.request_options import (
    add_request_options,
    build_request,
    default_name,
    named_output,
)
from magi_engine.cli.running import add_display_options, run_request
from magi_engine.disk import writing
from magi_engine.errors import InvalidRequestError
from magi_engine.media.targets import check_target
from magi_engine.runtime.request.request import AUDITIONED

_MOST = 100
_FOLDER = "audition"
_DESCRIPTION = """\
Makes the first chunk of a video with several seeds, each as a file of its own. 'magi resume FILE'
makes the rest of one; the others can be thrown away.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "audition", help="make the first second with several seeds", description=_DESCRIPTION
    )
    parser.add_argument(
        "--count",
        type=int,
        default=AUDITIONED,
        metavar="N",
        help=f"how many, 1 to {_MOST}; default: {AUDITIONED}",
    )
    add_request_options(parser, "DIR", f"folder for the videos; default: {_FOLDER}")
    add_engine_options(parser)
    add_display_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make them one after the other, in the folder that ``-o`` names; returns the exit code."""
    if not 1 <= args.count <= _MOST:
        raise InvalidRequestError(
            "{count} videos cannot be auditioned.",
            "Choose 1 to {most}.",
            count=args.count,
            most=_MOST,
        )
    folder = Path(named_output(args) or _FOLDER)
    args.output = None
    request = dataclasses.replace(build_request(args), only_chunks=1)
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    requests = []
    for seed in range(request.seed, request.seed + args.count):
        one = dataclasses.replace(request, seed=seed)
        output = folder / default_name(one)
        check_target(output, request.writing.overwrite)
        requests.append(dataclasses.replace(one, output=os.path.abspath(output)))
    return run_request(*requests, args=args)
