"""The list of models, on folders in the official layout."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.models import ModelsDialog
from magi_desktop.settings import Preferences, SettingsFile
from magi_desktop.state.draft import Draft
from magi_desktop.state.models import Models, ModelState, model_statuses
from magi_engine.config.registry import Registry
from magi_engine.weights.layout import entry_paths
from tests.desktop.accessibility import faults
from tests.desktop.dialogs.test_welcome import FACTS, machine


def put(models_dir: Path, name: str, *, transformer_only: bool = False) -> None:
    """Files such as a model has, small ones: nothing here reads weights."""
    paths = entry_paths(Registry.load().find(name), models_dir)
    folders = [paths.transformer]
    if not transformer_only:
        folders += [paths.autoencoder, paths.text_encoder]
        paths.special_tokens.parent.mkdir(parents=True, exist_ok=True)
        paths.special_tokens.write_bytes(b"t" * 10)
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("model.safetensors", "config.json", "spiece.model"):
            (folder / file).write_bytes(b"w" * 1000)


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))  # where the trash is
    return tmp_path / "models"


def shown(qtbot: QtBot, models_dir: Path, draft: Draft | None = None) -> ModelsDialog:
    preferences = Preferences(SettingsFile(models_dir.parent / "settings.json"))
    dialog = ModelsDialog(Models(models_dir), machine(FACTS), draft or Draft(), preferences)
    dialog._models.setParent(dialog)
    qtbot.addWidget(dialog)
    dialog.show()
    qtbot.waitUntil(lambda: bool(dialog.cards))
    qtbot.waitUntil(lambda: bool(dialog._estimates))
    return dialog


def states(models_dir: Path) -> dict[str, ModelState]:
    return {s.entry.name: s.state for s in model_statuses(models_dir)}


def test_what_is_here_what_is_not_and_what_is_to_be_made(models_dir: Path) -> None:
    put(models_dir, "4.5B-distill")
    put(models_dir, "24B-distill", transformer_only=True)
    (models_dir / "ckpt/magi/24B_distill/inference_weight.distill/model.safetensors").unlink()
    assert states(models_dir) == {
        "pocket": ModelState.READY,
        "pocket-base": ModelState.READY,
        "pocket-fp8": ModelState.TO_MAKE,
        "4.5B-base": ModelState.ABSENT,
        "4.5B-distill": ModelState.READY,
        "4.5B-distill-fp8": ModelState.ABSENT,
        "24B-base": ModelState.ABSENT,
        "24B-distill": ModelState.PARTLY,
        "24B-distill-fp8": ModelState.ABSENT,
    }


def test_what_others_share_is_not_removed(models_dir: Path) -> None:
    put(models_dir, "4.5B-distill")
    alone = next(s for s in model_statuses(models_dir) if s.entry.name == "4.5B-distill")
    assert (alone.size_bytes, alone.own_bytes, len(alone.own)) == (9010, 9010, 4)
    put(models_dir, "4.5B-base", transformer_only=True)
    shared = next(s for s in model_statuses(models_dir) if s.entry.name == "4.5B-distill")
    assert shared.size_bytes == 9010
    assert [p.name for p in shared.own] == ["inference_weight.distill"]
    shipped = next(s for s in model_statuses(models_dir) if s.entry.name == "pocket")
    assert shipped.own == ()


def test_a_model_goes_to_the_bin_and_comes_back(qtbot: QtBot, models_dir: Path) -> None:
    put(models_dir, "4.5B-distill")
    before = sorted(p for p in models_dir.rglob("*") if p.is_file())
    dialog = shown(qtbot, models_dir)
    card = dialog.cards["4.5B-distill"]
    assert card.remove_button.isVisible()
    card.remove_button.click()
    qtbot.waitUntil(lambda: "bin" in dialog.notice.text)
    qtbot.waitUntil(card.get_button.isVisible)
    assert not any(p.is_file() for p in models_dir.rglob("*"))
    dialog.notice._button.click()
    qtbot.waitUntil(card.use_button.isVisible)
    assert sorted(p for p in models_dir.rglob("*") if p.is_file()) == before


def test_a_model_is_taken_into_use(qtbot: QtBot, models_dir: Path) -> None:
    put(models_dir, "4.5B-distill")
    draft = Draft()
    dialog = shown(qtbot, models_dir, draft)
    assert dialog.cards["pocket"].state_label.text() == "In use"
    assert not dialog.cards["pocket"].remove_button.isVisible()
    card = dialog.cards["4.5B-distill"]
    card.use_button.click()
    assert draft.settings.model == "4.5B-distill"
    assert card.state_label.text() == "In use"
    assert not card.remove_button.isVisible(), "what is in use is not removed"


def test_one_that_is_not_here_leads_to_how_to_get_it(qtbot: QtBot, models_dir: Path) -> None:
    dialog = shown(qtbot, models_dir)
    with qtbot.waitSignal(dialog.get_wanted) as wanted:
        dialog.cards["24B-base"].get_button.click()
    assert wanted.args == ["24B-base"]
    assert not dialog.isVisible()


def test_the_verdict_follows_the_machine(qtbot: QtBot, models_dir: Path) -> None:
    dialog = shown(qtbot, models_dir)
    label = dialog.cards["24B-base"].fit_label
    roomy = dataclasses.replace(
        FACTS, vram_total_bytes=200 * 10**9, vram_free_bytes=200 * 10**9, ram_free_bytes=60 * 10**9
    )
    dialog._machine._engine.looked.emit(roomy)
    qtbot.waitUntil(lambda: "of 200 GB" in label.text())
    tiny = dataclasses.replace(FACTS, vram_free_bytes=10**9, ram_free_bytes=10**9)
    dialog._machine._engine.looked.emit(tiny)
    qtbot.waitUntil(lambda: "needs" in label.text())
    assert label.property("role") == "warning"


def test_a_damaged_file_is_said_where_it_belongs(qtbot: QtBot, models_dir: Path) -> None:
    put(models_dir, "4.5B-distill")  # whose configurations are no JSON
    dialog = shown(qtbot, models_dir)
    assert "cannot be read" in dialog.cards["4.5B-distill"].fit_label.text()
    assert "Runs on" in dialog.cards["pocket"].fit_label.text()


def test_models_can_be_kept_elsewhere(qtbot: QtBot, models_dir: Path, tmp_path: Path) -> None:
    dialog = shown(qtbot, models_dir)
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


def test_every_control_is_named_explained_and_reachable(qtbot: QtBot, models_dir: Path) -> None:
    put(models_dir, "4.5B-distill")
    assert faults(shown(qtbot, models_dir)) == []
