"""The queue as a Qt model, and how its rows are painted."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QByteArray,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Slot,
)
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from magi_desktop.state.item_texts import MODE_ICONS, prompt_text, request_line
from magi_desktop.state.jobs import JobState, Phase
from magi_desktop.state.queue import JobQueue, QueueItem, QueueState
from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_desktop.translation import translated
from magi_desktop.widgets.painting import draw_line, draw_lines, font_of, rounded

ItemRole = Qt.ItemDataRole.UserRole
_ROW_HEIGHT = 68
_ICON_SIDE = 18
_BAR_HEIGHT = 4

Index = QModelIndex | QPersistentModelIndex


class QueueModel(QAbstractListModel):
    """The items of a queue in its order, those that failed on demand. Moving rows moves them."""

    def __init__(self, queue: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self.shows_failed = False
        self._shown = self._wanted()
        queue.changed.connect(self._follow)

    def show_failed(self, shown: bool) -> None:
        """Whether items that failed have rows, at the end."""
        self.shows_failed = shown
        self._follow()

    def _wanted(self) -> tuple[QueueItem, ...]:
        items = self._queue.items
        return items if self.shows_failed else items[: len(items) - len(self._queue.failed)]

    def item(self, row: int) -> QueueItem:
        """The item in a row."""
        return self._shown[row]

    def row_of(self, item_id: str) -> int:
        """The row of an item, -1 if it is gone."""
        return next((n for n, item in enumerate(self._shown) if item.id == item_id), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        item = self._shown[index.row()]
        if role == ItemRole:
            return item
        if role == Qt.ItemDataRole.DisplayRole:
            return prompt_text(item.request)
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(part for part in (item.request.prompt, self.note(item)) if part)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{prompt_text(item.request)}, {self.line(item)}"
        return None

    def line(self, item: QueueItem) -> str:
        """The second line of a row."""
        return self.note(item) or request_line(item.request)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if not index.isValid():
            return Qt.ItemFlag.ItemIsDropEnabled
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        if self._shown[index.row()].state is QueueState.WAITING:
            flags |= Qt.ItemFlag.ItemIsDragEnabled
        return flags

    def supportedDropActions(self) -> Qt.DropAction:
        return Qt.DropAction.MoveAction

    def moveRows(
        self, source_parent: Index, source_row: int, count: int, _parent: Index, target_row: int
    ) -> bool:
        """Called by the view when rows were dragged."""
        if source_parent.isValid() or count != 1:
            return False
        before = self._shown
        place = target_row - 1 if target_row > source_row else target_row
        self._queue.move(self._shown[source_row].id, place)
        return self._shown != before

    def roleNames(self) -> dict[int, QByteArray]:
        return {**super().roleNames(), int(ItemRole): QByteArray(b"item")}

    def note(self, item: QueueItem) -> str:
        """What has to be said of an item; empty: nothing."""
        if item.edited:
            return self.tr("You are editing it: it does not start until you put it back.")
        if item.state is QueueState.FAILED:
            return translated(item.error) if item.error else self.tr("It could not be made.")
        if item.interrupted:
            return self.tr("Interrupted: the program ended while this was being made.")
        return ""

    @Slot()
    def _follow(self) -> None:
        items = self._wanted()
        if items == self._shown:
            return
        if _ids(items) == _ids(self._shown):
            self._shown = items
            self.dataChanged.emit(self.index(0), self.index(len(items) - 1))
        elif sorted(_ids(items)) == sorted(_ids(self._shown)):
            self._reorder(items)
        else:
            self.beginResetModel()
            self._shown = items
            self.endResetModel()

    def _reorder(self, items: tuple[QueueItem, ...]) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self.persistentIndexList()
        place = {item_id: row for row, item_id in enumerate(_ids(items))}
        after = [self.index(place[self._shown[index.row()].id]) for index in before]
        self._shown = items
        self.changePersistentIndexList(before, after)
        self.layoutChanged.emit()


class QueueDelegate(QStyledItemDelegate):
    """Paints a row: kind of video, prompt, facts; the running one with its progress."""

    def __init__(self, model: QueueModel, job: JobState, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model, self._job = model, job

    def sizeHint(self, option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(option.rect.width(), _ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        item: QueueItem = index.data(ItemRole)
        k = theme().tokens
        running = item.state is QueueState.RUNNING
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        card = option.rect.adjusted(t.SPACE_1, 2, -t.SPACE_1, -2)
        _ground(painter, card, option.state, running)
        inner = card.adjusted(t.SPACE_3, t.SPACE_2, -t.SPACE_3, -t.SPACE_2)
        name, colour = MODE_ICONS[item.request.mode], k.accent_text if running else k.text_muted
        if item.edited:
            name, colour = "edit", k.accent_text
        elif item.state is QueueState.FAILED:
            name, colour = "error", k.error
        elif item.interrupted:
            name, colour = "warning", k.warning
        title = font_of(option.font, t.FONT_BODY, bold=running)
        small = font_of(option.font, t.FONT_CAPTION)
        line, caption = QFontMetrics(title).lineSpacing(), QFontMetrics(small).lineSpacing()
        text = inner.adjusted(_ICON_SIDE + t.SPACE_3, 0, 0, 0)
        # Where nothing needs to be explained there is room for a second line of the prompt.
        plain = not running and not self._model.note(item)
        fits = QFontMetrics(title).horizontalAdvance(index.data()) <= text.width()
        lines = 2 if plain and not fits else 1
        top = text.top()
        if plain:
            top += max(0, (text.height() - lines * line - caption - 2) // 2)
        icon(name, colour).paint(painter, QRect(inner.left(), top, _ICON_SIDE, _ICON_SIDE))
        painter.setFont(title)
        draw_lines(
            painter, QRect(text.left(), top, text.width(), line), index.data(), lines, k.text
        )
        top += lines * line + 2
        below = QRect(text.left(), top, text.width(), text.bottom() - top)
        painter.setFont(small)
        if running:
            self._paint_progress(painter, below)
        else:
            failed = item.state is QueueState.FAILED and not item.edited
            ink = k.error if failed else k.warning if item.interrupted else k.text_muted
            draw_lines(painter, below, self._model.line(item), 2, ink)
        painter.restore()

    def _paint_progress(self, painter: QPainter, rect: QRect) -> None:
        k = theme().tokens
        line = QRect(rect.left(), rect.top(), rect.width(), painter.fontMetrics().height())
        draw_line(painter, line, self._running_line(), k.text_muted)
        bar = QRectF(rect.left(), line.bottom() + 5, rect.width(), _BAR_HEIGHT)
        painter.fillPath(rounded(bar, _BAR_HEIGHT / 2), QColor(k.border))
        done = self._job.fraction
        if done:
            bar.setWidth(max(_BAR_HEIGHT, bar.width() * min(1.0, done)))
            painter.fillPath(rounded(bar, _BAR_HEIGHT / 2), QColor(k.accent))

    def _running_line(self) -> str:
        if self._job.phase is Phase.PAUSED:
            return self.tr("Paused")
        if self._job.phase is Phase.STOPPING:
            return self.tr("Stopping")
        if self._job.fraction is None or self._job.phase is not Phase.RUNNING:
            return self.tr("Being made")
        percent = int(self._job.fraction * 100)
        return self.tr("Being made · {percent} %").format(percent=percent)


def _ground(painter: QPainter, card: QRect, state: QStyle.StateFlag, running: bool) -> None:
    k = theme().tokens
    selected = bool(state & QStyle.StateFlag.State_Selected)
    focused = bool(state & QStyle.StateFlag.State_HasFocus)
    hovered = bool(state & QStyle.StateFlag.State_MouseOver)
    ground = k.accent_soft if selected else k.surface_hover if hovered or running else k.surface
    shape = rounded(QRectF(card).adjusted(0.5, 0.5, -0.5, -0.5), t.RADIUS_M)
    painter.fillPath(shape, QColor(ground))
    if focused:
        painter.strokePath(shape, QPen(QColor(k.accent), 1.5))


def _ids(items: Sequence[QueueItem]) -> list[str]:
    return [item.id for item in items]
