"""What can be done with finished videos: each one action, shared by bar, menus and keys."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QAction, QGuiApplication, QImage, QKeySequence
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from magi_desktop import background, shell
from magi_desktop.deletion_notice import DeletionNotice
from magi_desktop.exporting import FORMATS, ExportJob, gif_bytes
from magi_desktop.panels.export_bar import ExportBar
from magi_desktop.state.library import Library, LibraryItem
from magi_desktop.state.model_words import size_text
from magi_desktop.theme.icons import bind_icon
from magi_desktop.thumbnails import first_picture, to_image
from magi_desktop.widgets.dialogs import text_dialog
from magi_desktop.widgets.notice_bar import UNDO_MS, NoticeBar
from magi_engine.errors import MagiError
from magi_engine.media.targets import free_name
from magi_engine.runtime.request.metadata import names_another_computer
from magi_engine.runtime.request.request import GenerationRequest

logger = logging.getLogger(__name__)

VARIATIONS = 4
"""How many more videos are made of one at once."""

Items = Sequence[LibraryItem]


class VideoCommands(QObject):
    """Does it, and says what came of it.

    Signals:
        play_wanted: the LibraryItem to play.
        settings_wanted: the GenerationRequest to compose again.
        continue_wanted: path of a video and its GenerationRequest, to be gone on with.
        redo_wanted: the LibraryItem to be made anew from some second on.
        resume_wanted: the LibraryItem whose rest is to be made.
        details_wanted: the LibraryItem and its GenerationRequest, to be shown.
        variations_wanted: a GenerationRequest, of which so many more are to be made.
        undo_wanted: the user wants back what was deleted just now.
    """

    play_wanted = Signal(object)
    settings_wanted = Signal(object)
    continue_wanted = Signal(object, object)
    redo_wanted = Signal(object)
    resume_wanted = Signal(object)
    details_wanted = Signal(object, object)
    variations_wanted = Signal(object, int)
    undo_wanted = Signal()

    def __init__(
        self, library: Library, notice: NoticeBar, exports: ExportBar, window: QWidget
    ) -> None:
        super().__init__(window)
        self._library, self._notice, self._window = library, notice, window
        self.exports = exports
        DeletionNotice(library, notice, self.undo_wanted.emit)
        library.failed.connect(notice.say_error)
        exports.finished.connect(self._say_exported)
        exports.failed.connect(notice.say_error)
        exports.ended.connect(self._exports_ended)

    def play(self, items: Items) -> None:
        self.play_wanted.emit(items[0])

    def use_settings(self, items: Items) -> None:
        """Compose the first one again."""
        request = self._request(items[0])
        if request is not None:
            self.settings_wanted.emit(request)

    def go_on(self, items: Items) -> None:
        """Compose a video that begins where the first one ends."""
        request = self._request(items[0])
        if request is not None:
            self.continue_wanted.emit(items[0].path, request)

    def redo(self, items: Items) -> None:
        """Make the first one anew from some second on."""
        self.redo_wanted.emit(items[0])

    def resume(self, items: Items) -> None:
        """Make what is missing of the first one."""
        self.resume_wanted.emit(items[0])

    def vary(self, items: Items) -> None:
        """Make the first one anew, with other seeds."""
        request = self._request(items[0])
        error = None if request is None else names_another_computer(request)
        if error is not None:
            self._notice.say_error(error)
        elif request is not None:
            self.variations_wanted.emit(request, VARIATIONS)

    def show_in_folder(self, items: Items) -> None:
        shell.show_in_folder(items[0].path, self._window)

    def copy_frame(self, items: Items) -> None:
        """Put the first frame of the first one on the clipboard, in full size."""
        item = items[0]
        background.run(
            lambda: to_image(first_picture(item.path, item.width, item.height)),
            then=self._take_frame,
            failed=self._notice.say_error,
            owner=self,
        )

    def rename(self, items: Items) -> None:
        """Ask for another name of the first one's file."""
        item = items[0]
        name = item.path.name if item.path.is_dir() else item.path.stem
        rename = partial(self._library.rename, item.id)
        label = self.tr("Name of the file:")
        text_dialog(self._window, self.tr("Rename"), label, name, rename).open()

    def mark(self, items: Items) -> None:
        """Make them favourites; where all of them are, no longer."""
        self._library.set_favourite([i.id for i in items], not all(i.favourite for i in items))

    def details(self, items: Items) -> None:
        """Show how the first one was made."""
        request = self._request(items[0])
        if request is not None:
            self.details_wanted.emit(items[0], request)

    def delete(self, items: Items) -> None:
        """Move them to the trash, with a way back; missing ones leave the list."""
        self._library.delete(item.id for item in items)

    def locate(self, items: Items) -> None:
        """Ask where the first one is now."""
        item = items[0]
        title = self.tr("Where is {name}?").format(name=item.path.name)
        dialog = QFileDialog(self._window, title)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self._library.locate(item.id, Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def export(self, items: Items, suffix: str) -> None:
        """Ask where to export them to, in the format of ``suffix``."""
        dialog = QFileDialog(self._window)
        dialog.finished.connect(dialog.deleteLater)
        if len(items) == 1 and suffix:
            item, format_ = items[0], FORMATS[suffix]
            title = self.tr("Export as {format}").format(format=format_)
            dialog.setWindowTitle(title)
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
            dialog.setNameFilter(f"{format_} (*{suffix})")
            dialog.setDefaultSuffix(suffix)
            dialog.setDirectory(str(item.path.parent))
            dialog.selectFile(free_name(item.path.with_suffix(suffix)).name)
            # The dialog has asked whether to replace a file of that name.
            dialog.fileSelected.connect(
                lambda name: self._export_over(ExportJob(item.path, Path(name), overwrite=True))
            )
        else:
            dialog.setWindowTitle(self.tr("Folder to export to"))
            dialog.setFileMode(QFileDialog.FileMode.Directory)
            dialog.setOption(QFileDialog.Option.ShowDirsOnly)
            dialog.setDirectory(str(items[0].path.parent))
            dialog.fileSelected.connect(lambda name: self.export_to(items, Path(name), suffix))
        dialog.open()

    def export_to(self, items: Items, folder: Path, suffix: str) -> None:
        """Export videos into a folder under free names; PNG frames get folders of their own."""
        ending = suffix or " frames"
        stems = [i.path.name if i.path.is_dir() else i.path.stem for i in items]
        self.exports.start(
            [
                ExportJob(item.path, folder / f"{stem}{ending}")
                for item, stem in zip(items, stems, strict=True)
            ]
        )

    def export_parts(
        self, parts: Sequence[tuple[Path, range]], metadata: str | None = None
    ) -> None:
        """Ask where to save some frames of videos as one, as MP4 unless the name says otherwise."""
        path, part = parts[0]
        dialog = QFileDialog(self._window, self.tr("Export this part"))
        dialog.finished.connect(dialog.deleteLater)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters([f"{name} (*{suffix})" for suffix, name in FORMATS.items() if suffix])
        dialog.setDefaultSuffix(".mp4")
        dialog.setDirectory(str(path.parent))
        dialog.selectFile(free_name(path.with_name(f"{path.stem} {part.start + 1}.mp4")).name)
        dialog.fileSelected.connect(
            lambda name: self._export_over(ExportJob(path, Path(name), True, parts, metadata))
        )
        dialog.open()

    def _export_over(self, job: ExportJob) -> None:
        self._library.leaving.emit([job.target])
        self.exports.start([job])

    @Slot(object)
    def _exports_ended(self, jobs: Sequence[ExportJob]) -> None:
        for job in jobs:
            if job.overwrite:
                self._library.settled.emit(job.target, job.target)

    def _request(self, item: LibraryItem) -> GenerationRequest | None:
        """How a video was made; None, with a sentence, where a newer program made it."""
        try:
            return item.request
        except MagiError as error:
            self._notice.say_error(error)
            return None

    @Slot(list)
    def _say_exported(self, made: list[Path]) -> None:
        for path in made:
            self._library.look_again(path)
        text = self.tr("Exported to {name}.").format(name=made[0].name)
        if len(made) > 1:
            text = self.tr("%n video(s) exported.", None, len(made))
        show = partial(shell.show_in_folder, made[0], self._window)
        self._notice.say(text, action=(self.tr("Show"), show), for_ms=UNDO_MS)

    def _take_frame(self, frame: QImage) -> None:
        QGuiApplication.clipboard().setImage(frame)
        self._notice.say(self.tr("The first frame was copied."), for_ms=UNDO_MS)


class VideoActions(QObject):
    """The actions for the videos that ``items`` gives, as it gives them at that moment.

    Args:
        keys: whether their keys work in the whole window.
    """

    def __init__(
        self,
        commands: VideoCommands,
        items: Callable[[], Iterable[LibraryItem]],
        parent: QWidget,
        keys: bool = False,
    ) -> None:
        super().__init__(parent)
        self.commands, self._items, self._keys = commands, items, keys
        self.by_name: dict[str, QAction] = {}
        c = commands
        add = self._add
        self.play = add("play", "play", self.tr("Play"), c.play)
        self.go_on = add(
            *("continue", "continue", self.tr("Continue"), c.go_on, "Ctrl+Shift+K"),
            tip=self.tr("Compose a video that goes on where this one ends."),
        )
        self.redo = add(
            *("redo", "history", self.tr("Redo from here…"), c.redo),
            tip=self.tr("Make it anew from this second on, or go on from its end without loss."),
        )
        self.resume = add(
            *("resume", "play", self.tr("Make the rest"), c.resume),
            tip=self.tr("It was stopped early: go on with the next second, in a new video."),
        )
        self.vary = add(
            *("vary", "dice", self.tr("%n variation(s)", None, VARIATIONS), c.vary),
            tip=self.tr("Make %n more like it, with other seeds.", None, VARIATIONS),
        )
        self.use_settings = add("settings", "reset", self.tr("Use these settings"), c.use_settings)
        self.copy_frame = add("copy", "copy", self.tr("Copy the first frame"), c.copy_frame)
        self.show_in_folder = add(
            *("show", "folder", self.tr("Show in folder"), c.show_in_folder, "Ctrl+Shift+F"),
            tip=self.tr("Show the file in the file manager."),
        )
        self.rename = add("rename", "edit", self.tr("Rename…"), c.rename)
        self.favourite = add(
            *("favourite", "star", self.tr("Favourite"), c.mark, "Ctrl+B"),
            tip=self.tr("Mark it, to find it again in the library."),
        )
        self.favourite.setCheckable(True)
        self.details = add(
            *("details", "info", self.tr("Details…"), c.details, "Ctrl+I"),
            tip=self.tr("How it was made: prompt, seed, size, and how long it took."),
        )
        self.delete = add("delete", "trash", self.tr("Move to trash"), c.delete)
        self.locate = add("locate", "search", self.tr("Find the file …"), c.locate)
        self.remove = add("remove", "close", self.tr("Remove from the list"), c.delete)
        self.export_menu = QMenu(self.tr("Export as"), parent)
        self._gif = QAction(self)
        self._measured: LibraryItem | None = None
        """The video whose size as a GIF is said, or being found out."""
        for suffix, name in FORMATS.items():
            action = self._gif if suffix == ".gif" else QAction(self)
            action.setText(name if suffix else self.tr("PNG frames"))
            action.triggered.connect(partial(self._export, suffix))
            self.export_menu.addAction(action)
        self.export_menu.aboutToShow.connect(self._measure_gif)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Follow what the videos are now."""
        items = list(self._items())
        there = [item for item in items if not item.missing]
        one = len(items) == 1 and bool(there)
        for action in (
            self.play,
            self.go_on,
            self.redo,
            self.vary,
            self.copy_frame,
            self.show_in_folder,
        ):
            action.setEnabled(one)
        self.rename.setEnabled(one)
        self.resume.setVisible(one and items[0].resumable)
        self.details.setEnabled(len(items) == 1)
        self.use_settings.setEnabled(len(items) == 1)
        self.locate.setEnabled(len(items) == 1 and not there)
        self.export_menu.setEnabled(bool(there))
        for action in (self.delete, self.remove, self.favourite):
            action.setEnabled(bool(items))
        marked = bool(items) and all(item.favourite for item in items)
        self.favourite.setChecked(marked)
        bind_icon(self.favourite, "star-filled" if marked else "star")

    def menu(self) -> QMenu:
        """A menu of what can be done now; the caller shows it."""
        self.refresh()
        menu = QMenu(self.parent())  # type: ignore[arg-type]
        self.fill(menu)
        return menu

    def fill(self, menu: QMenu, shown: bool = False) -> None:
        """Append the actions to a menu; ``shown``: of what the player shows anyway."""
        if self.locate.isEnabled():
            menu.addActions([self.locate, self.use_settings])
            menu.addSeparator()
            menu.addAction(self.remove)
            return
        menu.addActions([] if shown else [self.play])
        menu.addActions([self.resume, self.go_on, self.redo, self.vary, self.use_settings])
        menu.addSeparator()
        menu.addMenu(self.export_menu)
        menu.addActions([] if shown else [self.copy_frame])
        menu.addAction(self.show_in_folder)
        menu.addSeparator()
        menu.addActions([self.rename, self.favourite, self.details])
        menu.addSeparator()
        menu.addAction(self.delete)

    def _add(
        self,
        name: str,
        symbol: str,
        text: str,
        do: Callable[[Items], None],
        key: str = "",
        tip: str = "",
    ) -> QAction:
        action = QAction(text, self)
        bind_icon(action, symbol)
        action.triggered.connect(lambda: self._do(do))
        shown = ""
        if key and self._keys:
            action.setShortcut(QKeySequence(key))
            action.setAutoRepeat(False)
            shown = f" ({action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)})"
        action.setToolTip((tip or self.tr("{}.").format(text.rstrip("…"))) + shown)
        self.by_name[name] = action
        return action

    def _do(self, do: Callable[[Items], None]) -> None:
        items = list(self._items())
        if items:
            do(items)
        self.refresh()

    def _export(self, suffix: str) -> None:
        items = [item for item in self._items() if not item.missing]
        if items:
            self.commands.export(items, suffix)

    @Slot()
    def _measure_gif(self) -> None:
        """Say how large a GIF becomes, before it is made."""
        items = [item for item in self._items() if not item.missing]
        measured = items[0] if len(items) == 1 else None
        if measured is not None and measured == self._measured:
            return
        self._measured = measured
        self._gif.setText(FORMATS[".gif"])
        if measured is not None:
            background.run(
                gif_bytes,
                *(measured.path, measured.fps, measured.frames, measured.width, measured.height),
                then=partial(self._say_gif, measured),
                failed=lambda error: logger.info("no size of a GIF: %s", error),
                owner=self,
            )

    def _say_gif(self, measured: LibraryItem, size: int) -> None:
        if measured == self._measured:
            text = self.tr("{format}, about {size}")
            self._gif.setText(text.format(format=FORMATS[".gif"], size=size_text(size)))
