"""Windows on small screens."""

from __future__ import annotations

import importlib
import pkgutil

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QLabel,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

import magi_desktop
from magi_desktop.theme.style import Appearance, theme
from magi_desktop.widgets.fitting import Sheet, SmallScreenScroll, fit_to_screen


def test_a_window_is_smaller_than_the_screen_by_its_frame(qtbot: QtBot) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    free = window.screen().availableSize()
    fit_to_screen(window, QSize(400, 300))
    assert window.size() == QSize(400, 300)
    fit_to_screen(window, free + QSize(100, 100))
    assert window.width() < free.width()
    assert window.height() <= free.height() - 40, "the height of a title bar"


def test_what_is_wider_than_its_window_is_scrolled_and_keys_go_past_it(qtbot: QtBot) -> None:
    window, inside = QWidget(), QWidget()
    qtbot.addWidget(window)
    inside.setMinimumSize(1000, 300)
    scroll: QScrollArea = SmallScreenScroll(inside, window)
    scroll.resize(600, 400)
    window.show()
    qtbot.waitUntil(lambda: scroll.horizontalScrollBar().maximum() > 0)
    assert scroll.verticalScrollBar().maximum() == 0
    qtbot.keyClick(scroll, Qt.Key.Key_Right)
    assert scroll.horizontalScrollBar().value() == 0
    scroll.resize(1200, 400)
    qtbot.waitUntil(lambda: inside.width() == 1200)


def test_every_dialog_fits() -> None:
    for module in pkgutil.walk_packages(magi_desktop.__path__, "magi_desktop."):
        if "windows" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    made: list[type] = list(QDialog.__subclasses__())
    own = [kind for kind in made if kind.__module__.startswith("magi_desktop")]
    assert own == [Sheet]


def test_a_sheet_has_room_for_all_that_is_in_it_and_grows_with_it(qtbot: QtBot) -> None:
    theme().apply(Appearance.LIGHT)
    sheet = Sheet()
    qtbot.addWidget(sheet)
    sheet.setMinimumWidth(300)
    column = QVBoxLayout(sheet)
    first, last, late = QPushButton("first"), QPushButton("last"), QLabel("late " * 60)
    late.setWordWrap(True)
    late.hide()
    for widget in (QCheckBox("one"), first, QSpinBox(), late, last):
        column.addWidget(widget)
    last.setFocus()
    sheet.show()
    qtbot.waitExposed(sheet)
    (scroll,) = sheet.findChildren(SmallScreenScroll)
    bars = scroll.horizontalScrollBar(), scroll.verticalScrollBar()
    assert [bar.maximum() for bar in bars] == [0, 0]
    assert sheet.focusWidget() is last
    assert sheet.width() >= 300
    before = sheet.height()
    late.show()
    qtbot.waitUntil(lambda: sheet.height() > before + 40)
    qtbot.waitUntil(lambda: [bar.maximum() for bar in bars] == [0, 0])
