"""``magi``: the command line of the engine."""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from magi_engine import __version__
from magi_engine.cli import (
    audition,
    bench,
    demo,
    doctor,
    farm,
    generate,
    models,
    recover,
    redo,
    replay,
    serve,
    settings,
    takes,
)
from magi_engine.cli.exit_codes import BAD_INPUT, CANCELLED, FAILURE, exit_code_for
from magi_engine.cli.log_file import logging_to
from magi_engine.cli.naming import as_typed
from magi_engine.errors import MagiError, OutputError
from magi_engine.messages import shortened
from magi_engine.runtime.process.environment import (
    let_memory_be_whole,
    let_threads_sleep,
    open_missing_streams,
)
from magi_engine.runtime.process.errors import UnexpectedError, named_error

logger = logging.getLogger(__name__)

_COMMANDS = (
    *(generate, audition, redo, demo, takes, recover),
    *(settings, models, doctor, bench, serve, farm, replay),
)
_EXAMPLES = """\
examples:
  magi demo
  magi generate --prompt "a large blue circle moves up on a white background" -o circle.mp4
  magi audition --prompt "a red ball bounces off the walls" --count 9 -o balls
  magi generate --image boat.jpg --prompt "the boat drifts slowly to the left" -o boat.mp4
  magi generate --video circle.mp4 --prompt "the blue circle moves right" --prepend-source
"""


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"Error: {shortened(message)}. See {self.prog} --help.\n")


class _CommandParser(_OneLineParser):
    """Refuses what it does not know itself, to name its own help and not that of all commands."""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[override]
        """Raises: SystemExit: an argument is not known."""
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; importing and building it loads nothing heavy."""
    parser = _OneLineParser(
        prog="magi",
        description="Makes videos with MAGI-1, chunk by chunk, from a prompt, an image or a video.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"magi {__version__}")
    parser.add_argument(
        "--log-file",
        type=Path,
        metavar="FILE",
        help="where to log technical details; default: only errors, in the user's log folder",
    )
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_CommandParser
    )
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0: done; 1: it failed; 2: bad input; 130: cancelled.
    """
    open_missing_streams()
    _print_utf8()
    let_threads_sleep()
    let_memory_be_whole()
    try:
        args = build_parser().parse_args(argv)
        _require_folder()
        with logging_to(args.log_file) as log_file:
            return _run(args, log_file)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILURE
    except MagiError as error:
        print(as_typed(f"Error: {error}"), file=sys.stderr)
        return exit_code_for(error)


def _print_utf8() -> None:
    """Prompts and names are in any language; on Windows a file or a pipe gets a code page's few
    letters otherwise. Names of files need not be UTF-8: other bytes become JSON's escapes."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _require_folder() -> None:
    """Raises: OutputError: the current folder was removed, so that no path means anything."""
    try:
        os.getcwd()
    except OSError as error:
        raise OutputError("The current folder is gone.", "Go to another one first.") from error


def _run(args: argparse.Namespace, log_file: Path) -> int:
    try:
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code = args.run(args)
        sys.stdout.flush()  # whoever reads it may have gone
        return code
    except KeyboardInterrupt:
        print("Aborted.", file=sys.stderr)
        return CANCELLED
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it exits.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return FAILURE
    except Exception as error:
        named = named_error(error)
        if isinstance(named, UnexpectedError):
            if named is not error:  # else the engine has logged it
                logger.error("%s failed", args.run.__module__, exc_info=error)
            named = UnexpectedError(
                named.message, "Please report it with {log_file}.", log_file=log_file
            )
        print(as_typed(f"Error: {named}"), file=sys.stderr)
        return exit_code_for(named)
