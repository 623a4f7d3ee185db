"""Using files where they lie: links into the folder of models, and taking them apart again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from magi_engine.disk import write_error, writing
from magi_engine.errors import DiskFullError, OutputError


def is_link(path: Path) -> bool:
    """Whether a path leads elsewhere: a symbolic link, or a junction on Windows."""
    return path.is_symlink() or getattr(os.path, "isjunction", lambda _: False)(path)


def link(source: Path, target: Path) -> None:
    """Make ``target`` lead to ``source``; what is there already stays, unless it leads nowhere.

    Raises:
        DiskFullError, OutputError: no link can be made.
    """
    if target.exists():
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        if sys.platform == "win32" and source.is_dir():
            import _winapi

            _winapi.CreateJunction(str(source), str(target))  # needs no rights, unlike a link
        elif sys.platform == "win32":
            os.link(source, target)
        else:
            target.symlink_to(source)
    except OSError as error:
        failed = write_error(error, target)
        if isinstance(failed, DiskFullError):
            raise failed from error
        raise OutputError(
            "Nothing can be linked into {folder}.",
            "Choose another folder of models.",
            folder=target.parent,
        ) from error


def share(source: Path, target: Path) -> bool:
    """Let ``target`` be the same file as ``source``; False: that cannot be done here."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        os.link(source, target)
    except OSError:
        return False
    return True


def own_folder(folder: Path) -> None:
    """Before something in ``folder`` is replaced: if it leads to a folder of somebody else's,
    make it one of links to the files in there, so that theirs stays as it is.

    Raises:
        DiskFullError, OutputError: it cannot be made.
    """
    if not folder.is_dir() or folder.parent.resolve() / folder.name == folder.resolve():
        return
    unfinished = folder.with_name(f".{folder.name}.own")
    for file in folder.resolve().iterdir():
        if file.is_file():
            link(file, unfinished / file.name)
    with writing(folder):
        unfinished.mkdir(exist_ok=True)
        if folder.is_symlink():
            folder.unlink()
        else:  # a junction
            folder.rmdir()
        unfinished.rename(folder)
