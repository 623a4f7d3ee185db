"""The list of models, on folders in the official layout."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.add_model import AddModelDialog
from magi_desktop.dialogs.machine import download_text
from magi_desktop.dialogs.mirror import MirrorDialog
from magi_desktop.dialogs.models import ModelsDialog
from magi_desktop.dialogs.storage import _ThingRow
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.draft import Draft
from magi_desktop.state.models import Models
from magi_engine.config.places import default_takes_dir
from magi_engine.config.registry import Registry
from magi_engine.config.vae import VaeConfig
from magi_engine.errors import DownloadError, ModelNotFoundError, WeightsError
from magi_engine.install.adding import add_models
from magi_engine.install.status import (
    CachedKind,
    CachedThing,
    ModelState,
    ModelStatus,
    model_statuses,
)
from magi_engine.install.tasks import (
    Add,
    Download,
    FileProgress,
    Import,
    Make,
    Phase,
    SetMirror,
    TaskDone,
    TaskFailed,
    TaskProgress,
    Verify,
)
from magi_engine.messages import NOTHING, Message
from magi_engine.runtime.planning.quantization import QuantizationEstimate
from magi_engine.takes.store import About, TakeStore
from magi_engine.weights.layout import entry_paths, needed_files
from magi_engine.weights.manifest import Manifest
from tests.desktop.accessibility import faults
from tests.desktop.installer import Installer
from tests.desktop.machines import FACTS, look, machine
from tests.engine.install.test_adding import dit_file, official
from tests.patience import settle


def put(models_dir: Path, name: str, *, transformer_only: bool = False) -> None:
    """Files such as are downloaded of a model, small ones: nothing here reads weights."""
    paths = entry_paths(Registry.load().find(name), models_dir)
    folders = [paths.transformer]
    if not transformer_only:
        folders += [paths.autoencoder, paths.text_encoder]
        paths.special_tokens.parent.mkdir(parents=True, exist_ok=True)
        paths.special_tokens.write_bytes(b"t" * 10)
    for file in (folder / n for folder in folders for n in _NAMES):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"w" * 1000)
        manifest = Manifest.load(models_dir)
        manifest.note(manifest.key(file), "0" * 64, "test")
    verify(models_dir, name)


def verify(models_dir: Path, name: str) -> None:
    """Note the files of a model as ones that were found to be right."""
    manifest = Manifest.load(models_dir)
    for file in needed_files(Registry.load().find(name), models_dir):
        manifest.note(manifest.key(file), "0" * 64, "test")


_NAMES = ("model.safetensors", "config.json", "spiece.model")


def shown(qtbot: QtBot, models: Models, draft: Draft | None = None) -> ModelsDialog:
    preferences = Preferences(SettingsFile(models.models_dir.parent / "preferences.json"))
    dialog = ModelsDialog(models, machine(FACTS, models.models_dir), draft or Draft(), preferences)
    qtbot.addWidget(dialog)
    dialog.show()
    wait_for_cards(qtbot, dialog)
    return dialog


def wait_for_cards(qtbot: QtBot, dialog: ModelsDialog) -> None:
    """Until each model has its card and its verdict, and Qt has laid them out.

    Two looks in the background, of the disk and of the machine; either may be first.
    """
    models, column = dialog._models, dialog._column
    qtbot.waitUntil(lambda: bool(models.statuses))
    names = {status.entry.name for status in models.statuses}
    qtbot.waitUntil(lambda: names <= column.cards.keys() & column._prospects.keys())
    qtbot.waitUntil(lambda: all(card.isVisible() for card in column.cards.values()))


def states(models_dir: Path) -> dict[str, ModelState]:
    return {s.entry.name: s.state for s in model_statuses(models_dir)}


def test_what_is_here_what_is_not_and_what_is_to_be_made(models_dir: Path) -> None:
    put(models_dir, "4.5B-distill")
    assert states(models_dir) == {
        "pocket": ModelState.READY,
        "pocket-base": ModelState.READY,
        "pocket-fp8": ModelState.TO_MAKE,
        "4.5B-base": ModelState.ABSENT,
        "4.5B-distill": ModelState.READY,
        "4.5B-distill-fp8": ModelState.ABSENT,
        "4.5B-distill-fp8-made": ModelState.TO_MAKE,
        "24B-base": ModelState.ABSENT,
        "24B-distill": ModelState.ABSENT,
        "24B-distill-fp8": ModelState.ABSENT,
    }


def test_what_others_share_is_not_removed(qtbot: QtBot, models: Models) -> None:
    put(models.models_dir, "4.5B-distill")
    models.refresh()
    qtbot.waitUntil(lambda: models.removable_bytes.get("4.5B-distill") == 9010)
    put(models.models_dir, "4.5B-base", transformer_only=True)
    models.refresh()
    qtbot.waitUntil(lambda: models.removable_bytes.get("4.5B-distill") == 3000)
    assert models.removable_bytes["pocket"] == 0


def test_shared_parts_alone_are_no_model_to_remove(qtbot: QtBot, models: Models) -> None:
    put(models.models_dir, "4.5B-distill")
    dialog = shown(qtbot, models)
    assert dialog.cards["4.5B-distill"].remove_action.isVisible()
    assert not dialog.cards["24B-base"].remove_action.isVisible()
    models.remove("4.5B-distill")
    qtbot.waitUntil(lambda: dialog.cards["4.5B-distill"].main_button.text() == "Download")
    put(models.models_dir, "4.5B-distill")
    transformer = entry_paths(Registry.load().find("4.5B-distill"), models.models_dir).transformer
    shutil.rmtree(transformer)
    models.refresh()
    qtbot.waitUntil(lambda: models.removable_bytes["4.5B-distill"] == 6010)
    settle(qtbot)
    assert not dialog.cards["4.5B-distill"].remove_action.isVisible()


def test_as_narrow_as_it_gets_all_of_it_is_seen(qtbot: QtBot, models: Models) -> None:
    dialog = shown(qtbot, models)
    dialog.resize(1, dialog.height())
    area = dialog._scroll.viewport()
    for card in dialog.cards.values():
        place = QRect(card.mapTo(area, QPoint(0, 0)), card.size())
        assert place.right() <= area.rect().right(), card.name
    assert dialog.path.isVisible()
    assert dialog.path.height() >= dialog.path.heightForWidth(dialog.path.width())


def test_what_can_be_put_back_is_where_something_else_cannot(qtbot: QtBot, models: Models) -> None:
    put(models.models_dir, "4.5B-distill")
    models.refresh()
    qtbot.waitUntil(lambda: models.removable_bytes.get("4.5B-distill") == 9010)
    with qtbot.waitSignal(models.removed) as said:
        models.remove("4.5B-distill")
    assert said.args is not None
    removal = said.args[0]
    originals = [trashed.original for trashed in removal.trashed]
    assert len(originals) > 1
    originals[-1].mkdir(parents=True)  # it has been downloaded again meanwhile
    with qtbot.waitSignals([models.failed, models.changed]):
        models.undo(removal)
    assert all(path.exists() for path in originals)


def test_a_model_goes_to_the_bin_and_comes_back(qtbot: QtBot, models: Models) -> None:
    put(models.models_dir, "4.5B-distill")
    weights = models.models_dir / "ckpt"
    before = sorted(p for p in weights.rglob("*") if p.is_file())
    dialog = shown(qtbot, models)
    card = dialog.cards["4.5B-distill"]
    assert card.remove_action.isVisible()
    card.remove_action.trigger()
    qtbot.waitUntil(lambda: "bin" in dialog.notice.text)
    qtbot.waitUntil(lambda: card.main_button.text() == "Download")
    assert not any(p.is_file() for p in weights.rglob("*"))
    dialog.notice._button.click()
    qtbot.waitUntil(lambda: card.main_button.text() == "Use")
    assert sorted(p for p in weights.rglob("*") if p.is_file()) == before


def test_a_model_is_taken_into_use(qtbot: QtBot, models: Models) -> None:
    put(models.models_dir, "4.5B-distill")
    draft = Draft()
    dialog = shown(qtbot, models, draft)
    assert dialog.cards["pocket"].state_label.text().startswith("In use")
    assert not dialog.cards["pocket"].main_button.isVisible()
    card = dialog.cards["4.5B-distill"]
    card.main_button.click()
    assert draft.settings.model == "4.5B-distill"
    assert card.state_label.text().startswith("In use")
    assert not card.remove_action.isVisible(), "what is in use is not removed"


def test_a_download_from_the_click_to_the_end(
    qtbot: QtBot, models: Models, installer: Installer
) -> None:
    dialog = shown(qtbot, models)
    card = dialog.cards["24B-base"]
    with qtbot.waitSignal(dialog.download_wanted) as wanted:
        card.main_button.click()
    assert wanted.args == ["24B-base"]
    models.tasks.do(Download("24B-base"))
    assert card.box.isVisible()
    files = (FileProgress("ckpt/vae/model.safetensors", 10**9, 2 * 10**9),)
    installer.task.events.put(
        TaskProgress(Phase.DOWNLOADING, 10**10, 4 * 10**10, 50e6, 600.0, files)
    )
    qtbot.waitUntil(lambda: card.box.figures.text() != "")
    assert card.box.headline.text() == "Downloading"
    assert card.box.figures.text() == "10 GB of 40 GB  ·  50 MB/s  ·  10 min left"
    assert card.box.bar.value() == 250
    assert card.box.files.text() == "model.safetensors 50 %"
    card.box.pause_button.click()
    assert card.box.headline.text() == "Paused"
    assert card.box.pause_button.text() == "Resume"
    card.box.pause_button.click()
    qtbot.waitUntil(lambda: card.box.headline.text() == "Downloading")
    put(models.models_dir, "24B-base")
    installer.end(TaskDone(Message("MAGI-1 24B base is here.")))
    qtbot.waitUntil(lambda: card.main_button.text() == "Use")
    assert "is here" in dialog.notice.text
    assert not card.box.isVisible()


def test_a_failure_is_said_in_the_card_with_a_way_on(
    qtbot: QtBot, models: Models, installer: Installer
) -> None:
    dialog = shown(qtbot, models)
    card = dialog.cards["24B-base"]
    models.tasks.do(Download("24B-base"))
    error = DownloadError("The hub of models cannot be reached.", "Check the network.")
    installer.end(TaskFailed(error))
    qtbot.waitUntil(card.problem_label.isVisible)
    assert card.problem_label.text() == str(error)
    assert card.main_button.text() == "Try again"
    with qtbot.waitSignal(dialog.download_wanted):
        card.main_button.click()


def test_checking_making_and_cancelling(qtbot: QtBot, models: Models, installer: Installer) -> None:
    put(models.models_dir, "4.5B-distill")
    dialog = shown(qtbot, models)
    assert not dialog.cards["pocket"].verify_action.isVisible(), "it came with the program"
    dialog.cards["4.5B-distill"].verify_action.trigger()
    card = dialog.cards["pocket-fp8"]
    assert card.main_button.text() == "Make"
    card.main_button.click()
    assert [item.task for item in models.tasks.items] == [
        Verify("4.5B-distill"),
        Make("pocket-fp8"),
    ]
    assert card.box.headline.text() == "Waiting in line"
    card.box.cancel_button.click()
    assert card.main_button.isVisible()
    installer.end(TaskFailed(ModelNotFoundError("Gone.", "")))
    qtbot.waitUntil(lambda: "4.5B-distill" in models.tasks.problems)
    dialog.cards["4.5B-distill"].main_button.click()
    assert installer.begun == [Verify("4.5B-distill")] * 2, "what failed is tried again"


def test_an_fp8_copy_of_a_model_that_is_here(
    qtbot: QtBot, models: Models, installer: Installer
) -> None:
    put(models.models_dir, "4.5B-distill")
    paths = entry_paths(Registry.load().find("4.5B-distill"), models.models_dir)
    (paths.autoencoder / "config.json").write_text(json.dumps(VaeConfig().to_dict()))
    verify(models.models_dir, "4.5B-distill")
    dialog = shown(qtbot, models)
    copy = dialog.cards["4.5B-distill-fp8-made"]
    qtbot.waitUntil(lambda: "making it takes roughly" in copy.detail.text())
    assert copy.detail.text().startswith("5.1 GB on the disk")
    assert "4.5B-base-fp8" not in dialog.cards, "there is nothing to make it from"
    put(models.models_dir, "4.5B-base")
    models.refresh()
    qtbot.waitUntil(lambda: "4.5B-base-fp8" in dialog.cards)
    places = {name: dialog._column.indexOf(card) for name, card in dialog.cards.items()}
    assert places["4.5B-base-fp8"] == places["4.5B-base"] + 1
    dialog.cards["4.5B-distill"].make_action.trigger()
    assert [item.task for item in models.tasks.items] == [Make("4.5B-distill-fp8-made")]
    assert not copy.main_button.isVisible(), "it is under way"


def test_an_official_folder_is_looked_through(
    qtbot: QtBot, models: Models, installer: Installer, tmp_path: Path
) -> None:
    dialog = shown(qtbot, models)
    dialog._import(tmp_path / "MAGI-1")
    assert installer.begun == [Import(tmp_path / "MAGI-1")]
    (card,) = dialog.imports.values()
    installer.end(TaskFailed(ModelNotFoundError("No model is in MAGI-1.", "Choose another.")))
    qtbot.waitUntil(card.problem_label.isVisible)
    assert faults(dialog) == []
    card.again_button.click()
    installer.end(TaskDone(Message("2 models were found.")))
    qtbot.waitUntil(lambda: dialog.imports == {})
    assert "2 models" in dialog.notice.text


def test_storage_lists_what_can_go(qtbot: QtBot, models: Models) -> None:
    dialog = shown(qtbot, models)
    dialog.tabs.setCurrentWidget(dialog.storage)
    assert dialog.storage.empty.isVisible()
    made = models.models_dir / "pocket-fp8" / "inference_weight.fp8.distill"
    made.mkdir(parents=True)
    (made / "model.safetensors").write_bytes(b"w" * 2000)
    models.refresh()
    qtbot.waitUntil(lambda: bool(dialog.storage.rows))
    (row,) = dialog.storage.rows
    assert row.thing.kind is CachedKind.QUANTISED_TRANSFORMER
    assert faults(dialog) == []
    row.delete_button.click()
    qtbot.waitUntil(lambda: dialog.storage.rows == [])
    assert not made.exists()
    dialog.notice._button.click()
    qtbot.waitUntil(made.exists)


def test_takes_are_not_said_to_be_had_again(qtbot: QtBot, models: Models) -> None:
    writer = TakeStore(default_takes_dir()).begin(About("{}", 24.0, 6, True, 24, 24, 24))
    writer.append(np.zeros((1, 16, 6, 4, 4), np.float32))
    dialog = shown(qtbot, models)
    models.refresh()
    qtbot.waitUntil(lambda: bool(dialog.storage.rows))
    assert "all but what videos are redone from can be had again" in dialog.storage.total.text()


@pytest.mark.parametrize("kind", list(CachedKind))
def test_every_kind_of_thing_is_explained(qtbot: QtBot, kind: CachedKind) -> None:
    thing = CachedThing(Message("Something"), (Path("somewhere"),), 1000, kind, can_be_remade=True)
    parent = QWidget()
    qtbot.addWidget(parent)
    row = _ThingRow(thing, parent)
    assert row._meaning()


def test_an_unfinished_download_goes_only_while_none_is_under_way(
    qtbot: QtBot, models: Models
) -> None:
    part = models.models_dir / "ckpt" / "vae" / "model.safetensors.0123456789abcdef.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"w" * 3000)
    dialog = shown(qtbot, models)
    (row,) = dialog.storage.rows
    assert row.thing.kind is CachedKind.UNFINISHED_DOWNLOAD
    models.tasks.do(Download("24B-base"))
    assert not row.delete_button.isEnabled()
    models.tasks.cancel("24B-base")
    qtbot.waitUntil(lambda: bool(dialog.storage.rows) and not models.tasks.items)
    dialog.storage.rows[0].delete_button.click()
    qtbot.waitUntil(lambda: not part.exists())


def test_a_model_can_be_shown_before_the_list_is_there(qtbot: QtBot, models: Models) -> None:
    preferences = Preferences(SettingsFile(models.models_dir.parent / "preferences.json"))
    dialog = ModelsDialog(models, machine(FACTS, models.models_dir), Draft(), preferences)
    qtbot.addWidget(dialog)
    dialog.show_model("24B-distill-fp8")
    dialog.show()
    qtbot.waitUntil(lambda: dialog._scroll.verticalScrollBar().value() > 0)


def test_a_model_comes_into_view_when_the_verdicts_are_there_before_the_cards(
    qtbot: QtBot, models: Models
) -> None:
    verdicts = shown(qtbot, models)._column._prospects
    preferences = Preferences(SettingsFile(models.models_dir.parent / "preferences.json"))
    dialog = ModelsDialog(models, machine(FACTS, models.models_dir), Draft(), preferences)
    qtbot.addWidget(dialog)
    dialog._column.show_prospects(FACTS, verdicts)
    dialog.show_model("24B-distill-fp8")
    dialog.show()
    bar = dialog._scroll.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.value() > 0)
    # Who scrolls away is not taken back when cards get other places.
    wait_for_cards(qtbot, dialog)
    assert not dialog.cards["24B-distill-fp8"].visibleRegion().isEmpty()
    bar.setValue(0)
    highest = bar.maximum()
    dialog._inside.setContentsMargins(0, 200, 0, 0)
    qtbot.waitUntil(lambda: bar.maximum() > highest)
    assert bar.value() == 0


def test_the_verdict_follows_the_machine(qtbot: QtBot, models: Models) -> None:
    dialog = shown(qtbot, models)
    label = dialog.cards["24B-base"].fit_label
    roomy = dataclasses.replace(
        FACTS, vram_total_bytes=200 * 10**9, vram_free_bytes=200 * 10**9, ram_free_bytes=60 * 10**9
    )
    look(dialog._machine, roomy)
    qtbot.waitUntil(lambda: "of 200 GB" in label.text())
    tiny = dataclasses.replace(FACTS, vram_free_bytes=10**9, ram_free_bytes=10**9)
    look(dialog._machine, tiny)
    qtbot.waitUntil(lambda: "needs" in label.text())
    assert label.property("role") == "warning"


def test_making_a_model_takes_more_room_than_it_has_in_the_end() -> None:
    entry = Registry.load().find("4.5B-base-fp8")
    status = ModelStatus(entry, ModelState.TO_MAKE, 0, 0, 0, NOTHING)
    making = QuantizationEstimate(disk_bytes=5 * 10**9, room_bytes=10 * 10**9, seconds=60.0)
    assert download_text(status, FACTS, making)[0] == "muted"
    narrow = dataclasses.replace(FACTS, disk_free_bytes=8 * 10**9)
    role, text = download_text(status, narrow, making)
    assert (role, text) == ("warning", "10 GB on the disk, of which only 8.0 GB are free.")


def test_a_damaged_file_is_said_where_it_belongs(qtbot: QtBot, models: Models) -> None:
    put(models.models_dir, "4.5B-distill")  # whose configurations are no JSON
    dialog = shown(qtbot, models)
    assert "cannot be read" in dialog.cards["4.5B-distill"].fit_label.text()
    assert "Runs on" in dialog.cards["pocket"].fit_label.text()


def test_models_can_be_kept_elsewhere(qtbot: QtBot, models: Models, tmp_path: Path) -> None:
    dialog = shown(qtbot, models)
    assert "60 GB free" in dialog.path.text()
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    dialog.choose_folder(blocked / "models")
    qtbot.waitUntil(lambda: "written" in dialog.notice.text)
    assert dialog._preferences.get("models_folder") == ""
    dialog.choose_folder(tmp_path / "large")
    qtbot.waitUntil(lambda: "next start" in dialog.path.text())
    assert dialog._preferences.get("models_folder") == str(tmp_path / "large")
    dialog._preferences._file.flush()


def test_the_folder_is_read_however_narrow_the_sheet_is(qtbot: QtBot, models: Models) -> None:
    dialog = shown(qtbot, models)
    dialog.resize(dialog.minimumSizeHint())
    qtbot.waitUntil(lambda: dialog.width() < 600)
    widest = dialog.path.fontMetrics().horizontalAdvance(dialog.path.text())
    assert dialog.path.width() >= min(widest, dialog.choose_button.width())
    lines = dialog.path.heightForWidth(dialog.path.width())
    assert dialog.path.height() >= lines


def test_every_control_is_named_explained_and_reachable(qtbot: QtBot, models: Models) -> None:
    put(models.models_dir, "4.5B-distill")
    dialog = shown(qtbot, models)
    models.tasks.do(Download("24B-base"))
    assert faults(dialog) == []


def ask_own(dialog: ModelsDialog) -> AddModelDialog:
    dialog._ask_own()
    (sheet,) = dialog.findChildren(AddModelDialog)
    return sheet


def test_a_model_of_ones_own_is_added_and_checked(
    qtbot: QtBot, models: Models, installer: Installer, tmp_path: Path
) -> None:
    folder = official(tmp_path / "clips", dit_file())
    dialog = shown(qtbot, models)
    sheet = ask_own(dialog)
    assert faults(sheet) == []
    assert not sheet.accept_button.isEnabled()
    sheet.source.setText(f" {folder} ")
    sheet.kind.setCurrentIndex(sheet.kind.findData("4.5B-distill"))
    sheet.name.setText("mine")
    qtbot.keyClick(sheet.source, Qt.Key.Key_Return)
    assert installer.asked == [Add(str(folder), "mine", "4.5B-distill")]
    assert sheet.busy.isVisible()
    assert not sheet.source.isEnabled()
    installer.question.end(
        TaskFailed(WeightsError("These are not the weights.", "Say what they are."))
    )
    qtbot.waitUntil(sheet.problem.isVisible)
    assert sheet.problem.text() == "These are not the weights. Say what they are."
    assert sheet.source.text() == f" {folder} ", "what was typed stays"
    sheet.accept_button.click()
    assert not sheet.problem.isVisible()
    add_models(str(folder), "mine", None)
    installer.question.end(TaskDone(Message("Added: clips."), ("mine",)))
    qtbot.waitUntil(lambda: "mine" in dialog.cards)
    qtbot.waitUntil(lambda: dialog.findChildren(AddModelDialog) == [])
    assert "clips" in dialog.notice.text
    qtbot.waitUntil(lambda: installer.begun == [Verify("mine")])
    card = dialog.cards["mine"]
    qtbot.waitUntil(card.box.isVisible)  # what lies here is checked at once
    installer.end(TaskDone(Message("All files of clips are whole.")))
    qtbot.waitUntil(lambda: card.main_button.text() == "Check")  # this installer checks nothing
    verify(models.models_dir, "mine")
    models.refresh()
    qtbot.waitUntil(lambda: card.main_button.text() == "Use")
    assert card.remove_action.text() == "Remove from the list"
    card.remove_action.trigger()
    qtbot.waitUntil(lambda: "mine" not in dialog.cards)
    assert (folder / "ckpt").exists()
    dialog.notice._button.click()
    qtbot.waitUntil(lambda: "mine" in dialog.cards)
    shutil.move(folder, tmp_path / "elsewhere")
    models.refresh()
    qtbot.waitUntil(lambda: dialog.cards["mine"].state_label.text() == "Folder not found")
    assert not dialog.cards["mine"].main_button.isVisible()


def test_adding_can_be_given_up(qtbot: QtBot, models: Models, installer: Installer) -> None:
    dialog = shown(qtbot, models)
    sheet = ask_own(dialog)
    sheet.source.setText("some.one/tuned")
    sheet.accept_button.click()
    sheet.cancel_button.click()
    qtbot.waitUntil(lambda: not models.asker.busy)
    qtbot.waitUntil(lambda: dialog.findChildren(AddModelDialog) == [])
    assert installer.asked == [Add("some.one/tuned", None, None)]


def test_what_was_asked_before_does_not_answer_for_the_next_sheet(
    qtbot: QtBot, models: Models, installer: Installer
) -> None:
    dialog = shown(qtbot, models)
    for event in (TaskDone(Message("Added: tuned.")), TaskFailed(WeightsError("Not there."))):
        sheet = ask_own(dialog)
        sheet.source.setText("some.one/tuned")
        sheet.accept_button.click()
        installer.question.end(event)  # nobody has heard of it yet
        sheet.cancel_button.click()
        dialog._ask_mirror()
        (mirror,) = dialog.findChildren(MirrorDialog)
        qtbot.waitUntil(lambda: not models.asker.busy)
        assert mirror.isVisible()
        assert mirror.problem.text() == ""
        mirror.reject()
        qtbot.waitUntil(lambda: dialog.findChildren(MirrorDialog) == [])


def test_a_folder_is_dropped_on_the_sheet(qtbot: QtBot, models: Models, tmp_path: Path) -> None:
    dialog = shown(qtbot, models)
    sheet = ask_own(dialog)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(tmp_path))])
    where, copy, left = QPoint(20, 20), Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(sheet, QDragEnterEvent(where, copy, data, left, none))
    QApplication.sendEvent(sheet, QDropEvent(QPointF(where), copy, data, left, none))
    assert sheet.source.text() == str(tmp_path)


def test_a_mirror_is_used_once_it_has_answered(
    qtbot: QtBot, models: Models, installer: Installer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = shown(qtbot, models)
    dialog._ask_mirror()
    (sheet,) = dialog.findChildren(MirrorDialog)
    assert faults(sheet) == []
    sheet.address.setText("https://mirror.example")
    sheet.accept_button.click()
    assert installer.asked == [SetMirror("https://mirror.example")]
    installer.question.end(TaskDone(Message("Models are downloaded from https://mirror.example.")))
    qtbot.waitUntil(lambda: dialog.findChildren(MirrorDialog) == [])
    assert "mirror.example" in dialog.notice.text


def test_what_was_put_there_by_hand_is_checked_first(
    qtbot: QtBot, models: Models, installer: Installer
) -> None:
    put(models.models_dir, "4.5B-distill")
    (models.models_dir / "verified.json").unlink()
    dialog = shown(qtbot, models)
    card = dialog.cards["4.5B-distill"]
    assert card.state_label.text().startswith("Not checked yet")
    assert card.main_button.text() == "Check"
    card.main_button.click()
    assert installer.begun == [Verify("4.5B-distill")]
