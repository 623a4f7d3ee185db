"""``magi settings-of``: the request behind a generated video."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from magi_engine.cli.exit_codes import DONE
from magi_engine.json_text import parse_json
from magi_engine.runtime.request.metadata import read_request


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "settings-of",
        help="print the settings a video was generated with",
        description="Prints the settings that are stored in a generated video, as JSON. "
        "'magi generate --like FILE' uses them again.",
    )
    parser.add_argument("file", type=Path, help="a generated video")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the settings; returns the exit code."""
    print(json.dumps(parse_json(read_request(args.file).to_json()), indent=2, ensure_ascii=False))
    return DONE
