"""Windows that are never larger than what the screen has free."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QDialog, QFrame, QScrollArea, QWidget

from magi_desktop.widgets.layout import vbox

_FRAME = QSize(16, 48)
"""Room for a title bar and a frame, which nobody knows before the window is shown."""


def fit_to_screen(window: QWidget, wanted: QSize) -> None:
    """Give a window a size, or as much of it as fits on its screen with title bar and frame.

    A dialog's screen is that of the window it belongs to. The real frame counts once it is known.
    """
    window.resize(wanted.boundedTo(_room(window)))
    if not window.isVisible():
        _KeepInside(window)


class FitsScreen:
    """For the windows that have it as a base: they scroll where the screen is too small for them,
    and grow with what is in them where it is not."""

    _size: _Grow | None = None

    def setVisible(self, visible: bool) -> None:
        assert isinstance(self, QWidget)
        if visible and self._size is None:
            self.ensurePolished()
            self._size = _wrap(self)
        super().setVisible(visible)  # pyright: ignore[reportAttributeAccessIssue]
        if visible and self._size is not None:
            self._size.grow()  # once more, now that everything in it has its look


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


def _wrap(window: QWidget) -> _Grow:
    """Put all that a window holds into something that scrolls, and give the window its size."""
    layout, focus, asked = window.layout(), window.focusWidget(), window.size()
    assert layout is not None
    if not window.testAttribute(Qt.WidgetAttribute.WA_Resized):
        asked = QSize(layout.totalSizeHint().width(), 0)
    inside = QWidget(window)  # within the window, whose order of Tab stays as it is
    inside.setLayout(layout)
    inside.setMinimumSize(window.minimumSize())
    window.setMinimumSize(0, 0)
    scroll = SmallScreenScroll(inside, window)
    vbox(window).add(scroll)
    if focus is not None:
        focus.setFocus()
    for part in inside.findChildren(QWidget):
        part.ensurePolished()  # else it is measured in another size of type
    fit_to_screen(window, asked)
    growing = _Grow(window, inside, scroll)
    growing.grow()
    return growing


class _Grow(QObject):
    """Makes a window larger when what is in it gets larger, as far as the screen allows."""

    def __init__(self, window: QWidget, inside: QWidget, scroll: SmallScreenScroll) -> None:
        super().__init__(scroll)
        self._window, self._inside, self._bar = window, inside, scroll.verticalScrollBar()
        inside.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() is QEvent.Type.LayoutRequest and self._window.isVisible():
            self.grow()
        return False

    def grow(self) -> None:
        """Let the window have room for all that is in it now; where it cannot be as high, for the
        scroll bar beside it."""
        layout = self._inside.layout()
        assert layout is not None
        least = layout.totalMinimumSize().expandedTo(self._inside.minimumSize())
        width = max(least.width(), self._window.width())
        height = least.height()
        if layout.hasHeightForWidth():
            height = max(height, layout.totalHeightForWidth(width))  # as what scrolls wants it
        wanted = QSize(width, max(height, self._window.height()))
        if height > _room(self._window).height():
            wanted.setWidth(max(width, least.width() + self._bar.sizeHint().width()))
        if wanted != self._window.size():
            fit_to_screen(self._window, wanted)


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


def _room(window: QWidget) -> QSize:
    """What a window can have at most, without its frame."""
    return _free(window).size() - _FRAME


def _free(window: QWidget) -> QRect:
    parent = window.parentWidget()
    return (window if parent is None else parent.window()).screen().availableGeometry()
