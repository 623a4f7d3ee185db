"""Windows that are never larger than what the screen has free."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QFrame, QScrollArea, QVBoxLayout, QWidget

_FRAME = QSize(16, 48)
"""Room for a title bar and a frame, which nobody knows before the window is shown."""


def fit_to_screen(window: QWidget, wanted: QSize) -> None:
    """Give a window a size, or as much of it as fits on its screen with title bar and frame.

    A dialog's screen is that of the window it belongs to. The real frame counts once it is known.
    """
    window.resize(wanted.boundedTo(_free(window).size() - _FRAME))
    if not window.isVisible():
        _KeepInside(window)


class FitsScreen:
    """For the windows that have it as a base: they scroll where the screen is too small for them,
    and grow with what is in them where it is not."""

    _fits = False

    def setVisible(self, visible: bool) -> None:
        assert isinstance(self, QWidget)
        if visible and not self._fits:
            self._fits = True
            self.ensurePolished()
            _wrap(self)
        super().setVisible(visible)  # pyright: ignore[reportAttributeAccessIssue]


class Sheet(FitsScreen, QDialog):
    """A dialog of the program."""


class SmallScreenScroll(QScrollArea):
    """Shows all of a widget where there is room, else a part to be scrolled. Takes no keys."""

    def __init__(self, widget: QWidget, parent: QWidget) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self.setWidget(widget)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        event.ignore()


def _wrap(window: QWidget) -> None:
    """Put all that a window holds into something that scrolls, and give the window its size."""
    layout = window.layout()
    assert layout is not None
    least, asked = window.minimumSize(), window.testAttribute(Qt.WidgetAttribute.WA_Resized)
    width = window.width() if asked else max(layout.totalSizeHint().width(), least.width())
    height = window.height()
    if not asked:
        height = layout.totalSizeHint().height()
        if layout.hasHeightForWidth():
            height = layout.totalHeightForWidth(width)
    inside = QWidget()
    inside.setLayout(layout)
    inside.setMinimumSize(least)
    window.setMinimumSize(0, 0)
    scroll = SmallScreenScroll(inside, window)
    around = QVBoxLayout(window)
    around.setContentsMargins(0, 0, 0, 0)
    around.addWidget(scroll)
    fit_to_screen(window, QSize(width, max(height, least.height())))
    _Grow(scroll, window)


class _Grow(QObject):
    """Makes a window higher when what it scrolls gets higher, as far as the screen allows."""

    def __init__(self, scroll: SmallScreenScroll, window: QWidget) -> None:
        super().__init__(scroll)
        self._scroll, self._window = scroll, window
        scroll.verticalScrollBar().rangeChanged.connect(self._grow)

    @Slot()
    def _grow(self) -> None:
        inside, view = self._scroll.widget(), self._scroll.viewport().size()
        if not self._window.isVisible() or self._scroll.size() != self._window.size():
            return  # not laid out yet
        layout = None if inside is None else inside.layout()
        assert layout is not None
        needed = layout.totalMinimumSize().height()
        if layout.hasHeightForWidth():
            needed = layout.totalMinimumHeightForWidth(view.width())
        if needed > view.height():
            fit_to_screen(self._window, self._window.size() + QSize(0, needed - view.height()))


class _KeepInside(QObject):
    """Looks again when a window has its real frame, which it has when it first gets the keys."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.WindowActivate and isinstance(watched, QWidget):
            watched.removeEventFilter(self)
            self.deleteLater()
            if not watched.windowState():  # neither maximised nor full screen
                _keep_inside(watched)
        return False


def _keep_inside(window: QWidget) -> None:
    free, frame = _free(window), window.frameGeometry()
    edges = frame.size() - window.size()
    size = window.size().boundedTo(free.size() - edges)
    window.resize(size)
    whole = QRect(frame.topLeft(), size + edges)
    whole.moveRight(min(whole.right(), free.right()))
    whole.moveBottom(min(whole.bottom(), free.bottom()))
    place = QPoint(max(whole.left(), free.left()), max(whole.top(), free.top()))
    if place != frame.topLeft():
        window.move(place)


def _free(window: QWidget) -> QRect:
    parent = window.parentWidget()
    return (window if parent is None else parent.window()).screen().availableGeometry()
