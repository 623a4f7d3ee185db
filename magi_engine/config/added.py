"""The user's own models, and the mirror they are downloaded from: a file in the user's data."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from magi_engine import atomic
from magi_engine.config.places import default_cache_dir, default_models_dir
from magi_engine.config.registry import PARTS, ModelEntry
from magi_engine.disk import writing
from magi_engine.errors import ConfigError, InvalidRequestError
from magi_engine.json_text import read_fields, read_json
from magi_engine.late import filelock
from magi_engine.messages import NOTHING, Message

_VERSION = 1
_LONGEST_NAME, _LONGEST_PATH = 255, 4000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


@dataclass(frozen=True)
class AddedModel:
    """A model of the user's, as it is kept."""

    name: str
    like: str
    """Name of the released model that it is a variant of."""
    title: str
    parts: dict[str, str]
    """By name of the field of ``ModelPaths``: where a part is that it has of its own, in the
    folder or in the repository. The others are those of the model it is like."""
    folder: str | None = None
    """Where it lies, to be used there."""
    repository: str | None = None
    """Or the hub repository it is downloaded from."""
    revision: str = ""
    license: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    """By part, of what is to be downloaded, in bytes."""

    def entry(self, like: ModelEntry, mirror: str | None) -> ModelEntry:
        """The same as one of all models."""
        assert like.release is not None
        root = own_root(self.name)
        if self.folder is not None:
            own = {part: Path(self.folder) / path for part, path in self.parts.items()}
        else:
            own = {part: root / path for part, path in self.parts.items()}
        files = replace(like.files, **own)
        release = like.release if len(own) < len(PARTS) else None
        if self.repository is not None:
            release = replace(
                like.release,
                repository=self.repository,
                revision=self.revision,
                license=self.license,
                endpoint=mirror,
                root=root,
                autoencoder_bytes=self.sizes.get("autoencoder", like.release.autoencoder_bytes),
                text_encoder_bytes=self.sizes.get("text_encoder", like.release.text_encoder_bytes),
            )
        return replace(
            like,
            name=self.name,
            title=self.title,
            purpose=Message(
                "Like {title}; added from {source}.",
                title=like.title,
                source=self.repository or self.folder,
            ),
            files=files,
            release=release,
            transformer_bytes=self.sizes.get("transformer"),
            like=like,
            folder=None if self.folder is None else Path(self.folder),
        )


@dataclass(frozen=True)
class AddedModels:
    """All of them."""

    models: tuple[AddedModel, ...] = ()
    mirror: str | None = None
    """Address of a mirror of the hub; HF_ENDPOINT in the environment counts before it."""
    problem: Message = NOTHING
    """One sentence if the file cannot be read."""

    @classmethod
    def load(cls) -> AddedModels:
        """Read the file; what is wrong with it is said in ``problem``, and nothing raised."""
        path = user_models_file()
        try:
            data = read_json(path)
            if data["version"] > _VERSION:
                return cls(
                    problem=Message(
                        "{path} was written by a newer version of this program.", path=path
                    )
                )
            models = tuple(_model(entry) for entry in data["models"])
            return cls(models, _mirror(data.get("mirror")))
        except (FileNotFoundError, NotADirectoryError):
            return cls()
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(
                problem=Message("The list of your own models, {path}, cannot be read.", path=path)
            )

    def entries(self, known: Mapping[str, ModelEntry]) -> Iterator[ModelEntry]:
        """As models among the ``known`` ones; one that is like none of them is left out."""
        for model in self.models:
            like = known.get(model.like)
            if like is not None and like.release is not None and model.name not in known:
                yield model.entry(like, self.mirror)

    def with_model(self, model: AddedModel) -> AddedModels:
        """The same and one more."""
        return replace(self, models=(*self.models, model))

    def without(self, name: str) -> AddedModels:
        """The same but one."""
        return replace(self, models=tuple(m for m in self.models if m.name != name))

    @classmethod
    def change(cls, how: Callable[[AddedModels], AddedModels]) -> AddedModels:
        """Change what is kept, one program at a time; returns what it is now.

        Raises:
            ConfigError: the file that is there cannot be read, so it is not replaced.
            DiskFullError, OutputError: it cannot be written.
        """
        path = user_models_file()
        with writing(path):
            lock = default_cache_dir() / "models.lock"
            lock.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(lock):
                before = cls.load()
                if before.problem:
                    raise ConfigError(
                        "The list of your own models, {path}, cannot be read.",
                        "Correct or remove it.",
                        path=path,
                    )
                after = how(before)
                kept = {"version": _VERSION, "models": [asdict(m) for m in after.models]}
                if after.mirror is not None:
                    kept["mirror"] = after.mirror
                atomic.write_text(path, json.dumps(kept, indent=1))
        return after


def own_root(name: str) -> Path:
    """Where the files of a user's model go that are fetched for it alone; below the models."""
    return Path("added") / name


def user_models_file() -> Path:
    """Where the user's own models are kept."""
    return default_models_dir().with_name("models.json")


def check_name(name: str, taken: set[str]) -> None:
    """Raises InvalidRequestError: a model cannot be called that."""
    if not _NAME.fullmatch(name):
        raise InvalidRequestError(
            "A model cannot be called {name!r}.",
            "Use up to 40 letters, digits, dots, dashes and underscores.",
            name=name,
        )
    if name.casefold() in {other.casefold() for other in taken}:
        raise InvalidRequestError(
            "There is a model called {name} already.", "Use another name.", name=name
        )


def _model(data: dict[str, Any]) -> AddedModel:
    """Raises ValueError, KeyError, TypeError, AttributeError: that is none."""
    model = read_fields(AddedModel, data)
    if not data.keys() <= vars(model).keys():
        raise ValueError(data.keys())
    if not set(model.parts) <= set(PARTS) or (model.folder is None) is (model.repository is None):
        raise ValueError(model.name)
    leads_out = any(_leads_out(path, model.folder is None) for path in model.parts.values())
    too_long = any(map(_is_too_long, (*model.parts.values(), model.folder or "")))
    if not _NAME.fullmatch(model.name) or leads_out or too_long:
        raise ValueError(model.name)
    return model


def _is_too_long(path: str) -> bool:
    """Whether no file system has such a path: even to look for it is an error."""
    return len(path) > _LONGEST_PATH or any(
        len(os.fsencode(part)) > _LONGEST_NAME for part in PurePath(path).parts
    )


def _leads_out(path: str, fetched: bool) -> bool:
    """Whether a path leads out of the folder or repository it belongs to. Of a folder that is only
    read, a part may lie elsewhere, but is called by its whole path then."""
    return ".." in PurePath(path).parts or (fetched and Path(path).is_absolute())


def _mirror(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
