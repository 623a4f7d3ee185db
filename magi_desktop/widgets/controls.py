"""Small makings of controls that panels and dialogs share."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QGuiApplication, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QListView,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QWidget,
)

from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon

SPIN_WIDTH = 84
"""Width of a number beside a slider."""
COPIED_MS = 1500
_STEPS = 1000


def set_role(widget: QWidget, role: str) -> None:
    """Give a widget another look of the style sheet."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def line_label(text: str, role: str, parent: QWidget | None = None) -> QLabel:
    """One line in one of the style sheet's roles. Tags in it are shown: prompts and names of files
    may have some."""
    made = QLabel(text, parent)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setProperty("role", role)
    return made


def text_label(text: str, role: str, parent: QWidget | None = None) -> QLabel:
    """The same of several lines: it takes the width it gets and breaks them."""
    made = line_label(text, role, parent)
    made.setWordWrap(True)
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    return made


def flowing_label(text: str, role: str, parent: QWidget) -> QLabel:
    """The same where the height may follow the width: it takes no more room than its lines."""
    made = text_label(text, role, parent)
    made.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return made


def push_button(text: str, hint: str, parent: QWidget, kind: str = "") -> QPushButton:
    """A button that only Tab and clicks reach: Enter in a field does not press it."""
    button = QPushButton(text, parent)
    button.setAutoDefault(False)
    button.setProperty("kind", kind)
    name_control(button, text.replace("&", "").removesuffix("…"), hint)
    return button


def icon_button(name: str, accessible_name: str, hint: str, parent: QWidget) -> QToolButton:
    """A small button that is only an icon."""
    button = QToolButton(parent)
    button.setProperty("kind", "icon")
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    bind_icon(button, name)
    name_control(button, accessible_name, hint)
    return button


class CopyButton(QPushButton):
    """Puts a text on the clipboard and says so for a moment."""

    def __init__(self, text: str, hint: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self.setAutoDefault(False)
        name_control(self, text.replace("&", ""), hint)
        self._timer = QTimer(self, singleShot=True, interval=COPIED_MS)
        self._timer.timeout.connect(lambda: self.setText(text))

    def copy(self, text: str) -> None:
        QGuiApplication.clipboard().setText(text)
        self.setText(self.tr("Copied"))
        self._timer.start()


def progress_bar(name: str, parent: QWidget) -> QProgressBar:
    """A bar without a text, which moves until it is given a value."""
    bar = QProgressBar(parent)
    bar.setRange(0, 0)
    bar.setTextVisible(False)
    bar.setAccessibleName(name)
    return bar


def show_fraction(bar: QProgressBar, done: float | None, moves: bool = True) -> None:
    """Let a bar show a share of 0 to 1; where that is not known it moves, or is empty."""
    bar.setRange(0, 0 if done is None and moves else _STEPS)
    bar.setValue(round((done or 0.0) * _STEPS))


class _UpAndDown(QScrollArea):
    """As wide, at the least, as what is inside, which could not be seen else."""

    def __init__(self, inside: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        self._inside = inside
        self.setWidget(inside)

    def minimumSizeHint(self) -> QSize:
        least = super().minimumSizeHint()
        bar = self.verticalScrollBar().sizeHint().width()
        return least.expandedTo(QSize(self._inside.minimumSizeHint().width() + bar, 0))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)


def scroll_area(inside: QWidget, parent: QWidget) -> QScrollArea:
    """Scrolls a widget up and down only; Tab passes it by."""
    area = _UpAndDown(inside, parent)
    area.setWidgetResizable(True)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return area


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


def take_typed(field: QWidget | None) -> None:
    """Let what has been typed into a field so far count, as if the field were left: keys of the
    menus leave it where it is."""
    if isinstance(field, QAbstractSpinBox):
        field.interpretText()
    elif isinstance(field, QLineEdit):
        field.editingFinished.emit()


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
        """As high with nothing in it as with words of the window's language and others, which
        may be in another font: nothing moves when a text comes."""
        self.ensurePolished()
        words = QCoreApplication.translate("Progress", "Paused") + " A0"
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


class VideoList(QListView):
    """A list of videos: it looks for no letters, which are the player's keys, as is the space."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        passing = Qt.KeyboardModifier.ShiftModifier | Qt.KeyboardModifier.KeypadModifier
        held = event.modifiers() & ~passing
        if event.text().isprintable() and event.text() and not held:
            event.ignore()
        else:
            super().keyPressEvent(event)
