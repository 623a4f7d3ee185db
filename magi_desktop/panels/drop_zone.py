"""Where a file can be dropped: the inviting empty place, and the veil while one is dragged."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QSizePolicy, QWidget

from magi_desktop.theme import tokens as t
from magi_desktop.theme.icons import bind_icon
from magi_desktop.theme.style import theme
from magi_desktop.translation import translated
from magi_desktop.widgets.controls import push_button, text_label
from magi_desktop.widgets.layout import vbox
from magi_engine.messages import Message

_SYMBOL = 32
_DASHES = [5.0, 4.0]
_VEIL_ALPHA = 248


class DropZone(QFrame):
    """A dashed frame that says what to drop, with a button for those who would rather choose."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._symbol = QLabel(self)
        self._symbol.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.title = text_label("", "heading", self)
        self.title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.caption = text_label("", "caption", self)
        self.caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.button = QPushButton(self)
        bind_icon(self.button, "folder")
        self.limits = text_label("", "warning", self)
        self.limits.setAlignment(Qt.AlignmentFlag.AlignCenter)
        hint = self.tr("A coloured ball, such as this model can set in motion.")
        self.sample_button = push_button(self.tr("Use a sample picture"), hint, self, "quiet")
        vbox(self, t.SPACE_1, (t.SPACE_4, t.SPACE_5, t.SPACE_4, t.SPACE_5)).add(
            self._symbol,
            self.title,
            self.caption,
            t.SPACE_2,
            (self.button, 0, Qt.AlignmentFlag.AlignHCenter),
            self.limits,
            (self.sample_button, 0, Qt.AlignmentFlag.AlignHCenter),
        )
        bind_icon(self._symbol, "drop", "accent_text", _SYMBOL)
        theme().changed.connect(self.update)

    def say(self, title: str, caption: str, button: str) -> None:
        """Set the words: what to drop, how else, and the button's label."""
        self.title.setText(title)
        self.caption.setText(caption)
        self.button.setText(button)
        self.setAccessibleName(title)
        self.setAccessibleDescription(caption)

    def say_limits(self, limits: Message, picture: bool) -> None:
        """Say what the model cannot start from, if anything, and offer it what it can."""
        self.limits.setText(translated(limits))
        self.limits.setVisible(bool(limits))
        self.sample_button.setVisible(bool(limits) and picture)

    def paintEvent(self, _event: QPaintEvent) -> None:
        k = theme().tokens
        painter = QPainter(self)
        colour = k.accent if self.hasFocus() or self.underMouse() else k.border_strong
        _paint_dashed(painter, QRectF(self.rect()), QColor(k.surface), QColor(colour))


class Veil(QWidget):
    """Lies over its parent and says one thing: that a file may be dropped, or is being read."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._covered = parent
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self._text = ""
        self.hide()

    @property
    def text(self) -> str:
        """What it says; empty while hidden."""
        return "" if self.isHidden() else self._text

    def say(self, text: str) -> None:
        """Cover the parent with a sentence."""
        self._text = text
        self.setGeometry(self._covered.rect())
        self.raise_()
        self.show()
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        k = theme().tokens
        painter = QPainter(self)
        ground = QColor(k.accent_soft)
        ground.setAlpha(_VEIL_ALPHA)
        _paint_dashed(painter, QRectF(self.rect()), ground, QColor(k.accent))
        font = self.font()
        font.setPixelSize(t.FONT_TITLE if self._covered.isWindow() else t.FONT_HEADING)
        painter.setFont(font)
        painter.setPen(QColor(k.text))
        margins = self.rect().adjusted(t.SPACE_3, 0, -t.SPACE_3, 0)
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(margins, flags, self._text)


def _paint_dashed(painter: QPainter, place: QRectF, ground: QColor, line: QColor) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(line, 1.5)
    pen.setDashPattern(_DASHES)
    painter.setPen(pen)
    painter.setBrush(ground)
    painter.drawRoundedRect(place.adjusted(1, 1, -1, -1), t.RADIUS_L, t.RADIUS_L)
