"""``magi settings-of``: the request behind a generated video."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from magi_engine.cli.exit_codes import DONE
from magi_engine.json_text import parse_json
from magi_engine.runtime.planning.plan import timing_of
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.runtime.request.storyboard import SUFFIXES, shots_of, written_storyboard


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "settings-of",
        help="print the settings a video was generated with",
        description="Prints the settings that are stored in a generated video, as JSON. "
        "'magi generate --like FILE' uses them again.",
    )
    parser.add_argument("file", type=Path, help="a generated video")
    parser.add_argument(
        "--storyboard",
        choices=[suffix[1:] for suffix in SUFFIXES],
        help="only its prompts with their times, for 'magi generate --storyboard'",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the settings; returns the exit code."""
    request = read_request(args.file)
    if args.storyboard is None:
        print(json.dumps(parse_json(request.to_json()), indent=2, ensure_ascii=False))
    else:
        print(_storyboard(request, f".{args.storyboard}"), end="")
    return DONE


def _storyboard(request: GenerationRequest, suffix: str) -> str:
    length, fps = timing_of(request)
    return written_storyboard(shots_of(request.prompts, length, fps), suffix)
