"""``magi takes``: the latents of earlier videos that are kept, and the limit to them."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from pathlib import Path

from magi_engine.cli.exit_codes import DONE
from magi_engine.cli.redo import earlier_of
from magi_engine.cli.request_options import number
from magi_engine.config.places import default_takes_dir
from magi_engine.errors import InvalidRequestError, MagiError
from magi_engine.messages import Message, counted
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest
from magi_engine.takes.store import MOST_LIMIT_GB, Take, TakeStore, is_take_name

_DESCRIPTION = """\
While a video is made, its chunks are kept with the program's data as the model made them, so that
it can be redone from any chunk, extended without loss, or resumed. Above the limit the oldest go;
videos always stay.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser(
        "takes",
        help="list, show, pin, remove what is kept of videos to redo them",
        description=_DESCRIPTION,
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, run: Callable[[argparse.Namespace], int], text: str) -> None:
        new = actions.add_parser(name, help=text, description=text)
        if run not in (_list, _limit):
            new.add_argument(
                "take", metavar="TAKE", help="its name, as 'magi takes list' shows it, or its video"
            )
        elif run is _limit:
            new.add_argument("gigabytes", type=number, metavar="GB", help="0: none are kept")
        new.set_defaults(run=run)

    action("list", _list, "what is kept, the newest first")
    action("show", _show, "all that is known of one")
    action("pin", _pin, "keep one, whatever the limit")
    action("unpin", _unpin, "let one go when the limit is reached")
    action("remove", _remove, "delete one; the video stays")
    action("limit", _limit, "how much all of them may take up")


def _store() -> TakeStore:
    return TakeStore(default_takes_dir())


def _list(args: argparse.Namespace) -> int:
    del args
    store = _store()
    for take in store.all():
        try:
            request = GenerationRequest.from_json(take.about.request)
            # All of them: what was redone begins as what it was made from.
            prompts = " | ".join(change.text for change in request.prompts)
        except MagiError as error:
            prompts = error.message
        notes = ["pinned"] * take.pinned + [_unfinished(take, store)] * (not take.finished)
        size = Message("{size:bytes}", size=take.size_bytes)
        parts = f"{_length(take)}, {size}", *notes
        print(f"{take.name}  {', '.join(parts)}  {prompts}")
    for other in store.unreadable():
        size = Message("{size:bytes}", size=other.size_bytes)
        print(f"{other.name}  {size}  {other.error.message}")
    used = Message(
        "{used:bytes} of {limit:bytes} are used.", used=store.size_bytes, limit=store.limit_bytes
    )
    print(used)
    return DONE


def _show(args: argparse.Namespace) -> int:
    earlier = earlier_of(args.take, _store())
    take, request = earlier.take, earlier.request
    rows = [
        ("length", f"{_length(take)}, {counted(take.chunks, 'chunk|chunks')}"),
        ("size", Message("{size:bytes}", size=take.size_bytes)),
        ("pinned", "yes" if take.pinned else "no"),
        ("model", request.model),
        ("picture", f"{request.width}x{request.height}"),
        ("seed", request.seed),
        ("video", request.output or "none"),
        ("folder", take.folder),
        *((f"chunk {change.chunk + 1}", change.text) for change in request.prompts),
    ]
    for title, value in rows:
        print(f"{title:10} {value}")
    return DONE


def _pin(args: argparse.Namespace) -> int:
    return _pinned(args, True)


def _unpin(args: argparse.Namespace) -> int:
    return _pinned(args, False)


def _pinned(args: argparse.Namespace, pinned: bool) -> int:
    store = _store()
    store.pin(_name(args, store), pinned)
    return DONE


def _remove(args: argparse.Namespace) -> int:
    store = _store()
    name = _name(args, store)
    store.remove(name)
    print(f"Removed {name}.")
    return DONE


def _name(args: argparse.Namespace, store: TakeStore) -> str:
    return args.take if is_take_name(args.take) else earlier_of(args.take, store).take.name


def _limit(args: argparse.Namespace) -> int:
    if not 0 <= args.gigabytes <= MOST_LIMIT_GB:
        raise InvalidRequestError(
            "The limit cannot be {limit:g} GB.",
            "Choose from 0 to {most}.",
            limit=args.gigabytes,
            most=MOST_LIMIT_GB,
        )
    store = _store()
    store.limit_bytes = int(args.gigabytes * 1e9)
    for name in store.tidy():
        print(f"Removed {name}.")
    return DONE


def _unfinished(take: Take, store: TakeStore) -> str:
    """What to say of a take without an end: whether its video has one."""
    with contextlib.suppress(MagiError):
        output = GenerationRequest.from_json(take.about.request).output
        earlier = Earlier.of_video(Path(output or ""), store)
        if earlier.take.name == take.name and earlier.finished:
            return "partly kept"
    return "unfinished"


def _length(take: Take) -> str:
    return f"{take.frames / take.about.fps:.3g} s"
