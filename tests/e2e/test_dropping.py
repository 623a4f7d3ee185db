"""Things dragged with the mouse out of another program and dropped on the window."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QMimeData, QPoint, Qt, QTimer, QUrl
from PySide6.QtGui import QDragEnterEvent, QDragLeaveEvent
from PySide6.QtWidgets import QWidget

from magi_engine.resources import resource_path
from magi_engine.runtime.request.request import GenerationRequest, Mode
from tests.desktop.media_files import image_file, video_file
from tests.e2e import drag_source
from tests.e2e.conftest import App, Witness

pytestmark = pytest.mark.skipif(shutil.which("xdotool") is None, reason="xdotool is not installed")


def _xdotool(*words: object) -> None:
    subprocess.run(["xdotool", *map(str, words)], check=True)


Drag = Callable[..., None]


@pytest.fixture
def drag(app: App, witness: Witness, tmp_path: Path) -> Drag:
    """Drags from another program to the middle of a widget: by default the player."""
    return partial(_drag, app, witness, tmp_path / "log")


def _drag(
    app: App,
    witness: Witness,
    log: Path,
    kind: str,
    *values: object,
    onto: QWidget | None = None,
) -> None:
    command = [sys.executable, drag_source.__file__, kind, *map(str, values)]
    target = onto or app.window.player
    place = target.mapToGlobal(target.rect().center())
    screen = app.window.screen().geometry()
    start = (screen.width() - drag_source.SIDE // 2, screen.height() - drag_source.SIDE // 2)
    with log.open("w") as out, subprocess.Popen(command, stdout=out) as source:
        try:
            app.qtbot.waitUntil(lambda: "ready" in log.read_text(encoding="utf-8"))
            _xdotool("mousemove", *start, "mousedown", 1)

            def arrived() -> bool:
                """Moves a little until the window has heard of this place: meanwhile no more than
                one message is on its way, and what happens in between is not told."""
                _xdotool("mousemove", place.x() - 1, place.y())
                _xdotool("mousemove", place.x(), place.y())
                return witness.dragged[-1:] == [app.window.mapFromGlobal(place)]

            app.qtbot.waitUntil(arrived)
            app.qtbot.waitUntil(lambda: "accepted" in log.read_text(encoding="utf-8"))
            _xdotool("mouseup", 1)
            app.qtbot.waitUntil(lambda: "dropped" in log.read_text(encoding="utf-8"))
            # The data are fetched only now, while the other program is still there.
            app.qtbot.waitUntil(lambda: witness.drops == 1)
        finally:
            _xdotool("mouseup", 1)
            source.kill()


@pytest.mark.parametrize(("name", "mode"), [("a b ü.png", Mode.I2V), ("clip.mp4", Mode.V2V)])
def test_a_picture_or_a_video_becomes_the_reference_of_its_mode(
    app: App, drag: Drag, tmp_path: Path, name: str, mode: Mode
) -> None:
    path = tmp_path / name
    if mode is Mode.I2V:
        image_file(path)
    else:
        video_file(path, seconds=0.5)
    drag("files", path)
    draft = app.workshop.draft
    app.qtbot.waitUntil(lambda: draft.reference is not None)
    assert draft.mode is mode
    assert draft.reference is not None
    assert draft.reference.path == path
    assert app.window.reference.card.isVisible()


def test_a_video_of_the_library_is_dropped_on_the_inputs_and_nowhere_else(
    app: App, witness: Witness, tmp_path: Path
) -> None:
    window, draft, library = app.window, app.workshop.draft, app.workshop.library
    request = GenerationRequest(Mode.T2V, "pocket", 96, 64, 24, seed=77)
    path = video_file(tmp_path / "mine.mp4", seconds=0.5, metadata=request.to_json())
    library.add(path, request)
    window.show_side(window.library)
    grid, inputs = window.library.grid, window.inputs_scroll.viewport()
    app.qtbot.waitUntil(lambda: len(library.items) == 1 and grid.isVisible())
    card = grid.viewport().mapToGlobal(grid.visualRect(grid.model().index(0, 0)).center())

    def drag_to(place: QPoint, goes: bool) -> None:
        """While a drag of one's own is under way nothing but timers and events comes to pass."""

        def move() -> None:
            _xdotool("mousemove", place.x() - 1, place.y())
            _xdotool("mousemove", place.x(), place.y())
            arrived = witness.dragged[-1:] == [window.mapFromGlobal(place)]
            if arrived and window.veil.isVisible() is goes:
                timer.stop()
                _xdotool("mouseup", 1)

        timer = QTimer(window, interval=20)
        timer.timeout.connect(move)
        _xdotool("mousemove", card.x(), card.y(), "mousedown", 1)
        timer.start()
        app.qtbot.waitUntil(lambda: not timer.isActive())

    drag_to(card + QPoint(0, 60), goes=False)
    drag_to(inputs.mapToGlobal(inputs.rect().center()), goes=True)
    app.qtbot.waitUntil(lambda: draft.reference is not None)
    assert draft.reference is not None
    assert draft.reference.path == path
    assert witness.drops == 1
    assert path.exists()


def test_an_official_configuration_becomes_the_settings(
    app: App, drag: Drag, tmp_path: Path
) -> None:
    config = resource_path("configs", "4.5B_base_config.json")
    before = app.workshop.draft.settings
    drag("files", config)
    app.qtbot.waitUntil(lambda: app.workshop.draft.settings != before)
    assert app.workshop.draft.settings.width != before.width


def test_a_saved_request_is_composed_again(app: App, drag: Drag, tmp_path: Path) -> None:
    request = GenerationRequest(Mode.T2V, "pocket", 64, 64, 24, seed=77)
    path = tmp_path / "request.json"
    path.write_text(request.to_json(), encoding="utf-8")
    drag("files", path)
    app.qtbot.waitUntil(lambda: app.workshop.draft.settings.seed == 77)
    assert (app.workshop.draft.settings.width, app.workshop.draft.settings.height) == (64, 64)


def test_text_goes_into_the_prompt(app: App, drag: Drag, tmp_path: Path) -> None:
    drag("text", "a red circle moves right")
    app.qtbot.waitUntil(lambda: "a red circle" in app.workshop.draft.prompt)


def test_a_text_file_is_put_apart_from_the_words_before_it(
    app: App, drag: Drag, tmp_path: Path
) -> None:
    app.workshop.draft.set_prompt("a red circle")
    path = tmp_path / "more.txt"
    path.write_text("moves right\n")
    drag("files", path)
    app.qtbot.waitUntil(lambda: app.workshop.draft.prompt == "a red circle moves right")
    assert "added" in app.window.notice.text
    app.window.prompt.field.insertPlainText(" on")
    assert app.window.notice.text == "", "Undo would take back what was typed since"


def test_a_storyboard_says_what_it_replaced_and_gives_it_back(
    app: App, drag: Drag, tmp_path: Path
) -> None:
    draft, notice = app.workshop.draft, app.window.notice
    draft.set_prompt("mine")
    path = tmp_path / "shots.txt"
    path.write_text("0:00 a red circle\n0:02 cut: a blue square\n")
    drag("files", path)
    app.qtbot.waitUntil(lambda: "storyboard" in notice.text)
    assert (draft.prompt, len(draft.later_prompts)) == ("a red circle", 1)
    app.qtbot.mouseClick(notice._button, Qt.MouseButton.LeftButton)
    assert (draft.prompt, draft.later_prompts) == ("mine", ())


def test_a_picture_without_a_file_is_saved_and_used(app: App, drag: Drag, tmp_path: Path) -> None:
    drag("image", image_file(tmp_path / "web.png", 48, 32))
    app.qtbot.waitUntil(lambda: app.workshop.draft.reference is not None)
    reference = app.workshop.draft.reference
    assert reference is not None
    assert reference.path.parent == app.places.pasted
    assert (reference.info.width, reference.info.height) == (48, 32)


def test_what_cannot_be_used_is_said_in_a_sentence(app: App, drag: Drag, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no picture")
    drag("files", tmp_path / "notes.png")
    app.qtbot.waitUntil(lambda: app.window.notice.text != "")
    assert "notes.png" in app.window.notice.text
    assert app.workshop.draft.reference is None


def test_the_whole_window_says_what_letting_go_will_do(app: App, tmp_path: Path) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(tmp_path / "a.png"))])
    entered = QDragEnterEvent(
        QPoint(5, 5),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QCoreApplication.sendEvent(app.window, entered)
    assert "from this picture" in app.window.veil.text
    assert app.window.veil.size() == app.window.size()
    QCoreApplication.sendEvent(app.window, QDragLeaveEvent())
    assert app.window.veil.text == ""


def test_what_was_typed_stays_when_a_picture_comes(app: App, tmp_path: Path) -> None:
    app.workshop.draft.set_prompt("a red ball rolls")
    app.window.arrivals.open(image_file(tmp_path / "a.png"))
    app.qtbot.waitUntil(lambda: app.workshop.draft.mode is Mode.I2V)
    assert app.window.prompt.field.toPlainText() == "a red ball rolls"


def test_the_welcome_leaves_something_to_generate(app: App) -> None:
    app.qtbot.waitUntil(lambda: bool(app.window.prompt._examples))
    app.window.dialogs.started.emit()
    example = app.workshop.draft.prompt
    assert example
    app.workshop.draft.set_prompt("mine")
    app.window.dialogs.started.emit()
    assert app.workshop.draft.prompt == "mine"
