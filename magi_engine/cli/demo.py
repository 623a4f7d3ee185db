"""``magi demo``: a short video with the model that ships with the program."""

from __future__ import annotations

import argparse
import dataclasses
import secrets
from pathlib import Path

from magi_engine.cli.engines import add_engine_options
from magi_engine.cli.request_options import add_machine_options
from magi_engine.cli.running import add_display_options, run_request
from magi_engine.config.registry import model_config
from magi_engine.media.targets import free_name
from magi_engine.runtime.request.length import frames_for
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange

PROMPT = "A yellow star bounces off the walls on a navy background"
SECONDS = 4.0
SEED = 1


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser(
        "demo",
        help="make the built-in demo video",
        description="Makes a video of four seconds with the model that ships with the program.",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: magi-demo.mp4 in this folder"
    )
    parser.add_argument("--prompt", default=PROMPT, metavar="TEXT", help=f"default: {PROMPT!r}")
    parser.add_argument("--new-seed", action="store_true", help="another video than the last time")
    add_machine_options(parser)
    add_engine_options(parser)
    add_display_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Generate the demo; returns the exit code."""
    name, config = model_config(None, None)
    runtime = config.runtime_config
    request = GenerationRequest(
        mode=Mode.T2V,
        model=name,
        width=runtime.video_size_w,
        height=runtime.video_size_h,
        num_frames=frames_for(SECONDS, runtime.fps),
        prompts=(PromptChange(0, args.prompt),),
        seed=secrets.randbelow(2**31) if args.new_seed else SEED,
        output=str(args.output or free_name(Path("magi-demo.mp4"))),
    )
    for name in ("device", "dtype"):
        if getattr(args, name) is not None:
            request = dataclasses.replace(request, **{name: getattr(args, name)})
    return run_request(request, args=args)
