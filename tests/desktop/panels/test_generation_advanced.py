"""The settings that few people need."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from magi_desktop.panels.advanced import (
    AdvancedRows,
    CleanLookBackRow,
    ExpertRows,
    LookBackRow,
    NegativeTokensRow,
    ScaleRow,
    ShortcutRow,
    TokensRow,
)
from magi_desktop.panels.field import Field
from magi_desktop.panels.file_rows import FileQualityRow, FormatRow, FpsRow
from magi_desktop.panels.preset_list import PresetList
from magi_desktop.panels.rows import QualityRow, WindowRow
from magi_desktop.settings import SettingsFile
from magi_desktop.state.draft import Draft
from magi_engine.runtime.request.validation import validate


@pytest.fixture
def draft(qapp: QApplication) -> Draft:
    return Draft()


@pytest.fixture
def section(qtbot: QtBot, draft: Draft, tmp_path: Path) -> AdvancedRows:
    quality = QualityRow(draft)
    qtbot.addWidget(quality)
    presets = PresetList(SettingsFile(tmp_path / "settings.json"))
    section = AdvancedRows(draft, presets, quality)
    qtbot.addWidget(section)
    section.show()
    return section


def row(section: AdvancedRows, kind: type, index: int = 0) -> Field:
    expert = section.expert.body
    assert isinstance(expert, ExpertRows)
    fields = [*section.fields, *expert.fields]
    return [field for field in fields if type(field) is kind][index]


def test_guidance_is_stored_as_unchanged_when_it_is_the_models_own(
    section: AdvancedRows, draft: Draft
) -> None:
    strength = row(section, ScaleRow)
    assert isinstance(strength, ScaleRow)
    own = strength.box.value()
    assert own == 4.0
    strength.box.setValue(6.5)
    assert draft.settings.text_scale == 6.5
    assert validate(draft.request(), draft.config).runtime_config.text_scales[0] == 6.5
    strength.slider.setValue(8)
    assert draft.settings.text_scale is None


def test_guidance_is_off_for_distilled_models(section: AdvancedRows, draft: Draft) -> None:
    strength = row(section, ScaleRow)
    assert isinstance(strength, ScaleRow)
    draft.set(model="4.5B-distill")
    assert not strength.box.isEnabled()
    assert not strength.slider.isEnabled()
    assert "distilled" in strength.note.text()
    draft.set(model="pocket-base")
    assert strength.box.isEnabled()


def test_ranges_are_read_and_nonsense_is_refused(
    qtbot: QtBot, section: AdvancedRows, draft: Draft
) -> None:
    ranges = row(section, LookBackRow)
    assert isinstance(ranges, LookBackRow)
    ranges.edit.setText("4 ,3 2,1")
    ranges.edit.editingFinished.emit()
    assert draft.settings.noise2clean_kvrange == (4, 3, 2, 1)
    for nonsense in ("4, x", "0", "-1", "99", "2.5"):
        ranges.edit.setText(nonsense)
        ranges.edit.editingFinished.emit()
        assert draft.settings.noise2clean_kvrange == (4, 3, 2, 1)
        assert ranges.note.property("role") == "error"
        assert ranges.edit.text() == nonsense, "what was typed stays, to be corrected"
    ranges.edit.setText("5, 4, 3, 2")
    ranges.edit.editingFinished.emit()
    assert draft.settings.noise2clean_kvrange is None
    assert ranges.note.property("role") == "caption"
    clean = row(section, CleanLookBackRow)
    assert isinstance(clean, CleanLookBackRow)
    clean.box.setValue(3)
    assert draft.settings.clean_chunk_kvrange == 3
    clean.box.setValue(0)
    assert draft.settings.clean_chunk_kvrange == -1
    assert clean.box.text() == "as before"
    validate(draft.request(), draft.config)


def test_negative_tokens_are_for_base_models(section: AdvancedRows, draft: Draft) -> None:
    negative = row(section, NegativeTokensRow)
    assert isinstance(negative, NegativeTokensRow)
    draft.set(model="4.5B-base")
    negative.box.click()
    assert draft.request().negative_tokens
    validate(draft.request(), draft.config)
    draft.set(model="4.5B-distill")
    assert not draft.request().negative_tokens, "another kind of model begins without"
    assert not negative.box.isEnabled()
    assert "base models" in negative.note.text()


def test_tokens_off_and_on_again_are_no_change(section: AdvancedRows, draft: Draft) -> None:
    tokens = row(section, TokensRow)
    assert isinstance(tokens, TokensRow)
    for name in tokens.boxes:
        before = draft.settings.special_tokens
        tokens.boxes[name].click()
        assert (name in draft.settings.special_tokens) is (name not in before)
        validate(draft.request(), draft.config)
        tokens.boxes[name].click()
        assert draft.settings.special_tokens == before
    assert draft.is_default("special_tokens")


def test_tokens_without_a_box_are_kept(section: AdvancedRows, draft: Draft) -> None:
    tokens = row(section, TokensRow)
    assert isinstance(tokens, TokensRow)
    draft.set(special_tokens=("LOGO_TOKEN", "HQ_TOKEN"))
    tokens.boxes["TWO_D_ANIME_TOKEN"].click()
    assert set(draft.settings.special_tokens) == {"LOGO_TOKEN", "HQ_TOKEN", "TWO_D_ANIME_TOKEN"}


def test_shortcut_mode_and_frames_per_second(section: AdvancedRows, draft: Draft) -> None:
    shortcut, fps = row(section, ShortcutRow), row(section, FpsRow)
    assert isinstance(shortcut, ShortcutRow)
    assert isinstance(fps, FpsRow)
    shortcut.combo.activated.emit(shortcut.combo.findData("16,16,8"))
    fps.box.setValue(12)
    config = validate(draft.request(), draft.config)
    assert config.engine_config.shortcut_mode == "16,16,8"
    assert config.runtime_config.fps == 12
    assert "Slower" in fps.note.text()
    fps.reset_button.click()
    assert draft.settings.fps is None


def test_format_and_quality_of_the_file(section: AdvancedRows, draft: Draft) -> None:
    formats, quality = row(section, FormatRow), row(section, FileQualityRow)
    assert isinstance(formats, FormatRow)
    assert isinstance(quality, FileQualityRow)
    usual = quality.slider.value()
    quality.slider.setValue(usual + 4)
    assert draft.settings.crf == 14, "to the right is better, and a lower crf"
    formats.combo.activated.emit(formats.combo.findData("webm"))
    assert draft.settings.file_format == "webm"
    assert draft.settings.crf is None
    assert quality.value.text().endswith("crf 24")
    formats.combo.activated.emit(formats.combo.findData("gif"))
    assert not quality.slider.isEnabled()
    assert quality.note.text()


def test_what_only_experts_know_is_closed_inside(qtbot: QtBot, section: AdvancedRows) -> None:
    for kind in (WindowRow, LookBackRow, CleanLookBackRow, ShortcutRow):
        assert not row(section, kind).isVisible()
    qtbot.mouseClick(section.expert.button, Qt.MouseButton.LeftButton)
    for kind in (WindowRow, LookBackRow, CleanLookBackRow, ShortcutRow):
        assert row(section, kind).isVisible()
