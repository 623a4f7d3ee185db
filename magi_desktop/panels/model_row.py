"""Choosing a model: what each is for, which ones are here, and getting the others."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QComboBox,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from magi_desktop.panels.field import Field
from magi_desktop.state.draft import Draft
from magi_desktop.state.model_words import headline, short_figures
from magi_desktop.state.models import Models
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import theme
from magi_desktop.translation import translated
from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.install.status import ModelState, ModelStatus

_POPUP_WIDTH = 340


class _Role(IntEnum):
    PURPOSE = Qt.ItemDataRole.UserRole + 1
    BADGE = Qt.ItemDataRole.UserRole + 2


class _ModelDelegate(QStyledItemDelegate):
    """Title, badge at its right, and the purpose below in as many lines as it takes."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        k = theme().tokens
        state: QStyle.StateFlag = option.state  # pyright: ignore[reportAttributeAccessIssue]
        rect: QRect = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if state & (QStyle.StateFlag.State_Selected | QStyle.StateFlag.State_MouseOver):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(k.accent_soft))
            painter.drawRoundedRect(rect.adjusted(2, 1, -2, -1), t.RADIUS_S, t.RADIUS_S)
        inner = rect.adjusted(t.SPACE_2, t.SPACE_2, -t.SPACE_2, -t.SPACE_2)
        title_font, small_font = self._fonts(option)
        painter.setFont(title_font)
        painter.setPen(QColor(k.text))
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
        painter.drawText(inner, left, index.data(Qt.ItemDataRole.DisplayRole))
        painter.setFont(small_font)
        painter.setPen(QColor(k.text_muted))
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop
        painter.drawText(inner, right, index.data(_Role.BADGE) or "")
        below = inner.adjusted(0, QFontMetrics(title_font).height() + 2, 0, 0)
        wrap = Qt.TextFlag.TextWordWrap
        painter.drawText(below, left | wrap, index.data(_Role.PURPOSE) or "")
        painter.restore()

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        title_font, small_font = self._fonts(option)
        view: QWidget = option.widget  # pyright: ignore[reportAttributeAccessIssue]
        # The view has a border and padding around its rows.
        width = max(view.width(), _POPUP_WIDTH) - 2 * t.SPACE_3 - 2 * t.SPACE_2
        purpose = QFontMetrics(small_font).boundingRect(
            QRect(0, 0, width, 1000), Qt.TextFlag.TextWordWrap, index.data(_Role.PURPOSE) or ""
        )
        height = QFontMetrics(title_font).height() + 2 + purpose.height() + 2 * t.SPACE_2
        return QSize(0, height)

    def _fonts(self, option: QStyleOptionViewItem) -> tuple[QFont, QFont]:
        title = QFont(option.font)  # pyright: ignore[reportAttributeAccessIssue]
        title.setPixelSize(t.FONT_BODY)
        small = QFont(title)
        small.setPixelSize(t.FONT_CAPTION)
        return title, small


class ModelRow(Field):
    """The model, and what is missing of it; the button that generates gets it."""

    def __init__(self, draft: Draft, models: Models, parent: QWidget | None = None) -> None:
        super().__init__(draft, ("model", "config_path"), parent=parent)
        self._models = models
        self._default = Registry.load().default
        self.combo = QComboBox(self)
        self.combo.setView(QListView(self.combo))
        self.combo.setItemDelegate(_ModelDelegate(self.combo))
        self.combo.view().setMinimumWidth(_POPUP_WIDTH)
        self.combo.setMinimumContentsLength(8)
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.combo.activated.connect(self._chosen)
        self.set_up(
            self.tr("&Model"),
            self.combo,
            self.tr("Larger models make better pictures and need more memory and time."),
        )
        models.changed.connect(self.refresh)
        models.tasks.changed.connect(self._show_state)
        models.tasks.progressed.connect(self._show_state)

    def can_reset(self) -> bool:
        settings = self.draft.settings
        return settings.config_path is not None or settings.model != self._default.name

    @Slot()
    def reset(self) -> None:
        self.draft.choose_model(self._default.name)

    @Slot()
    def refresh(self) -> None:
        settings = self.draft.settings
        self.combo.clear()
        for entry in self._entries():
            self._add(entry.title, entry.name, translated(entry.purpose), self._badge(entry.name))
        index = self.combo.findData(settings.model)
        if settings.config_path is not None:
            path = Path(settings.config_path)
            purpose = self.tr("As the configuration file {} says.").format(path.name)
            self._add(path.stem, settings.config_path, purpose, "")
            index = self.combo.count() - 1
        self.combo.setMaxVisibleItems(self.combo.count())
        self.combo.setCurrentIndex(index)
        self._show_state()

    def _entries(self) -> list[ModelEntry]:
        """Those that were found, the user's own among them; before the first look the known."""
        found = [status.entry for status in self._models.statuses]
        return found or list(Registry.load().entries)

    def _add(self, title: str, data: str, purpose: str, badge: str) -> None:
        self.combo.addItem(title, data)
        last = self.combo.count() - 1
        self.combo.setItemData(last, purpose, _Role.PURPOSE)
        self.combo.setItemData(last, badge, _Role.BADGE)
        spoken = ", ".join(part for part in (title, badge, purpose) if part)
        self.combo.setItemData(last, spoken, Qt.ItemDataRole.AccessibleTextRole)

    def _badge(self, name: str) -> str:
        status = self._models.status(name)
        if status is None:
            return ""
        return {
            ModelState.READY: "",
            ModelState.PARTLY: self.tr("partly here"),
            ModelState.ABSENT: self.tr("not downloaded"),
            ModelState.TO_MAKE: self.tr("not made yet"),
            ModelState.UNCHECKED: self.tr("not checked yet"),
            ModelState.DAMAGED: self.tr("damaged"),
        }[status.state]

    @Slot()
    def _show_state(self) -> None:
        """Say what the chosen model is for, or what is to be done to have it."""
        settings = self.draft.settings
        name = settings.model
        status = None if settings.config_path else self._models.status(name)
        if status is None or status.state is ModelState.READY:
            self.say(self.combo.currentData(_Role.PURPOSE) or "")
            return
        item, problem = self._models.tasks.item(name), self._models.tasks.problems.get(name)
        if item is not None:
            self.say("  ·  ".join(filter(None, (headline(item), short_figures(item)))))
        elif problem is not None:
            self.say(translated(problem.error), "error")
        else:
            self.say(self._reason(status), "warning")

    def _reason(self, status: ModelStatus) -> str:
        return {
            ModelState.PARTLY: self.tr("Some of its files are not on this computer yet."),
            ModelState.TO_MAKE: self.tr("It has not been made on this computer yet."),
            ModelState.UNCHECKED: self.tr("Its files have not been checked yet."),
            ModelState.DAMAGED: self.tr("Some of its files are damaged."),
        }.get(status.state, self.tr("Its files are not on this computer yet."))

    @Slot(int)
    def _chosen(self, index: int) -> None:
        name = self.combo.itemData(index)
        if name != self.draft.settings.config_path:
            self.draft.choose_model(name)
