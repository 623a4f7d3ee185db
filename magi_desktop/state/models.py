"""Which models are on this computer, what they take up, and taking them away again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from magi_desktop import background
from magi_desktop.install_thread import InstallerLike
from magi_desktop.settings import SettingsFile
from magi_desktop.state.asking import Asker
from magi_desktop.state.generation_settings import configuration
from magi_desktop.state.task_line import TaskLine
from magi_desktop.translation import translated
from magi_desktop.trash import Trashed, move_to_trash, restore
from magi_engine.config.added import AddedModel
from magi_engine.config.registry import Registry
from magi_engine.errors import MagiError
from magi_engine.install.status import (
    CachedThing,
    ModelState,
    ModelStatus,
    accept_licence,
    cached_things,
    is_accepted,
    is_shrinkable,
    model_statuses,
    remove_model,
    size_on_disk,
)
from magi_engine.install.tasks import TaskDone, Verify
from magi_engine.weights.layout import default_models_dir

if TYPE_CHECKING:
    from magi_engine.remote.models import RemoteModels

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Removal:
    """What was moved to the trash.

    Attributes:
        error: why the rest of it could not be moved; None: all of it went.
        forgotten: what was taken out of the user's own list with it.
    """

    title: str
    size_bytes: int
    trashed: tuple[Trashed, ...]
    error: MagiError | None = None
    forgotten: AddedModel | None = None

    @property
    def undoable(self) -> bool:
        """Whether all of it can be put back."""
        anything = bool(self.trashed) or self.forgotten is not None
        return anything and all(t.place is not None for t in self.trashed)


@dataclass(frozen=True)
class _Look:
    """What the disk holds."""

    statuses: tuple[ModelStatus, ...]
    things: tuple[CachedThing, ...]
    accepted: frozenset[str]
    removable_bytes: dict[str, int]
    shrinkable: frozenset[str]


class Models(QObject):
    """The models, looked at in the background, and the tasks about them.

    All methods but ``close`` return at once.

    Args:
        installer: does the tasks, and answers beside them what is quickly asked; of the same
            folder of models.
        models_dir: where downloaded models are; None: the usual folder.
        cache_dir: what can be made again; None: the usual place.
        elsewhere: knows of the models of another computer, where the tasks are done as well; None:
            they are on this one.

    Signals:
        changed: the disk was looked at again.
        leaving: files of models are about to be moved to the trash.
        removed: the Removal, for a way back.
        failed: an exception: something could not be looked at, removed or put back.
    """

    changed = Signal()
    leaving = Signal()
    removed = Signal(object)
    failed = Signal(object)

    def __init__(
        self,
        installer: InstallerLike,
        file: SettingsFile,
        models_dir: Path | None = None,
        cache_dir: Path | None = None,
        parent: QObject | None = None,
        elsewhere: RemoteModels | None = None,
    ) -> None:
        super().__init__(parent)
        self._elsewhere = elsewhere
        self.models_dir = models_dir or default_models_dir()
        self._cache_dir = cache_dir
        self.tasks = TaskLine(installer, file, self)
        self.asker = Asker(installer, self)
        self._installer = installer
        self.statuses: tuple[ModelStatus, ...] = ()
        """Empty until the disk was looked at for the first time."""
        self.things: tuple[CachedThing, ...] = ()
        self.removable_bytes: dict[str, int] = {}
        """By model: what goes if it is removed."""
        self.shrinkable: frozenset[str] = frozenset()
        """The models whose large text encoder has no small form yet."""
        self._accepted: frozenset[str] = frozenset()
        self._look: background.Task[_Look] | None = None
        self.tasks.ended.connect(self.refresh)
        self.asker.answered.connect(self._take_answer)

    def status(self, name: str) -> ModelStatus | None:
        """What is known of a model; None before the first look, and of an unknown one."""
        return next((s for s in self.statuses if s.entry.name == name), None)

    def is_missing(self, name: str) -> bool:
        """Whether a model is known not to be usable now."""
        status = self.status(name)
        return status is not None and status.state is not ModelState.READY

    def is_damaged(self, name: str) -> bool:
        """Whether files of a model are known to be damaged."""
        status = self.status(name)
        return status is not None and status.state is ModelState.DAMAGED

    def is_accepted(self, name: str) -> bool:
        return name in self._accepted

    def accept(self, name: str) -> None:
        """Keep in mind that the licence of a model was accepted."""
        self._accepted |= {name}
        there = self._elsewhere
        accept = partial(accept_licence, models_dir=self.models_dir)
        self._run(accept if there is None else there.accept, name, then=lambda _: self.refresh())

    @Slot()
    def refresh(self) -> None:
        if self._look is not None:
            self._look.cancel()  # what it saw may be out of date by now
        look = partial(_look, self.models_dir, self._cache_dir)
        if self._elsewhere is not None:
            look = partial(_look_there, self._elsewhere)
        self._look = self._run(look, then=self._looked)

    def remove(self, name: str) -> None:
        """Move a model to the trash, all but what others need."""
        status = self.status(name)
        if status is not None and self._elsewhere is None:
            self.leaving.emit()
            self._run(_remove, status, self.models_dir, then=self._gone)

    def delete(self, thing: CachedThing) -> None:
        """Move something that is kept to the trash."""
        self.leaving.emit()
        title = translated(thing.title)
        self._run(_trash, title, thing.paths, then=self._gone)

    def undo(self, removal: Removal) -> None:
        def failed(error: Exception) -> None:
            self.failed.emit(error)
            self.refresh()

        background.run(
            _restore, removal, then=lambda _none: self.refresh(), failed=failed, owner=self
        )

    def close(self) -> None:
        """Stop in order; blocks for a moment."""
        self.asker.close()
        self.tasks.close()
        self._installer.close()

    @Slot(object)
    def _take_answer(self, done: TaskDone) -> None:
        """Models that lie here are checked at once; then they can be used."""
        entries = {entry.name: entry for entry in Registry.load().entries}
        for name in done.added:
            if name in entries and entries[name].folder is not None:
                self.tasks.do(Verify(name))
        configuration.cache_clear()  # a name may mean another model now
        self.refresh()

    def _looked(self, look: _Look) -> None:
        self._look = None
        self.statuses, self.things = look.statuses, look.things
        self._accepted = look.accepted
        self.removable_bytes, self.shrinkable = look.removable_bytes, look.shrinkable
        self.changed.emit()

    def _run(
        self, work: Callable[..., _Result], *args: Any, then: Callable[[_Result], None]
    ) -> background.Task[_Result]:
        return background.run(work, *args, then=then, failed=self.failed.emit, owner=self)

    def _gone(self, removal: Removal) -> None:
        self.removed.emit(removal)
        self.refresh()


def _look(models_dir: Path, cache_dir: Path | None) -> _Look:
    statuses = tuple(model_statuses(models_dir))
    names = [status.entry.name for status in statuses]
    return _Look(
        statuses,
        tuple(cached_things(models_dir, cache_dir)),
        frozenset(name for name in names if is_accepted(name, models_dir)),
        {name: sum(map(size_on_disk, remove_model(name, models_dir))) for name in names},
        frozenset(s.entry.name for s in statuses if is_shrinkable(s.entry, models_dir)),
    )


def _look_there(models: RemoteModels) -> _Look:
    """As :func:`_look`; nothing can be removed from here."""
    found = models.installed()
    statuses = tuple(model.status for model in found)
    names = [status.entry.name for status in statuses]
    accepted = frozenset(m.status.entry.name for m in found if m.accepted)
    shrinkable = frozenset(m.status.entry.name for m in found if m.shrinkable)
    return _Look(statuses, (), accepted, dict.fromkeys(names, 0), shrinkable)


def _remove(status: ModelStatus, models_dir: Path) -> Removal:
    # Looked at anew: another model may have come meanwhile that needs a shared part.
    from magi_engine.install.adding import forget_model  # late: it knows how to download

    removal = _trash(status.entry.title, remove_model(status.entry.name, models_dir))
    if removal.error is None:
        removal = replace(removal, forgotten=forget_model(status.entry.name))
    return removal


def _trash(title: str, paths: Iterable[Path]) -> Removal:
    trashed: list[Trashed] = []
    size = 0
    for path in paths:
        path_bytes = size_on_disk(path)
        try:
            trashed.append(move_to_trash(path))
        except MagiError as error:
            return Removal(title, size, tuple(trashed), error)
        size += path_bytes
    return Removal(title, size, tuple(trashed))


def _restore(removal: Removal) -> None:
    """Raises: MagiError: why the first of what stays in the trash could not be put back."""
    errors = []
    for trashed in reversed(removal.trashed):
        try:
            restore(trashed)
        except MagiError as error:
            errors.append(error)
    if removal.forgotten is not None:
        from magi_engine.install.adding import remember_model

        remember_model(removal.forgotten)
    if errors:
        raise errors[0]
