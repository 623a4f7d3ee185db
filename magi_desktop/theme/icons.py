"""Icons: our own SVG drawings, tinted with the theme's colours."""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QLabel

from magi_desktop.theme.style import theme
from magi_engine.resources import resource_path

_DISABLED_OPACITY = 0.4


class _TintedSvg(QIconEngine):
    """Draws an SVG sharply at every size and pixel ratio."""

    def __init__(self, name: str, colour: str) -> None:
        super().__init__()
        self._name, self._colour = name, colour

    def paint(self, painter: QPainter, rect, mode: QIcon.Mode, _state: QIcon.State) -> None:
        painter.save()
        if mode is QIcon.Mode.Disabled:
            painter.setOpacity(_DISABLED_OPACITY)
        _renderer(self._name, self._colour).render(painter, QRectF(rect))
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, pixmap.rect(), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        return _TintedSvg(self._name, self._colour)


@lru_cache(maxsize=256)
def _renderer(name: str, colour: str) -> QSvgRenderer:
    svg = resource_path("icons", f"{name}.svg").read_bytes()
    return QSvgRenderer(QByteArray(svg.replace(b"currentColor", colour.encode())))


def icon(name: str, colour: str | None = None) -> QIcon:
    """The drawing ``resources/icons/{name}.svg`` in ``colour`` (``#rrggbb``; default: text).

    The colour is that of the moment: ask again when the theme changes, or use ``bind_icon``.
    """
    return QIcon(_TintedSvg(name, colour or theme().tokens.text))


def bind_icon(
    target: QAbstractButton | QAction | QLabel,
    name: str,
    colour_token: str = "text",
    side: int = 18,
) -> None:
    """Give something an icon that follows the theme. A later call replaces the icon.

    Args:
        colour_token: a field of ``Tokens``.
        side: pixels of the icon that a label shows.
    """
    first = target.property("iconName") is None
    for key, value in (("iconName", name), ("iconToken", colour_token), ("iconSide", side)):
        target.setProperty(key, value)
    _set_icon(target)
    if first:
        theme().follow(target, _set_icon)


def _set_icon(target: QAbstractButton | QAction | QLabel) -> None:
    colour = getattr(theme().tokens, target.property("iconToken"))
    drawn = icon(target.property("iconName"), colour)
    if isinstance(target, QLabel):
        side = target.property("iconSide")
        target.setPixmap(drawn.pixmap(side, side))
    else:
        target.setIcon(drawn)
