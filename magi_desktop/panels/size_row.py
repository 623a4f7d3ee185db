"""The picture's size: shapes to click, sides to type, legal sizes only."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt, Slot
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from magi_desktop.panels.field import Field
from magi_desktop.panels.values import aspect_size
from magi_desktop.state.draft import Draft
from magi_desktop.theme import tokens as t
from magi_desktop.theme.style import theme
from magi_desktop.widgets.controls import icon_button, name_control, prepare_number
from magi_desktop.widgets.layout import hbox, vbox
from magi_engine.config.sizes import MOST_PIXELS, SIZE_MULTIPLE, nearest_legal_sizes

ASPECTS = ((1, 1), (16, 9), (9, 16), (4, 3), (3, 4), (21, 9))
_SAME_SHAPE = 0.02
"""How far, as a logarithm, a size may be from a shape and still be called by its name."""


class AspectButton(QAbstractButton):
    """A small rectangle of a shape, with its name below."""

    _BOX = 18.0
    """Longest side of the drawn rectangle."""

    def __init__(self, across: int, down: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.ratio = across / down
        self.setText(f"{across}:{down}")
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme().changed.connect(self.update)

    def sizeHint(self) -> QSize:
        return QSize(44, 46)

    def minimumSizeHint(self) -> QSize:
        return QSize(36, 46)

    def paintEvent(self, _event: QPaintEvent) -> None:
        k = theme().tokens
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = k.surface_raised
        if self.isChecked():
            ground = k.accent_soft
        elif self.underMouse() or self.isDown():
            ground = k.surface_sunken
        edge = k.accent if self.isChecked() or self.hasFocus() else k.border
        painter.setPen(QPen(QColor(edge), 2 if self.hasFocus() else 1))
        painter.setBrush(QColor(ground))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), t.RADIUS_M, t.RADIUS_M)
        colour = QColor(k.accent_text if self.isChecked() else k.text_muted)
        painter.setPen(QPen(colour, 1.5))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        shape = QRectF(0, 0, self._BOX * min(1, self.ratio), self._BOX / max(1, self.ratio))
        shape.moveCenter(QRectF(0, 5, self.width(), self._BOX + 2).center())
        painter.drawRoundedRect(shape, 2, 2)
        font = QFont(self.font())
        font.setPixelSize(t.FONT_CAPTION)
        painter.setFont(font)
        painter.setPen(QColor(k.text if self.isChecked() else k.text_muted))
        below = self.rect().adjusted(0, 26, 0, -2)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter, self.text())


class SizeRow(Field):
    """Width and height."""

    def __init__(self, draft: Draft, parent: QWidget | None = None) -> None:
        super().__init__(draft, ("width", "height"), parent=parent)
        self.aspect_buttons = [AspectButton(*aspect, self) for aspect in ASPECTS]
        for button in self.aspect_buttons:
            button.clicked.connect(self._shape_clicked)
        shapes = hbox(spacing=t.SPACE_1).add(*self.aspect_buttons)
        self.width_box, self.height_box = self._side_box(), self._side_box()
        self.swap_button = icon_button(
            "swap",
            self.tr("Swap width and height"),
            self.tr("Turn the picture from wide to tall or back."),
            self,
        )
        self.swap_button.clicked.connect(self._swap)
        controls = vbox(spacing=t.SPACE_2).add(
            shapes,
            hbox(spacing=t.SPACE_2).add(
                (self.width_box, 1), QLabel("×", self), (self.height_box, 1), self.swap_button
            ),
        )
        hint = self.tr("Width of the picture in pixels, a multiple of {}.").format(SIZE_MULTIPLE)
        self.set_up(self.tr("&Size"), self.width_box, hint, controls)
        self.width_box.setAccessibleName(self.tr("Width"))
        name_control(
            self.height_box,
            self.tr("Height"),
            self.tr("Height of the picture in pixels, a multiple of {}.").format(SIZE_MULTIPLE),
        )
        self.setTabOrder(self.aspect_buttons[-1], self.width_box)
        self.setTabOrder(self.width_box, self.height_box)
        self.setTabOrder(self.height_box, self.swap_button)

    def refresh(self) -> None:
        settings = self.draft.settings
        for box, side in ((self.width_box, settings.width), (self.height_box, settings.height)):
            with QSignalBlocker(box):
                box.setValue(side)
        size = (settings.width, settings.height)
        shape = size[0] / size[1]
        for button in self.aspect_buttons:
            width, height = self._size_of(button)
            same_shape = abs(math.log(shape / button.ratio)) < _SAME_SHAPE
            button.setChecked(same_shape or size == (width, height))
            hint = self.tr("{0} × {1} pixels, about as many as the model's own picture has.")
            name_control(
                button,
                self.tr("Shape {}").format(button.text()),
                hint.format(width, height),
            )
        self.say("")

    def _side_box(self) -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(SIZE_MULTIPLE, MOST_PIXELS)
        box.setSingleStep(SIZE_MULTIPLE)
        prepare_number(box)
        box.setMinimumWidth(64)
        box.valueChanged.connect(self._typed)
        self.wheel_guard.watch(box)
        return box

    def _size_of(self, button: AspectButton) -> tuple[int, int]:
        runtime = self.draft.config.runtime_config
        return aspect_size(button.ratio, runtime.video_size_w * runtime.video_size_h)

    @Slot()
    def _shape_clicked(self) -> None:
        button = self.sender()
        assert isinstance(button, AspectButton)
        width, height = self._size_of(button)
        self.draft.set(width=width, height=height)
        self._update()  # a second click must not uncheck the shape

    @Slot()
    def _swap(self) -> None:
        settings = self.draft.settings
        self.draft.set(width=settings.height, height=settings.width)

    @Slot()
    def _typed(self) -> None:
        wish = (self.width_box.value(), self.height_box.value())
        width, height = nearest_legal_sizes(*wish)[0]
        self.draft.set(width=width, height=height)
        if (width, height) != wish:
            self._update()
            self.say(
                self.tr("{0} × {1} cannot be made; the nearest size is {2} × {3}.").format(
                    *wish, width, height
                ),
                "warning",
            )
