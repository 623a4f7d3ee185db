"""Choosing a model: what each is for, and which ones are on this machine."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import (
    QComboBox,
    QListView,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from magi_desktop import background
from magi_desktop.engine_words import translated
from magi_desktop.panels.field import Field
from magi_desktop.state.draft import Draft
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import theme
from magi_desktop.widgets.controls import name_control
from magi_engine.config.registry import ModelEntry, Registry
from magi_engine.errors import MagiError
from magi_engine.weights.layout import find_model

_POPUP_WIDTH = 340


def models_not_here(models_dir: Path | None) -> dict[str, str]:
    """Names of the models that cannot be used now, each with the reason; reads the disk."""
    reasons = {}
    for entry in Registry.load().entries:
        try:
            find_model(entry.name, models_dir)
        except MagiError as error:
            reasons[entry.name] = error.message
    return reasons


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
    """The model.

    Signals:
        model_wanted: name of a model that was chosen although its files are not here.
    """

    model_wanted = Signal(str)

    def __init__(
        self, draft: Draft, models_dir: Path | None = None, parent: QWidget | None = None
    ) -> None:
        super().__init__(draft, ("model", "config_path"), parent=parent)
        self._models_dir = models_dir
        self._entries = Registry.load()
        self._reasons: dict[str, str] = {}
        self.combo = QComboBox(self)
        self.combo.setView(QListView(self.combo))
        self.combo.setItemDelegate(_ModelDelegate(self.combo))
        self.combo.view().setMinimumWidth(_POPUP_WIDTH)
        self.combo.setMinimumContentsLength(8)
        self.combo.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.combo.setMaxVisibleItems(len(self._entries.entries) + 1)
        self.combo.activated.connect(self._chosen)
        self.wheel_guard.watch(self.combo)
        self.get_button = QPushButton(self.tr("How to get this model…"), self)
        name_control(
            self.get_button,
            self.tr("How to get this model"),
            self.tr("Says where the files come from and where they belong."),
        )
        self.get_button.clicked.connect(self._get_clicked)
        self.set_up(
            self.tr("&Model"),
            self.combo,
            self.combo,
            self.tr("Larger models make better pictures and need more memory and time."),
        )
        self.rows.addWidget(self.get_button)
        self.look_for_models()

    def look_for_models(self) -> None:
        """Look again, in the background, which models are here."""
        background.run(models_not_here, self._models_dir, then=self._found, owner=self)

    @property
    def missing(self) -> frozenset[str]:
        """Names of the models whose files are not here, as far as that is known yet."""
        return frozenset(self._reasons)

    def can_reset(self) -> bool:
        settings = self.draft.settings
        return settings.config_path is not None or settings.model != self._entries.default.name

    @Slot()
    def reset(self) -> None:
        self.draft.set(model=self._entries.default.name, config_path=None)
        self.reset_done.emit()

    def refresh(self) -> None:
        settings = self.draft.settings
        self.combo.clear()
        for entry in self._entries.entries:
            self._add(entry.title, entry.name, translated(entry.purpose), self._badge(entry))
        index = self.combo.findData(settings.model)
        if settings.config_path is not None:
            path = Path(settings.config_path)
            purpose = self.tr("As the configuration file {} says.").format(path.name)
            self._add(path.stem, settings.config_path, purpose, "")
            index = self.combo.count() - 1
        self.combo.setCurrentIndex(index)
        entry = None if settings.config_path else self._entries.find(settings.model)
        self.get_button.hide()
        if entry is None or entry.name not in self._reasons:
            self.say(self.combo.currentData(_Role.PURPOSE) or "")
        elif entry.release is None:
            self.say(self._reasons[entry.name], "warning")
        else:
            self.say(self.tr("Its files are not on this computer yet."), "warning")
            self.get_button.setToolTip(self._reasons[entry.name])
            self.get_button.show()

    def _add(self, title: str, data: str, purpose: str, badge: str) -> None:
        self.combo.addItem(title, data)
        last = self.combo.count() - 1
        self.combo.setItemData(last, purpose, _Role.PURPOSE)
        self.combo.setItemData(last, badge, _Role.BADGE)
        spoken = ", ".join(part for part in (title, badge, purpose) if part)
        self.combo.setItemData(last, spoken, Qt.ItemDataRole.AccessibleTextRole)

    def _badge(self, entry: ModelEntry) -> str:
        if entry.name not in self._reasons:
            return ""
        return self.tr("not downloaded") if entry.release else self.tr("not made yet")

    def _found(self, reasons: dict[str, str]) -> None:
        self._reasons = reasons
        self.refresh()

    @Slot()
    def _get_clicked(self) -> None:
        self.model_wanted.emit(self.draft.settings.model)

    @Slot(int)
    def _chosen(self, index: int) -> None:
        name = self.combo.itemData(index)
        if name == self.draft.settings.config_path:
            return
        self.draft.set(model=name, config_path=None)
        if name in self._reasons:
            self.model_wanted.emit(name)
