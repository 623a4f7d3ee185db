"""The library as a grid of cards: the model, the painting, and the view that plays on hover."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRect,
    QRectF,
    QSize,
    Qt,
    QTimer,
    QUrl,
    Signal,
    Slot,
)
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from magi_desktop.state.item_texts import date_text, length_text, size_text
from magi_desktop.state.videos import LibraryItem
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_desktop.thumbnails import Thumbnails
from magi_desktop.widgets.controls import VideoList
from magi_desktop.widgets.painting import draw_badge, draw_line, draw_lines, font_of, rounded

ItemRole = Qt.ItemDataRole.UserRole
Index = QModelIndex | QPersistentModelIndex

_GOOD_CARD, _LEAST_CARD = 150, 128
_GAP = t.SPACE_1
_PADDING = t.SPACE_2
_TEXT_HEIGHT = 56
_HOVER_MS = 90
_HOVER_DELAY_MS = 150
_LOOK_MS = 40
_BADGE_OPACITY = 0.78
_STAR = 20
_BADGE_ROOM = 36
"""Height at the top right of a card that belongs to the number of its takes."""


class LibraryModel(QAbstractListModel):
    """The videos that are shown."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.items: Sequence[LibraryItem] = []
        """What is shown, in order."""
        self.takes: dict[str, int] = {}
        """How many takes an entry stands for, by its id; 0: it is one of an entry that is open."""
        self._rows: dict[str, int] = {}

    def show(self, items: Sequence[LibraryItem], takes: dict[str, int]) -> None:
        """Show these from now on; ``takes`` as the attribute."""
        rows = {item.id: row for row, item in enumerate(items)}
        if rows == self._rows:
            changed = [
                n
                for n, item in enumerate(items)
                if item != self.items[n] or takes.get(item.id) != self.takes.get(item.id)
            ]
            self.items, self.takes = list(items), takes
            for row in changed:
                self.dataChanged.emit(self.index(row), self.index(row))
            return
        self.beginResetModel()
        self.items, self.takes, self._rows = list(items), takes, rows
        self.endResetModel()

    def row_of(self, item_id: str) -> int:
        """The row of an item, -1 if it is not shown."""
        return self._rows.get(item_id, -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self.items)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        item = self.items[index.row()]
        if role == ItemRole:
            return item
        if role == Qt.ItemDataRole.DisplayRole:
            # Among the takes of a video what is said last tells them apart.
            inner = self.takes.get(item.id) == 0
            return (item.prompts.split("\n")[-1] if inner else item.prompt) or item.path.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return self._tooltip(item)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            parts = [item.prompt or item.path.name, length_text(item.duration_s)]
            parts += [date_text(item.created), *self.remarks(item)]
            return ", ".join([*parts, self.takes_text(item)] if self.takes_text(item) else parts)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        there = index.isValid() and not self.items[index.row()].missing
        return flags | Qt.ItemFlag.ItemIsDragEnabled if there else flags

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """The files, for other programs."""
        data = QMimeData()
        paths = [self.items[row].path for row in sorted(index.row() for index in indexes)]
        data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        return data

    def supportedDragActions(self) -> Qt.DropAction:
        return Qt.DropAction.CopyAction

    def takes_text(self, item: LibraryItem) -> str:
        """How many takes an entry stands for; empty if it is the only one."""
        count = self.takes.get(item.id, 1)
        return self.tr("%n take(s)", None, count) if count > 1 else ""

    def remarks(self, item: LibraryItem) -> list[str]:
        """What is not as one would expect."""
        if item.missing:
            return [self.tr("File is gone")]
        if item.auditioned:
            return [self.tr("Audition")]
        return [] if item.complete else [self.tr("Partial")]

    def _tooltip(self, item: LibraryItem) -> str:
        facts = f"{size_text(item.width, item.height)} · {length_text(item.duration_s)}"
        remarks = self.remarks(item)
        if item.quantised_attention:
            remarks.append(self.tr("8-bit arithmetic"))
        lines = [item.prompts, item.path.name, " · ".join([facts, *remarks])]
        return "\n".join(line for line in lines if line)


class LibraryGrid(VideoList):
    """Cards as wide as fit; asks for the thumbnails of what is on the screen, no others.

    Signals:
        delete_pressed, open_pressed: the keys for it, on the selected videos.
        takes_pressed: the number of an entry's takes was clicked: the LibraryItem.
    """

    delete_pressed = Signal()
    open_pressed = Signal()
    takes_pressed = Signal(object)

    def __init__(
        self, model: LibraryModel, thumbnails: Thumbnails, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._thumbnails = thumbnails
        self._model = model
        self.hover_frame = 0
        self.hovered: LibraryItem | None = None
        self.setModel(model)
        self.setItemDelegate(CardDelegate(self, thumbnails, model))
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setDragDropMode(QListView.DragDropMode.DragOnly)
        self.verticalScrollBar().setSingleStep(t.SPACE_5)
        self._look = QTimer(self, singleShot=True, interval=_LOOK_MS)
        self._look.timeout.connect(self.want_visible)
        self._play = QTimer(self, interval=_HOVER_MS)
        self._play.timeout.connect(self._next_frame)
        self._hover_delay = QTimer(self, singleShot=True, interval=_HOVER_DELAY_MS)
        self._hover_delay.timeout.connect(self._want_hovered)
        self.verticalScrollBar().valueChanged.connect(self._look.start)
        self.entered.connect(self._enter)
        self.viewportEntered.connect(self._leave)
        model.modelReset.connect(self._reset)
        model.dataChanged.connect(self._look.start)
        thumbnails.ready.connect(self._repaint)
        thumbnails.animation_ready.connect(self._start_playing)
        theme().changed.connect(self.viewport().update)

    def columns(self) -> int:
        """How many cards lie side by side."""
        room = self._room()
        return max(room // _GOOD_CARD, min(2, room // _LEAST_CARD), 1)

    def _room(self) -> int:
        # As if the scroll bar were there: else the cards would change size with it, and it would
        # come and go. Qt wraps a row that fills the width to the last pixel.
        bar = self.verticalScrollBar().sizeHint().width()
        return self.width() - 2 * self.frameWidth() - bar - 1

    def visible_rows(self) -> range:
        """The rows of which something can be seen."""
        size, columns = self.gridSize(), self.columns()
        if size.isEmpty():
            return range(0)
        top = self.verticalScrollBar().value()
        first = top // size.height() * columns
        last = ((top + self.viewport().height()) // size.height() + 1) * columns
        return range(first, min(last, len(self._model.items)))

    @Slot()
    def want_visible(self) -> None:
        """Have the thumbnails made that are on the screen."""
        items = [self._model.items[row] for row in self.visible_rows()]
        self._thumbnails.want([item.path for item in items if not item.missing])

    def resizeEvent(self, event: QResizeEvent) -> None:
        width = self._room() // self.columns()
        picture = (width - 2 * _GAP) * 9 // 16
        self.setGridSize(QSize(width, picture + _TEXT_HEIGHT + 2 * _GAP + 2 * _PADDING))
        super().resizeEvent(event)
        self._look.start()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.Leave:
            self._leave()
        return super().viewportEvent(event)

    def hideEvent(self, event) -> None:
        self._leave()
        self._thumbnails.want([])
        super().hideEvent(event)

    def showEvent(self, event) -> None:
        super().showEvent(event)
        self._look.start()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        item = self.indexAt(place).data(ItemRole)
        if item is not None and self._model.takes_text(item):
            card = self.visualRect(self.indexAt(place))
            if place.y() < card.top() + _BADGE_ROOM and place.x() > card.center().x():
                self.takes_pressed.emit(item)
                return
        super().mousePressEvent(event)

    def keyPressEvent(self, event) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.modifiers():
            self.open_pressed.emit()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            if not event.isAutoRepeat():  # else a key held down empties the library
                self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)

    @Slot(QModelIndex)
    def _enter(self, index: QModelIndex) -> None:
        item: LibraryItem = index.data(ItemRole)
        if self.hovered is not None and item.id == self.hovered.id:
            return
        self._leave()
        if not item.missing:
            self.hovered = item
            self._hover_delay.start()

    @Slot()
    def _leave(self) -> None:
        self._play.stop()
        self._hover_delay.stop()
        self._thumbnails.want_animation(None)
        left, self.hovered, self.hover_frame = self.hovered, None, 0
        if left is not None:
            self._update_item(left)

    @Slot()
    def _want_hovered(self) -> None:
        if self.hovered is None:
            return
        if self._thumbnails.animation(self.hovered.path) is not None:
            self._play.start()
        else:
            self._thumbnails.want_animation(self.hovered.path)

    @Slot(object)
    def _start_playing(self, path: object) -> None:
        if self.hovered is not None and self.hovered.path == path:
            self._play.start()

    @Slot()
    def _next_frame(self) -> None:
        self.hover_frame += 1
        if self.hovered is not None:
            self._update_item(self.hovered)

    @Slot()
    def _reset(self) -> None:
        self._leave()
        self._look.start()

    @Slot(object)
    def _repaint(self, path: object) -> None:
        for row in self.visible_rows():
            if self._model.items[row].path == path:
                self.update(self._model.index(row))

    def _update_item(self, item: LibraryItem) -> None:
        row = self._model.row_of(item.id)
        if row >= 0:
            self.update(self._model.index(row))


class CardDelegate(QStyledItemDelegate):
    """Paints a card: picture with length, prompt in two lines, date."""

    def __init__(self, grid: LibraryGrid, thumbnails: Thumbnails, model: LibraryModel) -> None:
        super().__init__(grid)
        self._grid, self._thumbnails, self._model = grid, thumbnails, model

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return self._grid.gridSize()

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        item: LibraryItem = index.data(ItemRole)
        k = theme().tokens
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        card = QRect(option.rect.topLeft(), self._grid.gridSize())
        card.adjust(_GAP, _GAP, -_GAP, -_GAP)
        inner = self._model.takes.get(item.id) == 0
        self._paint_ground(painter, QRectF(card), option.state, inner)
        width = card.width() - 2 * t.SPACE_1
        frame = QRect(card.left() + t.SPACE_1, card.top() + t.SPACE_1, width, width * 9 // 16)
        self._paint_picture(painter, frame, item)
        self._paint_badges(painter, frame, item, option)
        text = QRect(frame.left() + 2, frame.bottom() + t.SPACE_2, width - 4, _TEXT_HEIGHT)
        painter.setFont(font_of(option.font, t.FONT_BODY))
        ink = k.text_muted if item.missing else k.text
        draw_lines(painter, text, index.data(), 2, ink)
        painter.setFont(font_of(option.font, t.FONT_CAPTION))
        height = painter.fontMetrics().height()
        date = QRect(text.left(), card.bottom() - height - t.SPACE_1 - 1, text.width(), height)
        draw_line(painter, date, date_text(item.created), k.text_muted)
        painter.restore()

    def _paint_ground(
        self, painter: QPainter, card: QRectF, state: QStyle.StateFlag, inner: bool
    ) -> None:
        k = theme().tokens
        selected = bool(state & QStyle.StateFlag.State_Selected)
        if inner:
            painter.fillRect(card.adjusted(-_GAP, -_GAP, _GAP, _GAP), QColor(k.surface_sunken))
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        shape = rounded(card.adjusted(0.5, 0.5, -0.5, -0.5), t.RADIUS_M)
        if selected or hovered:
            painter.fillPath(shape, QColor(k.accent_soft if selected else k.surface_hover))
        if selected or state & QStyle.StateFlag.State_HasFocus:
            painter.strokePath(shape, QPen(QColor(k.accent), 1.5))

    def _paint_picture(self, painter: QPainter, frame: QRect, item: LibraryItem) -> None:
        k = theme().tokens
        painter.save()
        painter.setClipPath(rounded(QRectF(frame), t.RADIUS_S))
        painter.fillRect(frame, QColor(k.canvas))
        picture = None if item.missing else self._picture(item)
        if picture is None:
            side = 24
            place = QRect(0, 0, side, side)
            place.moveCenter(frame.center())
            icon("warning" if item.missing else "video", k.border_strong).paint(painter, place)
        else:
            size = picture.size().scaled(frame.size(), Qt.AspectRatioMode.KeepAspectRatio)
            place = QRect(0, 0, size.width(), size.height())
            place.moveCenter(frame.center())
            painter.drawImage(place, picture)
        painter.restore()

    def _picture(self, item: LibraryItem) -> QImage | None:
        hovered = self._grid.hovered
        if hovered is not None and hovered.id == item.id and self._grid.hover_frame:
            frames = self._thumbnails.animation(item.path)
            if frames:
                return frames[(self._grid.hover_frame - 1) % len(frames)]
        return self._thumbnails.picture(item.path)

    def _paint_badges(
        self, painter: QPainter, frame: QRect, item: LibraryItem, option: QStyleOptionViewItem
    ) -> None:
        k = theme().tokens
        ground = QColor(k.overlay)
        ground.setAlphaF(_BADGE_OPACITY)
        painter.setFont(font_of(option.font, t.FONT_CAPTION))
        bottom = frame.bottom() + 1 - t.SPACE_1
        right = QPointF(frame.right() + 1 - t.SPACE_1, bottom)
        draw_badge(painter, right, length_text(item.duration_s), ground, "#ffffff")
        if takes := self._model.takes_text(item):
            height = painter.fontMetrics().height() + 2
            corner = QPointF(right.x(), frame.top() + t.SPACE_1 + height)
            draw_badge(painter, corner, takes, ground, "#ffffff")
        remarks = self._model.remarks(item)
        if item.favourite:
            star = QRect(frame.left() + t.SPACE_1, frame.top() + t.SPACE_1, _STAR, _STAR)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(ground)
            painter.drawEllipse(star)
            icon("star-filled", "#ffffff").paint(painter, star.adjusted(3, 3, -3, -3))
        if remarks:
            left = QPointF(frame.left() + t.SPACE_1, bottom)
            draw_badge(painter, left, remarks[0], ground, "#ffffff", left=True)
