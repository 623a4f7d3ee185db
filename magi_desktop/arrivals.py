"""What comes in from outside, and what becomes of it: files, drops, pastes, settings of videos."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from PySide6.QtCore import QMimeData, QObject, Signal, Slot

from magi_desktop import background, drops
from magi_desktop.drops import DropKind, Dropped
from magi_desktop.state.draft import Draft
from magi_engine.errors import MagiError
from magi_engine.media import MediaInfo, probe
from magi_engine.runtime.request import GenerationRequest, Mode, PromptChange
from magi_engine.runtime.saved import names_another_computer, read_request


class Arrivals(QObject):
    """Finds out in the background what something is, and passes it on.

    Args:
        pasted_folder: where pictures without a file of their own are saved.

    Signals:
        text_came: a text for the prompt.
        media_came: path of an image or a video for the reference.
        config_came: path of an official configuration.
        hinted: a sentence the user should read.
        refused: a MagiError: it cannot be used.
    """

    text_came = Signal(str)
    media_came = Signal(object)
    config_came = Signal(object)
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
            case Dropped(kind=DropKind.CONFIG, path=Path() as path):
                self.config_came.emit(path)
            case Dropped(kind=DropKind.REQUEST, path=Path() as path):
                background.run(
                    read_request, path, then=self.use_request, failed=self.refuse, owner=self
                )

    @Slot(object)
    def use_request(self, request: GenerationRequest, trusted: bool = False) -> None:
        """Compose ``request`` again; its reference is looked at in the background.

        Args:
            trusted: whether the user composed it; else it may come with somebody's video.
        """
        request = request if trusted else self._checked(request)
        if request.reference is None:
            self._compose(request, None)
            return
        background.run(
            probe,
            request.reference,
            then=lambda info: self._compose(request, info),
            failed=lambda error: self._compose_without_reference(request, error),
            owner=self,
        )

    @Slot(object, object)
    def continue_video(self, path: Path, request: GenerationRequest) -> None:
        """Compose a video that begins where another ends, with its last prompt."""
        prompts = tuple(PromptChange(0, last.text) for last in request.prompts[-1:])
        request = dataclasses.replace(request, mode=Mode.V2V, reference=None, prompts=prompts)
        self._compose(self._checked(request), None)
        self.media_came.emit(path)

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

    def _compose(self, request: GenerationRequest, info: MediaInfo | None) -> None:
        try:
            self._draft.take(request, info)
        except MagiError as error:  # its model is not known here
            self.refuse(error)

    def _compose_without_reference(self, request: GenerationRequest, error: Exception) -> None:
        self._compose(request, None)
        self.refuse(error)
