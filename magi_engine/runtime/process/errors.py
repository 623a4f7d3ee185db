"""What may go wrong in a job, as errors a user can act on."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from magi_engine.errors import (
    DISK_FULL,
    DiskFullError,
    MagiError,
    OutOfMemoryError,
    too_long_error,
)
from magi_engine.loading import is_load_error, load_error

logger = logging.getLogger(__name__)


class UnexpectedError(MagiError):
    """A mistake of this program; its traceback is in the log."""


def named_error(error: Exception) -> MagiError:
    """``error`` as something a user can act on; unexpected ones become a general sentence."""
    if isinstance(error, MagiError):
        return error
    if _is_out_of_memory(error):
        return OutOfMemoryError(
            "There is not enough memory for this video.",
            "Choose a smaller size, a smaller window or a smaller model.",
        )
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return DiskFullError(
            "The disk is full.", "Free some space; what was finished so far has been kept."
        )
    if (
        isinstance(error, OSError)
        and isinstance(error.filename, str)
        and (long := too_long_error(error, Path(error.filename))) is not None
    ):
        return long
    if is_load_error(error) and (told := load_error(str(error))) is not None:
        return told
    return UnexpectedError(
        "Something unexpected went wrong ({kind}).",
        "Please report it with the details from the log.",
        kind=type(error).__name__,
    )


def told_error(error: Exception) -> MagiError:
    """What ended a piece of work, for its last event; the log has the details.

    What we raise ourselves, such as for a mistake of the user's, says all there is to know.
    """
    named = named_error(error)
    if isinstance(error, MagiError):
        logger.info("it failed: %s", error)
    else:
        level = logging.ERROR if isinstance(named, UnexpectedError) else logging.INFO
        logger.log(level, "it failed", exc_info=error)
    return without_traceback(named)


def without_traceback(error: MagiError) -> MagiError:
    """``error`` itself, holding on to nothing.

    Its traceback would keep every tensor of the failed job alive for as long as somebody keeps
    the error.
    """
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _is_out_of_memory(error: Exception) -> bool:
    # Nothing may be imported here: that may be what has just failed.
    torch = sys.modules.get("torch")
    return isinstance(error, (MemoryError, *([torch.OutOfMemoryError] if torch else [])))
