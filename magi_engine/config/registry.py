"""The models this program knows: data, not code.

Those of ``resources/models.json`` ship with the program or are released; to them come the user's
own of :func:`user_models_file`, which ``magi_engine.config.added`` reads and writes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from magi_engine.config.official import MagiConfig
from magi_engine.errors import ConfigError, ModelNotFoundError
from magi_engine.json_text import read_json
from magi_engine.messages import NOTHING, Message
from magi_engine.resources import resource_path


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
        return ModelPaths(*(root / part for part in vars(self).values()))


PARTS = tuple(field.name for field in fields(ModelPaths))
"""What a model consists of."""


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
    small_text_encoder_bytes: int
    """Of the 8-bit form that is made of the text encoder on this machine."""
    special_tokens: SpecialTokensSource
    endpoint: str | None = None
    """Address of a mirror of the hub; None: the hub itself, or what HF_ENDPOINT says."""
    root: Path = Path()
    """Where its files go, relative to the folder of models."""


@dataclass(frozen=True)
class PartSource:
    """Where a part of a model is downloaded from."""

    release: Release
    remote: str
    """Its path in the repository."""
    local: Path
    """Relative to the folder of models."""


@dataclass(frozen=True)
class ModelEntry:
    """One model, whether or not its files are on this machine."""

    name: str
    """What the user types."""
    title: str
    purpose: Message
    """One sentence: what it is for."""
    config: str
    """Its official configuration file, relative to the resources."""
    files: ModelPaths
    """Relative to the resources if it ships with the program, else to the folder of models.
    The transformer of a model that is made here is always in the folder of models."""
    release: Release | None
    """Where it is downloaded from; None if it ships with the program. Of a model that is made
    here: where all but its transformer comes from."""
    transformer_bytes: int | None
    """Approximate size of the transformer to be downloaded or made; None if it ships."""
    made_from: str | None
    """The model whose transformer is quantised, on this machine, to make this one; or None."""
    captions: str | None = None
    """The prompts it is calibrated with then, one a line, relative to the resources."""
    hardware: Message = NOTHING
    """One sentence: what it runs well on."""
    limits: Message = NOTHING
    """One sentence: what it cannot draw, of a model that can draw little and at its own size only;
    empty for the others."""
    like: ModelEntry | None = None
    """The released model that one of the user's is a variant of; what it has not of its own
    comes from there. None: it is no model of the user's."""
    folder: Path | None = None
    """Of a user's model that is used where it lies: that folder."""

    @property
    def ships(self) -> bool:
        """Whether nothing has to be downloaded."""
        return self.release is None and self.like is None

    @property
    def folder_sources(self) -> tuple[PartSource, ...]:
        """Where its transformer, autoencoder and text encoder are downloaded from, if at all."""
        parts = (self.files.autoencoder, self.files.text_encoder)
        if self.made_from is None:
            parts = (self.files.transformer, *parts)
        return tuple(source for part in parts for source in self._source(part))

    @property
    def special_tokens_source(self) -> PartSource | None:
        """The same for its special tokens if they come from the hub with it."""
        if self.like is None:
            return None
        sources = self._source(self.files.special_tokens)
        return next((s for s in sources if s.release is self.release), None)

    def _source(self, part: Path) -> tuple[PartSource, ...]:
        if part.is_absolute() or self.release is None:
            return ()
        if part.is_relative_to(self.release.root):
            remote = part.relative_to(self.release.root).as_posix()
            return (PartSource(self.release, remote, part),)
        return () if self.like is None else self.like._source(part)

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
    problem: Message = NOTHING
    """One sentence if the user's own list cannot be read; it is left alone then."""

    @classmethod
    def load(cls) -> Registry:
        """What ships and is released, and the user's own models.

        Raises:
            ConfigError: the list that ships is damaged.
        """
        from magi_engine.config.added import AddedModels

        own = AddedModels.load()
        registry = _shipped(resource_path("models.json"), own.mirror)
        known = {entry.name: entry for entry in registry.entries}
        entries = tuple(own.entries(known))
        return cls(registry.default, (*registry.entries, *entries), own.problem)

    @classmethod
    def read(cls, path: Path, mirror: str | None = None) -> Registry:
        """Read a file such as ``resources/models.json``.

        Args:
            mirror: the address that is asked in place of the hub.

        Raises:
            ConfigError: the file is damaged.
        """
        try:
            data = read_json(path)
            releases = {
                name: replace(_release(release), endpoint=mirror)
                for name, release in data["releases"].items()
            }
            entries = tuple(_entry(entry, releases) for entry in data["models"])
            default = next(entry for entry in entries if entry.name == data["default"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration) as error:
            raise ConfigError(
                "The list of models {path} is damaged.", "Install the program again.", path=path
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
        known = [entry.name for entry in self.entries]
        raise ModelNotFoundError(
            "There is no model called {name!r}.", "Known models: {known}.", name=name, known=known
        )


@functools.cache
def _shipped(path: Path, mirror: str | None) -> Registry:
    return Registry.read(path, mirror)


def _release(data: dict[str, Any]) -> Release:
    return Release(**{**data, "special_tokens": SpecialTokensSource(**data["special_tokens"])})


def _entry(data: dict[str, Any], releases: dict[str, Release]) -> ModelEntry:
    texts = {name: Message(data.get(name, "")) for name in ("purpose", "hardware", "limits")}
    files = ModelPaths(**{part: Path(path) for part, path in data["files"].items()})
    release = releases[data["release"]] if "release" in data else None
    usual = {"transformer_bytes": None, "made_from": None}
    return ModelEntry(**{**usual, **data, **texts, "files": files, "release": release})


def model_config(name: str | None, config_path: str | None) -> tuple[str, MagiConfig]:
    """Name and configuration of a model; nothing is loaded and no weights are looked for.

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
