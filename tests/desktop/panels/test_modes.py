"""The mode selector."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit
from pytestqt.qtbot import QtBot

from magi_desktop.panels.modes import ModeSelector
from magi_desktop.state.draft import Draft
from magi_desktop.widgets.segmented import Segmented
from magi_engine.runtime.request.request import Mode


def _shown(qtbot: QtBot) -> tuple[ModeSelector, Draft, Segmented[Mode]]:
    draft = Draft()
    selector = ModeSelector(draft)
    qtbot.addWidget(selector)
    selector.show()
    segments = selector.findChild(Segmented)
    assert segments is not None
    return selector, draft, segments


def test_a_click_switches_and_the_prompt_stays(qtbot: QtBot) -> None:
    _selector, draft, segments = _shown(qtbot)
    draft.set_prompt("words")
    qtbot.mouseClick(segments.button(Mode.I2V), Qt.MouseButton.LeftButton)
    assert draft.mode is Mode.I2V
    assert draft.prompt == "words"
    qtbot.mouseClick(segments.button(Mode.T2V), Qt.MouseButton.LeftButton)
    assert draft.prompt == "words"


def test_it_follows_the_draft(qtbot: QtBot) -> None:
    _selector, draft, segments = _shown(qtbot)
    draft.set_mode(Mode.V2V)
    assert segments.value is Mode.V2V
    assert segments.button(Mode.V2V).isChecked()


def test_arrow_keys_change_the_mode(qtbot: QtBot) -> None:
    _selector, draft, segments = _shown(qtbot)
    button = segments.button(Mode.T2V)
    button.setFocus()
    qtbot.keyClick(button, Qt.Key.Key_Right)
    assert draft.mode is Mode.I2V


def test_the_focus_goes_along_with_the_choice_and_is_not_taken_from_elsewhere(
    qtbot: QtBot,
) -> None:
    selector, draft, segments = _shown(qtbot)
    elsewhere = QLineEdit(selector)
    elsewhere.show()
    segments.button(Mode.T2V).setFocus()
    qtbot.mouseClick(segments.button(Mode.I2V), Qt.MouseButton.LeftButton)
    assert selector.focusWidget() is segments.button(Mode.I2V)
    elsewhere.setFocus()
    draft.set_mode(Mode.V2V)
    assert selector.focusWidget() is elsewhere


def test_every_segment_says_what_it_is(qtbot: QtBot) -> None:
    _selector, _, segments = _shown(qtbot)
    for mode in Mode:
        assert segments.button(mode).toolTip().endswith(".")
        assert segments.button(mode).text() in segments.button(mode).accessibleName()
