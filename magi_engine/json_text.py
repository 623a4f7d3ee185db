"""JSON files: read with care, since people, other programs and damaged disks have written them."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

from magi_engine import atomic

logger = logging.getLogger(__name__)

MAX_BYTES = 64 << 20
"""No JSON this program reads is larger: the longest is the index of a model's weights."""

_MAX_DIGITS = 19


def read_json(path: Path) -> Any:
    """The values in a file, in UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

    Raises:
        OSError: the file cannot be read.
        ValueError: as :func:`parse_json`, or it has more than :data:`MAX_BYTES`.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES} bytes")
    return parse_json(data)


def parse_json(data: str | bytes | bytearray) -> Any:
    """The values in a text.

    Raises:
        json.JSONDecodeError: no JSON; says where.
        ValueError: another encoding, nested too deeply, or a number that is not finite or has
            more digits than 64 bits hold.
    """
    text = data if isinstance(data, str) else data.decode(json.detect_encoding(bytes(data)))
    try:
        return json.loads(
            text.removeprefix("\ufeff"),
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_refused,
        )
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_cache(path: Path) -> Any:
    """What :func:`write_cache` wrote; None if the file is missing or damaged."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.info("%s cannot be used: %s", path, error)
        return None


def write_cache(path: Path, data: Any) -> None:
    """Write what can be measured again; trouble with it is never an error.

    The file never holds half of it.
    """
    try:
        atomic.write_text(path, json.dumps(data, indent=1))
    except OSError as error:
        logger.info("%s is not kept: %s", path, error)


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise ValueError(f"a whole number of {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{digits[:40]} is too large")
    return number


def _refused(name: str) -> float:
    raise ValueError(f"{name} is no number")
