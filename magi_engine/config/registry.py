"""The models this program knows, read from ``resources/models.json``: data, not code."""

from __future__ import annotations

import enum
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from magi_engine.errors import ConfigError, ModelNotFoundError
from magi_engine.resources import resource_path


class Guidance(enum.Enum):
    """How a model follows its prompt (spec section 4)."""

    DISTILLED = "distilled"
    """Built into the network: one forward per step."""
    CLASSIFIER_FREE = "classifier_free"
    """Three forwards per step, weighed by the guidance scales."""


@dataclass(frozen=True)
class ModelPaths:
    """Where the parts of a model are; in the registry relative to a root, else absolute."""

    transformer: Path
    """Folder of the DiT's weights."""
    autoencoder: Path
    """Folder of the ViTVAE's ``config.json`` and weights."""
    text_encoder: Path
    """Folder of T5's ``config.json``, ``spiece.model`` and weights."""
    special_tokens: Path
    """The ``special_tokens.npz``."""

    def below(self, root: Path) -> ModelPaths:
        """The same paths below ``root``."""
        return ModelPaths(
            root / self.transformer,
            root / self.autoencoder,
            root / self.text_encoder,
            root / self.special_tokens,
        )


@dataclass(frozen=True)
class SpecialTokensSource:
    """Where the special tokens, which are not in the hub repository, come from."""

    github: str
    commit: str
    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """A hub repository that models are downloaded from. Sizes are approximate."""

    repository: str
    revision: str
    license: str
    autoencoder_bytes: int
    text_encoder_bytes: int
    special_tokens: SpecialTokensSource


@dataclass(frozen=True)
class ModelEntry:
    """One model, whether or not its files are on this machine."""

    name: str
    """What the user types."""
    title: str
    purpose: str
    """One sentence: what it is for."""
    config: str
    """Its official configuration file, relative to the resources."""
    files: ModelPaths
    """Relative to the resources if it ships with the program, else to the folder of models.
    The transformer of a model that is made here is always in the folder of models."""
    guidance: Guidance
    default_steps: int
    release: Release | None
    """Where it is downloaded from; None if it ships with the program. Of a model that is made
    here: where all but its transformer comes from."""
    transformer_bytes: int | None
    """Approximate size of the transformer to be downloaded or made; None if it ships."""
    made_from: str | None
    """The model whose transformer is quantised, on this machine, to make this one; or None."""
    captions: str | None
    """The prompts it is calibrated with then, one a line, relative to the resources."""

    @property
    def ships(self) -> bool:
        """Whether nothing has to be downloaded."""
        return self.release is None

    @property
    def is_downloaded(self) -> bool:
        """Whether its transformer is published, so that it need not be made here."""
        return self.release is not None and self.made_from is None


@dataclass(frozen=True)
class Registry:
    """All known models."""

    default: ModelEntry
    """What is used unless another is asked for."""
    entries: tuple[ModelEntry, ...]

    @classmethod
    def load(cls, path: Path | None = None) -> Registry:
        """Read ``resources/models.json``, or another file of its form.

        Raises:
            ConfigError: the file is damaged.
        """
        path = path or resource_path("models.json")
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            releases = {name: _release(release) for name, release in data["releases"].items()}
            entries = tuple(_entry(entry, releases) for entry in data["models"])
            default = next(entry for entry in entries if entry.name == data["default"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
            raise ConfigError(
                f"The list of models {path} is damaged.", "Install the program again."
            ) from error
        return cls(default, entries)

    def find(self, name: str) -> ModelEntry:
        """The entry called ``name``.

        Raises:
            ModelNotFoundError: there is none; the hint lists the known names.
        """
        for entry in self.entries:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.entries)
        raise ModelNotFoundError(f"There is no model called {name!r}.", f"Known models: {known}.")


def _release(data: dict[str, Any]) -> Release:
    return Release(**{**data, "special_tokens": SpecialTokensSource(**data["special_tokens"])})


def _entry(data: dict[str, Any], releases: dict[str, Release]) -> ModelEntry:
    return ModelEntry(
        name=data["name"],
        title=data["title"],
        purpose=data["purpose"],
        config=data["config"],
        files=ModelPaths(**{part: Path(path) for part, path in data["files"].items()}),
        guidance=Guidance(data["guidance"]),
        default_steps=data["default_steps"],
        release=releases[data["release"]] if "release" in data else None,
        transformer_bytes=data.get("transformer_bytes"),
        made_from=data.get("made_from"),
        captions=data.get("captions"),
    )
