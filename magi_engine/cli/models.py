"""``magi models``: which models are here, downloading and checking them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from magi_engine.cli.exit_codes import CANCELLED, DONE
from magi_engine.config.registry import Registry
from magi_engine.errors import InvalidRequestError, WeightsError
from magi_engine.install.download import Fetched, damaged_files, download, remote_files
from magi_engine.weights.layout import default_models_dir, missing_parts


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    parser = commands.add_parser("models", help="list, download and check models")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="which models are here")
    getting = actions.add_parser("download", help="get a model; goes on where it stopped")
    checking = actions.add_parser("verify", help="hash the downloaded files of a model again")
    getting.add_argument("--yes", action="store_true", help="accept the licence of the model")
    for action, run in ((listing, _list), (getting, _download), (checking, _verify)):
        if action is not listing:
            action.add_argument("model", metavar="NAME")
        action.add_argument("--models-dir", type=Path, metavar="DIR", default=default_models_dir())
        action.set_defaults(run=run)


def _list(args: argparse.Namespace) -> int:
    for entry in Registry.load().entries:
        missing = missing_parts(entry, args.models_dir)
        print(f"{entry.name:18} {'missing: ' + ', '.join(missing) if missing else 'here'}")
    return DONE


def _download(args: argparse.Namespace) -> int:
    entry = Registry.load().find(args.model)
    files = remote_files(entry)
    assert entry.release is not None  # else there are no remote files
    _accept(entry.release.license, args.yes)
    source = f"{entry.release.repository}@{entry.release.revision}"
    try:
        with closing(download(files, args.models_dir, source)) as events:
            _show(events)
    except KeyboardInterrupt:
        again = f"magi models download {args.model}"
        print(f"\nStopped. To go on where it stopped: {again}", file=sys.stderr)
        return CANCELLED
    print(f"{entry.title} is here.", file=sys.stderr)
    return DONE


def _accept(license: str, accepted: bool) -> None:
    if accepted:
        return
    answer = ""
    if sys.stdin.isatty():
        answer = input(f"The model is under the licence {license}. Accept it? [y/N] ")
    if answer.strip().lower() not in ("y", "yes"):
        raise InvalidRequestError(
            f"The licence of the model ({license}) has not been accepted.", "Accept it with --yes."
        )


def _show(events: Iterator[Fetched]) -> None:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        for event in events:
            bar.update(task, completed=event.done_bytes, total=event.total_bytes)


def _verify(args: argparse.Namespace) -> int:
    entry = Registry.load().find(args.model)
    files = entry.files
    below = (files.transformer, files.autoencoder, files.text_encoder, files.special_tokens)
    checked = dict(damaged_files(args.models_dir, below))
    damaged = [path for path, is_damaged in checked.items() if is_damaged]
    if damaged or not checked:
        raise WeightsError(
            f"Damaged: {', '.join(damaged)}." if damaged else f"{entry.title} is not here.",
            f"Get it with: magi models download {entry.name}",
        )
    print(f"{len(checked)} files are as they were published.")
    return DONE
