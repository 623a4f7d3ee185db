"""The configuration of the model a request means, without loading or even looking for weights."""

from __future__ import annotations

from pathlib import Path

from magi_engine.config.official import MagiConfig
from magi_engine.config.registry import Registry
from magi_engine.resources import resource_path


def model_config(name: str | None, config_path: str | None) -> tuple[str, MagiConfig]:
    """Name and configuration of a model.

    Args:
        name: in the registry; None is the one that is used unless another is asked for.
        config_path: an official configuration file, which counts instead of the name.

    Raises:
        ModelNotFoundError: there is no model of that name.
        ConfigError: the configuration file is unreadable or wrong.
    """
    if config_path is not None:
        return name or Path(config_path).stem, MagiConfig.from_json(config_path)
    registry = Registry.load()
    entry = registry.default if name is None else registry.find(name)
    return entry.name, MagiConfig.from_json(resource_path(entry.config))
