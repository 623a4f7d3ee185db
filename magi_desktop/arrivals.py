"""What comes in from outside, and what becomes of it: files, drops, pastes, settings of videos."""

from __future__ import annotations

import dataclasses
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, Signal, Slot

from magi_desktop import background, drops
from magi_desktop.drops import DropKind, Dropped
from magi_desktop.state.draft import Draft
from magi_engine.errors import MagiError
from magi_engine.media.clips import ClipPart
from magi_engine.media.fit import FitPolicy
from magi_engine.media.info import probe
from magi_engine.runtime.request.metadata import names_another_computer, read_request
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange


class Arrivals(QObject):
    """Finds out in the background what something is, and passes it on.

    Args:
        pasted_folder: where pictures without a file of their own are saved.

    Signals:
        text_came: a text for the prompt.
        media_came: path of an image or a video for the reference.
        config_came: path of an official configuration.
        storyboard_came: path of prompts with times.
        composed: what gives back the draft that was there before settings came.
        seed_locked: every video gets the seed of the settings that came, until it is unlocked.
        hinted: a sentence the user should read.
        refused: a MagiError: it cannot be used.
    """

    text_came = Signal(str)
    media_came = Signal(object)
    config_came = Signal(object)
    storyboard_came = Signal(object)
    composed = Signal(object)
    seed_locked = Signal()
    hinted = Signal(str)
    refused = Signal(object)

    def __init__(self, draft: Draft, pasted_folder: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._draft, self._pasted_folder = draft, pasted_folder

    def open(self, *paths: Path) -> None:
        """Files the program was started with, or asked to open."""
        self._resolve(drops.Incoming(paths=paths))

    def take_data(self, mime: QMimeData) -> None:
        """A drop, or what is on the clipboard."""
        self._resolve(drops.take(mime))

    @Slot(object)
    def take(self, dropped: Dropped) -> None:
        """Something whose kind is known."""
        if dropped.note:
            self.hinted.emit(dropped.note)
        match dropped:
            case Dropped(kind=DropKind.TEXT, text=text):
                self.text_came.emit(text)
            case Dropped(kind=DropKind.IMAGE | DropKind.VIDEO, path=Path() as path):
                self.media_came.emit(path)
            case Dropped(kind=DropKind.STORYBOARD, path=Path() as path):
                self.storyboard_came.emit(path)
            case Dropped(kind=DropKind.CONFIG, path=Path() as path):
                self.config_came.emit(path)
            case Dropped(kind=DropKind.REQUEST, path=Path() as path):
                background.run(
                    read_request, path, then=self.use_settings, failed=self.refuse, owner=self
                )

    @Slot(object)
    def use_settings(self, request: GenerationRequest) -> None:
        """Compose the settings of a video, perhaps somebody else's, and keep its seed."""
        self._compose(self._checked(request), lock_seed=True)

    def edit(self, request: GenerationRequest) -> bool:
        """Compose again what the user composed; whether that was possible."""
        return self._compose(request, lock_seed=False)

    @Slot(object, object)
    def continue_video(self, path: Path, request: GenerationRequest) -> None:
        """Compose a video that begins where another ends, with its last prompt, as one file."""
        prompts = tuple(PromptChange(0, last.text) for last in request.prompts[-1:])
        seed = self._draft.settings.seed
        request = dataclasses.replace(
            request, mode=Mode.V2V, reference=None, prompts=prompts, seed=seed
        )
        whole = {"fit": FitPolicy.CROP, "crop": None, "clip": ClipPart(), "prepend_source": True}
        request = dataclasses.replace(self._checked(request), reference=str(path), **whole)
        self._compose(request, lock_seed=False)

    def refuse(self, error: Exception) -> None:
        """Say in a sentence what is wrong."""
        self.refused.emit(error)

    def _resolve(self, incoming: drops.Incoming) -> None:
        background.run(
            drops.resolve,
            incoming,
            self._pasted_folder,
            then=self.take,
            failed=self.refuse,
            owner=self,
        )

    def _checked(self, request: GenerationRequest) -> GenerationRequest:
        """The same without what is not to be opened."""
        error = names_another_computer(request)
        if error is None:
            return request
        self.refuse(error)
        return dataclasses.replace(request, reference=None, config_path=None)

    def _compose(self, request: GenerationRequest, lock_seed: bool) -> bool:
        """All of it is there at once but the reference, which is read first."""
        go_back = self._draft.way_back()
        try:
            self._draft.take(request, lock_seed=lock_seed)
        except MagiError as error:  # its model is not known here
            self.refuse(error)
            return False
        self.composed.emit(go_back)
        if request.reference is not None:
            background.run(
                probe,
                request.reference,
                then=partial(self._draft.reference_came, request),
                failed=self.refuse,
                owner=self,
            )
        if lock_seed:
            self.seed_locked.emit()
        return True
