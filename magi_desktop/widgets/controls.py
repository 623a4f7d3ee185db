"""Small makings of controls that panels and dialogs share."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QDoubleSpinBox,
    QLabel,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QWidget,
)

from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon

SPIN_WIDTH = 84
"""Width of a number beside a slider."""


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget another look of the style sheet."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def plain_label(text: str, parent: QWidget | None = None) -> QLabel:
    """A label that shows what it is given, tags, too: prompts and names of files may have some."""
    label = QLabel(text, parent)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def wrapped_label(role: str, parent: QWidget | None = None) -> QLabel:
    """A label that takes the width it gets and breaks its lines."""
    label = plain_label("", parent)
    label.setProperty("role", role)
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return label


def icon_button(name: str, accessible_name: str, hint: str, parent: QWidget) -> QToolButton:
    """A small button that is only an icon."""
    button = QToolButton(parent)
    button.setProperty("kind", "icon")
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    bind_icon(button, name)
    name_control(button, accessible_name, hint)
    return button


def name_control(widget: QWidget, accessible_name: str, hint: str) -> None:
    """Say what a control is to those who see it and to those who hear it."""
    widget.setAccessibleName(accessible_name)
    widget.setAccessibleDescription(hint)
    widget.setToolTip(hint)


def prepare_number(box: QSpinBox | QDoubleSpinBox, width: int | None = None) -> None:
    """What all boxes for numbers have in common; ``width`` in logical pixels, None: any."""
    # What is typed counts when it is complete, not digit by digit.
    box.setKeyboardTracking(False)
    box.lineEdit().setTextMargins(t.SPACE_1 + 2, 0, 0, 0)  # style sheets cannot say this
    if width is not None:
        box.setFixedWidth(width)


class ElidedLabel(QLabel):
    """One line that ends in dots where it is too long, and then says all of it as a tooltip.

    Args:
        mode: where the dots are; in the middle of a file's name, so that its suffix shows.
    """

    def __init__(
        self, parent: QWidget | None, mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle
    ) -> None:
        super().__init__(parent)
        self._full = ""
        self._mode = mode
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def sizeHint(self) -> QSize:
        return super().sizeHint().expandedTo(self._line())

    def minimumSizeHint(self) -> QSize:
        return super().minimumSizeHint().expandedTo(self._line())

    def _line(self) -> QSize:
        """As high with nothing in it as with words of the window's language, whose letters another
        font may lend: nothing moves when a text comes."""
        self.ensurePolished()
        words = QCoreApplication.translate("Progress", "Paused")
        return QSize(0, self.fontMetrics().size(Qt.TextFlag.TextSingleLine, words).height())

    def set_text(self, text: str) -> None:
        """Show this, as far as it has room."""
        self._full = text
        self.setAccessibleName(text)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.ensurePolished()  # else the first text is measured in another size of type
        shown = self.fontMetrics().elidedText(self._full, self._mode, self.width())
        self.setText(shown)
        self.setToolTip(self._full if shown != self._full else "")


class WheelGuard(QObject):
    """Keeps the wheel from changing a control that only happens to be under the pointer."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if (
            event.type() is QEvent.Type.Wheel
            and isinstance(watched, QWidget)
            and not watched.hasFocus()
        ):
            event.ignore()
            return True
        return False

    def watch(self, *widgets: QWidget) -> None:
        """Guard these; they also no longer take the focus from the wheel."""
        for widget in widgets:
            widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            widget.installEventFilter(self)


class NumberBox(QDoubleSpinBox):
    """A number without needless zeros: "4 s" rather than "4.00 s"."""

    def textFromValue(self, value: float) -> str:
        return self.locale().toString(value, "g", 6)
