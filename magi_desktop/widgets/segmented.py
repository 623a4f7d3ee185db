"""A row of choices of which exactly one is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QWidget

from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import icon
from magi_desktop.theme.style import theme
from magi_desktop.widgets.layout import hbox

_ICON_SIDE = 16

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Segment(Generic[_Value]):
    """One choice."""

    value: _Value
    label: str
    tooltip: str
    icon: str | None = None


class Segmented(QWidget, Generic[_Value]):
    """Segments side by side, all of one width. Arrow keys change the choice.

    Signals:
        chosen: the value the user took; not emitted by ``set_value``.
    """

    chosen = Signal(object)

    def __init__(
        self, segments: list[Segment[_Value]], name: str, parent: QWidget | None = None
    ) -> None:
        """``name`` says to a screen reader what is chosen here."""
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._values = [segment.value for segment in segments]
        self._group = QButtonGroup(self)
        row = hbox(self, 2, 3)
        for index, segment in enumerate(segments):
            button = _SegmentButton(segment, self)
            button.setAccessibleName(f"{name}: {segment.label}")
            self._group.addButton(button, index)
            row.add((button, 1))
        self._group.button(0).setChecked(True)
        self._group.idClicked.connect(lambda index: self.chosen.emit(self._values[index]))
        theme().changed.connect(self.update)

    @property
    def value(self) -> _Value:
        return self._values[self._group.checkedId()]

    def set_value(self, value: _Value) -> None:
        """Choose from the program's side."""
        self._group.button(self._values.index(value)).setChecked(True)

    def button(self, value: _Value) -> QAbstractButton:
        return self._group.button(self._values.index(value))

    def step(self, by: int) -> None:
        """Take the choice beside the present one, as an arrow key does; stays at the ends."""
        index = self._group.checkedId() + by
        if 0 <= index < len(self._values):
            button = self._group.button(index)
            button.click()
            button.setFocus(Qt.FocusReason.TabFocusReason)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The ground that the segments lie in."""
        k = theme().tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(k.border))
        painter.setBrush(QColor(k.surface_sunken))
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(frame, t.RADIUS_M, t.RADIUS_M)


_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Up: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Down: 1}


class _SegmentButton(QAbstractButton):
    def __init__(self, segment: Segment, parent: Segmented) -> None:
        super().__init__(parent)
        self._row = parent
        self.setText(segment.label)
        self.setToolTip(segment.tooltip)
        self.setCheckable(True)
        self._follow(False)
        self.toggled.connect(self._follow)  # Qt does so only for what was clicked
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._icon = segment.icon

    @Slot(bool)
    def _follow(self, taken: bool) -> None:
        """The Tab key leads to the choice that is taken; where the focus is, it follows."""
        policy = Qt.FocusPolicy.TabFocus if taken else Qt.FocusPolicy.NoFocus
        self.setFocusPolicy(policy)
        focus = self.window().focusWidget()
        if taken and focus is not None and focus.parentWidget() is self._row:
            self.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrow keys go to the neighbour."""
        step = _STEPS.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self._row.step(step)

    def sizeHint(self) -> QSize:
        icon_width = _ICON_SIDE + 6 if self._icon else 0
        width = self.fontMetrics().horizontalAdvance(self.text()) + icon_width + 2 * t.SPACE_2
        return QSize(width, t.CONTROL_HEIGHT - 6)

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """A raised plate if taken; else the label on the ground."""
        k = theme().tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        radius = t.RADIUS_M - 2
        if self.isChecked():
            painter.setPen(QColor(k.border_strong if k.dark else k.border))
            painter.setBrush(QColor(k.surface_raised))
            painter.drawRoundedRect(frame, radius, radius)
        if self.hasFocus():
            painter.setPen(QPen(QColor(k.accent), 2))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(frame.adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
        lively = self.isChecked() or self.underMouse()
        colour = k.text if lively else k.text_muted
        if not self.isEnabled():
            colour = k.border_strong
        self._draw_content(painter, colour)

    def _draw_content(self, painter: QPainter, colour: str) -> None:
        icon_width = _ICON_SIDE + 6 if self._icon else 0
        text_width = painter.fontMetrics().horizontalAdvance(self.text())
        left = (self.width() - icon_width - text_width) / 2
        if self._icon:
            top = (self.height() - _ICON_SIDE) // 2
            tint = theme().tokens.accent_text if self.isChecked() else colour
            icon(self._icon, tint).paint(painter, round(left), top, _ICON_SIDE, _ICON_SIDE)
        painter.setPen(QColor(colour))
        place = QRectF(left + icon_width, 0, text_width + 1, self.height())
        painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, self.text())
