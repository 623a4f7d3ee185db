"""Prompts for later parts of the video: "from second 3 on ..."."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal, Slot
from PySide6.QtWidgets import (
    QFileDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QWidget,
)

from magi_desktop import background
from magi_desktop.panels.section import Section
from magi_desktop.state.draft import Draft
from magi_desktop.state.job_words import in_seconds
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.widgets.controls import (
    WheelGuard,
    icon_button,
    line_label,
    name_control,
    prepare_number,
    text_label,
)
from magi_desktop.widgets.dialogs import file_dialog
from magi_desktop.widgets.layout import STRETCH, hbox, vbox
from magi_desktop.widgets.transitions import transition_box
from magi_engine.atomic import write_text
from magi_engine.disk import write_error
from magi_engine.errors import MagiError
from magi_engine.runtime.request.request import GenerationRequest, PromptChange
from magi_engine.runtime.request.storyboard import (
    SUFFIXES,
    prompts_of,
    read_storyboard,
    shots_of,
    written_storyboard,
)
from magi_engine.sampling.schedule import Transition

_MOST_CHUNKS = 9999
_LAST_SHOT_S = 2.0
"""How much of the last prompt of a storyboard is seen at least."""


class LaterPrompts(QWidget):
    """The draft's later prompts behind "Direct over time". People count chunks from 1.

    Signals:
        failed: a MagiError: a storyboard cannot be read or written.
        taken: how many prompts of a storyboard took the place of all there were, and what puts
            those back.
        taken_out: what puts back a prompt that was removed.
    """

    failed = Signal(object)
    taken = Signal(int, object)
    taken_out = Signal(object)

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._draft = draft
        self._rows: list[LaterPromptRow] = []
        self._list = vbox(spacing=t.SPACE_3)
        self._section = Section(
            self.tr("Direct over time"),
            self.tr("Give later parts of the video prompts of their own."),
            self._make_body,
            self,
        )
        self._section.toggled.connect(self._unfolded)
        vbox(self).add(self._section)
        draft.changed.connect(self._draft_changed)
        self._show()

    def _make_body(self) -> QWidget:
        body = QWidget(self)
        explanation = text_label("", "caption", body)
        explanation.setText(self.tr("A later prompt counts from its part of the video on."))
        self._add = QPushButton(self.tr("Add a prompt"), body)
        self._add.setToolTip(self.tr("Add a prompt for a later part of the video."))
        bind_icon(self._add, "plus")
        self._add.clicked.connect(self.add_row)
        self.open_button = icon_button(
            "folder",
            self.tr("Open a storyboard…"),
            self.tr("Take prompts and their times from a text, SRT or CSV file."),
            body,
        )
        self.open_button.clicked.connect(self._ask_open)
        self.save_button = icon_button(
            "save",
            self.tr("Save as a storyboard…"),
            self.tr("Write all prompts and their times as a text, SRT or CSV file."),
            body,
        )
        self.save_button.clicked.connect(self._ask_save)
        vbox(body, t.SPACE_2).add(
            explanation,
            self._list,
            hbox(spacing=t.SPACE_1).add(self._add, STRETCH, self.open_button, self.save_button),
        )
        return body

    @property
    def rows(self) -> tuple[LaterPromptRow, ...]:
        """The rows in the order of their chunks."""
        return tuple(self._rows)

    def unfold(self) -> None:
        """Open the section."""
        self._section.set_open(True)

    @Slot()
    def add_row(self) -> None:
        """Add an empty row for the chunk after the last one; it counts once it has a text."""
        chunk = max((row.chunk for row in self._rows), default=0) + 1
        self._append(chunk, "").field.setFocus()
        self._refresh()

    # Files.

    @Slot()
    def _ask_open(self) -> None:
        dialog = file_dialog(self, self.tr("Open a storyboard"), self.open_storyboard)
        dialog.setNameFilter(self._filters[0])
        dialog.open()

    @Slot()
    def _ask_save(self) -> None:
        dialog = file_dialog(self, self.tr("Save as a storyboard"), self.save_storyboard)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters(self._filters[1:])
        dialog.setDefaultSuffix("txt")
        dialog.filterSelected.connect(lambda name: dialog.setDefaultSuffix(name[-4:-1]))
        dialog.open()

    @property
    def _filters(self) -> list[str]:
        """Of the dialogs: all together, then each."""
        kinds = [f"*{suffix}" for suffix in SUFFIXES]
        names = (self.tr("Text"), self.tr("Subtitles"), self.tr("Table"))
        together = self.tr("Storyboards")
        each = [f"{name} ({kind})" for name, kind in zip(names, kinds, strict=True)]
        return [f"{together} ({' '.join(kinds)})", *each]

    @Slot(object)
    def open_storyboard(self, path: Path) -> None:
        """Take the prompts of a file, in the background; the video becomes as long as they need."""
        self._with_request(partial(_read, path), self._take)

    def save_storyboard(self, path: Path) -> None:
        """Write all prompts, in the background; replaces a file."""
        self._with_request(partial(_write, path), None)

    def _with_request(
        self, do: Callable[[GenerationRequest], object], then: Callable[[Any], object] | None
    ) -> None:
        try:
            request = self._draft.request()
        except MagiError as error:
            self.failed.emit(error)
            return
        background.run(do, request, then=then, failed=self.failed.emit, owner=self)

    def _take(self, found: tuple[tuple[PromptChange, ...], float]) -> None:
        (first, *later), seconds = found
        asked = self._draft.settings.seconds
        before = self._draft.prompt, self._draft.later_prompts, asked
        if asked is not None and asked < seconds:
            asked = seconds
        self._compose(first.text, tuple(later), asked)
        self.unfold()
        self.taken.emit(1 + len(later), partial(self._compose, *before))

    def _compose(self, prompt: str, later: tuple[PromptChange, ...], seconds: float | None) -> None:
        self._draft.set_prompt(prompt)
        self._draft.set(seconds=seconds)
        self._draft.set_later_prompts(later)

    def _append(
        self, chunk: int, text: str, transition: Transition = Transition.GO_ON
    ) -> LaterPromptRow:
        row = LaterPromptRow(chunk, text, transition, self._section.body)
        row.changed.connect(self._store)
        row.moved.connect(self._row_moved)
        row.removed.connect(self._row_removed)
        self._rows.append(row)
        self._list.addWidget(row)
        row.show()
        self._chain_tab_order()
        return row

    def _clear(self) -> None:
        for row in self._rows:
            self._list.removeWidget(row)
            row.hide()
            row.deleteLater()
        self._rows = []

    def _prompts(self) -> tuple[PromptChange, ...]:
        """What the rows say; those without a text say nothing."""
        said = (row for row in self._rows if row.text)
        return tuple(row.change for row in said)

    @Slot()
    def _store(self) -> None:
        self._draft.set_later_prompts(self._prompts())

    @Slot(object, int)
    def _row_moved(self, moved: LaterPromptRow, step: int) -> None:
        """A row got another chunk: skip those that have a prompt, and keep the order."""
        taken = {row.chunk for row in self._rows if row is not moved}
        chunk = moved.chunk
        while chunk in taken:
            chunk += step
            if chunk < 1:
                chunk, step = moved.chunk, 1
        moved.set_chunk(chunk)
        self._rows.sort(key=lambda row: row.chunk)
        for index, row in enumerate(self._rows):
            if self._list.indexOf(row) != index:
                self._list.insertWidget(index, row)
        self._chain_tab_order()
        self._refresh()
        self._store()

    @Slot(object)
    def _row_removed(self, row: LaterPromptRow) -> None:
        self._rows.remove(row)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()
        self._add.setFocus()
        self._refresh()
        self._store()
        if row.text:
            self.taken_out.emit(partial(self._put_back, row.change))

    def _put_back(self, change: PromptChange) -> None:
        self._row_moved(self._append(change.chunk, change.text, change.transition), 1)

    def _chain_tab_order(self) -> None:
        last: QWidget = self._section.button
        for row in self._rows:
            for widget in row.controls:
                QWidget.setTabOrder(last, widget)
                last = widget
        QWidget.setTabOrder(last, self._add)

    @Slot(str)
    def _draft_changed(self, name: str) -> None:
        if name == "later_prompts":
            self._show()
        elif name == "plan":
            self._refresh()

    def _show(self) -> None:
        """Show what the draft holds, unless the rows say so already."""
        if self._prompts() != self._draft.later_prompts:
            self._clear()
            for change in self._draft.later_prompts:
                self._append(change.chunk, change.text, change.transition)
        self._refresh()

    def _refresh(self) -> None:
        """The times beside the chunks, and how many prompts there are on the folded section."""
        plan = self._draft.plan
        if plan is not None and not isinstance(plan, MagiError):
            for row in self._rows:
                row.show_time(plan.chunk(row.chunk).starts_s, in_seconds(plan))
        count = len(self._draft.later_prompts)
        title = self.tr("Direct over time")
        self._section.button.setText(f"{title} ({count})" if count else title)

    @Slot(bool)
    def _unfolded(self, unfolded: bool) -> None:
        if unfolded and not self._rows and self.isVisible():
            self.add_row()


def _read(path: Path, request: GenerationRequest) -> tuple[tuple[PromptChange, ...], float]:
    """The prompts of a file, and how long a video is that shows all of them."""
    from magi_engine.runtime.planning.plan import timing_of

    shots = read_storyboard(path)
    seconds = float(math.ceil(shots[-1].start_s + _LAST_SHOT_S))
    return prompts_of(shots, *timing_of(request)), seconds


def _write(path: Path, request: GenerationRequest) -> None:
    from magi_engine.runtime.planning.plan import timing_of

    text = written_storyboard(shots_of(request.prompts, *timing_of(request)), path.suffix.lower())
    try:
        write_text(path, text)
    except OSError as error:
        raise write_error(error, path) from error


class LaterPromptRow(QWidget):
    """One prompt and the chunk it counts from.

    Signals:
        changed: the text or the transition changed.
        moved: this row, and the direction (1 or -1) its chunk was changed in.
        removed: this row is to go.
    """

    changed = Signal()
    moved = Signal(object, int)
    removed = Signal(object)

    def __init__(self, chunk: int, text: str, transition: Transition, parent: QWidget) -> None:
        super().__init__(parent)
        self._chunk = chunk
        self._first = 0
        """What the number is for the first chunk: its second, or as a part of the video 1."""
        self._caption = QLabel(self)
        self.number = QSpinBox(self)
        prepare_number(self.number)
        name_control(self.number, self.tr("From"), self.tr("Where this prompt begins to count."))
        self.transition = transition_box(self)
        self.transition.setCurrentIndex(self.transition.findData(transition))
        self._guard = WheelGuard(self)
        self._guard.watch(self.number, self.transition)
        self._time = line_label("", "muted", self)
        self._time.setToolTip(self.tr("When this part begins."))
        self.remove_button = icon_button(
            "trash", self.tr("Remove this prompt"), self.tr("Remove this prompt."), self
        )
        self.field = QLineEdit(text, self)
        self.field.setCursorPosition(0)
        self.field.setAcceptDrops(False)  # a dropped file is for the window
        self.field.setPlaceholderText(self.tr("What happens from here on"))
        name_control(
            self.field,
            self.tr("Prompt from here on"),
            self.tr("Describe the whole picture again, with what is different."),
        )
        vbox(self, t.SPACE_1).add(
            hbox(spacing=t.SPACE_2).add(
                self._caption, self.number, (self._time, 1), self.remove_button
            ),
            self.field,
            self.transition,
        )
        self._count_from(1)
        self.number.valueChanged.connect(self._number_changed)
        self.field.textChanged.connect(self.changed)
        self.transition.currentIndexChanged.connect(self.changed)
        self.remove_button.clicked.connect(self._remove)

    @property
    def chunk(self) -> int:
        """The chunk, counted from 0."""
        return self._chunk

    @property
    def text(self) -> str:
        """The prompt, without space around it."""
        return self.field.text().strip()

    @property
    def change(self) -> PromptChange:
        """What the row says."""
        return PromptChange(self.chunk, self.text, self.transition.currentData())

    @property
    def controls(self) -> tuple[QWidget, ...]:
        """What can have the focus, in order."""
        return self.number, self.remove_button, self.field, self.transition

    def set_chunk(self, chunk: int) -> None:
        """Set the chunk, counted from 0, without telling anyone."""
        self._chunk = chunk
        with QSignalBlocker(self.number):
            self.number.setValue(chunk + self._first)

    def show_time(self, starts_s: float, in_seconds: bool) -> None:
        """Say when the chunk begins, and whether chunks are seconds."""
        self._count_from(0 if in_seconds else 1)
        told = in_seconds and starts_s == self.number.value()
        self._time.setText("" if told else self.tr("at {} s").format(f"{starts_s:.1f}"))

    def _count_from(self, first: int) -> None:
        self._first = first
        self._caption.setText(self.tr("From part") if first else self.tr("From"))
        self.number.setSuffix("" if first else self.tr(" s"))
        with QSignalBlocker(self.number):
            self.number.setRange(1 + first, _MOST_CHUNKS + first - 1)
            self.number.setValue(self._chunk + first)

    @Slot(int)
    def _number_changed(self, number: int) -> None:
        step = 1 if number - self._first > self._chunk else -1
        self._chunk = number - self._first
        self.moved.emit(self, step)

    @Slot()
    def _remove(self) -> None:
        self.removed.emit(self)
