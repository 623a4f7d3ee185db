"""Which part of a video the new one goes on from."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, QTimer, Signal, Slot
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QDoubleSpinBox, QLabel, QWidget

from magi_desktop import background
from magi_desktop.panels.clip_range import ClipRange
from magi_desktop.panels.filmstrip import Filmstrip, Grip
from magi_desktop.references import read_still, thumbnail_size, to_image
from magi_desktop.theme import tokens as t
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import (
    WheelGuard,
    name_control,
    prepare_number,
    set_role,
    text_label,
)
from magi_desktop.widgets.layout import STRETCH, hbox, vbox
from magi_desktop.widgets.segmented import Segment, Segmented
from magi_engine.errors import MagiError
from magi_engine.media.clips import ClipPart, ClipPartKind, ClipPlan, plan_clip
from magi_engine.media.fit import UInt8Array
from magi_engine.media.info import MediaInfo
from magi_engine.media.stills import iter_stills

_PLAN_DELAY_MS = 200
_NUMBER_WIDTH = 72
_STRIP_SIDE = 160
"""Pixels of the longer side of a picture in the strip."""


class ClipEditor(QWidget):
    """A filmstrip with the range in use, end, start or free, and a note of what exactly is used.

    Signals:
        part_changed: the ``ClipPart`` the user chose.
        junction_ready: the picture (``QImage``) from which the new video goes on.
    """

    part_changed = Signal(object)
    junction_ready = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._path: Path | None = None
        self._info: MediaInfo | None = None
        self._range = ClipRange(1.0, 24.0)
        self.part = ClipPart()
        """What is used."""
        self._strip_task: background.Task | None = None
        self._plan_task: background.Task | None = None
        self._timer = QTimer(self, singleShot=True, interval=_PLAN_DELAY_MS)
        self._timer.timeout.connect(self._plan)
        self._make_controls()
        self._lay_out()

    def set_clip(self, path: Path, info: MediaInfo, duration_s: float, fps: float) -> None:
        """Show a clip; nothing is done if it is shown already at this rate."""
        limits = ClipRange(duration_s, fps)
        if (path, info) != (self._path, self._info) or duration_s != self._range.duration_s:
            self._stop()
            self._path, self._info, self._range = path, info, limits
            self.strip.set_clip(limits)
            self._load_strip()
        elif limits == self._range:
            return
        self._range = limits
        self.strip.set_limits(limits)
        self._show_part()
        self._timer.start()

    def set_part(self, part: ClipPart) -> None:
        if part != self.part:
            self.part = part
            self._timer.start()
        self._show_part()

    def forget(self) -> None:
        """Stop all work on the clip: there is none any more."""
        self._path = self._info = None
        self._timer.stop()
        self._stop()

    def _stop(self) -> None:
        for task in (self._strip_task, self._plan_task):
            if task is not None:
                task.cancel()

    # Building.

    def _make_controls(self) -> None:
        self.kinds: Segmented[ClipPartKind] = Segmented(
            [
                Segment(
                    ClipPartKind.END,
                    self.tr("Its end"),
                    self.tr("The new video goes on where this one ends."),
                ),
                Segment(
                    ClipPartKind.START,
                    self.tr("Its start"),
                    self.tr("The new video goes on after the first moments of this one."),
                ),
                Segment(
                    ClipPartKind.RANGE,
                    self.tr("A range"),
                    self.tr("The new video goes on after any part of this one."),
                ),
            ],
            self.tr("Go on from"),
            self,
        )
        self.kinds.chosen.connect(self._kind_chosen)
        self.strip = Filmstrip(self)
        self.strip.range_dragged.connect(self._dragged)
        self._guard = WheelGuard(self)
        self.first, self.second = self._number(), self._number()
        self.first.valueChanged.connect(self._first_typed)
        self.second.valueChanged.connect(self._second_typed)
        self._first_label, self._second_label = QLabel(self), QLabel(self)
        self.note = text_label("", "caption", self)

    def _number(self) -> QDoubleSpinBox:
        box = QDoubleSpinBox(self)
        box.setDecimals(2)
        box.setSingleStep(0.1)
        box.setSuffix(self.tr(" s"))
        box.setMinimumWidth(_NUMBER_WIDTH)
        prepare_number(box)
        box.lineEdit().setAcceptDrops(False)  # a dropped file is for the panel
        self._guard.watch(box)
        return box

    def _lay_out(self) -> None:
        vbox(self, t.SPACE_2).add(
            QLabel(self.tr("Go on from"), self),
            self.kinds,
            self.strip,
            hbox(spacing=t.SPACE_2).add(
                self._first_label, self.first, self._second_label, self.second, STRETCH
            ),
            self.note,
        )

    # What the user does.

    @Slot(object)
    def _kind_chosen(self, kind: ClipPartKind) -> None:
        start, end = self._range.span(self.part)
        self._choose(self._range.part(kind, start, end))

    @Slot(object, float, float)
    def _dragged(self, grip: Grip, start_s: float, end_s: float) -> None:
        """Moving an end that its kind holds fast makes a free range of it."""
        free = {
            ClipPartKind.END: (Grip.END, Grip.WHOLE),
            ClipPartKind.START: (Grip.START, Grip.WHOLE),
            ClipPartKind.RANGE: (),
        }
        kind = self.part.kind
        if grip in free[kind]:
            kind = ClipPartKind.RANGE
        self._choose(self._range.part(kind, start_s, end_s))

    @Slot(float)
    def _first_typed(self, value: float) -> None:
        """The start of a free range, else the length."""
        kind, limits = self.part.kind, self._range
        if kind is ClipPartKind.RANGE:
            end = max(limits.span(self.part)[1], value + limits.shortest_s)
            span = (value, min(end, value + limits.longest_s))
        elif kind is ClipPartKind.END:
            span = (limits.duration_s - value, limits.duration_s)
        else:
            span = (0.0, value)
        self._choose(limits.part(kind, *span))

    @Slot(float)
    def _second_typed(self, value: float) -> None:
        start, _ = self._range.span(self.part)
        self._choose(self._range.part(ClipPartKind.RANGE, start, value))

    def _choose(self, part: ClipPart) -> None:
        changed = part != self.part
        self.set_part(part)
        if changed:
            self.part_changed.emit(part)

    # Showing.

    def _show_part(self) -> None:
        start, end = self._range.span(self.part)
        self.kinds.set_value(self.part.kind)
        self.strip.set_span(start, end)
        free = self.part.kind is ClipPartKind.RANGE
        with QSignalBlocker(self.first), QSignalBlocker(self.second):
            if free:
                self.first.setRange(0.0, self._range.duration_s)
                self.second.setRange(0.0, self._range.duration_s)
                self.first.setValue(start)
                self.second.setValue(end)
            else:
                self.first.setRange(self._range.shortest_s, self._range.longest_s)
                self.first.setValue(end - start)
        for widget in (self._second_label, self.second):
            widget.setVisible(free)
        self._first_label.setText(self.tr("From") if free else self.tr("Length"))
        self._second_label.setText(self.tr("to"))
        if free:
            name_control(self.first, self.tr("Start"), self.tr("Where the range begins."))
            name_control(self.second, self.tr("End"), self.tr("Where the range ends."))
        else:
            name_control(
                self.first, self.tr("Length"), self.tr("How much of the video is used, up to 5 s.")
            )

    # Work in the background.

    def _load_strip(self) -> None:
        assert self._path is not None
        assert self._info is not None
        size = thumbnail_size(self._info, _STRIP_SIDE)
        self._next_picture(iter_stills(self._path, self.strip.times(), *size), 0)

    def _next_picture(self, stills: Iterator[UInt8Array], index: int) -> None:
        """Decode one picture, then ask for the next: so it can be left at any point."""

        def arrived(picture: UInt8Array | None) -> None:
            if picture is not None:
                self.strip.set_picture(index, to_image(picture))
                self._next_picture(stills, index + 1)

        self._strip_task = background.run(
            next, stills, None, then=arrived, failed=self._strip_failed, owner=self
        )

    def _strip_failed(self, error: Exception) -> None:
        """The strip stays empty; the plan says what is wrong."""
        if not isinstance(error, MagiError):
            raise error

    @Slot()
    def _plan(self) -> None:
        if self._plan_task is not None:
            self._plan_task.cancel()
        assert self._path is not None
        assert self._info is not None
        self._plan_task = background.run(
            _plan_with_still,
            self._path,
            self._info,
            self._range.fps,
            self.part,
            then=self._planned,
            failed=self._not_planned,
            owner=self,
        )

    def _planned(self, found: tuple[ClipPlan, QImage]) -> None:
        plan, junction = found
        count = self.tr("%n frame(s) at {fps} fps", None, plan.frames).format(
            fps=f"{float(plan.fps):g}"
        )
        length = f"{float(Fraction(plan.frames) / plan.fps):.1f}"
        if self.part.kind is ClipPartKind.END:
            text = self.tr("Uses the last {length} s ({count}).")
        elif self.part.kind is ClipPartKind.START:
            text = self.tr("Uses the first {length} s ({count}).")
        else:
            text = self.tr("Uses {length} s, from {start} s to {end} s ({count}).")
        set_role(self.note, "caption")
        self.note.setText(
            text.format(
                length=length, count=count, start=f"{plan.start_s:.2f}", end=f"{plan.end_s:.2f}"
            )
        )
        self.junction_ready.emit(junction)

    def _not_planned(self, error: Exception) -> None:
        if not isinstance(error, MagiError):
            raise error
        set_role(self.note, "error")
        self.note.setText(translated(error))


def _plan_with_still(
    path: Path, info: MediaInfo, fps: float, part: ClipPart
) -> tuple[ClipPlan, QImage]:
    plan = plan_clip(path, fps, part)
    return plan, read_still(path, info, plan.source_times[-1])
