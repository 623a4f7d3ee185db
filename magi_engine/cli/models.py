"""``magi models``: which models are here; getting, checking, making, adding and removing them."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from magi_engine.cli.bar import progress_bar
from magi_engine.cli.exit_codes import CANCELLED, DONE, FAILURE
from magi_engine.cli.naming import as_typed
from magi_engine.config.added import AddedModels
from magi_engine.config.registry import Registry
from magi_engine.errors import (
    InvalidRequestError,
    OutputError,
    WeightsError,
    in_use_error,
    is_in_use,
)
from magi_engine.install.adding import forget_model
from magi_engine.install.links import is_link
from magi_engine.install.performing import Performer
from magi_engine.install.status import (
    ModelState,
    ModelStatus,
    accept_licence,
    is_accepted,
    licence_of,
    model_statuses,
    remove_model,
    size_on_disk,
)
from magi_engine.install.tasks import (
    Add,
    Download,
    Import,
    Make,
    SetMirror,
    Task,
    TaskDone,
    TaskEvent,
    TaskProgress,
    Verify,
    Work,
)
from magi_engine.messages import Message, size_words
from magi_engine.runtime.process.control import ControlBox
from magi_engine.weights.layout import default_models_dir, entry_paths, models_command

_Parser = argparse.ArgumentParser


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("models", help="list, download, check, make, add, remove models")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, run: Callable[[argparse.Namespace], int], text: str) -> _Parser:
        new = actions.add_parser(name, help=text, description=text)
        new.add_argument("--models-dir", type=Path, metavar="DIR", default=default_models_dir())
        new.set_defaults(run=run)
        return new

    action("list", _list, "which models are here")
    for name, run, text in (
        ("show", _show, "all that is known of a model"),
        ("download", _download, "get a model; goes on where it stopped"),
        ("verify", _verify, "hash the files of a model, and compare them with what was published"),
        ("quantize", _quantize, "make a model that is made on this machine; goes on, too"),
        ("remove", _remove, "delete a model; what other models need stays"),
    ):
        named = action(name, run, text)
        named.add_argument("model", metavar="NAME")
        if name in ("download", "remove"):
            what = "accept the model's licence" if name == "download" else "do not ask"
            named.add_argument("--yes", action="store_true", help=what)
    taken_over = action(
        "import", _import, "use an official folder, or the files of an official configuration"
    )
    taken_over.add_argument("path", metavar="PATH", type=Path)
    own = action("add", _add, "add a model of your own; nothing is copied or downloaded")
    own.add_argument(
        "source", metavar="SOURCE", help="a folder, OWNER/REPOSITORY[@REVISION], or its address"
    )
    own.add_argument("--name", help="what it is to be called; default: after the source")
    own.add_argument("--like", metavar="MODEL", help="the released model it is a variant of")
    mirror = action("mirror", _mirror, "download from a mirror of the hub from now on")
    mirror.add_argument(
        "address",
        nargs="?",
        metavar="ADDRESS",
        help='such as https://HOST; "none": the hub (without one: print what it is now)',
    )


def _list(args: argparse.Namespace) -> int:
    statuses = model_statuses(args.models_dir)
    width = max(len(status.entry.name) for status in statuses)
    for status in statuses:
        parts = [status.state.value]
        if status.here_bytes:
            parts.append(f"{size_words(status.here_bytes)} here")
        if status.missing_bytes:
            parts.append(f"{size_words(status.missing_bytes)} to download")
        print(f"{status.entry.name:{width}} {', '.join(parts)}")
        if status.detail:
            print(f"{'':{width}} {as_typed(str(status.detail))}")
    problem = Registry.load().problem
    if problem:
        print(f"Note: {problem} Correct or remove it.", file=sys.stderr)
    return DONE


def _show(args: argparse.Namespace) -> int:
    entry = Registry.load().find(args.model)
    status = _status(entry.name, args.models_dir)
    rows = [("title", entry.title), ("for", entry.purpose), ("hardware", entry.hardware)]
    for source in entry.folder_sources:
        release = source.release
        rows.append(("from", f"{release.repository}@{release.revision} {source.remote}"))
    if entry.release is not None:
        licence = licence_of(entry.release)
        rows.append(("licence", f"{licence.title or 'not stated'}, {licence.url}"))
    if entry.made_from is not None:
        rows.append(("made from", entry.made_from))
    paths = entry_paths(entry, args.models_dir)
    for field in dataclasses.fields(paths):
        rows.append((field.name.replace("_", " "), str(getattr(paths, field.name))))
    rows.append(("state", status.state.value))
    for label, size in (("here", status.here_bytes), ("to download", status.missing_bytes)):
        if size:
            rows.append((label, size_words(size)))
    if status.room_bytes:
        rows.append(("room needed", size_words(status.room_bytes)))
    for label, text in rows:
        print(f"{label:15} {text}".rstrip())
    return DONE


def _download(args: argparse.Namespace) -> int:
    release = Registry.load().find(args.model).release
    if release is not None and not is_accepted(args.model, args.models_dir):
        licence = licence_of(release)
        title = licence.title or "not stated by its authors"
        question = f"The licence of the model: {title} ({licence.url}). Accept it?"
        if not (args.yes or _agreed(question)):
            raise InvalidRequestError(
                "The licence of the model ({title}) has not been accepted.",
                "Accept it with --yes.",
                title=title,
            )
        accept_licence(args.model, args.models_dir)
    return _perform(Download(args.model), args.models_dir, "download", args.model)


def _verify(args: argparse.Namespace) -> int:
    return _check(args.model, args.models_dir)


def _status(name: str, models_dir: Path) -> ModelStatus:
    return next(s for s in model_statuses(models_dir) if s.entry.name == name)


def _check(name: str, models_dir: Path) -> int:
    result = _perform(Verify(name), models_dir, "verify", name)
    status = _status(name, models_dir)
    if status.state is ModelState.DAMAGED:
        mend = Message("Put the right files in its folder, then check it again.")
        if status.missing_bytes:
            command = models_command(models_dir, "download", name)
            mend = Message("Mend it with: {command}", command=command)
        raise WeightsError("{title} is damaged.", mend, title=status.entry.title)
    return result


def _quantize(args: argparse.Namespace) -> int:
    return _perform(Make(args.model), args.models_dir, "quantize", args.model)


def _import(args: argparse.Namespace) -> int:
    return _perform(Import(args.path.absolute()), args.models_dir, "import", str(args.path))


def _add(args: argparse.Namespace) -> int:
    done = _task(Add(args.source, args.name, args.like), args.models_dir)
    for name in done.added:
        entry = Registry.load().find(name)
        if entry.folder is not None and (result := _check(name, args.models_dir)) != DONE:
            return result
        status = _status(name, args.models_dir)
        if status.missing_bytes:
            get = models_command(args.models_dir, "download", name)
            print(as_typed(f"Get what is missing of it with: {get}"), file=sys.stderr)
    return DONE


def _mirror(args: argparse.Namespace) -> int:
    if args.address is None:
        added = AddedModels.load()
        if added.problem:
            print(added.problem, file=sys.stderr)
            return FAILURE
        print(added.mirror or "none")
        return DONE
    _task(SetMirror(None if args.address == "none" else args.address), args.models_dir)
    return DONE


def _remove(args: argparse.Namespace) -> int:
    entry = Registry.load().find(args.model)
    paths = remove_model(args.model, args.models_dir)
    if not paths and entry.like is None:
        raise InvalidRequestError(
            "Nothing of {model} can be removed.",
            "See what is here with: magi models list",
            model=args.model,
        )
    size = sum(map(size_on_disk, paths))
    for path in paths:
        print(path, file=sys.stderr)
    question = f"Delete these for good ({size_words(size)})?"
    if not paths:
        question = f"Take {args.model} out of the list?"
    if not (args.yes or _agreed(question)):
        raise InvalidRequestError("Nothing was removed.", "Agree with --yes.")
    for path in paths:
        try:
            if path.is_dir() and not is_link(path):
                shutil.rmtree(path)
            else:
                path.unlink()
        except OSError as error:
            if is_in_use(error, path):
                raise in_use_error(path) from error
            raise OutputError(
                "{path} cannot be deleted.", "Check its permissions.", path=path
            ) from error
    if forget_model(args.model) is not None:
        print(f"{args.model} is no longer in the list.", file=sys.stderr)
    if entry.folder is not None:
        print(f"The files in {entry.folder} stay.", file=sys.stderr)
    if paths:
        print(f"{size_words(size)} are free again.", file=sys.stderr)
    return DONE


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        print()
        return False


def _perform(task: Task, models_dir: Path, *words: str) -> int:
    """Do a task in this process; Ctrl-C stops it, and the same command goes on.

    Args:
        words: of the command.
    """
    try:
        _task(task, models_dir)
    except KeyboardInterrupt:
        again = models_command(models_dir, *words)
        print(as_typed(f"\nStopped. To go on where it stopped: {again}"), file=sys.stderr)
        return CANCELLED
    return DONE


def _task(task: Work, models_dir: Path) -> TaskDone:
    with progress_bar() as show:
        done = Performer(models_dir.absolute(), partial(_draw, show), ControlBox()).perform(task)
    print(done.message, file=sys.stderr)
    return done


def _draw(show: Callable[[str, float, float | None, str], None], event: TaskEvent) -> None:
    if not isinstance(event, TaskProgress):
        return
    amount = ""
    if event.phase.in_bytes:
        amount = f"{size_words(event.done_bytes)} of {size_words(event.total_bytes)}"
        if event.bytes_per_s is not None:
            amount += f", {event.bytes_per_s / 1e6:.1f} MB/s"
    show(event.phase.value, event.done_bytes, event.total_bytes or None, amount)
