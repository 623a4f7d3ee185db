"""What of the models is on this machine, and what can go. Quick: no hashing, no network."""

from __future__ import annotations

import contextlib
import enum
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from magi_engine import atomic
from magi_engine.config.added import own_root
from magi_engine.config.places import (
    LICENCES_NAME,
    MADE_FOLDER,
    UNFINISHED_NAME,
    compiled_dir,
    default_cache_dir,
    default_takes_dir,
)
from magi_engine.config.registry import ModelEntry, ModelPaths, Registry, Release
from magi_engine.disk import writing
from magi_engine.errors import MagiError
from magi_engine.install.links import is_link
from magi_engine.install.tasks import MARGIN_BYTES
from magi_engine.json_text import read_json
from magi_engine.messages import NOTHING, Message
from magi_engine.takes.store import TakeStore
from magi_engine.weights.layout import default_models_dir, entry_paths, find_model, missing_parts
from magi_engine.weights.manifest import Manifest
from magi_engine.weights.provenance import EMBEDDINGS, is_made_file, small_text_encoder_of

_HUB = "https://huggingface.co"


class ModelState(enum.Enum):
    """Whether a model can be used."""

    READY = "ready"
    PARTLY = "partly here"
    ABSENT = "not here"
    TO_MAKE = "to be made on this machine"
    UNCHECKED = "not checked yet"
    """All files are there, but some were put there by hand, or changed since they were checked."""
    DAMAGED = "damaged"


@dataclass(frozen=True)
class ModelStatus:
    """A model as it was found."""

    entry: ModelEntry
    state: ModelState
    here_bytes: int
    """What is here of it, shared parts and unfinished files included."""
    missing_bytes: int
    """What is still to be downloaded, about."""
    room_bytes: int
    """What has to be free on the disk for that, with what is made of it and a margin."""
    detail: Message
    """One sentence on what is wrong; or empty."""


class CachedKind(enum.Enum):
    """What a thing on the disk is."""

    QUANTISED_TRANSFORMER = "quantised transformer"
    SMALL_TEXT_ENCODER = "small text encoder"
    EMBEDDINGS = "embeddings of prompts"
    COMPILED = "compiled kernels"
    ORIGINAL_TEXT_ENCODER = "original text encoder"
    UNFINISHED_DOWNLOAD = "unfinished download"
    TAKES = "for redoing videos"


@dataclass(frozen=True)
class CachedThing:
    """Something that takes room and can go."""

    title: Message
    paths: tuple[Path, ...]
    size_bytes: int
    kind: CachedKind
    can_be_remade: bool
    """On this machine, without downloading anything."""


@dataclass(frozen=True)
class Licence:
    """What a model is published under."""

    title: str
    """Empty: its repository says nothing."""
    url: str
    """Of its text, or of the page that says more."""


def model_statuses(models_dir: Path | None = None) -> list[ModelStatus]:
    """All models of the registry, those to be made from one that is not here left out; reads
    folders, but no weights."""
    models_dir = models_dir or default_models_dir()
    manifest = Manifest.load(models_dir)
    registry = Registry.load()
    return [
        _status(entry, models_dir, manifest)
        for entry in registry.entries
        if _is_offered(entry, registry, models_dir)
    ]


def is_shrinkable(entry: ModelEntry, models_dir: Path | None = None) -> bool:
    """Whether a model's large text encoder has no small form yet."""
    models_dir = models_dir or default_models_dir()
    original = entry_paths(entry, models_dir).text_encoder
    pickles = any(original.glob("pytorch_model*.bin"))
    return pickles and small_text_encoder_of(original, models_dir) is None


def cached_things(
    models_dir: Path | None = None,
    cache_dir: Path | None = None,
    takes_dir: Path | None = None,
) -> list[CachedThing]:
    """What was made on this machine, is no longer needed, or was left unfinished."""
    models_dir = models_dir or default_models_dir()
    cache_dir = cache_dir or default_cache_dir()
    things = [*_made(models_dir), *_text_encoders(models_dir)]
    embeddings = cache_dir / EMBEDDINGS
    if embeddings.is_dir():
        things.append(_thing(Message("Prompts"), (embeddings,), CachedKind.EMBEDDINGS))
    compiled = compiled_dir(cache_dir)
    if compiled.is_dir():
        title = Message("Programs for the graphics card")
        things.append(_thing(title, (compiled,), CachedKind.COMPILED))
    # Hidden ones belong to what is being made, and are in its folder.
    # Others are of other programs, where the user chose a folder with more in it.
    found = (p for p in sorted(models_dir.rglob("*.part")) if UNFINISHED_NAME.fullmatch(p.name))
    parts = tuple(p for p in found if not p.name.startswith("."))
    if parts:
        title = Message("Unfinished downloads")
        things.append(_thing(title, parts, CachedKind.UNFINISHED_DOWNLOAD, remade=False))
    takes, size = TakeStore(takes_dir or default_takes_dir()).loose()
    if takes:
        title, folders = Message("For redoing videos"), tuple(take.folder for take in takes)
        things.append(CachedThing(title, folders, size, CachedKind.TAKES, can_be_remade=False))
    return things


def remove_model(name: str, models_dir: Path | None = None) -> list[Path]:
    """What goes with a model: what the program itself wrote of it, links it made included, and
    no other model that is here needs.

    A model that is used where it lies has nothing of the kind. Nothing is removed; that is up to
    the caller.

    Raises:
        ModelNotFoundError: there is no such model.
    """
    models_dir = models_dir or default_models_dir()
    registry = Registry.load()
    gone = registry.find(name)
    others = [e for e in registry.entries if e is not gone and _has_transformer(e, models_dir)]
    needed = {path for entry in others for path in _parts(entry_paths(entry, models_dir))}
    mine = set(_parts(entry_paths(gone, models_dir))) - needed
    small = small_text_encoder_of(entry_paths(gone, models_dir).text_encoder, models_dir)
    if small is not None and entry_paths(gone, models_dir).text_encoder in mine:
        mine.add(small)
    if gone.like is not None:
        own = models_dir / own_root(gone.name)  # nobody else's
        mine = {path for path in mine if not path.is_relative_to(own)} | {own}
    manifest = Manifest.load(models_dir)
    kept = [*needed, *(e.folder for e in registry.entries if e.folder is not None)]
    made = {small} | ({entry_paths(gone, models_dir).transformer} if gone.made_from else set())
    places = {place for path in kept for place in (_place(path), path.resolve())}
    return sorted(
        path
        for part in mine
        for path in _written(part, manifest, made=part in made)
        if not any(_overlap(_place(path), place) for place in places)
    )


def _written(path: Path, manifest: Manifest, *, made: bool = False) -> list[Path]:
    """What the program itself wrote at ``path``: all of a folder if nothing else is in it.

    Args:
        made: whether it is a folder for weights made on this machine.
    """
    models_dir = manifest.models_dir
    inside = path.parent.resolve().is_relative_to(models_dir.resolve())
    if ".." in path.parts or not inside or not os.path.lexists(path):
        return []
    if is_link(path) or not path.is_dir():
        return [path] if _is_ours(path, manifest, made) else []
    files = [Path(place, n) for place, folders, names in os.walk(path) for n in (*names, *folders)]
    files = [file for file in files if is_link(file) or not file.is_dir()]
    ours = [file for file in files if _is_ours(file, manifest, made)]
    return [path] if len(ours) == len(files) else ours


def _is_ours(file: Path, manifest: Manifest, made: bool) -> bool:
    return (
        is_link(file)
        or manifest.wrote(file)
        or UNFINISHED_NAME.fullmatch(file.name) is not None
        or (made and is_made_file(file))
    )


def _place(path: Path) -> Path:
    """Where a file, folder or link itself is, wherever links lead on the way to it."""
    return path.parent.resolve() / path.name


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)


def licence_of(release: Release) -> Licence:
    """What the models of a release are published under."""
    name = release.license
    if release.root != Path():  # what somebody wrote into a repository may be no SPDX name
        return Licence(name, f"{release.endpoint or _HUB}/{release.repository}")
    return Licence(name, f"https://spdx.org/licenses/{name}.html")


def is_accepted(name: str, models_dir: Path | None = None) -> bool:
    """Whether the licence of a model was accepted: for all models of its release at once."""
    key = _licence_key(Registry.load().find(name))
    return key is None or key in _accepted(models_dir or default_models_dir())


def accept_licence(name: str, models_dir: Path | None = None) -> None:
    """Note that the licence of a model was accepted.

    Raises:
        OutputError: it cannot be noted.
    """
    models_dir = models_dir or default_models_dir()
    key = _licence_key(Registry.load().find(name))
    if key is None:
        return
    accepted = sorted({key, *_accepted(models_dir)})
    with writing(models_dir):
        atomic.write_text(models_dir / LICENCES_NAME, json.dumps(accepted))


def pickles_in(folder: Path) -> tuple[Path, ...]:
    """The weights of a text encoder that is still as it was released."""
    return tuple(sorted(folder.glob("pytorch_model*.bin")))


def size_on_disk(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; of what goes meanwhile, none."""
    if path.is_dir():
        return sum(
            size_on_disk(Path(place, name)) for place, _, names in os.walk(path) for name in names
        )
    with contextlib.suppress(OSError):  # such as an unfinished download, which has its name now
        return path.stat().st_size if path.is_file() else 0
    return 0


def _is_offered(entry: ModelEntry, registry: Registry, models_dir: Path) -> bool:
    """Whether a model belongs into the list: one that is made here only if it is, or can be."""
    if entry.made_from is None or _has_transformer(entry, models_dir):
        return True
    return _has_transformer(registry.find(entry.made_from), models_dir)


def _status(entry: ModelEntry, models_dir: Path, manifest: Manifest) -> ModelStatus:
    paths = entry_paths(entry, models_dir)
    here = sum(map(size_on_disk, _parts(paths)))
    damaged = [
        path
        for part in _parts(paths)
        for path in manifest.damaged()
        if (models_dir / path).is_relative_to(part)
    ]
    # What it shares with others makes it neither damaged nor partly here.
    begun = _has_transformer(entry, models_dir)
    if not entry.ships and begun and damaged:
        # What lies in a folder of the user's own cannot be downloaded.
        size = sum(size_on_disk(models_dir / p) for p in damaged if not Path(p).is_absolute())
        detail = Message("Damaged files: {count}.", count=len(damaged))
        room = size + MARGIN_BYTES if size else 0
        return ModelStatus(entry, ModelState.DAMAGED, here, size, room, detail)
    try:
        find_model(entry.name, models_dir)
        return ModelStatus(entry, ModelState.READY, here, 0, 0, NOTHING)
    except MagiError:
        pass
    if entry.made_from is not None:
        return ModelStatus(entry, ModelState.TO_MAKE, 0, 0, 0, NOTHING)
    if entry.folder is not None and not begun:
        detail = Message("The folder {folder} is not there.", folder=entry.folder)
        return ModelStatus(entry, ModelState.ABSENT, 0, 0, 0, detail)
    missing = _missing(entry, paths, models_dir)
    room = missing + made_bytes(entry, models_dir) + MARGIN_BYTES if missing else 0
    if begun and not missing_parts(entry, models_dir):
        return ModelStatus(entry, ModelState.UNCHECKED, here, missing, room, NOTHING)
    state = ModelState.PARTLY if begun else ModelState.ABSENT
    return ModelStatus(entry, state, here if begun else 0, missing, room, NOTHING)


def made_bytes(entry: ModelEntry, models_dir: Path) -> int:
    """Room for the small text encoder, if it is still to be made of what is downloaded."""
    folder = entry_paths(entry, models_dir).text_encoder
    here = folder.is_dir() and any(folder.iterdir())
    release = entry.release or (entry.like and entry.like.release)
    if not release or entry.folder or (here and not pickles_in(folder)):
        return 0  # it is there in another form, of which nothing is made
    small = small_text_encoder_of(folder, models_dir)
    return 0 if small is not None else release.small_text_encoder_bytes


def _missing(entry: ModelEntry, paths: ModelPaths, models_dir: Path) -> int:
    release = entry.release
    sizes = {
        "transformer": (paths.transformer, entry.transformer_bytes or 0),
        "autoencoder": (paths.autoencoder, release.autoencoder_bytes if release else 0),
        "text encoder": (paths.text_encoder, release.text_encoder_bytes if release else 0),
        "special tokens": (paths.special_tokens, release.special_tokens.bytes if release else 0),
    }
    parts = [sizes[part] for part in missing_parts(entry, models_dir)]
    return sum(max(0, size - size_on_disk(path)) for path, size in parts)


def _has_transformer(entry: ModelEntry, models_dir: Path) -> bool:
    return size_on_disk(entry_paths(entry, models_dir).transformer) > 0


def _made(models_dir: Path) -> Iterator[CachedThing]:
    manifest = Manifest.load(models_dir)
    for entry in Registry.load().entries:
        folder = entry_paths(entry, models_dir).transformer
        paths = _written(folder, manifest, made=True) if entry.made_from is not None else []
        if paths:
            title = Message("{title}", title=entry.title)
            yield _thing(title, tuple(paths), CachedKind.QUANTISED_TRANSFORMER)


def _text_encoders(models_dir: Path) -> Iterator[CachedThing]:
    """The small ones, and the originals whose place they have taken."""
    entries = [entry for entry in Registry.load().entries if entry.release is not None]
    remakeable, manifest = set(), Manifest.load(models_dir)
    for original in sorted({entry_paths(e, models_dir).text_encoder for e in entries}):
        small = small_text_encoder_of(original, models_dir)
        pickles = pickles_in(original)
        if small is None or not pickles:
            continue
        remakeable.add(small)
        pickles = tuple(p for p in pickles if _written(p, manifest) and not is_link(p))
        if pickles and not is_link(original):
            title = Message("The original text encoder")
            yield _thing(title, pickles, CachedKind.ORIGINAL_TEXT_ENCODER, remade=False)
    for folder in sorted((models_dir / MADE_FOLDER).glob("t5-*")):
        yield _thing(
            Message("The small text encoder"),
            tuple(_written(folder, manifest, made=True)),
            CachedKind.SMALL_TEXT_ENCODER,
            remade=folder in remakeable,
        )


def _thing(
    title: Message, paths: tuple[Path, ...], kind: CachedKind, *, remade: bool = True
) -> CachedThing:
    return CachedThing(title, paths, sum(map(size_on_disk, paths)), kind, remade)


def _parts(paths: ModelPaths) -> tuple[Path, ...]:
    return (paths.transformer, paths.autoencoder, paths.text_encoder, paths.special_tokens)


def _licence_key(entry: ModelEntry) -> str | None:
    release = entry.release
    return None if release is None else f"{release.repository}: {release.license}"


def _accepted(models_dir: Path) -> list[str]:
    with contextlib.suppress(OSError, ValueError):
        accepted = read_json(models_dir / LICENCES_NAME)
        if isinstance(accepted, list):
            return [key for key in accepted if isinstance(key, str)]
    return []
