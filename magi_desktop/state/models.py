"""Which models are on this computer, how large they are, and taking them away again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot

from magi_desktop import background
from magi_desktop.engine_words import translated_error
from magi_desktop.trash import Trashed, move_to_trash, restore
from magi_engine.config.registry import ModelEntry, ModelPaths, Registry
from magi_engine.errors import MagiError
from magi_engine.weights.layout import default_models_dir, entry_paths, find_model, missing_parts


class ModelState(Enum):
    """Whether a model can be used."""

    READY = "ready"
    PARTLY = "partly here"
    ABSENT = "not here"
    TO_MAKE = "to be made on this machine"


@dataclass(frozen=True)
class ModelStatus:
    """A model as it was found.

    Attributes:
        size_bytes: what is here of it, shared parts included.
        own: what goes if it is removed: no other model that is here needs it.
        own_bytes: size of that.
        missing: the parts that are not here, such as "text encoder".
    """

    entry: ModelEntry
    state: ModelState
    size_bytes: int
    own: tuple[Path, ...]
    own_bytes: int
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Removal:
    """What was moved to the trash.

    Attributes:
        error: why the rest of it could not be moved; None: all of it went.
    """

    title: str
    size_bytes: int
    trashed: tuple[Trashed, ...]
    error: MagiError | None = None

    @property
    def undoable(self) -> bool:
        """Whether all of it can be put back."""
        return bool(self.trashed) and all(t.place is not None for t in self.trashed)


def model_statuses(models_dir: Path | None) -> tuple[ModelStatus, ...]:
    """All models of the registry; reads folders, but no weights."""
    models_dir = models_dir or default_models_dir()
    entries = Registry.load().entries
    paths = {entry.name: entry_paths(entry, models_dir) for entry in entries}
    here = [entry for entry in entries if paths[entry.name].transformer.exists()]
    statuses = []
    for entry in entries:
        mine = set(_parts(paths[entry.name]))
        others = {p for e in here if e is not entry for p in _parts(paths[e.name])}
        own = tuple(sorted(p for p in mine - others if p.exists() and p.is_relative_to(models_dir)))
        size = sum(_size(p) for p in mine if p.exists())
        missing = missing_parts(entry, models_dir)
        state = _state(entry, models_dir, paths[entry.name])
        statuses.append(ModelStatus(entry, state, size, own, sum(map(_size, own)), missing))
    return tuple(statuses)


class Models(QObject):
    """The models, looked at in the background. All methods return at once.

    Args:
        models_dir: where downloaded models are; None: the usual folder.

    Signals:
        changed: the statuses are new.
        removed: the Removal, for a way back.
        failed: an exception: something could not be put back.
    """

    changed = Signal()
    removed = Signal(object)
    failed = Signal(object)

    def __init__(self, models_dir: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.models_dir = models_dir or default_models_dir()
        self.statuses: tuple[ModelStatus, ...] = ()
        """Empty until the disk was looked at for the first time."""

    def status(self, name: str) -> ModelStatus | None:
        """What is known of a model; None before the first look, and of an unknown one."""
        return next((s for s in self.statuses if s.entry.name == name), None)

    @Slot()
    def refresh(self) -> None:
        """Look at the disk again."""
        background.run(
            model_statuses, self.models_dir, then=self._looked, failed=self.failed.emit, owner=self
        )

    def remove(self, name: str) -> None:
        """Move a model to the trash, all but what others need."""
        background.run(
            _remove,
            name,
            self.models_dir,
            then=self._gone,
            failed=self.failed.emit,
            owner=self,
        )

    def undo(self, removal: Removal) -> None:
        """Put back what was removed."""
        background.run(_restore, removal, then=self._restored, failed=self.failed.emit, owner=self)

    def _looked(self, statuses: tuple[ModelStatus, ...]) -> None:
        self.statuses = statuses
        self.changed.emit()

    def _gone(self, removal: Removal) -> None:
        self.removed.emit(removal)
        self.refresh()

    def _restored(self, _none: None) -> None:
        self.refresh()


def _state(entry: ModelEntry, models_dir: Path, paths: ModelPaths) -> ModelState:
    try:
        find_model(entry.name, models_dir)
        return ModelState.READY
    except MagiError:
        if entry.made_from is not None:
            return ModelState.TO_MAKE
        # What it shares with others does not make it partly here.
        return ModelState.PARTLY if paths.transformer.exists() else ModelState.ABSENT


def _parts(paths: ModelPaths) -> tuple[Path, ...]:
    return (paths.transformer, paths.autoencoder, paths.text_encoder, paths.special_tokens)


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size


def _remove(name: str, models_dir: Path) -> Removal:
    # Looked at anew: another model may have come meanwhile that needs a shared part.
    status = next(s for s in model_statuses(models_dir) if s.entry.name == name)
    return _trash(status.entry.title, status.own)


def _trash(title: str, paths: Iterable[Path]) -> Removal:
    trashed: list[Trashed] = []
    size = 0
    for path in paths:
        path_size = _size(path)
        try:
            trashed.append(move_to_trash(path))
        except MagiError as error:
            return Removal(title, size, tuple(trashed), translated_error(error))
        size += path_size
    return Removal(title, size, tuple(trashed))


def _restore(removal: Removal) -> None:
    for trashed in removal.trashed:
        restore(trashed)
