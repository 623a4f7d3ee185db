"""What a list shows while there is nothing in it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.widgets.controls import line_label
from magi_desktop.widgets.layout import STRETCH, vbox

_ICON_SIDE = 40


class EmptyState(QWidget):
    """A quiet drawing and one sentence, in the middle."""

    def __init__(self, icon_name: str, sentence: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._symbol = QLabel(self)
        self._symbol.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.text = line_label(sentence, "muted", self)
        self.text.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
        self.text.setWordWrap(True)
        vbox(self, t.SPACE_3, t.SPACE_5).add((STRETCH, 2), self._symbol, self.text, (STRETCH, 3))
        bind_icon(self._symbol, icon_name, "border_strong", _ICON_SIDE)
