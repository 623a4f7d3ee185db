"""The user's own models: a folder on this machine, or another repository of the hub."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from safetensors import SafetensorError, safe_open

from magi_engine.config.added import AddedModel, AddedModels, check_name
from magi_engine.config.official import MagiConfig
from magi_engine.config.places import expanded
from magi_engine.config.registry import PARTS, ModelEntry, Registry
from magi_engine.errors import (
    InvalidRequestError,
    MagiError,
    ModelNotFoundError,
    WeightsError,
)
from magi_engine.install.hub import Repository, look_into, require_hub
from magi_engine.install.importing import find_in_folder, part_places
from magi_engine.resources import resource_path
from magi_engine.weights.files import refuse_stacked_files, weight_files

_HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_BLOCK = re.compile(r"videodit_blocks\.layers\.(\d+)\.")


@dataclass(frozen=True)
class HubAddress:
    """What of a hub is meant."""

    repository: str
    revision: str | None = None
    """A branch, tag or commit; None: the main branch."""


def add_models(source: str, name: str | None, like: str | None) -> list[ModelEntry]:
    """Put the models of a folder, or of a hub repository, into the user's list.

    Nothing is copied or downloaded yet. Every kind of released model that is there becomes a model.

    Args:
        source: a folder, ``owner/repository``, that with ``@revision``, or its address.
        name: what the model is to be called; with several kinds, its beginning. None: after the
            folder or the repository.
        like: the released model it is a variant of; None: what its folders are called like.

    Raises:
        InvalidRequestError: the source or the name cannot be used.
        ModelNotFoundError: there is no model there.
        WeightsError: the weights are those of another kind of model.
        DownloadError: the hub cannot be asked.
        ConfigError, OutputError: the list cannot be written.
    """
    known = Registry.load().entries
    kinds = [_kind(like)] if like is not None else _kinds(known)
    folder = _as_folder(source)
    if folder is not None:
        models = _of_folder(folder, kinds, given=like is not None)
        stem = name or _slug(folder.name)
    else:
        address = hub_address(source)
        repository = look_into(address.repository, address.revision, AddedModels.load().mirror)
        models = _of_repository(repository, kinds)
        stem = name or _slug(repository.name.rpartition("/")[2])
    names: set[str] = set()

    def with_them(added: AddedModels) -> AddedModels:
        taken = {entry.name for entry in Registry.load().entries}
        for model in models:
            own = stem if len(models) == 1 else f"{stem}-{model.like}"
            if name is None and own.casefold() in {n.casefold() for n in taken | names}:
                own = f"{stem}-{model.like}"  # such as the folder MAGI-1 a second time
            check_name(own, taken | names)
            names.add(own)
            added = added.with_model(replace(model, name=own))
        return added

    AddedModels.change(with_them)
    return [entry for entry in Registry.load().entries if entry.name in names]


def set_mirror(address: str | None) -> None:
    """Ask another address in place of the hub from now on; None: the hub itself again.

    Raises:
        InvalidRequestError: that is no address.
        DownloadError: it does not answer.
        ConfigError, OutputError: it cannot be kept.
    """
    if address is not None:
        parts = urlsplit(address.strip())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidRequestError(
                "{address} is not the address of a hub.",
                "Give one such as https://huggingface.co",
                address=address,
            )
        address = address.strip().rstrip("/")
        require_hub(address)
    AddedModels.change(lambda added: replace(added, mirror=address))


def forget_model(name: str) -> AddedModel | None:
    """Take a model out of the user's list; its files stay. None: it was not in there.

    Raises:
        ConfigError, OutputError: the list cannot be written.
    """
    model = next((m for m in AddedModels.load().models if m.name == name), None)
    if model is not None:
        AddedModels.change(lambda added: added.without(name))
    return model


def remember_model(model: AddedModel) -> None:
    """Put a model back into the user's list. Errors as of :func:`forget_model`."""
    AddedModels.change(lambda added: added.without(model.name).with_model(model))


def hub_address(source: str) -> HubAddress:
    """Understand what somebody wrote or pasted for a repository.

    Raises:
        InvalidRequestError: it cannot be one.
    """
    text, revision = source.strip(), None
    if "://" in text:
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise _no_source(source)
        place = f"{parts.scheme}://{parts.netloc}"
        if parts.hostname.lower() not in _HUB_HOSTS and place not in _mirrors():
            raise InvalidRequestError(
                "{place} is not where models are downloaded from.",
                "Make it your mirror first: magi models mirror {place}",
                place=place,
            )
        pieces = [unquote(piece) for piece in parts.path.split("/") if piece]
        if pieces[:1] == ["models"]:  # how some mirrors say it
            pieces = pieces[1:]
        if len(pieces) > 3 and pieces[2] in ("tree", "blob", "resolve", "commit"):
            revision = pieces[3]
        text = "/".join(pieces[:2])
    text, _, after = text.partition("@")
    revision = after or revision
    if not _REPOSITORY.fullmatch(text):
        raise _no_source(source)
    return HubAddress(text, revision)


def _mirrors() -> set[str]:
    """What stands in for the hub."""
    return {os.environ.get("HF_ENDPOINT", "").rstrip("/"), AddedModels.load().mirror or ""}


def _as_folder(source: str) -> Path | None:
    """The folder that is meant, if it is one."""
    path = expanded(source.strip())
    with contextlib.suppress(OSError, ValueError):
        if path.is_dir():
            return path.absolute()
        if path.is_file():
            return path.absolute().parent
    if path.is_absolute() or source.startswith((".", "~")) or "\\" in source:
        raise ModelNotFoundError(
            "There is no folder {folder}.", "Check the name and the folder.", folder=source
        )
    return None


def _of_folder(folder: Path, kinds: list[ModelEntry], *, given: bool) -> list[AddedModel]:
    try:
        found = find_in_folder(folder, kinds)
        if not found and given:
            found = [(kinds[0], {"transformer": _bare_weights(folder, kinds[0])})]
    except OSError as error:
        raise ModelNotFoundError(
            "{folder} cannot be read.", "Check its permissions.", folder=folder
        ) from error
    if not found:
        raise ModelNotFoundError(
            "No model in the official layout was found in {folder}.",
            "Choose the folder that holds “ckpt” or “downloads”, or say what kind of model it is.",
            folder=folder,
        )
    for entry, places in found:
        _check_kind(places["transformer"], entry)
    return [
        AddedModel(
            name="",
            like=entry.name,
            title=_title(folder.name, entry, len(found)),
            parts={part: _relative(place, folder) for part, place in places.items()},
            folder=str(folder),
        )
        for entry, places in found
    ]


def _bare_weights(folder: Path, kind: ModelEntry) -> Path:
    """A folder of weights and nothing else; only where it was said what they are."""
    inner = folder / kind.files.transformer.name
    for candidate in (inner, folder):
        with contextlib.suppress(ModelNotFoundError):
            if weight_files(candidate):
                return candidate
    raise ModelNotFoundError(
        "The folder {folder} holds no weights.",
        "Choose the folder that holds the weights.",
        folder=folder,
    )


def _check_kind(transformer: Path, entry: ModelEntry) -> None:
    """Raises WeightsError: these are the weights of a larger, smaller or otherwise other model."""
    refuse_stacked_files(transformer)
    config = MagiConfig.from_json(resource_path(entry.config))
    names: list[str] = []
    fp8 = False
    for path in weight_files(transformer):
        if path.suffix != ".safetensors":
            return
        try:
            with safe_open(path, framework="numpy") as file:
                names += file.keys()
                codes = (file.get_slice(name).get_dtype() for name in file.keys())  # noqa: SIM118
                fp8 = fp8 or any(code.startswith("F8") for code in codes)
        except (OSError, SafetensorError) as error:
            raise WeightsError(
                "{path} is damaged, incomplete or cannot be read.",
                "Get that file again.",
                path=path,
            ) from error
    layers = 1 + max((int(m[1]) for name in names if (m := _BLOCK.match(name))), default=-1)
    if (layers, fp8) != (config.model_config.num_layers, config.engine_config.fp8_quant):
        raise WeightsError(
            "The weights in {transformer} are not those of a {title}.",
            "Say what kind of model it is.",
            transformer=transformer,
            title=entry.title,
        )


def _of_repository(repository: Repository, kinds: list[ModelEntry]) -> list[AddedModel]:
    models = []
    for entry in kinds:
        places = {
            part: place
            for part in PARTS
            if (place := _remote_place(repository.sizes, part_places(part, entry.files)))
        }
        if "transformer" in places:
            models.append((entry, places))
    if not models:
        raise ModelNotFoundError(
            "The repository {repository} holds no model in the official layout.",
            "Choose one that has folders such as ckpt/magi/4.5B_distill.",
            repository=repository.name,
        )
    return [
        AddedModel(
            name="",
            like=entry.name,
            title=_title(repository.name, entry, len(models)),
            parts=places,
            repository=repository.name,
            revision=repository.revision,
            license=repository.license,
            sizes={part: _size_below(repository.sizes, place) for part, place in places.items()},
        )
        for entry, places in models
    ]


def _remote_place(sizes: dict[str, int], places: Iterable[Path]) -> str | None:
    return next((p.as_posix() for p in places if _size_below(sizes, p.as_posix())), None)


def _size_below(sizes: dict[str, int], place: str) -> int:
    return sum(n for path, n in sizes.items() if path == place or path.startswith(f"{place}/"))


def can_be_like(entry: ModelEntry) -> bool:
    """Whether a model of the user's can be a variant of this one: it is a released one."""
    return entry.release is not None and entry.like is None and entry.made_from is None


def _kinds(known: Iterable[ModelEntry]) -> list[ModelEntry]:
    return list(filter(can_be_like, known))


def _kind(name: str) -> ModelEntry:
    kinds = _kinds(Registry.load().entries)
    for entry in kinds:
        if entry.name == name:
            return entry
    names = [entry.name for entry in kinds]
    raise InvalidRequestError(
        "{name} is no released model.", "Choose one of: {names}.", name=name, names=names
    )


def _title(name: str, like: ModelEntry, count: int) -> str:
    return name if count == 1 else f"{name}: {like.title}"


def _relative(place: Path, folder: Path) -> str:
    """Seen from the folder; the whole path where a link or the release's layout leads out of it."""
    for root in (folder, folder.resolve()):
        if place.is_relative_to(root):
            return place.relative_to(root).as_posix()
    return str(place)


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:30] or "model"


def _no_source(source: str) -> MagiError:
    return InvalidRequestError(
        "{source} is neither a folder nor a repository of the hub.",
        "Give a folder, owner/repository, or the repository's address.",
        source=source,
    )
