"""The strip of chunks under the picture: one cell each, painted only where visible."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QContextMenuEvent,
    QFocusEvent,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QSizePolicy, QToolTip

from magi_desktop.player.chunk_cell import (
    CELL_HEIGHT,
    CELL_WIDTH,
    PICTURE_HEIGHT,
    Cell,
    paint_cell,
    paint_prompt,
)
from magi_desktop.state.item_texts import clock_text
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import theme
from magi_engine.runtime.job.events import ChunkState
from magi_engine.sampling.schedule import Transition

_SCROLL_BAR = 10
STRIDE = CELL_WIDTH + t.SPACE_2
"""From one chunk to the next."""


class ChunkStrip(QAbstractScrollArea):
    """Shows the chunks, follows the playhead, and lets the user jump to one.

    Signals:
        chosen: a chunk was clicked, or reached with the arrow keys.
        menu_wanted: where on the screen the menu of the chosen chunk, which is ready, is wanted.
        prompt_requested: the user wants to say what a chunk that has not begun shall show.
        thumbnail_wanted: a visible, ready chunk has no picture yet; asked once for each.
    """

    chosen = Signal(int)
    menu_wanted = Signal(QPoint)
    prompt_requested = Signal(int)
    thumbnail_wanted = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedHeight(CELL_HEIGHT + _SCROLL_BAR + 2)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName(self.tr("Parts of the video"))
        self.can_direct = False  # whether chunks that have not begun may get a prompt
        self.fps = 24.0
        self._cells: list[Cell] = []
        self._thumbnails: dict[int, QImage] = {}
        self._asked: set[int] = set()
        self._current: int | None = None
        self._selected = 0
        theme().changed.connect(self.viewport().update)

    def sizeHint(self) -> QSize:
        return QSize(5 * STRIDE, self.height())

    # Content

    @property
    def cells(self) -> Sequence[Cell]:
        """The chunks shown."""
        return self._cells

    def set_cells(self, cells: Sequence[Cell]) -> None:
        """A new video: all chunks, without pictures."""
        self._cells = list(cells)
        self._thumbnails.clear()
        self._asked.clear()
        self._current, self._selected = None, 0
        self._set_scroll_range()
        self.horizontalScrollBar().setValue(0)
        self._describe()
        self.viewport().update()

    def set_cell(self, index: int, cell: Cell) -> None:
        """One chunk changed, or is the next one (`index` at most the number of chunks)."""
        if index == len(self._cells):
            self._cells.append(cell)
            self._set_scroll_range()
            begins = cell.state is not ChunkState.WAITING
            self.viewport().update()  # the prompt has more room
        elif self._cells[index] == cell:
            return
        else:
            begins = self._cells[index].state is ChunkState.WAITING
            if self._cells[index].prompt != cell.prompt:
                self.viewport().update()
        self._cells[index] = cell
        if begins:
            self._follow_work(index)
        self._update_cell(index)
        if index == self._selected:
            self._describe()

    def drop_from(self, count: int) -> None:
        """Only the first `count` chunks remain: the job ended early."""
        del self._cells[count:]
        self._selected = max(0, min(self._selected, count - 1))
        self._set_scroll_range()
        self.viewport().update()

    def set_thumbnail(self, index: int, image: QImage) -> None:
        """The picture of a chunk, ideally at `thumbnail_size`."""
        self._thumbnails[index] = image
        self._asked.add(index)
        self._update_cell(index)

    def thumbnail_size(self) -> QSize:
        """Device pixels a picture has to fit into."""
        ratio = self.devicePixelRatioF()
        return QSize(round(CELL_WIDTH * ratio), round(PICTURE_HEIGHT * ratio))

    # The playhead

    def set_playing_frame(self, frame: int) -> None:
        """Mark the chunk a frame lies in, and bring it into view when it is another one."""
        index = self.chunk_of(frame)
        if index == self._current:
            return
        before, self._current = self._current, index
        for changed in (before, index):
            if changed is not None:
                self._update_cell(changed)
        if index is not None:
            self._select(index)
            self._bring_into_view(index)

    def chunk_of(self, frame: int) -> int | None:
        """The ready chunk a frame lies in."""
        low, high = 0, len(self._cells)
        while low < high:
            middle = (low + high) // 2
            if self._cells[middle].first_frame <= frame:
                low = middle + 1
            else:
                high = middle
        index = low - 1
        if index < 0 or self._cells[index].state is not ChunkState.DONE:
            return None
        return index

    # Geometry

    def visible_range(self) -> range:
        """The chunks that can be seen, in part at least."""
        left = self.horizontalScrollBar().value()
        first = max(0, left // STRIDE)
        last = (left + self.viewport().width() - 1) // STRIDE
        return range(first, min(len(self._cells), last + 1))

    def cell_rect(self, index: int) -> QRect:
        """Where a chunk is drawn, in the viewport."""
        left = index * STRIDE - self.horizontalScrollBar().value()
        return QRect(left, 0, CELL_WIDTH, CELL_HEIGHT)

    def chunk_at(self, point: QPoint) -> int | None:
        """The chunk under a point of the viewport."""
        index = (point.x() + self.horizontalScrollBar().value()) // STRIDE
        inside = 0 <= index < len(self._cells) and self.cell_rect(index).contains(point)
        return index if inside else None

    def _set_scroll_range(self) -> None:
        width = max(0, len(self._cells) * STRIDE - t.SPACE_2)
        bar = self.horizontalScrollBar()
        bar.setPageStep(self.viewport().width())
        bar.setSingleStep(STRIDE // 2)
        bar.setRange(0, max(0, width - self.viewport().width()))

    def _bring_into_view(self, index: int) -> None:
        rect, bar = self.cell_rect(index), self.horizontalScrollBar()
        if rect.left() < 0 or rect.right() >= self.viewport().width():
            # The chunk comes to the left third: what follows is what interests.
            bar.setValue(bar.value() + rect.left() - self.viewport().width() // 3)

    def _follow_work(self, index: int) -> None:
        """Show a chunk that has begun, unless the user looks at another place or it would push
        what is playing out of view."""
        bar, width = self.horizontalScrollBar(), self.viewport().width()
        before = self.cell_rect(max(0, index - 1))
        if 0 <= before.left() < width:
            wanted = index * STRIDE + CELL_WIDTH - width
            most = wanted if self._current is None else self._current * STRIDE
            bar.setValue(max(bar.value(), min(wanted, most)))

    def _update_cell(self, index: int) -> None:
        self.viewport().update(self.cell_rect(index))

    def _select(self, index: int) -> None:
        before, self._selected = self._selected, index
        self._update_cell(before)
        self._update_cell(index)
        self._describe()

    # Words

    def describe_cell(self, index: int) -> str:
        """A chunk in words, for tooltips and screen readers."""
        cell = self._cells[index]
        state = {
            ChunkState.WAITING: self.tr("waiting"),
            ChunkState.DENOISING: self.tr("{percent} % made").format(
                percent=round(cell.fraction * 100)
            ),
            ChunkState.DECODING: self.tr("nearly ready"),
            ChunkState.DONE: self.tr("ready"),
        }[cell.state]
        if index == self._current:
            state = self.tr("playing")
        text = self.tr("Part {number} of {count}, from {time} on: {state}").format(
            number=index + 1,
            count=len(self._cells),
            time=clock_text(cell.first_frame / self.fps),
            state=state,
        )
        return f"{text}\n{cell.said}" if cell.said else text

    def _describe(self) -> None:
        if self._cells:
            self.setAccessibleDescription(self.describe_cell(self._selected))
        if self.hasFocus():
            event = QAccessibleEvent(self, QAccessible.Event.DescriptionChanged)
            QAccessible.updateAccessibility(event)

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        for index in self.visible_range():
            rect = self.cell_rect(index)
            if not rect.intersects(event.rect()):
                continue
            cell = self._cells[index]
            paint_cell(
                painter,
                rect,
                cell,
                label=clock_text(cell.first_frame / self.fps),
                thumbnail=self._thumbnails.get(index),
                playing=index == self._current,
                focused=self.hasFocus() and index == self._selected,
                font=self.font(),
            )
            if cell.state is ChunkState.DONE and index not in self._asked:
                self._asked.add(index)
                self.thumbnail_wanted.emit(index)
        for run in self.prompt_runs():
            rect = self.cell_rect(run.start).united(self.cell_rect(run.stop - 1))
            rect.setLeft(max(rect.left(), 0))
            last = run.stop == len(self._cells)  # which may use what is free behind it
            rect.setRight(self.viewport().width() if last else rect.right())
            first = self._cells[run.start]
            changed = run.start > 0 and first.prompt != self._cells[run.start - 1].prompt
            changed = changed or first.transition is not Transition.GO_ON
            paint_prompt(painter, rect, first.said, changed, self.font())

    def prompt_runs(self) -> list[range]:
        """The chunks that can be seen, those with the same prompt together."""
        runs: list[range] = []
        for index in self.visible_range():
            cell = self._cells[index]
            goes_on = runs and cell.transition is Transition.GO_ON
            if goes_on and cell.prompt == self._cells[index - 1].prompt:
                runs[-1] = range(runs[-1].start, index + 1)
            else:
                runs.append(range(index, index + 1))
        return runs

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_scroll_range()

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        self.viewport().update()

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.viewport().update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.viewport().update()

    # Mouse and keys

    def mousePressEvent(self, event: QMouseEvent) -> None:
        index = self.chunk_at(event.position().toPoint())
        if event.button() is Qt.MouseButton.LeftButton and index is not None:
            self._select(index)
            self.chosen.emit(index)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()  # the press was

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        index = self.chunk_at(event.position().toPoint())
        if event.button() is Qt.MouseButton.LeftButton and index is not None:
            self._request_prompt(index)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        by_key = event.reason() is QContextMenuEvent.Reason.Keyboard
        index = self._selected if by_key else self.chunk_at(event.pos())
        if index is None:
            return
        self._request_prompt(index)
        if self._cells[index].state is ChunkState.DONE:
            self._select(index)
            if index != self._current:
                self.chosen.emit(index)
            place = self.cell_rect(index).bottomLeft() if by_key else event.pos()
            self.menu_wanted.emit(self.viewport().mapToGlobal(place))

    def _request_prompt(self, index: int) -> None:
        cells = self._cells
        if self.can_direct and index < len(cells) and cells[index].state is ChunkState.WAITING:
            self.prompt_requested.emit(index)

    def wheelEvent(self, event: QWheelEvent) -> None:
        # An ordinary wheel turns up and down; here there is only one way to go.
        turned = event.angleDelta().x() or event.angleDelta().y()
        bar = self.horizontalScrollBar()
        bar.setValue(bar.value() - turned)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()))
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        if step is not None and plain and self._cells:
            index = max(0, min(self._selected + step, len(self._cells) - 1))
            self._select(index)
            self._bring_into_view(index)
            self.chosen.emit(index)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2) and plain:
            self._request_prompt(self._selected)
        else:
            event.ignore()

    def viewportEvent(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent):
            index = self.chunk_at(event.pos())
            text = "" if index is None else self._tip(index)
            QToolTip.showText(event.globalPos(), text, self.viewport())
            return True
        return super().viewportEvent(event)

    def _tip(self, index: int) -> str:
        text = self.describe_cell(index)
        if self.can_direct and self._cells[index].state is ChunkState.WAITING:
            text += "\n" + self.tr("Double-click to change the prompt from here on.")
        return text
