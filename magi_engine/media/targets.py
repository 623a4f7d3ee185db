"""Names of output files: free ones, unfinished ones, and finding the unfinished again."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import secrets
import socket
import sys
import time
import zlib
from pathlib import Path

from magi_engine.errors import (
    InvalidRequestError,
    OutputError,
    is_path_too_long,
    path_too_long,
    too_long,
)
from magi_engine.late import psutil
from magi_engine.messages import Message

VIDEO_SUFFIXES = (".mp4", ".webm", ".gif", ".webp")
_PART = re.compile(
    r"^\.(?P<name>.+)\.part-(?P<pid>\d+|remote)(-(?P<start>\d+))?(-on(?P<machine>[0-9a-f]{8}))?"
    r"(-in(?P<boot>[0-9a-f]{8})(?P<numbering>[0-9a-f]{8})?)?-[0-9a-f]{8}(?P<suffix>\.\w+)?$"
)
_REMOTE_S = 7 * 24 * 3600.0
"""A video of or by another machine that has not grown for so long does not grow any more."""
_LONGEST_NAME = 255
_LONGEST_KEPT = 172
"""Bytes of file names: what file systems allow, and what stays of it in a part's name, beside which
its ordinary form is written (`atomic.beside`)."""


def output_suffix(path: Path) -> str:
    """The format a target asks for: one of `VIDEO_SUFFIXES`, or "" for a folder of PNG frames.

    Raises:
        InvalidRequestError: a suffix no writer knows.
        OutputError: there is no name, or it is longer than file systems allow.
    """
    if not path.name:
        raise OutputError("{path} cannot be replaced.", "Choose a name in it.", path=path)
    if len(os.fsencode(path.name)) > _LONGEST_NAME:
        raise too_long(path.name)
    suffix = path.suffix.lower()
    if path.is_dir() or not suffix:
        return ""
    if suffix not in VIDEO_SUFFIXES:
        raise InvalidRequestError(
            "Videos cannot be written as {suffix}.",
            "Use .mp4, .webm, .gif, .webp, or a folder name for PNG frames.",
            suffix=suffix,
        )
    return suffix


def free_name(path: str | Path) -> Path:
    """The path itself if nothing of that name exists, else the first of `name-2`, `name-3`, ..."""
    path = Path(path)
    candidate, number = path, 1
    while not _is_free(candidate):
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def check_target(target: Path, overwrite: bool) -> None:
    """Refuse a target that cannot be written or that would replace something.

    Raises:
        OutputError: the folder is missing, a file or out of reach, or the name is taken.
    """
    if not target.parent.is_dir():
        if is_path_too_long(target.parent):
            raise path_too_long(target)
        file = next((path for path in target.parents if path.is_file()), None)
        if file is not None:
            raise OutputError("{path} is a file, not a folder.", "Choose a folder.", path=file)
        raise OutputError(
            "There is no folder {folder}.", "Create it or choose another.", folder=target.parent
        )
    if _is_free(target) or (overwrite and target.is_file()):
        return
    free = free_name(target).name
    hint = Message("Choose another name, such as {free}, or overwrite it: --overwrite", free=free)
    if not target.is_file():
        hint = Message("Choose another name, such as {free}, or one in it.", free=free)
    raise OutputError("{name} exists already.", hint, name=target.name)


def part_path(target: Path, suffix: str) -> Path:
    """A fresh hidden name next to the target; it says whose it is, and which process writes it, and
    of which machine and container: others may share the folder."""
    pid = os.getpid()
    start = _start_of(pid)
    writer = f"{pid}-{start}" if start else str(pid)
    writer = f"{writer}-on{_machine()}"
    if (numbering := _numbering()) is not None:
        writer = f"{writer}-in{''.join(numbering)}"
    name = f".{_kept_name(target.name)}.part-{writer}-{secrets.token_hex(4)}{suffix}"
    return target.with_name(name)


def remote_part(target: Path, job: str, suffix: str) -> Path:
    """The hidden name next to the target of a video that another machine makes, whoever asks.

    Args:
        job: tells it from others of that target.
    """
    name = f".{_kept_name(target.name)}.part-remote-{_checksum(job)}{suffix}"
    return target.with_name(name)


def find_partials(folder: str | Path) -> list[Path]:
    """Unfinished outputs in a folder whose process is gone, the latest first.

    Raises:
        OutputError: the folder cannot be listed.
    """
    found = []
    try:
        for part in Path(folder).iterdir():
            with contextlib.suppress(FileNotFoundError):  # finished or taken meanwhile
                if is_part(part) and _is_orphan(part):
                    found.append((part.stat().st_mtime, part))
    except OSError as error:
        if Path(folder).is_file():
            raise OutputError(
                "{path} is a file, not a folder.", "Choose the folder it is in.", path=folder
            ) from error
        raise OutputError(
            "The folder {folder} cannot be read.", "Check the name.", folder=folder
        ) from error
    return [part for _, part in sorted(found, reverse=True)]


def is_part(path: Path) -> bool:
    """Whether that is an unfinished output, by its name and by its kind.

    A link may lead anywhere, and opening a pipe would wait for somebody to write to it.
    """
    match = _PART.match(path.name)
    if match is None or path.is_symlink():
        return False
    return path.is_file() if match["suffix"] else path.is_dir()


def find_growing(target: Path) -> Path | None:
    """The newest unfinished output meant for a target, whoever writes it; None if there is none."""
    found: list[tuple[float, Path]] = []
    pattern = f".{glob.escape(_kept_name(target.name))}.part-*"
    with contextlib.suppress(OSError):
        for path in target.parent.glob(pattern):
            if is_part_of(path, target) and is_part(path):
                found.append((path.stat().st_mtime, path))
    return max(found)[1] if found else None


def is_part_of(part: Path, target: Path) -> bool:
    """Whether an unfinished output was meant for a target, or one with as long a beginning in
    common as fits into its name."""
    match = _PART.match(part.name)
    return match is not None and match["name"] == _kept_name(target.name)


def target_of(part: Path) -> Path:
    """The target an unfinished output was meant for.

    Raises:
        OutputError: the name is not that of an unfinished output.
    """
    match = _PART.match(part.name)
    if match is None:
        raise OutputError("{name} is not an unfinished video.", "Open it as it is.", name=part.name)
    return part.with_name(match["name"])


def _kept_name(name: str) -> str:
    """As much of a target's name as the longer name of its unfinished output has room for."""
    stem, suffix = os.path.splitext(name)
    room = _LONGEST_KEPT - len(os.fsencode(suffix))
    while stem and len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + suffix


def _is_free(path: Path) -> bool:
    if path.is_dir() and not path.is_symlink():
        return not any(path.iterdir())
    return not os.path.lexists(path)


def _is_orphan(part: Path) -> bool:
    match = _PART.match(part.name)
    if match is None:
        return False
    if match["pid"] != "remote" and _counts_here(match):
        start = _start_of(int(match["pid"]))
        # After a restart, and soon in a container, another program has the number of the writer.
        return start is None or match["start"] not in (None, start)
    written_s = part.stat().st_mtime
    here = _numbering()
    restarted = here is not None and match["boot"] not in (None, here[0])
    if match["machine"] == _machine() and restarted and written_s < psutil.boot_time():
        return True
    return time.time() - written_s > _REMOTE_S


def _counts_here(match: re.Match[str]) -> bool:
    """Whether the number of a part's writer is that of a process here, or of one that is gone."""
    here = _numbering()
    if here is not None and match["boot"] is not None:
        return here == (match["boot"], match["numbering"])
    return match["machine"] in (None, _machine())


def _machine() -> str:
    """This machine, whatever it is called; most containers are known by their names."""
    with contextlib.suppress(OSError):
        identity = Path("/etc/machine-id").read_text(encoding="utf-8", errors="replace").strip()
        if identity:
            return _checksum(f"magi {identity}")
    return _checksum(socket.gethostname())


def _numbering() -> tuple[str, str] | None:
    """Since when this machine runs, and where in it: among other containers, other processes have
    the same numbers. None: the system does not say it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")
        return _checksum(boot), _checksum(os.readlink("/proc/self/ns/pid"))
    except OSError:
        return None


def _checksum(text: str) -> str:
    return f"{zlib.crc32(os.fsencode(text)):08x}"


def _start_of(pid: int) -> str | None:
    """When a process began, in a number that stays the same while it runs; None: there is none."""
    try:
        if sys.platform == "linux":  # in ticks: what psutil says moves when the clock is set
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            return fields.rpartition(")")[2].split()[19]
        return str(round(psutil.Process(pid).create_time() * 1000))
    except (OSError, psutil.Error):
        return None
