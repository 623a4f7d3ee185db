"""The reference panel: choosing, dropping, pasting, fitting, removing, and files that go wrong."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from magi_desktop.panels.reference import ReferencePanel
from magi_desktop.state.draft import Draft, Reference
from magi_desktop.widgets.segmented import Segmented
from magi_engine.media.clips import ClipPart, ClipPartKind
from magi_engine.media.fit import CropBox, FitPolicy
from magi_engine.media.info import probe
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from tests.desktop.media_files import image_file, video_file
from tests.patience import settle


@pytest.fixture
def draft(qapp: object) -> Draft:
    draft = Draft()
    draft.set_mode(Mode.I2V)
    return draft


@pytest.fixture
def panel(qtbot: QtBot, draft: Draft) -> ReferencePanel:
    panel = ReferencePanel(draft)
    qtbot.addWidget(panel)
    panel.resize(340, 640)
    panel.show()
    return panel


def _open(qtbot: QtBot, panel: ReferencePanel, path: Path) -> Reference:
    with qtbot.waitSignal(panel.file_chosen):
        panel.open(path)
    reference = panel._draft.reference
    assert reference is not None
    return reference


# Getting a file in.


def test_empty_it_invites(panel: ReferencePanel, draft: Draft) -> None:
    assert panel.zone.isVisible()
    assert not panel.card.isVisible()
    assert "picture" in panel.zone.title.text()
    draft.set_mode(Mode.V2V)
    assert "video" in panel.zone.title.text()


def test_an_image_is_shown(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    path = image_file(tmp_path / "a.png")
    assert _open(qtbot, panel, path) == Reference(path, probe(path))
    assert panel.card.isVisible()
    assert panel.card.name.text() == "a.png"
    assert panel.card.facts.text().startswith("320 × 180 · ")
    assert not panel.card.clip.isVisible()


def test_a_video_switches_the_mode(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    image = image_file(tmp_path / "a.png")
    _open(qtbot, panel, image)
    video = video_file(tmp_path / "a.mp4", seconds=3)
    panel.open(video)
    qtbot.waitUntil(lambda: draft.mode is Mode.V2V and draft.reference is not None)
    assert panel.card.clip.isVisible()
    assert panel.card.facts.text().startswith("96 × 64 · 3.0 s · 24 fps · ")
    assert not panel.own_bar.isVisible()
    draft.set_mode(Mode.I2V)
    assert panel.card.name.text() == "a.png"
    assert not panel.card.clip.isVisible()


def test_what_is_said_of_a_file_ends_in_dots_where_it_is_narrow(
    qtbot: QtBot, panel: ReferencePanel, tmp_path: Path
) -> None:
    _open(qtbot, panel, image_file(tmp_path / "a.png"))
    whole = panel.card.facts.text()
    panel.resize(1, panel.height())
    qtbot.waitUntil(lambda: panel.card.facts.text().endswith("…"))
    assert panel.card.facts.toolTip() == whole


def test_pasting_is_left_to_the_window(qtbot: QtBot, panel: ReferencePanel) -> None:
    panel.zone.setFocus()
    with qtbot.waitSignal(panel.paste_requested):
        qtbot.keyClick(panel.zone, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)


def test_a_new_picture_brings_its_shape_and_can_be_told_not_to(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    draft.set(model="4.5B-distill", width=720, height=720)
    _open(qtbot, panel, image_file(tmp_path / "wide.png", 1280, 720))
    assert draft.settings.width / draft.settings.height == pytest.approx(16 / 9, rel=0.06)
    assert "shape" in panel.notice.text
    qtbot.mouseClick(panel.notice._button, Qt.MouseButton.LeftButton)
    assert (draft.settings.width, draft.settings.height) == (720, 720)


def test_the_pocket_model_says_what_it_can_draw_and_offers_a_picture_of_that_kind(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    assert "shapes" in panel.zone.limits.text()
    _open(qtbot, panel, image_file(tmp_path / "photo.png", 1280, 720))
    assert (draft.settings.width, draft.settings.height) == (128, 128), "its only size"
    assert panel.card.limits.isVisible()
    with qtbot.waitSignal(panel.file_chosen):
        qtbot.mouseClick(panel.card.sample_button, Qt.MouseButton.LeftButton)
    assert not panel.card.limits.isVisible()
    _open(qtbot, panel, tmp_path / "photo.png")
    assert panel.card.limits.isVisible()
    draft.set(model="4.5B-distill")
    assert not panel.card.limits.isVisible()


def test_the_dialog(qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path) -> None:
    panel.zone.button.click()
    dialog = panel.findChild(QFileDialog)
    assert dialog is not None
    assert "*.png" in dialog.nameFilters()[0]
    assert "*.mp4" in dialog.nameFilters()[1]
    with qtbot.waitSignal(panel.file_chosen):
        dialog.fileSelected.emit(str(image_file(tmp_path / "a.png")))
    dialog.reject()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    assert panel.findChild(QFileDialog) is None


def test_the_latest_file_counts(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    chosen: list[Path] = []
    panel.file_chosen.connect(chosen.append)
    paths = [image_file(tmp_path / f"{k}.png") for k in range(4)]
    for path in paths:
        panel.open(path)
    qtbot.waitUntil(lambda: bool(chosen))
    settle(qtbot)
    assert chosen == [paths[-1]]


# What goes wrong.


@pytest.mark.parametrize(
    ("name", "said"),
    [("text.png", "not an image"), ("gone.mp4", "no file"), ("dot.png", "1x1")],
)
def test_bad_files_are_said_in_the_panel(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path, name: str, said: str
) -> None:
    good = _open(qtbot, panel, image_file(tmp_path / "good.png"))
    (tmp_path / "text.png").write_text("no picture")
    image_file(tmp_path / "dot.png", 1, 1)
    panel.open(tmp_path / name)
    qtbot.waitUntil(lambda: said in panel.notice.text)
    assert draft.reference == good  # what was there stays


def test_while_hidden_an_error_goes_to_the_window(
    qtbot: QtBot, panel: ReferencePanel, tmp_path: Path
) -> None:
    panel.hide()
    with qtbot.waitSignal(panel.failed):
        panel.open(tmp_path / "gone.png")


def test_a_file_that_goes_and_comes_back(
    qtbot: QtBot, panel: ReferencePanel, tmp_path: Path
) -> None:
    path = image_file(tmp_path / "a.png")
    _open(qtbot, panel, path)
    path.rename(tmp_path / "b.png")
    panel.look()
    qtbot.waitUntil(panel.card.missing.isVisible)
    assert "a.png is gone" in panel.card.missing.text()
    (tmp_path / "b.png").rename(path)
    panel.look()
    qtbot.waitUntil(lambda: not panel.card.missing.isVisible())


def test_a_file_that_changes_is_shown_anew(
    qtbot: QtBot, panel: ReferencePanel, tmp_path: Path
) -> None:
    path = image_file(tmp_path / "a.png", 320, 180)
    _open(qtbot, panel, path)
    panel.look()
    qtbot.waitUntil(lambda: path in panel._stamps)
    before = panel.card.facts.text()
    image_file(path, 320, 180, compress_level=0)
    panel.look()
    qtbot.waitUntil(lambda: panel.card.facts.text() not in ("", before, "320 × 180"))


# Fitting.


def test_the_crop_reaches_the_draft(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    _open(qtbot, panel, image_file(tmp_path / "a.png", 1280, 720))
    assert panel.card.used.text() == "Uses 720 × 720 of 1280 × 720 pixels."
    qtbot.keyClick(panel.card.view, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert draft.reference is not None
    assert draft.reference.crop == CropBox(152, 0, 720, 720)
    qtbot.keyClick(panel.card.view, Qt.Key.Key_Home)
    assert draft.reference.crop is None


def test_the_frame_follows_the_size_of_the_video(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    _open(qtbot, panel, image_file(tmp_path / "a.png", 1280, 720))
    qtbot.keyClick(panel.card.view, Qt.Key.Key_Minus)
    draft.set(width=256, height=128)
    assert draft.reference is not None
    crop = draft.reference.crop
    assert crop is not None
    assert crop.width / crop.height == pytest.approx(2, abs=0.01)
    draft.set(width=128, height=128)
    crop = draft.reference.crop
    assert crop is not None
    assert crop.width == pytest.approx(crop.height, abs=0.1)


def test_fit_choices(qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path) -> None:
    reference = _open(qtbot, panel, image_file(tmp_path / "a.png", 1280, 720))
    draft.set_reference(dataclasses.replace(reference, crop=CropBox(0, 0, 300, 300)))
    panel.card.fits.button(FitPolicy.PAD).click()
    assert draft.reference == dataclasses.replace(reference, fit=FitPolicy.PAD)
    assert not panel.card.used.isVisible()
    panel.card.fits.button(FitPolicy.STRETCH).click()
    assert draft.reference == dataclasses.replace(reference, fit=FitPolicy.STRETCH)


def test_using_the_images_shape(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    _open(qtbot, panel, image_file(tmp_path / "a.png", 1280, 720))
    draft.set(width=512, height=512)
    panel.card.shape_button.click()
    width, height = draft.settings.width, draft.settings.height
    assert width % 16 == height % 16 == 0
    assert width / height == pytest.approx(16 / 9, rel=0.06)
    assert width * height == pytest.approx(512 * 512, rel=0.15)
    assert not panel.card.shape_button.isVisible()


# Videos.


def test_the_part_and_the_source_in_front(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    reference = _open(qtbot, panel, video_file(tmp_path / "a.mp4", seconds=3))
    assert reference.clip == ClipPart()
    qtbot.waitUntil(lambda: "last 1.3 s (32 frame(s) at 24 fps)" in panel.card.clip.note.text())
    panel.card.clip.kinds.button(ClipPartKind.START).click()
    panel.card.prepend.click()
    assert draft.reference == dataclasses.replace(
        reference, clip=ClipPart.start(), prepend_source=True
    )
    draft.set(fps=12)
    qtbot.waitUntil(lambda: "(32 frame(s) at 12 fps)" in panel.card.clip.note.text())


def _own_video(path: Path) -> tuple[Path, GenerationRequest]:
    request = GenerationRequest(
        Mode.T2V, "pocket", 96, 64, 24, prompts=(PromptChange(0, "a red circle"),)
    )
    return video_file(path, seconds=1, metadata=request.to_json()), request


def test_a_video_of_this_program_offers_to_continue(
    qtbot: QtBot, panel: ReferencePanel, tmp_path: Path
) -> None:
    path, request = _own_video(tmp_path / "own.mp4")
    _open(qtbot, panel, path)
    assert panel.own_bar.isVisible()
    with qtbot.waitSignal(panel.continue_requested) as caught:
        panel.own_bar.continue_button.click()
    assert caught.args == [path, request]
    assert not panel.own_bar.isVisible()


def test_a_video_of_this_program_offers_its_settings(
    qtbot: QtBot, panel: ReferencePanel, tmp_path: Path
) -> None:
    path, request = _own_video(tmp_path / "own.mp4")
    _open(qtbot, panel, path)
    with qtbot.waitSignal(panel.settings_requested) as caught:
        panel.own_bar.settings_button.click()
    assert caught.args == [request]
    _open(qtbot, panel, path)
    _open(qtbot, panel, video_file(tmp_path / "other.mp4", seconds=1))
    assert not panel.own_bar.isVisible()


# Removing, and references that come with the draft.


def test_removing_can_be_undone(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    reference = _open(qtbot, panel, image_file(tmp_path / "a.png"))
    panel.card.remove_button.click()
    assert draft.reference is None
    assert panel.zone.isVisible()
    assert "a.png" in panel.notice.text
    panel.notice._act()
    assert draft.reference == reference
    assert panel.card.isVisible()


def test_a_reference_that_comes_with_the_draft_is_read(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    path = video_file(tmp_path / "a.mp4", seconds=2)
    reference = Reference(path, probe(path), clip=ClipPart.range(0.5, 1.5))
    draft.set_reference(reference)
    qtbot.waitUntil(panel.card.clip.isVisible)
    assert draft.reference == reference
    assert panel.card.clip.part == reference.clip


def test_one_that_cannot_be_read_is_said_once(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    path = image_file(tmp_path / "a.png")
    info = probe(path)
    path.unlink()
    draft.set_reference(Reference(path, info))
    qtbot.waitUntil(panel.card.missing.isVisible)
    assert panel.card.remove_button.isEnabled()


def test_what_cannot_be_read_is_said_until_it_can(
    qtbot: QtBot, panel: ReferencePanel, draft: Draft, tmp_path: Path
) -> None:
    path = image_file(tmp_path / "a.png")
    whole, info = path.read_bytes(), probe(path)
    path.write_bytes(whole[: len(whole) // 2])
    draft.set_reference(Reference(path, info))
    qtbot.waitUntil(panel.card.missing.isVisible)
    said = panel.card.missing.text()
    panel.look()
    qtbot.waitUntil(lambda: path in panel._stamps)
    assert panel.card.missing.isVisible()
    path.unlink()
    panel.look()
    qtbot.waitUntil(lambda: "is gone" in panel.card.missing.text())
    path.write_bytes(whole)
    panel.look()
    qtbot.waitUntil(lambda: path in panel._loaded)
    assert not panel.card.missing.isVisible()
    path.write_bytes(whole[: len(whole) // 2])
    panel.look()
    qtbot.waitUntil(lambda: panel.card.missing.text() == said)
    draft.set_reference(Reference(image_file(tmp_path / "b.png"), info))
    assert not panel.card.missing.isVisible(), "it is of another file"


def test_every_control_says_what_it_is(qtbot: QtBot, panel: ReferencePanel, tmp_path: Path) -> None:
    _open(qtbot, panel, _own_video(tmp_path / "own.mp4")[0])
    for control in (
        panel.card.choose_button,
        panel.card.remove_button,
        panel.card.prepend,
        panel.card.shape_button,
        panel.card.view,
        panel.card.clip.strip,
        panel.card.clip.first,
        panel.own_bar.continue_button,
        panel.own_bar.settings_button,
    ):
        assert control.toolTip().endswith(".")
        assert control.accessibleName() or control.text()  # type: ignore[attr-defined]
    for row in panel.findChildren(Segmented):
        assert row.accessibleName()
