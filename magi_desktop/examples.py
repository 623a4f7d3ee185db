"""Example prompts that a model can do, from ``resources/examples.json``."""

from __future__ import annotations

from magi_engine.config.registry import Registry
from magi_engine.errors import ModelNotFoundError
from magi_engine.json_text import read_json
from magi_engine.resources import resource_path
from magi_engine.runtime.request.request import Mode

_SHIPPED, _RELEASED = "pocket", "MAGI-1"

Examples = dict[str, dict[str, list[str]]]
"""Kind of model -> mode -> prompts."""


def load_examples() -> Examples:
    """Read the file that ships with the program.

    Raises:
        ModelNotFoundError: the installation lacks it.
    """
    return read_json(resource_path("examples.json"))


def examples_for(examples: Examples, mode: Mode, model: str) -> list[str]:
    """The prompts for a mode that suit a model; one that is not known can do what releases can."""
    try:
        kind = _SHIPPED if Registry.load().find(model).ships else _RELEASED
    except ModelNotFoundError:
        kind = _RELEASED
    return examples[kind][mode.value]
