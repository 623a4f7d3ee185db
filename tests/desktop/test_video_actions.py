"""What can be done with finished videos, with a real library and real small videos."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFileDialog,
    QInputDialog,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from magi_desktop import background
from magi_desktop.dialogs.details import DetailsDialog
from magi_desktop.panels.export_bar import ExportBar
from magi_desktop.panels.progress import ProgressPanel
from magi_desktop.player.player import Player
from magi_desktop.state.jobs import JobState
from magi_desktop.state.library import Library
from magi_desktop.state.videos import LibraryItem
from magi_desktop.video_actions import VideoActions, VideoCommands
from magi_desktop.video_bar import Foot, VideoBar
from magi_desktop.widgets.notice_bar import NoticeBar
from magi_engine.errors import MediaReadError, OutputError
from magi_engine.runtime.job.events import Finished
from magi_engine.runtime.request.length import LengthPlan
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange, TakeStart
from tests.desktop.accessibility import faults
from tests.desktop.state.helpers import request
from tests.desktop.state.videos import make_video


class Window(QWidget):
    """Player and bar, as the main window puts them together."""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self.notice, self.exports, self.job = NoticeBar(self), ExportBar(self), JobState(self)
        self.commands = VideoCommands(library, self.notice, self.exports, self)
        self.player = Player(self)
        self.player.bind(self.job)
        self.bar = VideoBar(self.player, library, self.job, self.commands, self)
        self.progress = ProgressPanel(self.job, self)
        self.foot = Foot(self.player, self.job, library, self.bar, self.progress)
        column = QVBoxLayout(self)
        for widget in (self.notice, self.player, self.foot, self.exports):
            column.addWidget(widget)
        library.leaving.connect(self.player.let_go)
        library.settled.connect(self.player.follow)


@pytest.fixture
def window(library: Library, qtbot: QtBot) -> Window:
    window = Window(library)
    qtbot.addWidget(window)
    window.resize(700, 500)
    window.show()
    return window


@pytest.fixture
def item(library: Library, tmp_path: Path, qtbot: QtBot) -> LibraryItem:
    path = tmp_path / "one.mp4"
    library.add(path, make_video(path, "prompt one"), took_s=8.0)
    qtbot.waitUntil(lambda: len(library.items) == 1)
    return library.items[0]


def show(window: Window, item: LibraryItem, qtbot: QtBot) -> None:
    window.player.open_file(item.path)
    qtbot.waitUntil(lambda: window.bar.item is not None)


def test_the_bar_names_what_is_shown_and_offers_what_can_be_done(
    window: Window, item: LibraryItem, qtbot: QtBot
) -> None:
    assert window.foot.currentWidget() not in (window.bar, window.progress)
    show(window, item, qtbot)
    assert window.foot.currentWidget() is window.bar
    assert window.bar.title.text() == "prompt one"
    assert "made in 8 s" in window.bar.facts.toolTip() or "made in 8 s" in window.bar.facts.text()
    actions = window.bar.video_actions
    for action in (actions.go_on, actions.show_in_folder, actions.favourite, actions.details):
        assert action.isEnabled()
    assert faults(window.bar) == []


def test_its_words_have_the_whole_width(window: Window, item: LibraryItem, qtbot: QtBot) -> None:
    show(window, item, qtbot)
    assert window.bar.title.width() == window.bar.facts.width() == window.bar.width()


def test_what_was_auditioned_is_not_called_stopped(
    window: Window, library: Library, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "first.mp4"
    library.add(path, make_video(path, num_frames=96, only_chunks=1), complete=False)
    qtbot.waitUntil(lambda: len(library.items) == 1)
    window.resize(1200, 500)
    show(window, library.items[0], qtbot)
    said = window.bar.facts.toolTip() or window.bar.facts.text()
    assert "first second only" in said
    assert "stopped" not in said


def test_while_a_video_is_made_its_progress_is_there_and_back_from_another_one(
    window: Window, item: LibraryItem, qtbot: QtBot
) -> None:
    height = window.foot.height()
    window.job.begin(request())
    assert window.foot.currentWidget() is window.progress
    show(window, item, qtbot)
    assert window.foot.currentWidget() is window.bar
    assert window.foot.height() == height
    qtbot.mouseClick(window.bar.back, Qt.MouseButton.LeftButton)
    assert window.foot.currentWidget() is window.progress
    assert window.bar.item is None


def test_who_types_a_direction_keeps_its_line_until_they_are_done(
    window: Window, qtbot: QtBot
) -> None:
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.job.begin(request())
    text = window.progress.direct.text
    text.setEnabled(True)
    text.setFocus()
    qtbot.keyClicks(text, "a star")
    window.job.take(Finished(path=None, frames=0, elapsed_s=1.0))
    qtbot.waitUntil(lambda: not window.progress.stop_button.isEnabled())
    assert window.foot.currentWidget() is window.progress
    qtbot.keyClick(text, Qt.Key.Key_Escape)
    assert window.foot.currentWidget() is not window.progress


def test_what_can_be_asked_for_is_handed_out(
    window: Window, item: LibraryItem, qtbot: QtBot
) -> None:
    show(window, item, qtbot)
    commands, actions = window.commands, window.bar.video_actions
    for signal, action, expected in (
        (commands.settings_wanted, actions.use_settings, [item.request]),
        (commands.continue_wanted, actions.go_on, [item.path, item.request]),
        (commands.variations_wanted, actions.vary, [item.request, 4]),
    ):
        with qtbot.waitSignal(signal) as asked:
            action.trigger()
        assert asked.args == expected


def test_a_renamed_video_stays_on_the_screen_under_its_new_name(
    window: Window, library: Library, item: LibraryItem, tmp_path: Path, qtbot: QtBot
) -> None:
    show(window, item, qtbot)
    window.bar.video_actions.rename.trigger()
    dialog = window.findChild(QInputDialog)
    assert dialog is not None
    assert dialog.textValue() == "one"
    name = dialog.findChild(QLineEdit)
    assert name is not None
    usual = "A large green square spins in place on a white 1271485943"
    assert name.width() > name.fontMetrics().horizontalAdvance(usual), "the whole name is seen"
    dialog.setTextValue("another name")
    dialog.accept()
    qtbot.waitUntil(lambda: window.player.path == tmp_path / "another name.mp4")
    assert (tmp_path / "another name.mp4").exists()
    assert not item.path.exists()
    assert window.bar.item is not None
    assert window.bar.item.id == item.id


def test_a_name_that_is_taken_is_refused_and_the_video_is_shown_again(
    window: Window, library: Library, item: LibraryItem, tmp_path: Path, qtbot: QtBot
) -> None:
    (tmp_path / "taken.mp4").write_bytes(b"")
    show(window, item, qtbot)
    library.rename(item.id, "taken")
    qtbot.waitUntil(lambda: "already" in window.notice.text)
    qtbot.waitUntil(lambda: window.player.path == item.path)
    assert (tmp_path / "taken.mp4").read_bytes() == b""


def test_a_deleted_video_that_comes_back_is_shown_again(
    window: Window,
    library: Library,
    item: LibraryItem,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    show(window, item, qtbot)
    with qtbot.waitSignal(library.deleted) as deleted:
        window.bar.video_actions.delete.trigger()
    assert window.player.path is None
    assert deleted.args is not None
    library.restore(deleted.args[0])
    qtbot.waitUntil(lambda: window.player.path == item.path)
    qtbot.waitUntil(lambda: window.player.canvas.image is not None)


def test_a_video_that_cannot_be_deleted_is_shown_again(
    window: Window,
    library: Library,
    item: LibraryItem,
    monkeypatch: pytest.MonkeyPatch,
    qtbot: QtBot,
) -> None:
    def refuse(path: Path) -> None:
        raise OutputError("{name} stays.", "Do not.", name=path.name)

    monkeypatch.setattr("magi_desktop.state.library.move_to_trash", refuse)
    show(window, item, qtbot)
    window.bar.video_actions.delete.trigger()
    assert window.player.path is None
    qtbot.waitUntil(lambda: window.player.path == item.path)


def test_a_favourite_is_marked_from_the_bar_and_unmarked(
    window: Window, library: Library, item: LibraryItem, qtbot: QtBot
) -> None:
    show(window, item, qtbot)
    favourite = window.bar.video_actions.favourite
    favourite.trigger()
    assert library.items[0].favourite
    assert favourite.isChecked()
    favourite.trigger()
    assert not library.items[0].favourite


def test_the_details_say_how_it_was_made(window: Window, item: LibraryItem, qtbot: QtBot) -> None:
    show(window, item, qtbot)
    with qtbot.waitSignal(window.commands.details_wanted) as wanted:
        window.bar.video_actions.details.trigger()
    assert wanted.args is not None
    dialog = DetailsDialog(*wanted.args)
    qtbot.addWidget(dialog)
    dialog.show()
    facts = dict(dialog.facts)
    assert facts["Seed"] == str(item.request.seed)
    assert facts["Took"] == "8 s"
    assert facts["Size"] == "64×64"
    assert str(item.path) in facts["File"]
    assert faults(dialog) == []
    dialog.close()


def test_the_details_say_when_a_later_prompt_begins_as_the_timeline_does(
    item: LibraryItem, qtbot: QtBot
) -> None:
    prompts = (PromptChange(0, "a ball"), PromptChange(3, "a cube"))
    known = dataclasses.replace(item.request, prompts=prompts, num_frames=120)
    for made, start in ((known, "0:03"), (dataclasses.replace(known, model="gone"), "?")):
        dialog = DetailsDialog(item, made)
        qtbot.addWidget(dialog)
        assert "a cube" in dict(dialog.facts).values()
        qtbot.waitUntil(
            lambda dialog=dialog, start=start: f"Prompt from {start} on" in dict(dialog.facts)
        )
        named = [label.text() for label in dialog.findChildren(QLabel)]
        assert f"Prompt from {start} on" in named


def test_the_details_wait_for_no_clip_and_open_none_of_another_computer(
    item: LibraryItem, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = (PromptChange(0, "a ball"), PromptChange(3, "a cube"))
    read: list[bool] = []

    def timing_of(_request: GenerationRequest) -> tuple[LengthPlan, float]:
        read.append(threading.current_thread() is threading.main_thread())
        raise MediaReadError("The clip is gone.")

    monkeypatch.setattr("magi_desktop.dialogs.details.timing_of", timing_of)
    known = dataclasses.replace(item.request, mode=Mode.V2V, prompts=prompts, reference="/clip.mp4")
    for made, expected in (
        (dataclasses.replace(known, prompts=prompts[:1]), []),
        (dataclasses.replace(known, reference="//server/share/clip.mp4"), []),
        (dataclasses.replace(known, config_path="//server/share/a.json"), []),
        (known, [False]),
    ):
        others = set(background._under_way)
        dialog = DetailsDialog(item, made)
        qtbot.addWidget(dialog)
        qtbot.waitUntil(lambda others=others: background._under_way <= others)
        assert read == expected


def test_the_context_menu_of_the_picture_has_the_same_actions(
    window: Window, item: LibraryItem, qtbot: QtBot
) -> None:
    show(window, item, qtbot)
    window.player.menu_wanted.emit(window.mapToGlobal(window.rect().center()))
    menu = QGuiApplication.instance().activePopupWidget()  # type: ignore[union-attr]
    assert menu is not None
    assert window.bar.video_actions.go_on in menu.actions()
    assert window.player.commands.save_frame in menu.actions()
    menu.close()


def test_the_menu_says_how_large_a_gif_becomes(
    window: Window, item: LibraryItem, qtbot: QtBot
) -> None:
    show(window, item, qtbot)
    menu = window.bar.video_actions.export_menu
    menu.aboutToShow.emit()
    qtbot.waitUntil(lambda: any("GIF, about" in a.text() for a in menu.actions()))


def test_a_deleted_video_can_be_brought_back(
    window: Window, library: Library, item: LibraryItem, qtbot: QtBot
) -> None:
    item.path.unlink()  # else it would go to the trash of this computer
    with qtbot.waitSignal(library.deleted) as deleted:
        library.delete([item.id])
    assert "deleted" in window.notice.text
    assert deleted.args is not None
    library.restore(deleted.args[0])
    qtbot.waitUntil(lambda: len(library.items) == 1)


def test_where_other_takes_stay_that_is_said(
    window: Window, library: Library, tmp_path: Path, qtbot: QtBot
) -> None:
    first, second = "20261128-120000-123456", "20261128-130000-123456"
    for take, start in ((first, None), (second, TakeStart(first, 1))):
        path = tmp_path / f"{take}.mp4"
        library.add(path, make_video(path, take=take, start=start))
    qtbot.waitUntil(lambda: len(library.items) == 2)
    for item, said in (
        (library.items[0], "1 other take(s) of the same video stay."),
        (library.items[1], "1 video(s) deleted."),
    ):
        item.path.unlink()
        with qtbot.waitSignal(library.deleted):
            library.delete([item.id])
        assert window.notice.text.endswith(said)


def test_settings_of_a_newer_program_are_refused_in_words(
    window: Window, library: Library, qtbot: QtBot
) -> None:
    text = request("from the future").to_json().replace('"version": 1', '"version": 99')
    item = LibraryItem("x", Path("/gone.mp4"), text, "", 0.0, 24, 24.0, 64, 64, True)
    library._put([item])
    with qtbot.assertNotEmitted(window.commands.settings_wanted):
        VideoActions(window.commands, lambda: [item], window).use_settings.trigger()
    assert "newer program" in window.notice.text


def test_several_are_exported_with_a_bar(
    window: Window, library: Library, item: LibraryItem, tmp_path: Path, qtbot: QtBot
) -> None:
    folder = tmp_path / "exported"
    folder.mkdir()
    library.add(tmp_path / "two.mp4", make_video(tmp_path / "two.mp4", "prompt two"))
    qtbot.waitUntil(lambda: len(library.items) == 2)
    with qtbot.waitSignal(window.exports.finished):
        window.commands.export_to(library.items, folder, ".gif")
        assert window.exports.isVisible()
    assert not window.exports.isVisible()
    assert sorted(p.name for p in folder.iterdir()) == ["one.gif", "two.gif"]
    assert read_request(folder / "two.gif") == read_request(tmp_path / "two.mp4")
    assert "exported" in window.notice.text


@pytest.mark.parametrize("part", [False, True])
def test_a_video_that_an_export_has_replaced_is_what_is_there_now(
    window: Window, library: Library, item: LibraryItem, tmp_path: Path, qtbot: QtBot, part: bool
) -> None:
    two = tmp_path / "two.mp4"
    library.add(two, make_video(two, "prompt two"))
    qtbot.waitUntil(lambda: len(library.items) == 2)
    show(window, item, qtbot)
    if part:
        window.commands.export_parts([(two, range(8))])
    else:
        other = library.at(two)
        assert other is not None
        window.commands.export([other], ".mp4")
    [dialog] = window.findChildren(QFileDialog)
    with qtbot.waitSignal(window.exports.finished):
        dialog.fileSelected.emit(str(item.path))
    dialog.close()
    qtbot.waitUntil(lambda: [i.prompt for i in library.items] == ["prompt two"] * 2)
    qtbot.waitUntil(lambda: window.player.path == item.path)
    now = library.at(item.path)
    assert now is not None
    assert now.frames == (8 if part else 24)


def test_frames_are_exported_to_a_folder_of_their_own(
    window: Window, item: LibraryItem, tmp_path: Path, qtbot: QtBot
) -> None:
    with qtbot.waitSignal(window.exports.finished):
        window.commands.export_to([item], tmp_path, "")
    assert len(list((tmp_path / "one frames").glob("*.png"))) == 24


def test_an_export_can_be_cancelled_and_failing_is_said(
    window: Window, item: LibraryItem, tmp_path: Path, qtbot: QtBot
) -> None:
    window.commands.export_to([item], tmp_path, ".gif")
    qtbot.mouseClick(window.exports.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not window.exports.busy)
    assert not list(tmp_path.glob("*.gif"))
    window.commands.export_to([item], tmp_path / "nowhere", ".gif")
    qtbot.waitUntil(lambda: "There is no folder" in window.notice.text)


def test_the_first_frame_is_copied_in_full_size(
    window: Window, item: LibraryItem, qtbot: QtBot
) -> None:
    window.commands.copy_frame([item])
    qtbot.waitUntil(lambda: "copied" in window.notice.text)
    image = QGuiApplication.clipboard().image()
    assert (image.width(), image.height()) == (64, 64)
