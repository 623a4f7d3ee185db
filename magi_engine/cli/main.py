"""``magi``: the command line of the engine."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import NoReturn

from magi_engine import __version__
from magi_engine.cli import demo, doctor, generate, replay, settings
from magi_engine.cli.exit_codes import BAD_INPUT, CANCELLED, FAILURE, exit_code_for
from magi_engine.errors import MagiError

logger = logging.getLogger(__name__)

_COMMANDS = (generate, demo, doctor, replay, settings)
_EXAMPLES = """\
examples:
  magi demo
  magi generate --prompt "a red ball bounces off the walls" --seconds 4 -o ball.mp4
  magi generate --image photo.jpg --prompt "it starts to spin"
  magi generate --video clip.mp4 --prompt "it goes on to the right" --prepend-source
"""


class _OneLineParser(argparse.ArgumentParser):
    """Says what is wrong in one line instead of printing the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"Error: {message}. See {self.prog} --help.\n")


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; importing and building it loads nothing heavy."""
    parser = _OneLineParser(
        prog="magi",
        description="Makes videos with MAGI-1, chunk by chunk, from a prompt, an image or a video.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"magi {__version__}")
    parser.add_argument("--log-file", metavar="FILE", help="write a log with technical details")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_OneLineParser
    )
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0: done; 1: it failed; 2: bad input; 130: cancelled.
    """
    try:
        args = build_parser().parse_args(argv)
        _set_up_logging(args.log_file)
        return args.run(args)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILURE
    except MagiError as error:
        print(f"Error: {error}", file=sys.stderr)
        return exit_code_for(error)
    except KeyboardInterrupt:
        print("Aborted.", file=sys.stderr)
        return CANCELLED
    except BrokenPipeError:
        return FAILURE


def _set_up_logging(path: str | None) -> None:
    """Send the log to ``path``; without one the log stays silent, its errors are on stderr."""
    log = logging.getLogger("magi_engine")
    if path is None:
        if not log.handlers:
            log.addHandler(logging.NullHandler())
        return
    try:
        handler = logging.FileHandler(path, encoding="utf-8")
    except OSError as error:
        raise _log_error(path, error) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)


def _log_error(path: str, error: OSError) -> MagiError:
    return MagiError(f"The log {path} cannot be written ({error.strerror}).", "Choose another.")
