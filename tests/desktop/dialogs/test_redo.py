"""A video redone from a second on: the choice, on a real take."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.redo import RedoDialog
from magi_engine.runtime.request.branch import Earlier
from magi_engine.runtime.request.request import GenerationRequest, PromptChange
from magi_engine.sampling.schedule import Transition
from magi_engine.takes.store import About, TakeStore
from tests.desktop.accessibility import faults
from tests.desktop.state.helpers import request


@pytest.fixture
def earlier(tmp_path: Path) -> Earlier:
    """Four seconds, with a second prompt from 2 s on."""
    return kept(tmp_path, frames=96)


def kept(tmp_path: Path, frames: int) -> Earlier:
    prompts = (PromptChange(0, "a red ball"), PromptChange(2, "a blue cube"))
    made = dataclasses.replace(request("a red ball"), prompts=prompts, num_frames=frames, seed=5)
    store = TakeStore(tmp_path / "takes")
    writer = store.begin(About(made.to_json(), 24.0, 6, False, 24, 24, frames))
    for _ in range(4):
        writer.append(np.zeros((1, 16, 6, 2, 2), np.float32))
    return Earlier.of_take(store.find(writer.name), tmp_path / "video.mp4")


def shown(qtbot: QtBot, earlier: Earlier, second: float) -> RedoDialog:
    dialog = RedoDialog(earlier, earlier.chunk_at(second), 4)
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def asked(qtbot: QtBot, dialog: RedoDialog, copies: int = 1) -> GenerationRequest:
    button = dialog.redo if copies == 1 else dialog.several
    with qtbot.waitSignal(dialog.chosen) as chosen:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert chosen.args is not None
    assert chosen.args[1] == copies
    return chosen.args[0]


@pytest.mark.parametrize(("second", "index"), [(0.0, 0), (0.9, 0), (1.0, 1), (3.9, 3), (4.0, 4)])
def test_it_begins_where_the_player_stands(
    qtbot: QtBot, earlier: Earlier, second: float, index: int
) -> None:
    dialog = shown(qtbot, earlier, second)
    assert dialog.place.currentIndex() == index
    assert dialog.text.toPlainText() == ("a red ball" if index < 2 else "a blue cube")
    assert faults(dialog) == []


def test_redone_with_other_words_and_a_cut(qtbot: QtBot, earlier: Earlier) -> None:
    dialog = shown(qtbot, earlier, 1.2)
    assert dialog.length.value() == 3.0
    dialog.text.setPlainText("a lighthouse")
    dialog.transition.setCurrentIndex(dialog.transition.findData(Transition.CUT))
    wanted = asked(qtbot, dialog)
    assert wanted.prompts == (
        PromptChange(0, "a red ball"),
        PromptChange(1, "a lighthouse", Transition.CUT),
    )
    assert wanted.start is not None
    assert (wanted.start.chunk, wanted.num_frames) == (1, 96)
    assert wanted.seed != 5


def test_it_says_how_a_part_began_and_what_gives_way(qtbot: QtBot, earlier: Earlier) -> None:
    first, second = earlier.request.prompts
    changed = PromptChange(1, "a red ball on the moon", Transition.NEW_PLACE)
    request = dataclasses.replace(earlier.request, prompts=(first, changed, second))
    dialog = shown(qtbot, dataclasses.replace(earlier, request=request), 1.0)
    assert dialog.transition.currentData() is Transition.NEW_PLACE
    assert "give way" not in dialog.note.text()
    dialog.text.setPlainText("a red ball in a forest")
    assert "give way" in dialog.note.text()
    dialog.place.setCurrentIndex(2)
    assert dialog.transition.currentData() is Transition.GO_ON
    assert "give way" not in dialog.note.text(), "there is none after it"
    dialog.place.setCurrentIndex(1)
    dialog.transition.setCurrentIndex(dialog.transition.findData(Transition.GO_ON))
    dialog.place.setCurrentIndex(0)
    dialog.place.setCurrentIndex(1)
    assert dialog.transition.currentData() is Transition.GO_ON, "what was chosen stays"
    wanted = asked(qtbot, dialog)
    assert wanted.prompts == (first, PromptChange(1, "a red ball in a forest"))


def test_with_the_same_words_and_seed_it_stays_as_it_was(qtbot: QtBot, earlier: Earlier) -> None:
    dialog = shown(qtbot, earlier, 1.2)
    dialog.other_seed.click()
    wanted = asked(qtbot, dialog, copies=4)
    assert (wanted.seed, wanted.prompts) == (5, earlier.request.prompts)


def test_it_stays_as_long_as_it_was_to_the_frame(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = shown(qtbot, kept(tmp_path, frames=90), 1.2)
    assert dialog.length.text() == "2.75 s"
    assert asked(qtbot, dialog).num_frames == 90
    assert dialog.length.maximum() > 3600


def test_at_the_end_it_goes_on(qtbot: QtBot, earlier: Earlier) -> None:
    dialog = shown(qtbot, earlier, 4.0)
    dialog.length.setValue(2.0)
    wanted = asked(qtbot, dialog)
    assert wanted.start is not None
    assert (wanted.start.chunk, wanted.num_frames, wanted.seed) == (4, 144, 5)


def test_another_place_brings_its_words_unless_there_are_new_ones(
    qtbot: QtBot, earlier: Earlier
) -> None:
    dialog = shown(qtbot, earlier, 0.0)
    dialog.place.setCurrentIndex(3)
    assert dialog.text.toPlainText() == "a blue cube"
    assert dialog.length.value() == 1.0
    dialog.text.setPlainText("mine")
    dialog.place.setCurrentIndex(0)
    assert dialog.text.toPlainText() == "mine"


def test_another_place_leaves_a_chosen_length_and_seed_alone(
    qtbot: QtBot, earlier: Earlier
) -> None:
    dialog = shown(qtbot, earlier, 1.0)
    dialog.place.setCurrentIndex(4)  # nothing was chosen: as it is there
    assert (dialog.length.value(), dialog.other_seed.isChecked()) == (4.0, False)
    dialog.place.setCurrentIndex(2)
    assert (dialog.length.value(), dialog.other_seed.isChecked()) == (2.0, True)
    dialog.length.setValue(7.5)
    dialog.other_seed.click()
    for place in (3, 4, 1):
        dialog.place.setCurrentIndex(place)
        assert (dialog.length.value(), dialog.other_seed.isChecked()) == (7.5, False)
    wanted = asked(qtbot, dialog)
    assert (wanted.num_frames, wanted.seed) == (24 + 180, 5)


def test_where_what_was_kept_ends_the_video_goes_on(qtbot: QtBot, earlier: Earlier) -> None:
    dialog = shown(qtbot, dataclasses.replace(earlier, frames_shown=144), 4.0)
    assert (dialog.place.currentText(), dialog.title.text()) == ("4 s", "Redo from here")
    assert dialog.length.value() == 2.0


def test_a_length_that_is_being_typed_counts_at_ctrl_enter(qtbot: QtBot, earlier: Earlier) -> None:
    dialog = shown(qtbot, earlier, 4.0)
    lengths: list[int | None] = []
    dialog.chosen.connect(lambda request, _copies: lengths.append(request.num_frames))
    dialog.activateWindow()
    qtbot.waitUntil(dialog.isActiveWindow)
    dialog.length.setFocus()
    dialog.length.selectAll()
    qtbot.keyClicks(dialog.length, "2")
    qtbot.keyClick(dialog.length, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert lengths == [144]
