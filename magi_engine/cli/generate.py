"""``magi generate``: one video from a prompt, an image or a video."""

from __future__ import annotations

import argparse

from magi_engine.cli.engines import add_engine_options
from magi_engine.cli.request_options import add_request_options, build_request
from magi_engine.cli.running import add_display_options, run_request

_DESCRIPTION = """\
Makes one video. It appears chunk by chunk and can be watched while it grows.
Ctrl-C stops and keeps what is finished; a second Ctrl-C aborts at once.
Chunks are counted from 1: --prompt-at 3 TEXT changes the prompt after two chunks.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "generate",
        help="make a video from a prompt, an image or a video",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)


def add_options(parser: argparse.ArgumentParser) -> None:
    """All that says what to make, and where."""
    add_request_options(parser)
    add_engine_options(parser)
    add_display_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Generate as the options say; returns the exit code."""
    return run_request(build_request(args), args=args)
