"""JSON files: read with care, since people, other programs and damaged disks have written them."""

from __future__ import annotations

import dataclasses
import enum
import functools
import json
import logging
import math
import reprlib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from magi_engine import atomic
from magi_engine.errors import MagiError
from magi_engine.messages import Message

logger = logging.getLogger(__name__)

MAX_BYTES = 64 << 20
"""No JSON this program reads is larger: the longest is the index of a model's weights."""

_MAX_DIGITS = 19
_T = TypeVar("_T")
_KINDS = {
    bool: Message("true or false"),
    int: Message("a whole number"),
    float: Message("a number"),
    str: Message("a text"),
    list: Message("a list"),
    dict: Message("a JSON object"),
}
_hints = functools.cache(typing.get_type_hints)


class WrongField(ValueError):
    """A field of a JSON object is missing, or of another type than it should be.

    Attributes:
        name: such as ``prompts[0].text``.
        problem: what follows the name in a sentence, such as "is missing".
    """

    def __init__(self, name: str, problem: Message) -> None:
        super().__init__(f"{name} {problem}")
        self.name, self.problem = name, problem


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


def read_fields(cls: type[_T], data: object, name: str = "", **given: Any) -> _T:
    """A dataclass from a JSON object, with every value of the type that its field declares.

    An int may stand for a float; where fields say so, lists become tuples, texts members of enums
    or paths, and objects dataclasses, messages or errors. Fields that ``cls`` does not have are
    passed over.

    Args:
        name: of the object, in errors.
        given: fields whose values do not stand in ``data``.

    Raises:
        WrongField: a field is missing, or of another type.
        Exception: what ``cls`` itself refuses.
    """
    if not isinstance(data, dict):
        raise _not_a(dict, data, name)
    values = dict(given)
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]
        place = f"{name}.{field.name}" if name else field.name
        if field.name in given:
            continue
        if field.name in data:
            values[field.name] = _value(data[field.name], _hints(cls)[field.name], place)
        elif dataclasses.MISSING is field.default is field.default_factory:
            raise WrongField(place, Message("is missing"))
    return cls(**values)


def to_fields(value: Any) -> Any:
    """Dataclasses, and what they hold, as the JSON values that :func:`read_fields` reads."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Message | MagiError):
        return value.to_dict()
    if dataclasses.is_dataclass(value):
        return {f.name: to_fields(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [to_fields(v) for v in value]
    if isinstance(value, Mapping):
        return {name: to_fields(v) for name, v in value.items()}
    return str(value) if isinstance(value, Path) else value


def _value(value: Any, kind: Any, name: str) -> Any:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (types.UnionType, typing.Union):  # of something and None
        return None if value is None else _value(value, inner[0], name)
    if kind is Message or kind is MagiError:
        try:
            return kind.from_dict(value)
        except (KeyError, TypeError, AttributeError):
            raise _not_a(dict, value, name) from None
    if kind is Path:
        return Path(_value(value, str, name))
    if origin in (list, tuple) and isinstance(value, list):
        return origin(_value(v, inner[0], f"{name}[{i}]") for i, v in enumerate(value))
    if origin in (dict, Mapping) and isinstance(value, dict):
        return {key: _value(v, inner[1], f"{name}.{key}") for key, v in value.items()}
    if origin is not None:
        raise _not_a(list if origin in (list, tuple) else dict, value, name)
    if dataclasses.is_dataclass(kind):
        return read_fields(kind, value, name)  # type: ignore[arg-type]
    if issubclass(kind, enum.Enum):
        try:
            return kind(value)
        except ValueError:
            raise WrongField(name, Message("is {value}", value=reprlib.repr(value))) from None
    right = isinstance(value, int | float if kind is float else kind)
    no_path = isinstance(value, str) and "\0" in value
    if no_path or not right or (isinstance(value, bool) and kind is not bool):
        raise _not_a(kind, value, name)
    return value


def _not_a(kind: type, value: object, name: str) -> WrongField:
    shown, wanted = reprlib.repr(value), _KINDS[kind]
    return WrongField(name, Message("is {value}, but must be {wanted}", value=shown, wanted=wanted))


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
