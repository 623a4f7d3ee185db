"""What the commands return to the shell."""

from magi_engine.errors import (
    ConfigError,
    DiskFullError,
    InvalidRequestError,
    MagiError,
    MediaReadError,
    ModelNotFoundError,
    OutputError,
    TakeError,
)

DONE = 0
FAILURE = 1
BAD_INPUT = 2
CANCELLED = 130
"""What a shell reports for a program stopped by Ctrl-C."""

_BAD_INPUT_ERRORS = (
    InvalidRequestError,
    ConfigError,
    MediaReadError,
    ModelNotFoundError,
    OutputError,
    TakeError,
)


def exit_code_for(error: MagiError) -> int:
    """2 if other arguments would have helped, 1 if the machine or the files are the trouble."""
    is_input = isinstance(error, _BAD_INPUT_ERRORS) and not isinstance(error, DiskFullError)
    return BAD_INPUT if is_input else FAILURE
