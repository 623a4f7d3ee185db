"""Named settings: what is in them, whether they still fit, and the list that is kept."""

from __future__ import annotations

import dataclasses
from typing import Any

from PySide6.QtCore import QObject, Signal

from magi_desktop.settings import SettingsFile
from magi_desktop.state.draft import settings_request
from magi_desktop.state.generation_settings import GenerationSettings, configuration
from magi_engine.errors import InvalidRequestError, MagiError
from magi_engine.runtime.request.request import GenerationRequest

_SECTION = "presets"
_NOT_KEPT = ("seed", "seed_locked")
"""A preset says how videos are made, not which one."""


class PresetList(QObject):
    """The user's own presets, in the settings file: values by name, as JSON types.

    Signals:
        changed: something was added, renamed or removed.
    """

    changed = Signal()

    def __init__(self, file: SettingsFile, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._file = file
        saved = file.section(_SECTION)
        self._presets = {name: kept for name, kept in saved.items() if isinstance(kept, dict)}

    @property
    def names(self) -> tuple[str, ...]:
        """In alphabetical order."""
        return tuple(sorted(self._presets, key=str.casefold))

    def values(self, name: str) -> dict[str, Any]:
        """What a preset holds, as it is kept."""
        return self._presets[name]

    def put(self, name: str, values: dict[str, Any]) -> None:
        """Add a preset or replace the one of that name."""
        self._keep({**self._presets, name: values})

    def rename(self, name: str, new_name: str) -> None:
        """Give a preset another name; one of that name is replaced."""
        presets = dict(self._presets)
        presets[new_name] = presets.pop(name)
        self._keep(presets)

    def remove(self, name: str) -> None:
        """Remove a preset."""
        self._keep({n: values for n, values in self._presets.items() if n != name})

    def _keep(self, presets: dict[str, dict[str, Any]]) -> None:
        self._presets = presets
        self._file.replace_section(_SECTION, presets)
        self.changed.emit()


def preset_values(settings: GenerationSettings) -> dict[str, Any]:
    """What a preset of these settings holds, as JSON types."""
    values = dataclasses.asdict(settings)
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if name not in _NOT_KEPT
    }


def fitting_settings(values: dict[str, Any], current: GenerationSettings) -> GenerationSettings:
    """The settings a preset means; the seed stays that of ``current``.

    Raises:
        MagiError: it does not fit the model, the model is not known, or the preset is damaged.
    """
    from magi_engine.runtime.request.validation import validate  # the first picture needs none

    known = {field.name for field in dataclasses.fields(GenerationSettings)}
    values = {name: value for name, value in values.items() if name in known or value is not None}
    if not values.keys() <= known:
        raise InvalidRequestError(
            "It was saved by a newer version of this program.", "Update this program."
        )
    kept: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    try:
        own = GenerationSettings.of_model(kept.get("model"), kept.get("config_path"))
        seeds = {name: getattr(current, name) for name in _NOT_KEPT}
        settings = dataclasses.replace(own, **{**kept, **seeds})
        # The round trip checks every type.
        request = GenerationRequest.from_json(settings_request(settings).to_json())
        validate(request, configuration(settings.model, settings.config_path)[1])
    except MagiError:
        raise
    except Exception as error:  # a hand-edited file can hold anything
        raise InvalidRequestError("It is damaged.", "Delete it.") from error
    return settings
