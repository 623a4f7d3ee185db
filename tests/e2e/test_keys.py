"""The window by keyboard alone, with keys from outside the program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from magi_desktop.dialogs.about import AboutDialog
from magi_desktop.dialogs.help import HelpSheet
from magi_desktop.dialogs.models import ModelsDialog
from magi_desktop.dialogs.preferences import PreferencesDialog
from magi_desktop.dialogs.speed import SpeedDialog
from magi_desktop.dialogs.welcome import WelcomeDialog
from magi_desktop.state.jobs import Phase
from magi_engine.runtime.request.request import Mode, PromptChange
from tests.desktop.accessibility import faults
from tests.desktop.media_files import image_file
from tests.e2e.conftest import App, Witness

pytestmark = pytest.mark.skipif(shutil.which("xdotool") is None, reason="needs xdotool")


_LAST = "Pause"
"""A key without a meaning: once it is let go, all keys before it have been dealt with."""


class Keyboard:
    """Real key presses, from outside the program."""

    def __init__(self, app: App, witness: Witness) -> None:
        self._app, self._witness = app, witness

    def press(self, *keys: str) -> None:
        """Returns when the program has dealt with them."""
        self._send("key", "--delay", "1", *keys)

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self._send("type", "--delay", "1", text)

    def open(self, key: str, sheet: type[QDialog]) -> None:
        """Press a key that opens a sheet, which gets the keys from then on."""
        subprocess.run(["xdotool", "key", key], check=True)
        self._app.qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), sheet))
        opened = QApplication.activeModalWidget()
        assert opened is not None
        self._app.qtbot.waitUntil(opened.isActiveWindow)

    def escape(self) -> None:
        """Close what is in front. This screen has no window manager to give the focus back."""
        subprocess.run(["xdotool", "key", "Escape"], check=True)
        self._app.qtbot.waitUntil(lambda: QApplication.activeWindow() is None)
        self._app.window.activateWindow()
        self._app.qtbot.waitUntil(self._app.window.isActiveWindow)

    def _send(self, *words: str) -> None:
        released = self._witness.released
        released.clear()
        for command in (words, ("key", _LAST)):
            subprocess.run(["xdotool", *command], check=True)
        self._app.qtbot.waitUntil(lambda: Qt.Key.Key_Pause in released)


def holds_focus(part: QWidget) -> bool:
    focused = QApplication.focusWidget()
    return focused is not None and part.isAncestorOf(focused)


@pytest.fixture
def keyboard(app: App, witness: Witness) -> Keyboard:
    return Keyboard(app, witness)


def test_a_video_is_made_watched_and_stopped_by_keyboard_alone(
    app: App, keyboard: Keyboard
) -> None:
    app.workshop.draft.set(num_steps=4, seconds=None, seed=3, seed_locked=True)
    keyboard.press("ctrl+e")
    keyboard.type("a red circle moves right")
    assert app.workshop.draft.prompt == "a red circle moves right"
    keyboard.press("ctrl+Return")
    app.wait_for(Phase.RUNNING)
    app.qtbot.waitUntil(lambda: app.job.frames_done >= 24)
    keyboard.press("ctrl+period")
    app.wait_for(Phase.CANCELLED)

    player = app.window.player
    player.setFocus()
    if player.playing:
        keyboard.press("space")
    assert not player.playing
    keyboard.press("Home")
    assert player.position == 0
    keyboard.press("Right", "Right")
    assert player.position == 2
    keyboard.press("Left")
    assert player.position == 1
    keyboard.press("space")
    assert player.playing

    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    keyboard.press("ctrl+f")
    keyboard.type("circle")
    assert app.window.library.search.text() == "circle"


def test_modes_panels_and_help_have_their_keys(app: App, keyboard: Keyboard) -> None:
    for key, mode in (("ctrl+2", Mode.I2V), ("ctrl+3", Mode.V2V), ("ctrl+1", Mode.T2V)):
        keyboard.press(key)
        assert app.workshop.draft.mode is mode
    keyboard.press("ctrl+l")
    assert app.window.side.currentWidget() is app.window.library
    keyboard.press("ctrl+u")
    assert app.window.side.currentWidget() is app.window.queue
    keyboard.press("ctrl+f")
    assert app.window.side.currentWidget() is app.window.library
    keyboard.open("ctrl+shift+m", ModelsDialog)
    keyboard.escape()
    keyboard.open("F1", HelpSheet)
    keyboard.escape()


@pytest.mark.parametrize("key", ["ctrl+e", "ctrl+2"])
def test_a_key_for_the_prompt_brings_it_into_view(app: App, keyboard: Keyboard, key: str) -> None:
    bar, field = app.window.inputs_scroll.verticalScrollBar(), app.window.prompt.field
    app.window.generation.advanced.set_open(True)

    def out_of_view() -> bool:
        bar.setValue(bar.maximum())  # which grows as the rows are laid out
        return field.visibleRegion().isEmpty()

    app.qtbot.waitUntil(out_of_view)
    app.window.player.setFocus()
    keyboard.press(key)
    app.qtbot.waitUntil(lambda: field.visibleRegion().boundingRect().height() == field.height())
    assert field.hasFocus()


def test_tab_goes_through_the_window_and_comes_back(app: App, keyboard: Keyboard) -> None:
    keyboard.press("ctrl+e")
    # In the prompt, Tab leaves the field as everywhere else.
    visited: list[QWidget] = []
    for _ in range(150):
        focused = QApplication.focusWidget()
        assert focused is not None
        if visited and focused is visited[0]:
            break
        visited.append(focused)
        keyboard.press("Tab")
    else:
        pytest.fail("Tab never came back to where it began")
    for wanted in (app.window.generate_bar.button, app.window.prompt.field):
        assert wanted in visited
    parts = (app.window.generation, app.window.player, app.window.side)
    for part in parts:
        assert any(part.isAncestorOf(widget) for widget in visited), part


def test_what_is_made_when_it_is_wanted_has_its_place_in_the_order_of_tab(
    app: App, keyboard: Keyboard
) -> None:
    window = app.window
    keyboard.press("ctrl+2")
    window.generation.advanced.set_open(True)
    window.prompt.field.setFocus()
    visited: list[QWidget] = []
    while (focused := QApplication.focusWidget()) is not window.generate_bar.button:
        assert focused is not None
        assert focused not in visited
        visited.append(focused)
        keyboard.press("Tab")
    parts = [window.prompt, window.reference, window.generation.model]
    parts += [window.generation.advanced.button, window.generation.advanced_rows]

    def first_in(part: QWidget) -> int:
        return next(n for n, w in enumerate(visited) if w is part or part.isAncestorOf(w))

    places = [first_in(part) for part in parts]
    assert places == sorted(places)


def test_what_is_opened_by_its_key_comes_into_view(app: App) -> None:
    advanced = app.window.generation.advanced
    app.window.inputs_scroll.verticalScrollBar().setValue(0)
    advanced.button.click()  # as Alt+A does
    rows = app.window.generation.advanced_rows
    app.qtbot.waitUntil(lambda: not rows.presets.visibleRegion().isEmpty())
    seen = advanced.button.visibleRegion().boundingRect()
    assert seen.height() == advanced.button.height()


def test_number_fields_leave_the_menus_their_keys(app: App, keyboard: Keyboard) -> None:
    window, draft = app.window, app.workshop.draft
    generation = window.generation
    app.workshop.draft.set(seconds=3.0)
    before = draft.settings
    for field in (generation.size_row.width_box, generation.length.box, generation.seed.edit):
        field.setFocus()
        keyboard.press("ctrl+e")
        assert window.prompt.field.hasFocus()
        window.side.setCurrentWidget(window.library)
        field.setFocus()
        keyboard.press("ctrl+u")
        assert window.side.currentWidget() is window.queue
        assert holds_focus(window.queue)
    assert draft.settings == before
    window.prompt.field.setFocus()
    keyboard.type("a red circle")
    keyboard.press("ctrl+u")
    assert draft.prompt == "a red circle"
    assert holds_focus(window.queue)


def test_what_was_deleted_comes_back_with_ctrl_z_outside_of_texts(
    app: App, keyboard: Keyboard
) -> None:
    window, queue = app.window, app.workshop.queue
    queue.set_paused(True)
    for prompt in ("one", "two"):
        app.short(prompt, chunks=1)
        app.generate()
    keyboard.press("ctrl+u")
    window.queue.select(queue.items[0].id)
    keyboard.press("Delete")
    app.qtbot.waitUntil(lambda: [item.request.prompt for item in queue.items] == ["two"])
    window.prompt.field.setFocus()
    keyboard.type("x")
    keyboard.press("ctrl+z")
    assert [item.request.prompt for item in queue.items] == ["two"], "that was the text's"
    window.player.canvas.setFocus()
    keyboard.press("ctrl+z")
    app.qtbot.waitUntil(lambda: [item.request.prompt for item in queue.items] == ["one", "two"])
    assert window.queue.notice.text == ""
    keyboard.press("ctrl+z")  # the step before: what was asked for last
    app.qtbot.waitUntil(lambda: [item.request.prompt for item in queue.items] == ["one"])


def test_what_was_composed_comes_back_whole_with_ctrl_z_also_from_the_prompt(
    app: App, keyboard: Keyboard, tmp_path: Path
) -> None:
    window, queue, draft = app.window, app.workshop.queue, app.workshop.draft
    queue.set_paused(True)
    app.short("one", chunks=1)
    app.generate()
    window.reference.open(image_file(tmp_path / "kite.png"))
    app.qtbot.waitUntil(lambda: draft.reference is not None)
    draft.set(seconds=7.0, seed=11, seed_locked=False)
    draft.set_later_prompts((PromptChange(2, "a boat"),))
    window.prompt.field.setFocus()
    keyboard.press("ctrl+a")
    keyboard.type("mine")

    def composed() -> tuple[object, ...]:
        return draft.mode, draft.prompt, draft.later_prompts, draft.settings, draft.reference

    mine = composed()
    window.queue.select(queue.items[0].id)
    window.queue.edit()
    edited = composed()
    assert edited[:3] == (Mode.T2V, "one", ())
    window.prompt.field.setFocus()
    keyboard.type("!")
    keyboard.press("ctrl+z")
    assert composed() == edited, "what was typed since is the text's to undo"
    keyboard.press("ctrl+z")
    assert composed() == mine
    assert queue.edited is None
    assert "editing" not in window.notice.text
    keyboard.press("ctrl+z", "ctrl+z")
    assert len(queue.items) == 1, "in a text nothing but the draft is undone"
    assert composed() == mine
    keyboard.press("ctrl+shift+z")
    assert composed() == edited
    assert queue.edited == queue.items[0]
    assert "editing" in window.notice.text
    keyboard.type(" more")
    app.generate()
    assert [item.request.prompt for item in queue.items] == ["one more"]
    window.player.canvas.setFocus()
    keyboard.press("ctrl+z")
    assert [item.request.prompt for item in queue.items] == ["one"]
    keyboard.press("ctrl+shift+z")
    assert [item.request.prompt for item in queue.items] == ["one more"]


def test_the_focus_is_not_lost_to_the_first_tab(app: App, keyboard: Keyboard) -> None:
    window, queue = app.window, app.workshop.queue
    queue.set_paused(True)
    app.short(chunks=1)
    app.generate()
    keyboard.press("ctrl+u")
    window.queue.select(queue.items[0].id)
    keyboard.press("Delete")
    app.qtbot.mouseClick(window.queue.notice._button, Qt.MouseButton.LeftButton)
    assert len(queue.items) == 1
    assert holds_focus(window.queue)

    window.player.commands.full_screen.setChecked(True)
    app.qtbot.waitUntil(lambda: window.player.canvas.window() is not window)
    app.qtbot.waitUntil(window.player.canvas.isActiveWindow)
    subprocess.run(["xdotool", "key", "Escape"], check=True)
    app.qtbot.waitUntil(lambda: window.player.canvas.window() is window)
    window.activateWindow()
    app.qtbot.waitUntil(window.isActiveWindow)
    assert holds_focus(window.player)


def test_every_control_says_what_it_is(app: App) -> None:
    assert faults(app.window) == []
    shop = app.workshop
    dialogs: list[QDialog] = [
        PreferencesDialog(shop.preferences, shop.places, app.window),
        HelpSheet(app.window.menus.groups, app.window),
        AboutDialog(lambda: "", app.window),
        SpeedDialog(app.window),
        WelcomeDialog(shop.machine, shop.models, app.window),
        ModelsDialog(shop.models, shop.machine, shop.draft, shop.preferences, app.window),
    ]
    for dialog in dialogs:
        assert faults(dialog) == [], type(dialog).__name__
        dialog.deleteLater()


def test_what_is_typed_into_a_field_counts_when_a_key_of_the_menus_is_pressed(
    app: App, keyboard: Keyboard
) -> None:
    app.short()
    app.workshop.queue.set_paused(True)
    app.window.generation.length.box.setFocus()
    keyboard.press("ctrl+a")
    keyboard.type("3")
    keyboard.press("ctrl+Return")
    app.window.generation.seed.edit.setFocus()
    keyboard.press("ctrl+a")
    keyboard.type("77")
    keyboard.press("ctrl+Return")
    made = [(item.request.num_frames, item.request.seed) for item in app.workshop.queue.items]
    assert made == [(72, 3), (72, 77)]
