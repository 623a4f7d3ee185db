"""``magi redo``, ``extend`` and ``resume``: new videos that begin with an earlier one's chunks."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from magi_engine.cli.engines import add_engine_options, takes_of
from magi_engine.cli.request_options import (
    add_cards_option,
    add_machine_options,
    default_name,
    named_output,
    number,
    whole,
)
from magi_engine.cli.running import add_display_options, run_request
from magi_engine.errors import InvalidRequestError
from magi_engine.media.targets import check_target, free_name
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.sampling.schedule import Transition
from magi_engine.takes.store import Takes, is_take_name

_KEPT = """\
Each video's chunks are kept for a while as the model made them (see 'magi takes'): what it shares
with the new one is neither made nor encoded again.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands and their options."""

    def command(
        name: str, make: Callable[[argparse.Namespace, Earlier], GenerationRequest], text: str
    ) -> argparse.ArgumentParser:
        parser = commands.add_parser(
            name, help=text, description=f"{text[0].upper()}{text[1:]}. {_KEPT}"
        )
        parser.add_argument("video", metavar="VIDEO", help="a generated video, or a take's name")
        parser.add_argument("-o", "--output", metavar="FILE", help="default: a new name beside it")
        parser.add_argument("--overwrite", action="store_true", help="replace an existing file")
        add_machine_options(parser)
        add_cards_option(parser)
        add_engine_options(parser)
        add_display_options(parser)
        parser.set_defaults(run=lambda args: _run(args, make))
        return parser

    redo = command("redo", _redone, "make a video anew from a chunk on")
    redo.add_argument(
        "--from-chunk",
        type=whole,
        required=True,
        metavar="K",
        help="the first one that is made anew, counted from 1",
    )
    redo.add_argument("--prompt", metavar="TEXT", help="from there on; default: as it was")
    redo.add_argument(
        "--transition",
        choices=[transition.value for transition in Transition],
        help="what the chunk takes over from those before it; default: as it was",
    )
    redo.add_argument("--seed", type=whole, metavar="N", help="default: as it was")
    redo.add_argument("--seconds", type=number, metavar="S", help="how much is made from there on")
    extend = command("extend", _extended, "go on from the end of a video")
    extend.add_argument("--seconds", type=number, required=True, metavar="S", help="how much more")
    extend.add_argument("--prompt", metavar="TEXT", help="of what is added; default: the last one")
    command(
        "resume",
        _resumed,
        "make the rest of a video that was not made to its end",
    )


def _redone(args: argparse.Namespace, earlier: Earlier) -> GenerationRequest:
    if args.from_chunk < 1:
        raise InvalidRequestError(
            "There is no chunk {chunk}.", "Chunks are counted from 1.", chunk=args.from_chunk
        )
    return earlier.redone(
        args.from_chunk - 1,
        text=args.prompt,
        transition=None if args.transition is None else Transition(args.transition),
        seed=args.seed,
        seconds=args.seconds,
    )


def _extended(args: argparse.Namespace, earlier: Earlier) -> GenerationRequest:
    return earlier.extended(args.seconds, args.prompt)


def _resumed(_args: argparse.Namespace, earlier: Earlier) -> GenerationRequest:
    if earlier.finished:
        raise InvalidRequestError(
            "That video was made to its end.", "Go on behind it with: magi extend"
        )
    return earlier.resumed()


def _run(
    args: argparse.Namespace, make: Callable[[argparse.Namespace, Earlier], GenerationRequest]
) -> int:
    with takes_of(args) as takes:
        request = make(args, earlier_of(args.video, takes))
    beside = Path(args.video).parent
    output = named_output(args) or free_name(beside / default_name(request))
    chosen = {name: getattr(args, name) for name in ("device", "dtype", "attention", "cards")}
    request = dataclasses.replace(
        request,
        output=os.path.abspath(output),
        writing=dataclasses.replace(request.writing, overwrite=args.overwrite),
        **{name: value for name, value in chosen.items() if value is not None},
    )
    check_target(Path(output), args.overwrite)
    return run_request(request, args=args)


def earlier_of(name: str, takes: Takes) -> Earlier:
    """By the name of a video or of a take.

    Raises:
        MagiError: as of :class:`Earlier`.
    """
    path = Path(name)
    if path.exists() or not is_take_name(name):
        return Earlier.of_video(path, takes)
    return Earlier.of_take(takes.find(name))
