"""The image or video that the new video starts from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QEvent, QTimer, Signal, Slot
from PySide6.QtGui import (
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QWidget,
)

from magi_desktop import background
from magi_desktop.drops import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from magi_desktop.panels.drop_zone import DropZone, Veil
from magi_desktop.panels.reference_card import ReferenceCard
from magi_desktop.references import LoadedReference, load_reference
from magi_desktop.state.draft import Draft, Reference
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import icon_button, push_button, text_label
from magi_desktop.widgets.dialogs import file_dialog
from magi_desktop.widgets.layout import STRETCH, hbox, vbox
from magi_desktop.widgets.notice_bar import NoticeBar
from magi_engine.errors import MagiError
from magi_engine.messages import NOTHING
from magi_engine.resources import resource_path
from magi_engine.runtime.request.request import GenerationRequest, Mode

_LOOK_EVERY_MS = 2000
_READING_SHOWS_AFTER_MS = 200

_SAMPLE = resource_path("sample.png")

Stamp = tuple[int, int]
"""When a file was changed, in ns, and its bytes."""


class ReferencePanel(QWidget):
    """A drop zone, and once there is a reference, all about it. Bound to the draft.

    Signals:
        file_chosen: a file (``Path``) has become the reference.
        continue_requested: a video (``Path``) of this program and its ``GenerationRequest``, which
            is to be gone on with.
        settings_requested: the ``GenerationRequest`` whose settings are wanted.
        paste_requested: what is on the clipboard is wanted.
        failed: a ``MagiError`` while the panel was hidden and could not show it itself.
    """

    file_chosen = Signal(object)
    continue_requested = Signal(object, object)
    settings_requested = Signal(object)
    paste_requested = Signal()
    failed = Signal(object)

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft = draft
        self._loaded: dict[Path, LoadedReference] = {}
        self._asked: set[Path] = set()
        """Files that came with the draft and are being read, or could not be."""
        self._stamps: dict[Path, Stamp | None] = {}
        """None: it was gone."""
        self._problems: dict[Path, str] = {}
        """Why a file cannot be used now."""
        self._task: background.Task | None = None
        self.notice = NoticeBar(self)
        self.zone = DropZone(self)
        self.zone.button.clicked.connect(self.choose)
        self.zone.sample_button.clicked.connect(self.use_sample)
        self.card = ReferenceCard(draft, self)
        self.card.choose_button.clicked.connect(self.choose)
        self.card.remove_button.clicked.connect(self.remove)
        self.card.sample_button.clicked.connect(self.use_sample)
        self.own_bar = OwnVideoBar(self)
        self.own_bar.continue_button.clicked.connect(self._continue)
        self.own_bar.settings_button.clicked.connect(self._use_settings)
        vbox(self, t.SPACE_2).add(self.notice, self.own_bar, self.zone, self.card)
        self.veil = Veil(self)
        self._reading = QTimer(self, singleShot=True, interval=_READING_SHOWS_AFTER_MS)
        self._reading.timeout.connect(lambda: self.veil.say(self.tr("Reading the file…")))
        self._look = QTimer(self, interval=_LOOK_EVERY_MS)
        self._look.timeout.connect(self.look)
        self._look.start()
        draft.mode_changed.connect(self._mode_changed)
        draft.changed.connect(self._draft_changed)
        self._show()

    # From outside and from the user.

    def open(self, path: Path) -> None:
        """Read a file in the background and make it the reference; the latest call counts."""
        self._start(load_reference, path, then=self._opened)

    @Slot()
    def choose(self) -> None:
        """Ask for a file with the system's dialog."""
        image = self._draft.mode is not Mode.V2V
        title = self.tr("Choose an image") if image else self.tr("Choose a video")
        dialog = file_dialog(self, title, self.open)
        filters = [
            (self.tr("Images"), IMAGE_SUFFIXES),
            (self.tr("Videos"), VIDEO_SUFFIXES),
        ]
        named = [f"{name} ({' '.join('*.' + s for s in suffixes)})" for name, suffixes in filters]
        dialog.setNameFilters([*(named if image else named[::-1]), self.tr("All files (*)")])
        reference = self._draft.reference
        if reference is not None:
            dialog.setDirectory(str(reference.path.parent))
        dialog.open()

    @Slot()
    def remove(self) -> None:
        """Take the reference out; can be undone."""
        reference = self._draft.reference
        if reference is None:
            return
        self._draft.set_reference(None)
        self.notice.offer_undo(
            self.tr("{} was taken out.").format(reference.path.name),
            lambda: self._draft.set_reference(reference),
        )
        self.zone.setFocus()

    @Slot()
    def look(self) -> None:
        """See in the background whether the file is still there and still the same."""
        reference = self._draft.reference
        if reference is None or not self.isVisible():
            return
        background.run(
            _stamp,
            reference.path,
            then=lambda stamp: self._looked(reference.path, stamp),
            owner=self,
        )

    # Reading.

    def _start(self, work: Callable[..., Any], *args: object, then: Callable[[Any], None]) -> None:
        if self._task is not None:
            self._task.cancel()
        self.notice.dismiss()
        self._reading.start()
        self._task = background.run(work, *args, then=then, failed=self._refused, owner=self)

    def _opened(self, loaded: LoadedReference) -> None:
        self._stop_reading()
        path = loaded.reference.path
        self._loaded[path] = loaded
        self._stamps.pop(path, None)
        self._problems.pop(path, None)
        self._draft.set_reference(loaded.reference)
        self.own_bar.offer(path, loaded.own_request)
        self._show()
        self._bring_shape()
        self.file_chosen.emit(path)

    def _bring_shape(self) -> None:
        """A new picture brings its shape, unless the model knows one size only."""
        settings = self._draft.settings
        before = {"width": settings.width, "height": settings.height}
        if self._draft.limits or self._draft.editing:
            return
        self.card.use_shape()
        settings = self._draft.settings
        if before != {"width": settings.width, "height": settings.height}:
            text = self.tr("The video takes its shape: {width} × {height}.")
            self.notice.offer_undo(
                text.format(width=settings.width, height=settings.height),
                lambda: self._draft.set(**before),
            )

    @Slot()
    def use_sample(self) -> None:
        """Start from a picture that every model can go on from."""
        self.open(_SAMPLE)

    def _refused(self, error: Exception) -> None:
        self._stop_reading()
        if not isinstance(error, MagiError):
            raise error
        if self.isVisible():
            self.notice.say_error(error)
        else:
            self.failed.emit(error)

    def _stop_reading(self) -> None:
        self._reading.stop()
        self.veil.hide()

    # Showing.

    @Slot(object)
    def _mode_changed(self, _mode: Mode) -> None:
        self.notice.dismiss()
        self.own_bar.hide()

    @Slot(str)
    def _draft_changed(self, name: str) -> None:
        if name in ("reference", "mode"):
            self._show()
        elif name in ("width", "height", "fps"):
            self.card.show_target()
        elif name in ("model", "config_path"):
            self._show()
            self.card.show_target()

    def _show(self) -> None:
        reference = self._draft.reference
        self.zone.setVisible(reference is None)
        self.card.setVisible(reference is not None)
        if reference is None:
            self.card.clip.forget()
            self.own_bar.hide()
            self._say_what_to_drop()
            return
        loaded = self._loaded.get(reference.path)
        self.card.show_reference(reference, loaded)
        self._show_problem(reference.path)
        ours = reference.path == _SAMPLE or (loaded is not None and loaded.own_request is not None)
        self.card.show_limits(NOTHING if ours else self._draft.limits)
        if loaded is None and reference.path not in self._asked:
            self._load_quietly(reference)

    def _say_what_to_drop(self) -> None:
        if self._draft.mode is Mode.V2V:
            self.zone.say(
                self.tr("Drop a video here"),
                self.tr("The new video goes on where it ends."),
                self.tr("Choose a video"),
            )
        else:
            self.zone.say(
                self.tr("Drop a picture here"),
                self.tr("or paste one; it becomes the first frame."),
                self.tr("Choose a picture"),
            )
        self.zone.say_limits(self._draft.limits, self._draft.mode is not Mode.V2V)
        self.zone.button.setToolTip(self.tr("Choose a file from this computer."))

    def _load_quietly(self, reference: Reference) -> None:
        """Read a reference that came with the draft, to show it; the draft stays as it is."""

        def arrived(loaded: LoadedReference) -> None:
            self._asked.discard(reference.path)
            self._problems.pop(reference.path, None)
            self._loaded[reference.path] = loaded
            if self._draft.reference is not None and self._draft.reference.path == reference.path:
                self._show()

        def unreadable(error: Exception) -> None:
            if not isinstance(error, MagiError):
                raise error
            self._problems[reference.path] = translated(error)
            self._show()

        self._asked.add(reference.path)
        background.run(load_reference, reference.path, then=arrived, failed=unreadable, owner=self)

    def _show_problem(self, path: Path) -> None:
        self.card.missing.setText(self._problems.get(path, ""))
        self.card.missing.setVisible(path in self._problems)

    def _looked(self, path: Path, stamp: Stamp | None) -> None:
        reference = self._draft.reference
        if reference is None or reference.path != path:
            return
        known = self._stamps.get(path, stamp)
        if stamp is None:
            gone = self.tr("{} is gone. Put it back or choose another file.").format(path.name)
            self._problems[path] = gone
            self._show_problem(path)
        elif stamp != known:
            self._loaded.pop(path, None)
            self._load_quietly(reference)
        self._stamps[path] = stamp

    # The bar for videos of this program.

    @Slot()
    def _continue(self) -> None:
        path, request = self.own_bar.take()
        self.continue_requested.emit(path, request)

    @Slot()
    def _use_settings(self) -> None:
        _, request = self.own_bar.take()
        self.settings_requested.emit(request)

    # Events.

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Paste):
            self.paste_requested.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.veil.setGeometry(self.rect())

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.ActivationChange and self.isActiveWindow():
            self.look()


class OwnVideoBar(QFrame):
    """Says that a video was made here and offers what that makes possible."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "sunken")
        self._path, self._request = Path(), None
        text = text_label("", "", self)
        text.setText(self.tr("Made with this program."))
        close = icon_button(
            "close", self.tr("Hide this offer"), self.tr("Just use the video as it is."), self
        )
        close.clicked.connect(self.hide)
        hint = self.tr("Go on from its end with its own prompt and settings.")
        self.continue_button = push_button(self.tr("Continue it"), hint, self)
        hint = self.tr("Compose the same video again, to make it anew or to change it.")
        self.settings_button = push_button(self.tr("Use its settings"), hint, self)
        vbox(self, t.SPACE_1, (t.SPACE_3, t.SPACE_2, t.SPACE_2, t.SPACE_3)).add(
            hbox().add((text, 1), close),
            hbox(spacing=t.SPACE_2).add(self.continue_button, self.settings_button, STRETCH),
        )
        self.hide()

    def offer(self, path: Path, request: GenerationRequest | None) -> None:
        """Show the offer for a file; hide for one that was not made here."""
        self._path, self._request = path, request
        self.setVisible(request is not None)

    def take(self) -> tuple[Path, GenerationRequest]:
        """The file and how it was made; the offer is taken and hides."""
        assert self._request is not None
        self.hide()
        return self._path, self._request


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size
