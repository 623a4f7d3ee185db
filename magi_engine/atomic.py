"""Files that are replaced as a whole: whoever reads one sees the old content or the new.

Needs nothing but the standard library: the set-up of the installed program uses it as well.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

_T = TypeVar("_T")

# Elsewhere a file that is in use can be renamed, and what is refused stays refused.
_TRIES = 8 if sys.platform == "win32" else 0
_PAUSE_S = 0.25


def write_text(target: Path, text: str) -> None:
    """Replace a file by a text in UTF-8, and make the folder around it where there is none.

    Raises:
        OSError: it cannot be written; what was there is still there.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as fresh:
        fresh.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A path beside ``target`` to write to, which takes its place at the end of the block.

    If the block raises, ``target`` is left as it was.
    """
    with beside(target) as fresh:
        yield fresh
        put_in_place(fresh, target)


@contextlib.contextmanager
def beside(target: Path) -> Iterator[Path]:
    """A path beside ``target`` to write to; what is still there at the end of the block goes."""
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield fresh
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def put_in_place(source: Path, target: Path) -> None:
    """Rename a file, or a folder, to a name that may be taken by a file; it survives a power cut.

    Raises:
        OSError: it cannot be renamed; both are as they were.
    """
    if source.is_file():
        retry_while_in_use(lambda: _sync_file(source))
    retry_while_in_use(lambda: os.replace(source, target))
    sync_folder(target.parent)


def _sync_file(file: Path) -> None:
    with file.open("r+b") as opened:
        os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Have the names in a folder survive a power cut, where the system can do that."""
    if sys.platform == "win32":  # where a folder cannot be opened
        return
    with contextlib.suppress(OSError):  # some file systems cannot do it
        opened = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


def retry_while_in_use(action: Callable[[], _T]) -> _T:
    """Do something with a file; on Windows, again for two seconds while a program reads the file.

    There a file that another one has open can be neither renamed, replaced nor removed.

    Raises:
        PermissionError: as ``action``, in the end.
    """
    for _ in range(_TRIES):
        try:
            return action()
        except PermissionError:
            time.sleep(_PAUSE_S)
    return action()
