"""``magi models``: which models are here; getting, checking, making, adding and removing them."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from magi_engine.cli.exit_codes import CANCELLED, DONE
from magi_engine.config.registry import Registry
from magi_engine.errors import InvalidRequestError, OutputError, WeightsError
from magi_engine.install.performing import Performer
from magi_engine.install.status import (
    ModelState,
    accept_licence,
    is_accepted,
    licence_of,
    model_statuses,
    remove_model,
    size_on_disk,
)
from magi_engine.install.tasks import Download, Import, Make, Task, TaskEvent, TaskProgress, Verify
from magi_engine.runtime.control import ControlBox
from magi_engine.weights.layout import default_models_dir


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("models", help="list, download, check, make and remove models")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, run, text in (
        ("list", _list, "which models are here"),
        ("download", _download, "get a model; goes on where it stopped"),
        ("verify", _verify, "hash the files of a model again"),
        ("quantize", _quantize, "make a model that is made on this machine; goes on, too"),
        ("import", _import, "use an official folder, or the files of an official configuration"),
        ("remove", _remove, "delete a model; what other models need stays"),
    ):
        action = actions.add_parser(name, help=text)
        if name == "import":
            action.add_argument("path", metavar="PATH", type=Path)
        elif name != "list":
            action.add_argument("model", metavar="NAME")
        if name == "download":
            action.add_argument("--yes", action="store_true", help="accept the model's licence")
        if name == "remove":
            action.add_argument("--yes", action="store_true", help="do not ask")
        action.add_argument("--models-dir", type=Path, metavar="DIR", default=default_models_dir())
        action.set_defaults(run=run)


def _list(args: argparse.Namespace) -> int:
    for status in model_statuses(args.models_dir):
        parts = [status.state.value]
        if status.here_bytes:
            parts.append(f"{status.here_bytes / 1e9:.1f} GB here")
        if status.missing_bytes:
            parts.append(f"{status.missing_bytes / 1e9:.1f} GB to download")
        print(f"{status.entry.name:18} {', '.join(parts)}")
    return DONE


def _download(args: argparse.Namespace) -> int:
    release = Registry.load().find(args.model).release
    if release is not None and not is_accepted(args.model, args.models_dir):
        licence = licence_of(release)
        question = f"The model is under the licence {licence.title} ({licence.url}). Accept it?"
        if not (args.yes or _agreed(question)):
            raise InvalidRequestError(
                f"The licence of the model ({licence.title}) has not been accepted.",
                "Accept it with --yes.",
            )
        accept_licence(args.model, args.models_dir)
    return _perform(Download(args.model), args.models_dir, f"magi models download {args.model}")


def _verify(args: argparse.Namespace) -> int:
    result = _perform(Verify(args.model), args.models_dir, f"magi models verify {args.model}")
    status = next(s for s in model_statuses(args.models_dir) if s.entry.name == args.model)
    if status.state is ModelState.DAMAGED:
        raise WeightsError(
            f"{status.entry.title} is damaged.", f"Mend it with: magi models download {args.model}"
        )
    return result


def _quantize(args: argparse.Namespace) -> int:
    return _perform(Make(args.model), args.models_dir, f"magi models quantize {args.model}")


def _import(args: argparse.Namespace) -> int:
    return _perform(
        Import(args.path.absolute()), args.models_dir, f"magi models import {args.path}"
    )


def _remove(args: argparse.Namespace) -> int:
    paths = remove_model(args.model, args.models_dir)
    if not paths:
        raise InvalidRequestError(
            f"Nothing of {args.model} can be removed.", "See what is here with: magi models list"
        )
    size = sum(map(size_on_disk, paths))
    for path in paths:
        print(path, file=sys.stderr)
    if not (args.yes or _agreed(f"Delete these for good ({size / 1e9:.1f} GB)?")):
        raise InvalidRequestError("Nothing was deleted.", "Agree with --yes.")
    for path in paths:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            raise OutputError(f"{path} cannot be deleted.", "Check its permissions.") from error
    print(f"{size / 1e9:.1f} GB are free again.", file=sys.stderr)
    return DONE


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _perform(task: Task, models_dir: Path, again: str) -> int:
    """Do a task in this process; Ctrl-C stops it, and the same command goes on."""
    try:
        with _bar() as show:
            sentence = Performer(models_dir.absolute(), show, ControlBox()).perform(task)
    except KeyboardInterrupt:
        print(f"\nStopped. To go on where it stopped: {again}", file=sys.stderr)
        return CANCELLED
    print(sentence, file=sys.stderr)
    return DONE


@contextlib.contextmanager
def _bar() -> Iterator[Callable[[TaskEvent], None]]:
    """A bar on a terminal, nothing elsewhere; gives what to call with each event."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        line = bar.add_task("", total=None, amount="")

        def show(event: TaskEvent) -> None:
            if not isinstance(event, TaskProgress):
                return
            amount = ""
            if event.phase.in_bytes:
                amount = f"{event.done_bytes / 1e9:.2f} of {event.total_bytes / 1e9:.2f} GB"
                if event.bytes_per_s is not None:
                    amount += f", {event.bytes_per_s / 1e6:.1f} MB/s"
            bar.update(
                line,
                description=event.phase.value,
                completed=event.done_bytes,
                total=event.total_bytes or None,
                amount=amount,
            )

        yield show
