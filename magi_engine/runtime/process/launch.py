"""Starting the engine's process, from a checkout, an installation or a frozen program."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import MutableMapping
from dataclasses import asdict, dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, cast

from magi_engine.json_text import parse_json
from magi_engine.runtime.process.environment import open_missing_streams, see_one_card

_FLAG = "--magi-engine-process"
# Runs nothing of the program that starts it, unlike multiprocessing, which imports its main module.
_CODE = "import sys; from magi_engine.runtime.process.launch import serve; serve(sys.argv[1])"


@dataclass(frozen=True)
class ChildSettings:
    """What the process is told on its command line.

    Attributes:
        handle: of its end of the pipe.
        module: whose ``main`` it runs with these settings.
        card: the only graphics card it sees, of those that are seen here; None: all of them.
    """

    handle: int
    module: str
    models_dir: Path | None
    cache_dir: Path | None
    log_level: str
    card: int | None = None


def launch(
    module: str,
    models_dir: Path | None,
    cache_dir: Path | None,
    log_level: str,
    errors: IO[bytes] | None,
    card: int | None = None,
) -> tuple[subprocess.Popen[bytes], Connection]:
    """Start the process; returns it and this side's end of the pipe to it.

    Args:
        module: what it is to do.
        errors: where its log and its last words go; None: to where ours go.
        card: see :class:`ChildSettings`.

    Raises:
        OSError: the system does not start it.
    """
    ours, theirs = multiprocessing.Pipe()
    try:
        settings = ChildSettings(theirs.fileno(), module, models_dir, cache_dir, log_level, card)
        text = json.dumps(asdict(settings), default=str)
        process = _popen(_command(text), theirs.fileno(), errors)
    except BaseException:
        ours.close()
        raise
    finally:
        # With a copy left here, the pipe would not tell when the process is gone.
        theirs.close()
    return process, ours


def begin_process(arguments: list[str]) -> None:
    """To be called first of all by every program, for what differs where it is frozen.

    There the executable is also that of the engine's process, and of multiprocessing's helpers:
    in those this does not return.

    Args:
        arguments: ``sys.argv``.
    """
    open_missing_streams()
    if getattr(sys, "frozen", False):
        _let_others_find_their_libraries(os.environ)
    multiprocessing.freeze_support()
    if len(arguments) == 3 and arguments[1] == _FLAG:
        serve(arguments[2])
        sys.exit()


def serve(settings: str) -> None:
    """Be the engine's process until the other side says so or is gone."""
    said = parse_json(settings)
    for name in ("models_dir", "cache_dir"):
        said[name] = said[name] and Path(said[name])
    parsed = ChildSettings(**said)
    if parsed.card is not None:
        see_one_card(parsed.card)
    importlib.import_module(parsed.module).main(parsed)


def open_pipe(handle: int) -> Connection:
    """The process's end of the pipe."""
    if sys.platform == "win32":
        return cast("Connection", connection.PipeConnection(handle))
    # Nothing started from here may keep the pipe open.
    os.set_inheritable(handle, False)
    return Connection(handle)


def _let_others_find_their_libraries(environment: MutableMapping[str, str]) -> None:
    """Take our libraries out of the way of the system's programs, such as the file manager.

    A frozen program has been started with its own folder to look in first; it is past that now.
    """
    before = environment.pop("LD_LIBRARY_PATH_ORIG", None)
    environment.pop("LD_LIBRARY_PATH", None)
    if before is not None:
        environment["LD_LIBRARY_PATH"] = before


def _command(settings: str) -> list[str]:
    if getattr(sys, "frozen", False):
        return [sys.executable, _FLAG, settings]
    # The modules are found where they are found here, and nothing in the current folder is. What
    # is printed into the log is UTF-8, as the rest of it, also on Windows.
    code = f"import sys; sys.path[:] = {sys.path!r}; {_CODE}"
    return [sys.executable, "-X", "utf8", "-P", "-c", code, settings]


def _popen(command: list[str], handle: int, errors: IO[bytes] | None) -> subprocess.Popen[bytes]:
    if sys.platform == "win32":
        os.set_handle_inheritable(handle, True)
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            startupinfo=subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]}),
            creationflags=subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS,
        )
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=(handle,),
    )
