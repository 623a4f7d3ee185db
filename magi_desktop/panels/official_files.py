"""The official ``*_config.json``: taking its values over, and writing the settings as one."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magi_desktop.panels.values import own_value
from magi_desktop.state.draft import settings_request
from magi_desktop.state.generation_settings import GenerationSettings, configuration
from magi_engine import atomic
from magi_engine.config.official import MagiConfig, RuntimeConfig
from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.errors import MagiError, OutputError
from magi_engine.runtime.request.metadata import refusal_of
from magi_engine.runtime.request.validation import configured, validate
from magi_engine.weights.layout import entry_paths, find_model

_PLACES = ("load", "t5_pretrained", "t5_device", "vae_pretrained")
"""Fields that say where files are rather than what a video is like."""
_PLAIN = ("num_steps", "window_size", "clean_chunk_kvrange", "fps")


@dataclass(frozen=True)
class Imported:
    """What a configuration file means here.

    Attributes:
        values: fields of the settings.
        as_file: whether the file itself is used from now on, since it says more than settings can.
    """

    name: str
    values: dict[str, Any]
    as_file: bool


def read_config(path: Path, trusted: bool = False) -> Imported:
    """Understand an official configuration; reads files.

    One for a known model, with nothing in it that settings cannot express, becomes settings of
    that model. Any other is used as it is, with the files it names.

    Args:
        trusted: the user went to get it: files that it names on another computer are opened.

    Raises:
        MagiError: it is damaged, or the files it names are not here, or not to be opened.
    """
    config = MagiConfig.from_json(path)
    entry = _entry_of(config)
    runtime = config.runtime_config
    seconds = runtime.num_frames / runtime.fps
    common = {"seconds": seconds, "seed": runtime.seed}
    if entry is not None:
        values = {**common, **_values(config, entry), "model": entry.name, "config_path": None}
        if _says_all(values, config, entry):
            return Imported(path.name, values, as_file=False)
    refusal = refusal_of(runtime.load, runtime.t5_pretrained, runtime.vae_pretrained)
    if refusal is not None and not trusted:
        raise refusal
    found = find_model(path)
    return Imported(
        path.name,
        {
            **common,
            "model": found.name,
            "config_path": str(path),
            "width": runtime.video_size_w,
            "height": runtime.video_size_h,
        },
        as_file=True,
    )


def write_config(settings: GenerationSettings, path: Path) -> None:
    """Write the settings as an official configuration, whole or not at all; replaces a file.

    Raises:
        MagiError: the settings do not work, or the file cannot be written.
    """
    own = configuration(settings.model, settings.config_path)[1]
    config = validate(settings_request(settings), own)
    if settings.config_path is None:
        config = _with_places(config, Registry.load().find(settings.model))
    text = json.dumps(config.to_dict(), indent=4) + "\n"
    try:
        with atomic.replacing(path) as fresh:  # in a folder that is there, and no other
            fresh.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            "The file {name} cannot be written there: {reason}.",
            "Choose another folder.",
            name=path.name,
            reason=error.strerror or error,
        ) from error


def _entry_of(config: MagiConfig) -> ModelEntry | None:
    """The known model of the same construction, if there is one."""

    def kind(of: MagiConfig) -> tuple[Any, ...]:
        return of.model_config, of.engine_config.distill, of.engine_config.fp8_quant

    for entry in Registry.load().entries:
        if kind(configuration(entry.name, None)[1]) == kind(config):
            return entry
    return None


def _values(config: MagiConfig, entry: ModelEntry) -> dict[str, Any]:
    """The fields of the settings that say what the configuration says; None where it is usual."""
    runtime = config.runtime_config
    wanted: dict[str, Any] = {name: getattr(runtime, name) for name in _PLAIN}
    wanted["noise2clean_kvrange"] = tuple(runtime.noise2clean_kvrange)
    wanted["shortcut_mode"] = config.engine_config.shortcut_mode
    for name in ("text_scale", "prev_chunk_scale"):
        wanted[name] = own_value(config, name)
    own = configuration(entry.name, None)[1]
    values = {k: None if v == own_value(own, k) else v for k, v in wanted.items()}
    return {**values, "width": runtime.video_size_w, "height": runtime.video_size_h}


def _says_all(values: dict[str, Any], config: MagiConfig, entry: ModelEntry) -> bool:
    """Whether the settings lead back to the very same configuration."""
    settings = dataclasses.replace(GenerationSettings.of_model(entry.name), **values)
    own = configuration(entry.name, None)[1]
    try:
        back = configured(own, settings_request(settings))
    except MagiError:
        return False
    threshold = "distill_nearly_clean_chunk_threshold"
    return (
        _without_places(back.runtime_config) == _without_places(config.runtime_config)
        and back.engine_config.shortcut_mode == config.engine_config.shortcut_mode
        and getattr(back.engine_config, threshold) == getattr(config.engine_config, threshold)
    )


def _without_places(runtime: RuntimeConfig) -> RuntimeConfig:
    return dataclasses.replace(runtime, **dict.fromkeys(_PLACES, ""))


def _with_places(config: MagiConfig, entry: ModelEntry) -> MagiConfig:
    """Say where the files of a model are, if its own configuration leaves that to the program or
    means folders of the program: the file that is written lies elsewhere."""
    files = entry_paths(entry)
    places = {
        "load": files.transformer,
        "t5_pretrained": files.text_encoder,
        "vae_pretrained": files.autoencoder,
    }
    runtime = config.runtime_config
    said = {n: str(p) for n, p in places.items() if entry.ships or not getattr(runtime, n)}
    return dataclasses.replace(config, runtime_config=dataclasses.replace(runtime, **said))
