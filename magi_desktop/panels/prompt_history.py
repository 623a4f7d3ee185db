"""A list of used prompts to search and take one from."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal, Slot
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QFrame, QLineEdit, QListWidget, QWidget

from magi_desktop.theme import tokens as t
from magi_desktop.widgets.controls import line_label
from magi_desktop.widgets.layout import vbox

_HEIGHT = 320
_TO_LIST = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class HistoryPopup(QFrame):
    """Closes when a prompt is taken, at Escape, and at a click elsewhere.

    Signals:
        chosen: the prompt.
    """

    chosen = Signal(str)

    def __init__(self, prompts: list[str], parent: QWidget) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setProperty("role", "card")
        self.setAccessibleName(self.tr("Used prompts"))
        self.search = QLineEdit(self)
        self.search.setPlaceholderText(self.tr("Search used prompts"))
        self.search.setAccessibleName(self.tr("Search used prompts"))
        self.search.setClearButtonEnabled(True)
        self.search.installEventFilter(self)
        self.list = QListWidget(self)
        self.list.setAccessibleName(self.tr("Used prompts, newest first"))
        self.list.setWordWrap(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setStyleSheet(
            f"QListView {{ border: none; }}"
            f"QListView::item {{ padding: {t.SPACE_2}px; border-radius: {t.RADIUS_S}px; }}"
        )
        self.list.addItems(prompts)
        self._nothing = line_label("", "muted", self)
        self._nothing.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._nothing.setWordWrap(True)
        vbox(self, t.SPACE_2, t.SPACE_2).add(self.search, (self.list, 1), (self._nothing, 1))
        self.search.textChanged.connect(self._filter)
        self.search.returnPressed.connect(self._take_current)
        self.list.itemActivated.connect(self._take_current)
        self.list.itemClicked.connect(self._take_current)
        self._filter("")

    def open_below(self, button: QWidget, width: int) -> None:
        """Show at the right edge below a button, ``width`` pixels wide."""
        self.resize(width, _HEIGHT)
        corner = button.mapToGlobal(QPoint(button.width() - width, button.height() + t.SPACE_1))
        screen = button.screen().availableGeometry()
        corner.setX(max(screen.left(), min(corner.x(), screen.right() - width)))
        corner.setY(max(screen.top(), min(corner.y(), screen.bottom() - _HEIGHT)))
        self.move(corner)
        self.show()
        self.search.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Arrow keys in the search field move in the list."""
        if (
            watched is self.search
            and isinstance(event, QKeyEvent)
            and event.type() is QEvent.Type.KeyPress
            and event.key() in _TO_LIST
        ):
            self.list.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)

    @Slot(str)
    def _filter(self, wanted: str) -> None:
        parts = wanted.casefold().split()
        first = None
        for index in range(self.list.count()):
            item = self.list.item(index)
            fits = all(part in item.text().casefold() for part in parts)
            item.setHidden(not fits)
            if fits and first is None:
                first = index
        self.list.setCurrentRow(-1 if first is None else first)
        self.list.setVisible(first is not None)
        self._nothing.setVisible(first is None)
        self._nothing.setText(
            self.tr("No prompt like this was used.")
            if self.list.count()
            else self.tr("Prompts appear here once you have made a video with them.")
        )

    @Slot()
    def _take_current(self) -> None:
        item = self.list.currentItem()
        if item is not None and not item.isHidden():
            self.chosen.emit(item.text())
            self.close()
