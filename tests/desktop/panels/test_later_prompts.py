"""Prompts for later chunks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from magi_desktop.panels.later_prompts import LaterPromptRow, LaterPrompts
from magi_desktop.state.draft import Draft
from magi_engine.runtime.request.request import Mode, PromptChange
from magi_engine.runtime.request.storyboard import SUFFIXES
from magi_engine.sampling.schedule import Transition
from tests.desktop.machines import planned


@pytest.fixture
def draft(qapp: object) -> Draft:
    return Draft()


@pytest.fixture
def panel(qtbot: QtBot, draft: Draft) -> LaterPrompts:
    panel = LaterPrompts(draft)
    qtbot.addWidget(panel)
    panel.resize(340, 500)
    panel.show()
    return panel


def _texts(row: LaterPromptRow) -> list[str]:
    return [label.text() for label in row.findChildren(QLabel)]


def test_folded_at_first_with_a_row_to_type_in_when_opened(
    qtbot: QtBot, panel: LaterPrompts, draft: Draft
) -> None:
    assert not panel.rows
    panel.unfold()
    (row,) = panel.rows
    assert row.number.value() == 2
    assert draft.later_prompts == ()  # an empty row says nothing
    toggle = panel.findChild(QToolButton)
    assert toggle is not None
    assert toggle.text() == "Direct over time", "nothing is said yet"
    qtbot.keyClicks(row.field, "it spins")
    assert draft.later_prompts == (PromptChange(1, "it spins"),)


def test_a_later_prompt_says_the_second_it_counts_from_as_the_timeline_does(
    panel: LaterPrompts, draft: Draft
) -> None:
    draft.set_later_prompts((PromptChange(2, "a"),))
    draft.set_plan(planned(draft.request()).plan)
    row = panel.rows[0]
    assert "From" in _texts(row)
    assert row.number.text() == "2 s"
    row.number.setValue(5)
    assert draft.later_prompts == (PromptChange(5, "a"),)
    assert not [text for text in _texts(row) if text.startswith("at ")]
    assert row.number.minimum() == 1


def test_how_a_later_part_begins_is_kept_and_chosen(panel: LaterPrompts, draft: Draft) -> None:
    draft.set_later_prompts((PromptChange(2, "a", Transition.CUT), PromptChange(3, "b")))
    panel.rows[1].field.setText("c")
    assert draft.later_prompts[0] == PromptChange(2, "a", Transition.CUT)
    box = panel.rows[1].transition
    box.setCurrentIndex(box.findData(Transition.NEW_PLACE))
    assert draft.later_prompts[1] == PromptChange(3, "c", Transition.NEW_PLACE)


def test_tab_goes_from_the_words_to_how_the_part_begins(panel: LaterPrompts) -> None:
    panel.unfold()
    panel.add_row()
    panel.add_row()
    for row in panel.rows:
        assert next_by_tab(row.field) is row.transition
    assert next_by_tab(panel.rows[0].transition) is panel.rows[1].number
    panel.rows[0].remove_button.click()
    assert next_by_tab(panel.rows[0].field) is panel.rows[0].transition


def next_by_tab(widget: QWidget) -> QWidget | None:
    """What gets the focus from Tab."""
    after = widget.nextInFocusChain()
    while after is not None and (
        not after.focusPolicy() & Qt.FocusPolicy.TabFocus or after.focusProxy()
    ):
        after = after.nextInFocusChain()
    return after


def test_adding_moving_and_removing(qtbot: QtBot, panel: LaterPrompts, draft: Draft) -> None:
    draft.set_later_prompts((PromptChange(2, "a"), PromptChange(3, "b")))
    panel.unfold()
    panel.add_row()
    qtbot.keyClicks(panel.rows[2].field, "c")
    assert [p.chunk for p in draft.later_prompts] == [2, 3, 4]
    panel.rows[0].number.stepUp()  # chunks 3 and 4 are taken
    assert draft.later_prompts == (PromptChange(3, "b"), PromptChange(4, "c"), PromptChange(5, "a"))
    panel.rows[0].number.setValue(2)
    assert draft.later_prompts[0] == PromptChange(1, "b")
    qtbot.mouseClick(panel.rows[1].remove_button, Qt.MouseButton.LeftButton)
    assert draft.later_prompts == (PromptChange(1, "b"), PromptChange(5, "a"))


def test_no_chunk_below_a_taken_second_one(panel: LaterPrompts, draft: Draft) -> None:
    draft.set_later_prompts((PromptChange(1, "a"), PromptChange(2, "b")))
    panel.rows[1].number.stepDown()
    assert [p.chunk for p in draft.later_prompts] == [1, 2]


def test_the_time_is_that_of_the_plan(panel: LaterPrompts, draft: Draft) -> None:
    draft.set_later_prompts((PromptChange(3, "a"),))
    draft.set(fps=12, seconds=None)
    draft.set_plan(planned(draft.request()).plan)
    row = panel.rows[0]
    assert {"From part", "at 6.0 s"} <= set(_texts(row))
    assert row.number.value() == 4


def test_they_are_counted_and_stay_in_every_mode(panel: LaterPrompts, draft: Draft) -> None:
    draft.set_later_prompts((PromptChange(3, "a"),))
    toggle = panel.findChild(QToolButton)
    assert toggle is not None
    assert toggle.text() == "Direct over time (1)"
    draft.set_mode(Mode.I2V)
    assert toggle.text() == "Direct over time (1)"
    assert panel.rows[0].text == "a"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_storyboard_is_saved_and_opened(
    qtbot: QtBot, panel: LaterPrompts, draft: Draft, tmp_path: Path, suffix: str
) -> None:
    prompts = (PromptChange(2, "a cube"), PromptChange(9, "a star", Transition.CUT))
    draft.set_prompt("a ball")
    draft.set(seconds=4.0)
    draft.set_later_prompts(prompts)
    file = tmp_path / f"shots{suffix}"
    panel.save_storyboard(file)
    qtbot.waitUntil(file.exists)
    draft.set_prompt("before")
    draft.set_later_prompts(())
    with qtbot.waitSignal(panel.taken) as taken:
        panel.open_storyboard(file)
    assert draft.later_prompts == prompts
    assert draft.prompt == "a ball"
    assert draft.settings.seconds == 11, "as long as all of them need"
    assert [row.text for row in panel.rows] == ["a cube", "a star"]
    assert taken.args is not None
    count, undo = taken.args
    assert count == 3
    undo()
    assert (draft.prompt, draft.later_prompts, draft.settings.seconds) == ("before", (), 4.0)


def test_what_is_no_storyboard_changes_nothing_and_is_said(
    qtbot: QtBot, panel: LaterPrompts, draft: Draft, tmp_path: Path
) -> None:
    draft.set_prompt("a ball")
    (tmp_path / "bad.csv").write_text("start,transition,prompt\nsoon,,a ball\n")
    with qtbot.waitSignal(panel.failed) as failed:
        panel.open_storyboard(tmp_path / "bad.csv")
    assert failed.args is not None
    assert "Line 2" in str(failed.args[0])
    assert draft.prompt == "a ball"
    with qtbot.waitSignal(panel.failed):
        panel.save_storyboard(tmp_path / "bad.csv" / "a.txt")


def test_a_prompt_that_is_removed_can_be_put_back(panel: LaterPrompts, draft: Draft) -> None:
    first, second = PromptChange(1, "a", Transition.CUT), PromptChange(2, "b")
    draft.set_later_prompts((first, second))
    ways: list[Callable[[], None]] = []
    panel.taken_out.connect(ways.append)
    panel.rows[0].remove_button.click()
    assert draft.later_prompts == (second,)
    panel.rows[0].field.setText("written since")
    ways.pop()()
    assert draft.later_prompts == (first, PromptChange(2, "written since"))
    panel.add_row()
    panel.rows[-1].remove_button.click()
    assert ways == [], "an empty one says nothing"
