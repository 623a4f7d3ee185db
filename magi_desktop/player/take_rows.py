"""The takes of the video that is shown: a row each, which forks where it differs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractScrollArea,
    QApplication,
    QMenu,
    QSizePolicy,
    QToolTip,
    QWidget,
)

from magi_desktop.player.chunk_cell import CELL_WIDTH
from magi_desktop.player.chunk_strip import STRIDE
from magi_desktop.player.player import Player
from magi_desktop.player.video_file import VideoFile
from magi_desktop.state.item_texts import clock_text
from magi_desktop.state.jobs import JobState
from magi_desktop.state.library import Library
from magi_desktop.state.takes import TakeRow, take_rows
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import theme
from magi_desktop.widgets.painting import draw_line, font_of, rounded
from magi_engine.runtime.request.branch import Leg, joined

_ROW = 24
_BAR = 20
_MOST_ROWS = 4
"""That are seen at once; the others are scrolled to."""
_MENU_WIDTH = 420
_ELBOW = STRIDE - CELL_WIDTH


class TakeRows(QAbstractScrollArea):
    """Lies under the strip, second below second, and is hidden where there is one take alone.

    A click shows a take from that second on, with Ctrl beside the one that is shown; with Shift
    (by key: Enter) a way through the takes follows it from there on, which can be exported as one
    video, and is forgotten with Esc. The arrows up and down show another take at the same second;
    all other keys are the strip's.

    Signals:
        menu_wanted: where on the screen the menu of the second that is shown now is wanted.

    Attributes:
        menu: the other takes, to compare the shown one with.
        export_wanted: files and their frames that make up one video, and its metadata.
    """

    menu_wanted = Signal(QPoint)
    export_wanted = Signal(object, object)

    def __init__(
        self, player: Player, library: Library, job: JobState, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._player, self._library, self._job = player, library, job
        self.rows: list[TakeRow] = []
        """The takes, in the order they are drawn in."""
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().setSingleStep(_ROW)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName(self.tr("Takes of this video"))
        self.menu = QMenu(self.tr("Takes"), self)
        self.menu.menuAction().setProperty("iconName", "compare")
        self.menu.aboutToShow.connect(self._fill_menu)
        self._other: Path | None = None
        """The take that the shown one is compared with."""
        self.way: list[tuple[int, TakeRow]] = []
        """A way through the takes: from which chunk on it follows which; empty: none is marked."""
        self._chosen: Path | None = None
        """The one that the user chose for that."""
        self._paths: tuple[Path | None, Path | None] = (None, None)
        """What was shown before, and what is shown now."""
        self._later = QTimer(self, singleShot=True, interval=0)
        """Between two videos the player shows none for a moment, which is not followed."""
        self._later.timeout.connect(self._follow)
        player.strip.horizontalScrollBar().valueChanged.connect(self.viewport().update)
        player.commands.compare.toggled.connect(self.viewport().update)
        theme().changed.connect(self.viewport().update)
        for signal in (player.shown_changed, library.changed, job.started):
            signal.connect(self._later.start)
        self._follow()

    @property
    def shown(self) -> TakeRow | None:
        """The take that the player shows."""
        return next((row for row in self.rows if row.item.path == self._player.path), None)

    def sizeHint(self) -> QSize:
        return QSize(STRIDE, _ROW * min(len(self.rows), _MOST_ROWS))

    @Slot()
    def _follow(self) -> None:
        family, request, before = None, self._job.request, self.rows
        if self._player.showing_job and self._job.phase.active:
            if request is not None and request.start is not None:
                family = request.start.origin or request.start.take
        elif (item := self._library.at(self._player.path)) is not None:
            family = item.family
        elif self._player.showing_job and self._player.path is not None:
            return  # it has just been made, and comes into the library
        self.rows = [] if family is None else take_rows(self._library.items, family)
        if self.rows != before:
            self.way = []
        alone = len(self.rows) == 1 and self.shown is not None
        self.setVisible(bool(self.rows) and not alone)
        self.setFixedHeight(self.sizeHint().height())
        self._set_scroll_range()
        self.setAccessibleDescription("" if self.shown is None else self.describe(self.shown))
        self.menu.setEnabled(self.isVisible())
        self._choose_other()
        self.viewport().update()

    def _choose_other(self) -> None:
        """Compare with the take chosen for it, else the one shown before, else the one it forks
        from; unless the player compares with what the video was made from."""
        shown, comparison = self.shown, self._player.comparison
        if self._player.path not in (None, self._paths[1]):
            self._paths = self._paths[1], self._player.path
        others = {row.item.path: row for row in self.rows if row is not shown}
        parent = None if shown is None or shown.parent is None else self.rows[shown.parent]
        wanted = [others[path] for path in (self._chosen, self._paths[0]) if path in others]
        other = next(iter([*wanted, *([parent] if parent else []), *others.values()]), None)
        self._other = None if other is None else other.item.path
        if not (comparison.empty or comparison.file):
            return
        if other is None:
            comparison.set_frames(None)
            return
        if self._player.part_shown is None and not self._player.showing_job:
            return  # it is being opened
        file = VideoFile(other.item.path, other.item.fps)
        names = self._name(other), self.tr("New take") if shown is None else self._name(shown)
        if comparison.file != file or self._player.canvas.names != names:
            comparison.set_video(file, other.item.frames, names)

    def compare(self, row: TakeRow) -> None:
        """Show a take beside the one that is played."""
        self._chosen = row.item.path
        self._player.comparison.set_frames(None)
        self._choose_other()
        self._player.commands.compare.setChecked(True)
        self.viewport().update()

    def _name(self, row: TakeRow) -> str:
        return self.tr("Take {}").format(row.number)

    def _set_scroll_range(self) -> None:
        bar = self.verticalScrollBar()
        bar.setPageStep(self.viewport().height())
        bar.setRange(0, len(self.rows) * _ROW - self.viewport().height())

    # What is done

    def open(self, row: TakeRow, frame: int) -> None:
        """Show a take from a frame on."""
        if row.item.path == self._player.path:
            self._player.seek(frame)
        else:
            self._player.open_file(row.item.path, frame)

    @Slot()
    def _fill_menu(self) -> None:
        self.menu.clear()
        for row in self.rows:
            if row is not self.shown:
                text = self.tr("Compare with {take}").format(take=self._name(row))
                whole = f"{text}: {row.prompt}" if row.prompt else text
                end = Qt.TextElideMode.ElideRight
                said = self.menu.fontMetrics().elidedText(whole, end, _MENU_WIDTH)
                action = self.menu.addAction(said.replace("&", "&&"))
                action.triggered.connect(partial(self.compare, row))

        self.menu.addSeparator()
        export = self.menu.addAction(self.tr("Export the marked way…"), self._export)
        export.setEnabled(bool(self.way))
        clear = self.menu.addAction(self.tr("Forget the marked way"), self._clear_way)
        clear.setEnabled(bool(self.way))

    @Slot()
    def _clear_way(self) -> None:
        self.way = []
        self.viewport().update()

    def _show_menu(self, row: TakeRow, place: QPoint) -> None:
        if self.shown == row:
            self.menu_wanted.emit(place)

    def lead(self, row: TakeRow, part: int) -> None:
        """Let the way follow a take from a part on; before it, the one that is shown."""
        start = self.shown or self.rows[0]
        way = [(first, taken) for first, taken in self.way or [(0, start)] if first < part]
        if not way or way[-1][1] != row:
            way.append((min(part, len(way[-1][1].parts)) if way else 0, row))  # without a gap
        self.way = way
        self.viewport().update()

    def legs(self) -> list[tuple[TakeRow, range]]:
        """The takes of the way, with what it follows of their parts."""
        ends = [first for first, _ in self.way[1:]] + [len(row.parts) for _, row in self.way[-1:]]
        legs = [
            (row, range(first, min(end, len(row.parts))))
            for (first, row), end in zip(self.way, ends, strict=True)
        ]
        return [(row, followed) for row, followed in legs if followed]

    @Slot()
    def _export(self) -> None:
        legs = self.legs()
        parts = [
            (row.item.path, range(row.parts[followed[0]].start, row.parts[followed[-1]].stop))
            for row, followed in legs
        ]
        metadata = None
        if len(legs) > 1:
            chunks = [leg for leg in map(_leg, *zip(*legs, strict=True)) if leg.chunks]
            metadata = joined(chunks).to_json()
        self.export_wanted.emit(parts, metadata)

    # Words

    def describe(self, row: TakeRow) -> str:
        """A take in words, for tooltips and screen readers."""
        frame = row.parts[row.fork].start if row.fork < len(row.parts) else row.item.frames
        second = clock_text(frame / row.item.fps)
        text = self.tr("Take {number} of {count}").format(number=row.number, count=len(self.rows))
        if row.parent is not None:
            other = self.rows[row.parent].number
            text = self.tr("{take}, as take {other} up to {time}").format(
                take=text, other=other, time=second
            )
        return f"{text}\n{row.prompt}" if row.prompt else text

    # Geometry

    def bar_rect(self, index: int) -> QRect:
        """Where the parts are drawn that are a take's own, in the viewport."""
        row = self.rows[index]
        left = row.fork * STRIDE - self._player.strip.horizontalScrollBar().value()
        top = index * _ROW - self.verticalScrollBar().value() + (_ROW - _BAR) // 2
        width = max(len(row.parts) - row.fork, 1) * STRIDE - _ELBOW
        return QRect(left, top, width, _BAR)

    def _owner(self, row: TakeRow, part: int) -> int:
        """In which row a part of a take is drawn: its own, or one that it shares it with."""
        while part < row.fork and row.parent is not None:
            row = self.rows[row.parent]
        return self.rows.index(row)

    def _row_at(self, point: QPoint) -> TakeRow | None:
        index = (point.y() + self.verticalScrollBar().value()) // _ROW
        return self.rows[index] if 0 <= index < len(self.rows) else None

    def _part_at(self, row: TakeRow, point: QPoint) -> int:
        """The part under a point; where there is none, the nearest."""
        across = point.x() + self._player.strip.horizontalScrollBar().value()
        return max(0, min(across // STRIDE, len(row.parts) - 1))

    def _frame_at(self, row: TakeRow, point: QPoint) -> int:
        """The first frame of that."""
        return row.parts[self._part_at(row, point)].start

    # Painting

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(font_of(self.font(), t.FONT_CAPTION))
        k, shown = theme().tokens, self.shown
        comparing = self._player.commands.compare.isChecked()
        scrolled = self._player.strip.horizontalScrollBar().value()
        # Of what is played, shared parts too: the take's own may be far away.
        played = [] if shown is None else [self._owner(shown, p) for p in range(len(shown.parts))]
        for index, row in enumerate(self.rows):
            bar = self.bar_rect(index)
            if row.parent is not None and row.fork > 0:
                above = self.bar_rect(row.parent)
                x = bar.left() - _ELBOW / 2
                painter.setPen(QPen(QColor(k.border_strong), 1.5))
                painter.drawLine(int(x), above.bottom(), int(x), bar.center().y())
                painter.drawLine(int(x), bar.center().y(), bar.left(), bar.center().y())
            here = row is shown
            marked = here or (comparing and row.item.path == self._other)
            shape = rounded(QRectF(bar).adjusted(0.5, 0.5, -0.5, -0.5), t.RADIUS_S)
            painter.fillPath(shape, QColor(k.surface_sunken))
            painter.setClipPath(shape)
            for part, owner in enumerate(played):
                if owner == index:
                    left = part * STRIDE - scrolled
                    painter.fillRect(left, bar.top(), STRIDE, bar.height(), QColor(k.accent_soft))
            painter.setClipping(False)
            painter.strokePath(shape, QPen(QColor(k.accent if marked else k.border), 1 + here))
            painter.setPen(QColor(k.border))
            for part in range(1, len(row.parts) - row.fork):
                x = bar.left() + part * STRIDE - _ELBOW // 2
                painter.drawLine(x, bar.top() + 4, x, bar.bottom() - 3)
            room = bar.adjusted(t.SPACE_2, 0, -t.SPACE_1, 0)
            room.setLeft(max(room.left(), t.SPACE_1))
            draw_line(painter, room, f"{row.number}  {row.prompt}", k.text)
        painter.setPen(QPen(QColor(k.accent), 3))
        for row, followed in self.legs():
            for part in followed:
                y = self.bar_rect(self._owner(row, part)).bottom() + 1
                left, within = part * STRIDE - scrolled, part + 1 < followed.stop
                painter.drawLine(left, y, left + STRIDE - (0 if within else _ELBOW), y)
        if self.hasFocus() and shown is not None:
            ring = QRectF(self.bar_rect(self.rows.index(shown))).adjusted(2, 2, -2, -2)
            painter.strokePath(rounded(ring, t.RADIUS_S - 1), QPen(QColor(k.text), 1))

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        self.viewport().update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_scroll_range()

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        row = self._row_at(place)
        if row is None or event.button() is not Qt.MouseButton.LeftButton:
            return
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.lead(row, self._part_at(row, place))
        elif event.modifiers() & Qt.KeyboardModifier.ControlModifier and row is not self.shown:
            self.compare(row)
        else:
            self.open(row, self._frame_at(row, place))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() is QContextMenuEvent.Reason.Keyboard:
            if self.shown is not None:
                place = self.bar_rect(self.rows.index(self.shown)).bottomLeft()
                self.menu_wanted.emit(self.viewport().mapToGlobal(place))
            return
        row = self._row_at(event.pos())
        if row is None:
            return
        self.open(row, self._frame_at(row, event.pos()))
        if row == self.shown and self._player.part_shown is not None:
            self.menu_wanted.emit(event.globalPos())
        else:
            self._player.first_frame_shown.connect(
                partial(self._show_menu, row, event.globalPos()),
                Qt.ConnectionType.SingleShotConnection,
            )

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()))
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.shown is not None:
            self.lead(self.shown, self.shown.part_at(self._player.position))
            return
        if event.key() == Qt.Key.Key_Escape and self.way:
            self._clear_way()
            return
        if step is None or not self.rows:
            QApplication.sendEvent(self._player.strip, event)
            return
        here = self.rows.index(self.shown) if self.shown is not None else -max(step, 0)
        index = max(0, min(here + step, len(self.rows) - 1))
        self.open(self.rows[index], self._player.position)

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            row = self._row_at(event.pos())
            text = "" if row is None else self.describe(row)
            QToolTip.showText(event.globalPos(), text, self.viewport())
            return True
        return super().viewportEvent(event)


def _leg(row: TakeRow, followed: range) -> Leg:
    """As chunks, which a clip in front is none of."""
    request = row.item.request
    start, stop = (
        max(0, part - request.parts_in_front) for part in (followed.start, followed.stop)
    )
    return Leg(request, range(start, stop))
