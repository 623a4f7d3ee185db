"""The window by keyboard alone, with keys from outside the program."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from PySide6.QtWidgets import QApplication, QDialog, QWidget

from magi_desktop.dialogs.about import AboutDialog
from magi_desktop.dialogs.help import HelpSheet
from magi_desktop.dialogs.models import ModelsDialog
from magi_desktop.dialogs.preferences import PreferencesDialog
from magi_desktop.dialogs.welcome import WelcomeDialog
from magi_desktop.state.jobs import Phase
from magi_engine.runtime.request.request import Mode
from tests.desktop.accessibility import faults
from tests.e2e.conftest import App

pytestmark = pytest.mark.skipif(shutil.which("xdotool") is None, reason="needs xdotool")


def press(app: App, *keys: str) -> None:
    """Real key presses; returns when the program has had time to take them."""
    subprocess.run(["xdotool", "key", "--delay", "30", *keys], check=True)
    app.qtbot.wait(100)


def type_text(app: App, text: str) -> None:
    """Type into what has the focus."""
    subprocess.run(["xdotool", "type", "--delay", "8", text], check=True)
    app.qtbot.wait(100)


def test_a_video_is_made_watched_and_stopped_by_keyboard_alone(app: App) -> None:
    app.workshop.draft.set(num_steps=4, seconds=None, seed=3, seed_locked=True)
    press(app, "ctrl+e")
    type_text(app, "a red circle moves right")
    assert app.workshop.draft.prompt == "a red circle moves right"
    press(app, "ctrl+Return")
    app.wait_for(Phase.RUNNING)
    app.qtbot.waitUntil(lambda: app.job.frames_done >= 24)
    press(app, "ctrl+period")
    app.wait_for(Phase.CANCELLED)

    player = app.window.player
    player.setFocus()
    if player.playing:
        press(app, "space")
    assert not player.playing
    press(app, "Home")
    assert player.position == 0
    press(app, "Right", "Right")
    assert player.position == 2
    press(app, "Left")
    assert player.position == 1
    press(app, "space")
    assert player.playing

    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    press(app, "ctrl+f")
    type_text(app, "circle")
    assert app.window.library.search.text() == "circle"


def test_modes_panels_and_help_have_their_keys(app: App) -> None:
    for key, mode in (("ctrl+2", Mode.I2V), ("ctrl+3", Mode.V2V), ("ctrl+1", Mode.T2V)):
        press(app, key)
        assert app.workshop.draft.mode is mode
    press(app, "ctrl+l")
    assert app.window.side.currentWidget() is app.window.library
    press(app, "ctrl+u")
    assert app.window.side.currentWidget() is app.window.queue
    press(app, "ctrl+f")
    assert app.window.side.currentWidget() is app.window.library
    press(app, "ctrl+shift+m")
    app.qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), ModelsDialog))
    press(app, "Escape")
    app.qtbot.waitUntil(lambda: QApplication.activeModalWidget() is None)
    app.window.activateWindow()  # this screen has no window manager to give the focus back
    app.qtbot.waitUntil(app.window.isActiveWindow)
    press(app, "F1")
    app.qtbot.waitUntil(lambda: isinstance(QApplication.activeModalWidget(), HelpSheet))
    press(app, "Escape")
    app.qtbot.waitUntil(lambda: QApplication.activeModalWidget() is None)


@pytest.mark.parametrize("key", ["ctrl+e", "ctrl+2"])
def test_a_key_for_the_prompt_brings_it_into_view(app: App, key: str) -> None:
    bar, field = app.window.inputs_scroll.verticalScrollBar(), app.window.prompt.field
    app.window.generation.advanced_open = True
    app.qtbot.waitUntil(lambda: bar.maximum() > 0)
    bar.setValue(bar.maximum())
    app.window.player.setFocus()
    assert field.visibleRegion().isEmpty()
    press(app, key)
    app.qtbot.waitUntil(lambda: field.visibleRegion().boundingRect().height() == field.height())
    assert field.hasFocus()


def test_tab_goes_through_the_window_and_comes_back(app: App) -> None:
    press(app, "ctrl+e")
    # In the prompt, Tab leaves the field as everywhere else.
    visited: list[QWidget] = []
    for _ in range(150):
        press_one = QApplication.focusWidget()
        assert press_one is not None
        if visited and press_one is visited[0]:
            break
        visited.append(press_one)
        subprocess.run(["xdotool", "key", "Tab"], check=True)
        app.qtbot.wait(15)
    else:
        pytest.fail("Tab never came back to where it began")
    for wanted in (app.window.generate_bar.button, app.window.prompt.field):
        assert wanted in visited
    parts = (app.window.generation, app.window.player, app.window.side)
    for part in parts:
        assert any(part.isAncestorOf(widget) for widget in visited), part


def test_every_control_says_what_it_is(app: App) -> None:
    assert faults(app.window) == []
    shop = app.workshop
    dialogs: list[QDialog] = [
        PreferencesDialog(shop.preferences, shop.places.videos, app.window),
        HelpSheet(app.window.menus.groups, app.window),
        AboutDialog(lambda: "", app.window),
        WelcomeDialog(shop.machine, shop.models, app.window),
        ModelsDialog(shop.models, shop.machine, shop.draft, shop.preferences, app.window),
    ]
    for dialog in dialogs:
        assert faults(dialog) == [], type(dialog).__name__
        dialog.deleteLater()
