"""The queue and the library as the window shows them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QItemSelectionModel, Qt, QThreadPool
from PySide6.QtWidgets import QApplication, QInputDialog
from pytestqt.qtbot import QtBot

from magi_desktop.audition import AuditionDialog
from magi_desktop.dialogs.redo import RedoDialog
from magi_desktop.references import load_reference
from magi_desktop.state.jobs import Phase
from magi_engine.config.places import default_takes_dir
from magi_engine.media.info import probe
from magi_engine.runtime.request.request import Mode
from magi_engine.takes.store import TakeStore
from tests.desktop.accessibility import faults
from tests.desktop.media_files import image_file
from tests.e2e.conftest import App


def _line_up(app: App, *prompts: str) -> None:
    app.workshop.queue.set_paused(True)
    for prompt in prompts:
        app.short(prompt, chunks=1)
        app.generate()


def _prompts(app: App) -> list[str]:
    return [item.request.prompt for item in app.workshop.queue.items]


@pytest.mark.usefixtures("lent")
def test_the_queue_is_put_in_order_by_keyboard_and_survives_a_restart(
    tmp_path: Path, qtbot: QtBot
) -> None:
    app = App(tmp_path / "home", qtbot)
    try:
        _line_up(app, "one", "two", "three")
        panel, queue = app.window.queue, app.workshop.queue
        app.window.show_side(panel)
        panel.list.setFocus()
        panel.select(queue.items[2].id)
        qtbot.keyClick(panel.list, Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
        assert _prompts(app) == ["one", "three", "two"]
        qtbot.keyClick(panel.list, Qt.Key.Key_Delete)
        assert _prompts(app) == ["one", "two"]
        qtbot.mouseClick(panel.notice._button, Qt.MouseButton.LeftButton)
        assert _prompts(app) == ["one", "three", "two"]
        panel.select(queue.items[0].id)
        panel.duplicate()
        (dialog,) = panel.findChildren(QInputDialog)
        dialog.setIntValue(2)
        dialog.accept()
        app.window.activateWindow()
        panel.list.setFocus()
        qtbot.waitUntil(panel.list.hasFocus)
        assert _prompts(app) == ["one", "one", "one", "three", "two"]
        assert len({item.request.seed for item in queue.items[:3]}) == 3
        app.workshop.undo.undo()
        assert _prompts(app) == ["one", "three", "two"]
        app.workshop.undo.redo()
        app.workshop.draft.set_prompt("")
        panel.select(queue.items[3].id)
        qtbot.keyClick(panel.list, Qt.Key.Key_Return)
        assert app.workshop.draft.prompt == "three"
        app.workshop.draft.set_prompt("drei")
        app.generate()
        assert _prompts(app) == ["one", "one", "one", "drei", "two"]
        before = [(i.id, i.request) for i in queue.items]
    finally:
        app.close()
    again = App(tmp_path / "home", qtbot)
    try:
        qtbot.waitUntil(lambda: len(again.workshop.queue.items) == 5)
        assert [(i.id, i.request) for i in again.workshop.queue.items] == before
        assert again.workshop.queue.paused
    finally:
        again.close()


def test_a_queued_video_is_held_while_it_is_edited_and_then_made_once(app: App) -> None:
    _line_up(app, "one")
    panel, queue = app.window.queue, app.workshop.queue
    panel.select(queue.items[0].id)
    panel.edit()
    assert "held" in app.window.notice.text
    queue.set_paused(False)
    assert not app.workshop.controller.busy
    app.workshop.draft.set_prompt("uno")
    app.generate()
    assert app.window.notice.text == ""
    app.wait_for(Phase.FINISHED)
    app.wait_idle()
    made = app.workshop.library
    app.qtbot.waitUntil(lambda: [item.request.prompt for item in made.items] == ["uno"])
    assert len(app.videos()) == 1


def test_a_first_second_stays_one_when_it_is_edited(app: App) -> None:
    queue = app.workshop.queue
    queue.set_paused(True)
    app.short("one", chunks=2)
    app.window.making.generate(only_chunks=1)
    dialog = QApplication.activeModalWidget()
    assert isinstance(dialog, AuditionDialog)
    dialog.close()
    assert "held" in app.window.notice.text
    app.window.queue.select(queue.items[0].id)
    app.window.queue.edit()
    app.workshop.draft.set_prompt("uno")
    app.generate()
    assert [(i.request.prompt, i.request.only_chunks) for i in queue.items] == [("uno", 1)]


@pytest.mark.usefixtures("lent")
def test_what_is_edited_as_the_program_ends_is_held_and_edited_at_the_next_start(
    tmp_path: Path, qtbot: QtBot
) -> None:
    app = App(tmp_path / "home", qtbot)
    try:
        _line_up(app, "one")
        app.window.queue.select(app.workshop.queue.items[0].id)
        app.window.queue.edit()
        app.workshop.draft.set_prompt("uno")
        app.workshop.queue.set_paused(False)
    finally:
        app.close()
    again = App(tmp_path / "home", qtbot)
    try:
        qtbot.waitUntil(lambda: again.workshop.queue.edited is not None)
        assert not again.workshop.controller.busy
        qtbot.waitUntil(lambda: "editing" in again.window.notice.text)
        assert again.workshop.draft.prompt == "uno"
        again.workshop.queue.set_paused(True)
        again.generate()
        assert _prompts(again) == ["uno"]
        assert again.window.generate_bar.button.text() == "Generate"
    finally:
        again.close()


def test_editing_ends_with_its_entry_and_when_it_is_left(app: App) -> None:
    _line_up(app, "one", "two")
    panel, queue = app.window.queue, app.workshop.queue
    button = app.window.generate_bar.button
    panel.select(queue.items[0].id)
    panel.edit()
    assert button.text() == "Put back in the queue"
    panel.remove()
    assert "editing" not in app.window.notice.text
    assert button.text() == "Generate"
    panel.select(queue.items[0].id)
    panel.edit()
    app.window.notice.dismiss()
    assert queue.edited is None
    assert button.text() == "Generate"


@pytest.fixture
def made(app: App) -> App:
    """The program with one small video in its library, which is on show."""
    app.short("a red circle moves right", chunks=1)
    app.workshop.draft.set(width=64, height=64)
    app.generate()
    app.wait_for(Phase.FINISHED)
    app.qtbot.waitUntil(lambda: len(app.workshop.library.items) == 1)
    app.window.show_side(app.window.library)
    app.window.library.select(app.workshop.library.items[0].id)
    return app


def test_a_video_opened_from_the_library_is_played_by_keys_at_once(made: App) -> None:
    grid, player = made.window.library.grid, made.window.player
    made.qtbot.keyClick(grid, Qt.Key.Key_Return)
    made.qtbot.waitUntil(lambda: player.buffer.end == 24)
    playing = player.playing
    made.qtbot.keyClick(grid, Qt.Key.Key_Space)
    assert player.playing is not playing
    assert len(made.window.library.selected()) == 1, "what is selected stays so"
    player.pause()
    player.commands.loop.setChecked(True)
    made.qtbot.keyClick(grid, Qt.Key.Key_R)
    assert not player.commands.loop.isChecked()


def test_a_card_has_its_picture_and_is_found_by_its_words(made: App) -> None:
    panel, (item,) = made.window.library, made.workshop.library.items
    pictures = made.workshop.library.thumbnails
    made.qtbot.waitUntil(lambda: pictures.picture(item.path) is not None)
    made.qtbot.keyClicks(panel.search, "blue")
    assert panel.model.rowCount() == 0
    panel.search.clear()
    made.qtbot.keyClicks(panel.search, "circle red")
    assert panel.model.rowCount() == 1


@pytest.mark.parametrize("partly", [False, True])
def test_a_video_gives_its_settings_and_its_end(made: App, partly: bool) -> None:
    draft, panel = made.workshop.draft, made.window.library
    draft.set_prompt("something else")
    draft.set(width=128, height=128, seed=9)
    panel.video_actions.use_settings.trigger()
    chosen = draft.settings
    assert (draft.prompt, chosen.width, chosen.seed) == ("a red circle moves right", 64, 3)
    store = TakeStore(default_takes_dir())
    (take,) = store.all()
    if partly:
        (take.folder / "000000.safetensors").unlink()
    else:
        store.remove(take.name)
    made.qtbot.mouseClick(made.window.video_bar.go_on, Qt.MouseButton.LeftButton)
    made.qtbot.waitUntil(lambda: draft.reference is not None)
    assert "from its file" in made.window.notice.text
    assert draft.mode is Mode.V2V
    assert draft.reference is not None
    assert draft.reference.path == made.videos()[0]
    assert draft.reference.prepend_source, "one file with both"
    assert not made.window.reference.own_bar.isVisible(), "it has been asked for already"


def test_a_video_goes_on_from_its_latents_where_they_are_kept(made: App) -> None:
    made.qtbot.mouseClick(made.window.video_bar.go_on, Qt.MouseButton.LeftButton)
    made.qtbot.waitUntil(lambda: bool(made.window.findChildren(RedoDialog)))
    (dialog,) = made.window.findChildren(RedoDialog)
    assert (dialog.title.text(), dialog.place.currentIndex()) == ("Go on from the end", 1)
    dialog.length.setValue(1.0)
    made.qtbot.mouseClick(dialog.redo, Qt.MouseButton.LeftButton)
    made.qtbot.waitUntil(lambda: len(made.workshop.library.items) == 2)
    assert made.workshop.library.items[0].frames == 48


def test_the_rest_of_a_video_that_was_stopped_is_made_with_one_click(made: App) -> None:
    made.workshop.draft.set(seconds=120.0, seed=8)
    made.generate()
    takes = TakeStore(default_takes_dir())
    made.qtbot.waitUntil(lambda: any(take.chunks > 1 for take in takes.all()))
    made.workshop.controller.stop()
    made.wait_for(Phase.CANCELLED)
    made.qtbot.waitUntil(lambda: len(made.workshop.library.items) == 2)
    bar = made.window.video_bar
    made.qtbot.waitUntil(lambda: bar.item is made.workshop.library.items[0])
    made.qtbot.waitUntil(bar.resume.isVisible)
    assert not bar.go_on.isVisible()
    made.qtbot.mouseClick(bar.resume, Qt.MouseButton.LeftButton)
    made.qtbot.waitUntil(lambda: made.job.frames_done > 0 and made.job.phase.active)
    request = made.job.request
    assert request is not None
    assert request.start is not None
    assert request.start.chunk > 1
    assert (request.num_frames, request.seed) == (2880, 8)
    made.workshop.controller.stop()
    made.wait_idle()


def test_an_audition_one_is_thrown_away_one_is_kept(app: App) -> None:
    app.short(chunks=2)
    app.workshop.draft.set(width=64, height=64)
    qtbot, library = app.qtbot, app.workshop.library
    qtbot.keyClick(
        *(app.window, Qt.Key.Key_Return),
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier,
    )
    qtbot.waitUntil(lambda: bool(app.window.findChildren(AuditionDialog)))
    (dialog,) = app.window.findChildren(AuditionDialog)
    assert "9 more" in dialog.state.text()
    assert "They appear here" in dialog.nothing.text.text()
    qtbot.waitUntil(lambda: dialog.list.count() == 9 and len(dialog._pictures) == 9)
    assert not dialog.nothing.isVisible()
    app.wait_idle()
    qtbot.waitUntil(lambda: dialog.state.text() == "")
    assert [item.frames for item in library.items] == [24] * 9
    assert faults(dialog) == []
    before = dialog.list.item(0).icon().cacheKey()
    qtbot.waitUntil(lambda: dialog.list.item(0).icon().cacheKey() != before)
    seeds = [dialog.list.item(n).text() for n in range(9)]
    assert len(set(seeds)) == 9
    control = Qt.KeyboardModifier.ControlModifier
    qtbot.keyClick(dialog.list, Qt.Key.Key_Z, control)
    assert app.workshop.undo.canUndo(), "what was done elsewhere is not undone here"
    qtbot.keyClick(dialog.list, Qt.Key.Key_Right)
    qtbot.keyClick(dialog.list, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: dialog.list.count() == 8)
    assert [dialog.list.item(n).text() for n in range(8)] == [seeds[0], *seeds[2:]]
    assert [row.text() for row in dialog.list.selectedItems()] == [seeds[2]], "its neighbour"
    assert "deleted" in dialog.notice.text
    qtbot.keyClick(dialog.list, Qt.Key.Key_Z, control)
    qtbot.waitUntil(lambda: dialog.list.count() == 9)
    assert [dialog.list.item(n).text() for n in range(9)] == seeds, "where it was"
    assert dialog.notice.text == ""
    qtbot.keyClick(dialog.list, Qt.Key.Key_Z, control | Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: dialog.list.count() == 8)
    qtbot.keyClick(dialog.list, Qt.Key.Key_Z, control)
    qtbot.waitUntil(lambda: dialog.list.count() == 9)
    app.workshop.queue.set_paused(True)
    dialog.list.setCurrentRow(0, QItemSelectionModel.SelectionFlag.ClearAndSelect)
    qtbot.keyClick(dialog.list, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: "held" in app.window.notice.text)
    app.workshop.queue.set_paused(False)
    qtbot.waitUntil(lambda: len(library.items) == 10)
    assert (library.items[0].frames, library.items[0].complete) == (48, True)
    assert library.items[0].request.seed == 3


def test_four_variations_of_the_video_that_is_shown(made: App) -> None:
    made.qtbot.waitUntil(made.window.video_bar.video_actions.vary.isEnabled)
    made.workshop.draft.set_prompt("something else")
    made.window.video_bar.video_actions.vary.trigger()
    requests = [item.request for item in made.workshop.queue.items]
    assert [r.prompt for r in requests] == ["a red circle moves right"] * 4
    assert len({r.seed for r in requests} | {3}) == 5
    assert made.workshop.draft.prompt == "something else", "what is composed is left alone"
    made.workshop.queue.set_paused(True)
    made.workshop.controller.stop()
    made.wait_idle()


def test_a_video_is_renamed_deleted_and_undone_from_the_bar_below_it(
    made: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    bar, player = made.window.video_bar, made.window.player
    made.qtbot.waitUntil(lambda: bar.item is not None)
    (item,) = made.workshop.library.items
    made.workshop.library.rename(item.id, "the circle")
    made.qtbot.waitUntil(lambda: player.path == made.places.videos / "the circle.mp4")
    assert made.videos() == [made.places.videos / "the circle.mp4"]
    bar.video_actions.delete.trigger()
    made.qtbot.waitUntil(lambda: "deleted" in made.window.notice.text)
    assert not made.videos()
    assert player.path is None
    made.qtbot.mouseClick(made.window.notice._button, Qt.MouseButton.LeftButton)
    made.qtbot.waitUntil(lambda: [p.name for p in made.videos()] == ["the circle.mp4"])


def test_a_video_of_ours_that_comes_in_offers_its_settings(made: App) -> None:
    draft, bar = made.workshop.draft, made.window.reference.own_bar
    draft.set(seed=9)
    made.window.arrivals.open(made.videos()[0])
    made.qtbot.waitUntil(bar.isVisible)
    made.qtbot.mouseClick(bar.settings_button, Qt.MouseButton.LeftButton)
    made.qtbot.waitUntil(lambda: draft.settings.seed == 3)
    assert draft.mode is Mode.T2V


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_a_video_is_exported(made: App, tmp_path: Path, suffix: str) -> None:
    panel = made.window.library
    with made.qtbot.waitSignal(made.window.exports.finished):
        made.window.videos.export_to(panel.selected(), tmp_path, suffix)
    (exported,) = tmp_path.glob(f"*{suffix}")
    assert (probe(exported).width, probe(exported).height) == (64, 64)


def test_a_video_goes_to_the_trash_and_comes_back(
    made: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    panel, (video,) = made.window.library, made.videos()
    made.qtbot.keyClick(panel.grid, Qt.Key.Key_Delete)
    made.qtbot.waitUntil(lambda: not made.workshop.library.items)
    assert not video.exists()
    made.qtbot.mouseClick(made.window.notice._button, Qt.MouseButton.LeftButton)
    made.qtbot.waitUntil(lambda: len(made.workshop.library.items) == 1)
    assert video.is_file()

    assert made.workshop.library.items[0].path == video


def test_a_video_of_the_library_is_not_compared_with_what_the_new_job_starts_from(
    app: App, qtbot: QtBot, tmp_path: Path
) -> None:
    app.short(chunks=1)
    app.generate()
    app.wait_for(Phase.FINISHED)
    (video,) = app.videos()
    app.workshop.draft.set_reference(load_reference(image_file(tmp_path / "a.png")).reference)
    app.short(chunks=1)
    player = app.window.player
    app.job.started.connect(lambda: player.open_file(video))
    with qtbot.waitSignal(app.job.ended):
        app.generate()
    assert app.job.phase is Phase.FINISHED
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0)
    QCoreApplication.processEvents()
    assert app.job.request is not None
    assert app.job.request.mode is Mode.I2V
    assert not player.showing_job
    assert not player.commands.compare.isEnabled()
