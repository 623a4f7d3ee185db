"""Which engine a command works with: that of this machine, or of another one."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from magi_engine.config.places import default_remote_dir, default_serve_dir, default_takes_dir
from magi_engine.errors import InvalidRequestError
from magi_engine.takes.store import Takes, TakeStore

if TYPE_CHECKING:
    from magi_engine.remote.engine import RemoteEngine
    from magi_engine.runtime.engine import Engine

_FIRST_TRIES = 6
"""In some ten seconds, if nobody is there."""


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Where another machine's engine is."""
    group = parser.add_argument_group("engine on another machine")
    group.add_argument(
        "--engine", metavar="URL", help="have it made there, where 'magi serve' runs"
    )
    group.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help="holds the key; default: that of a server on this machine",
    )


@contextlib.contextmanager
def engine_of(args: argparse.Namespace) -> Iterator[Engine | RemoteEngine]:
    """The engine that the options name. This is where PyTorch comes in, if it is this machine's.

    Raises:
        InvalidRequestError: the address or the key is none.
    """
    if _is_here(args):
        from magi_engine.runtime.engine import Engine

        yield Engine(args.models_dir)
        return
    engine = _remote_engine(args)
    try:
        yield engine
    finally:
        engine.close()


@contextlib.contextmanager
def takes_of(args: argparse.Namespace) -> Iterator[Takes]:
    """The takes that go with it; as :func:`engine_of`, without PyTorch."""
    if _is_here(args):
        yield TakeStore(default_takes_dir())
        return
    engine = _remote_engine(args)
    try:
        yield engine.takes
    finally:
        engine.close()


def _is_here(args: argparse.Namespace) -> bool:
    """Raises: InvalidRequestError: an option is for an engine elsewhere."""
    if args.engine is None and args.token_file is not None:
        raise InvalidRequestError("A key is for an engine elsewhere.", "Give its --engine, too.")
    if args.engine is not None and args.models_dir is not None:
        raise InvalidRequestError(
            "The models of another machine's engine are there.", "Leave --models-dir out."
        )
    return args.engine is None


def _remote_engine(args: argparse.Namespace) -> RemoteEngine:
    from magi_engine.remote.connection import Connection
    from magi_engine.remote.engine import RemoteEngine

    token_file = args.token_file or default_serve_dir() / "token"
    connection = Connection.with_file(args.engine, token_file)
    return RemoteEngine(connection, default_remote_dir(), _FIRST_TRIES)
