"""``magi demo``: ``magi generate`` with something to begin with."""

from __future__ import annotations

import argparse

from magi_engine.cli import generate

PROMPT = "A yellow star bounces off the walls on a navy background"
SECONDS = 4.0
SEED = 1


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "demo",
        help="make the built-in demo video",
        description="Makes a video of four seconds with the model that ships with the program. "
        "Takes the options of 'magi generate'.",
    )
    generate.add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Generate it, with whatever else was chosen; returns the exit code."""
    if args.like is None:
        prompt = PROMPT if args.storyboard is None else None
        for name, usual in (("prompt", prompt), ("seconds", SECONDS), ("seed", SEED)):
            if getattr(args, name) is None:
                setattr(args, name, usual)
    return generate.run(args)
