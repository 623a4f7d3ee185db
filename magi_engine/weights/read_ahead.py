"""Weights come from the disk while something else goes on. Needs no PyTorch."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil

from magi_engine.errors import MagiError
from magi_engine.weights.files import weight_files

_PIECE_BYTES = 16 << 20
_MOST_OF_MEMORY = 0.5
"""Share of the free memory that what is read may take; the system takes it back when it has to."""


def read_ahead(checkpoints: Sequence[Path]) -> threading.Thread | None:
    """Have the system read checkpoints into its cache, from where loading takes them.

    Does nothing where the system cannot be asked (anything but Linux), where there is too little
    memory, or where files are missing, which loading says.

    Returns:
        The thread that asks, if there is one; it need not be waited for.
    """
    if not hasattr(os, "posix_fadvise"):
        return None
    try:
        files = [file for path in checkpoints for file in weight_files(path)]
        size = sum(file.stat().st_size for file in files)
    except (MagiError, OSError):
        return None
    if size > _MOST_OF_MEMORY * psutil.virtual_memory().available:
        return None
    thread = threading.Thread(target=_ask, args=(files,), name="read-ahead", daemon=True)
    thread.start()
    return thread


def _ask(files: Sequence[Path]) -> None:
    for file in files:
        with contextlib.suppress(OSError), file.open("rb") as source:
            for first in range(0, file.stat().st_size, _PIECE_BYTES):
                os.posix_fadvise(source.fileno(), first, _PIECE_BYTES, os.POSIX_FADV_WILLNEED)
