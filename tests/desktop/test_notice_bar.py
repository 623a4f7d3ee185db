"""The window's notice: what covers what, and what ends it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from magi_desktop.widgets.notice_bar import NoticeBar


@pytest.fixture
def bar(qtbot: QtBot) -> NoticeBar:
    bar = NoticeBar()
    qtbot.addWidget(bar)
    return bar


def test_what_is_said_about_a_cause_comes_back_when_nothing_covers_it(bar: NoticeBar) -> None:
    bar.say("The queue is held.", about="held")
    bar.say("Saved.")
    assert bar.text == "Saved."
    bar.dismiss()
    assert bar.text == "The queue is held."
    bar.dismiss()
    assert bar.text == ""


def test_it_ends_with_its_cause_even_while_it_is_covered(bar: NoticeBar) -> None:
    bar.say("The queue is held.", about="held")
    bar.say("Saved.")
    bar.withdraw("held")
    assert bar.text == "Saved."
    bar.withdraw("held")
    bar.dismiss()
    assert bar.text == ""


def test_one_cause_has_one_sentence(bar: NoticeBar) -> None:
    bar.say("Four are missing.", about="missing")
    bar.say("Three are missing.", about="missing")
    bar.dismiss()
    assert bar.text == ""


def test_it_is_told_when_it_goes_but_not_when_it_is_covered(bar: NoticeBar, qtbot: QtBot) -> None:
    gone: list[str] = []
    bar.say("Editing.", about="editing", on_hide=lambda: gone.append("editing"))
    bar.say("Saved.", action=("Undo", lambda: gone.append("undone")))
    assert gone == []
    qtbot.mouseClick(bar._button, Qt.MouseButton.LeftButton)
    assert gone == ["undone"]
    assert bar.text == "Editing."
    bar.withdraw("editing")
    assert gone == ["undone", "editing"]


def test_what_passes_goes_by_itself_and_uncovers_what_stands(bar: NoticeBar, qtbot: QtBot) -> None:
    bar.say("The queue is held.", about="held")
    bar.say("Saved.", for_ms=1)
    qtbot.waitUntil(lambda: bar.text == "The queue is held.")


@pytest.mark.parametrize("by", ["mouse", "key"])
def test_the_focus_goes_back_to_where_it_was(qtbot: QtBot, by: str) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    first, field, bar = QLineEdit(), QLineEdit(), NoticeBar(window)
    for widget in (first, field, bar):
        column.addWidget(widget)
    window.show()
    window.activateWindow()
    field.setFocus()
    qtbot.waitUntil(field.hasFocus)
    bar.offer_undo("Gone.", lambda: None)
    if by == "mouse":
        qtbot.mouseClick(bar._button, Qt.MouseButton.LeftButton)
    else:
        bar._button.setFocus()
        qtbot.keyClick(bar._button, Qt.Key.Key_Space)
    assert bar.text == ""
    assert field.hasFocus()
