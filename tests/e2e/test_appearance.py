"""The look of the window, changed while it is open."""

from __future__ import annotations

from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QAbstractButton

from magi_desktop.theme.style import Appearance, theme
from tests.e2e.conftest import App


def test_every_icon_of_the_open_window_becomes_dark(app: App) -> None:
    found = app.window.findChildren(QAction) + app.window.findChildren(QAbstractButton)
    ours = [p for p in found if p.property("iconName") and not p.icon().isNull()]
    parts = [p for p in ours if p.property("iconToken") != "text_on_accent"]
    assert len(parts) > 60

    def drawn() -> list[QImage]:
        return [part.icon().pixmap(24, 24).toImage() for part in parts]

    light = drawn()
    try:
        app.workshop.preferences.set("appearance", "dark")
        dark = drawn()
    finally:
        theme().apply(Appearance.LIGHT)
    same = [p for p, old, new in zip(parts, light, dark, strict=True) if old == new]
    assert same == []
