"""The settings panel with a real draft and the real list of models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from magi_desktop.engine_thread import EngineThread
from magi_desktop.panels.advanced import AdvancedRows, ExpertRows
from magi_desktop.panels.generation import GenerationPanel
from magi_desktop.panels.preset_list import PresetList
from magi_desktop.panels.rows import WindowRow
from magi_desktop.panels.values import aspect_size, effective, legal_steps
from magi_desktop.settings import SettingsFile
from magi_desktop.state.draft import Draft
from magi_desktop.state.models import Models
from magi_desktop.state.planner import Planner
from magi_engine.config.official import MAX_FRAMES
from magi_engine.config.sizes import check_size
from magi_engine.errors import DownloadError
from magi_engine.install.tasks import Download, Phase, TaskFailed, TaskProgress
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.request.request import Mode
from magi_engine.runtime.request.validation import validate
from tests.desktop.accessibility import faults
from tests.desktop.installer import Installer
from tests.desktop.machines import EngineOn


@pytest.fixture
def draft(qapp: QApplication) -> Draft:
    return Draft()


@pytest.fixture
def installer() -> Installer:
    return Installer()


@pytest.fixture
def planner(qtbot: QtBot, draft: Draft, tmp_path: Path) -> Iterator[Planner]:
    """Answers for a machine that a test describes."""
    engine = EngineThread(EngineOn())
    planner = Planner(draft, engine, lambda: tmp_path)
    planner.refresh()
    yield planner
    engine.close()
    planner.close()


@pytest.fixture
def panel(
    qtbot: QtBot, draft: Draft, installer: Installer, tmp_path: Path
) -> Iterator[GenerationPanel]:
    file = SettingsFile(tmp_path / "settings.json")
    models = Models(installer, file, tmp_path / "models", tmp_path / "cache")
    panel = GenerationPanel(draft, PresetList(file), models)
    qtbot.addWidget(panel)
    panel.resize(320, 900)
    panel.show()
    models.refresh()
    qtbot.waitUntil(lambda: bool(models.statuses))
    yield panel
    models.close()
    file.flush()


def window_row(panel: GenerationPanel) -> WindowRow:
    expert = panel.advanced_rows.expert.body
    assert isinstance(expert, ExpertRows)
    return expert.window_row


def test_what_is_seldom_needed_is_closed_and_not_even_made_until_opened(
    qtbot: QtBot, panel: GenerationPanel
) -> None:
    section = panel.advanced
    assert panel.findChildren(AdvancedRows) == []
    with qtbot.waitSignal(section.toggled) as toggled:
        qtbot.keyClick(section.button, Qt.Key.Key_Space)
    assert toggled.args == [True]
    (rows,) = panel.findChildren(AdvancedRows)
    assert rows.isVisible()
    section.set_open(False)
    assert not section.is_open
    assert not rows.isVisible()
    section.set_open(True)
    assert panel.findChildren(AdvancedRows) == [rows]


@pytest.mark.parametrize("model", ["pocket", "24B-distill-fp8"])
def test_every_control_is_named_explained_and_reachable(
    panel: GenerationPanel, draft: Draft, model: str
) -> None:
    draft.set(model=model)
    panel.advanced.set_open(True)
    panel.advanced_rows.expert.set_open(True)
    assert faults(panel) == []


def test_the_column_is_usable_at_280_pixels(panel: GenerationPanel) -> None:
    panel.advanced.set_open(True)
    panel.advanced_rows.expert.set_open(True)
    assert panel.minimumSizeHint().width() <= 280


def test_a_model_that_is_not_here_is_marked(
    qtbot: QtBot, panel: GenerationPanel, draft: Draft, installer: Installer
) -> None:
    row = panel.model
    index = row.combo.findData("4.5B-distill")
    spoken = row.combo.itemData(index, Qt.ItemDataRole.AccessibleTextRole)
    assert "not downloaded" in spoken
    row.combo.setCurrentIndex(index)
    row.combo.activated.emit(index)
    assert draft.settings.model == "4.5B-distill"
    assert draft.settings.width == 720
    row._models.tasks.do(Download("4.5B-distill"))
    installer.task.events.put(TaskProgress(Phase.DOWNLOADING, 25, 100, 1.0, 75.0))
    qtbot.waitUntil(lambda: row.note.text() == "Downloading  ·  25 %  ·  1 min 15 s left")
    error = DownloadError("The hub of models cannot be reached.", "Check the network.")
    installer.end(TaskFailed(error))
    qtbot.waitUntil(lambda: row.note.text() == str(error))


@pytest.mark.parametrize("pixels", [128 * 128, 720 * 720, 1280 * 720])
@pytest.mark.parametrize("ratio", [1, 16 / 9, 9 / 16, 4 / 3, 3 / 4, 21 / 9])
def test_shapes_are_legal_and_about_as_large(ratio: float, pixels: int) -> None:
    width, height = aspect_size(ratio, pixels)
    check_size(width, height)
    assert width / height == pytest.approx(ratio, rel=0.05)
    assert width * height == pytest.approx(pixels, rel=0.15)


def test_a_shape_is_chosen_and_stays_marked(panel: GenerationPanel, draft: Draft) -> None:
    draft.set(model="24B-distill")
    square, wide, *_ = panel.size_row.aspect_buttons
    assert wide.isChecked()
    square.click()
    assert (draft.settings.width, draft.settings.height) == (960, 960)
    square.click()
    assert square.isChecked()
    assert not wide.isChecked()


def test_a_typed_size_snaps_and_says_so(qtbot: QtBot, panel: GenerationPanel, draft: Draft) -> None:
    box = panel.size_row.width_box
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, "1080")
    assert draft.settings.width == 128, "half a number counts for nothing"
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert draft.settings.width == 1088
    assert box.value() == 1088
    assert "1080" in panel.size_row.note.text()
    qtbot.keyClick(box, Qt.Key.Key_Up)
    assert draft.settings.width == 1104
    assert not panel.size_row.note.isVisible()


def test_swapping_and_resetting_the_size(panel: GenerationPanel, draft: Draft) -> None:
    row = panel.size_row
    assert not row.reset_button.isVisible()
    draft.set(width=256, height=144)
    row.swap_button.click()
    assert (draft.settings.width, draft.settings.height) == (144, 256)
    draft.set(width=6144)
    assert row.width_box.value() == 6144, "as ``magi generate`` may have made it"
    row.reset_button.click()
    assert (draft.settings.width, draft.settings.height) == (128, 128)
    assert not row.reset_button.isVisible()


def test_length_and_until_i_stop(panel: GenerationPanel, draft: Draft) -> None:
    row = panel.length
    row.slider.setValue(7)
    assert draft.settings.seconds == 7
    row.endless.click()
    assert draft.settings.seconds is None
    assert not row.box.isEnabled()
    assert row.note.text() == "A new second follows until you press Stop."
    row.endless.click()
    assert draft.settings.seconds == 7
    assert row.note.text() == ""
    row.box.setValue(2.5)
    assert draft.settings.seconds == 2.5
    assert row.box.text() == "2.5 s"
    draft.set(seconds=7200.0, fps=30)
    assert row.box.value() == 7200, "as ``magi generate`` may have made it"
    assert row.box.maximum() == pytest.approx(MAX_FRAMES / 30)
    draft.set(seconds=90_000.0)
    assert row.box.value() == 90_000, "what is refused is what is seen"
    draft.set(seconds=4.0, fps=10)
    row.box.setValue(0.0)
    assert draft.request().num_frames == 1


def test_a_typed_seed_is_kept(qtbot: QtBot, panel: GenerationPanel, draft: Draft) -> None:
    row = panel.seed
    row.edit.setFocus()
    row.edit.selectAll()
    qtbot.keyClicks(row.edit, "9000000000")
    qtbot.keyClick(row.edit, Qt.Key.Key_Return)
    assert draft.settings.seed == 9_000_000_000
    assert draft.settings.seed_locked
    assert draft.take_seed() == 9_000_000_000
    row.copy_button.click()
    assert QGuiApplication.clipboard().text() == "9000000000"
    row.lock.click()
    assert not draft.settings.seed_locked


def test_a_seed_that_is_being_typed_stays_while_what_was_said_of_another_goes(
    qtbot: QtBot, panel: GenerationPanel, draft: Draft
) -> None:
    row = panel.seed
    row.copy_button.click()
    row.edit.setFocus()
    row.edit.selectAll()
    qtbot.keyClicks(row.edit, "42")
    row._copied.timeout.emit()
    assert row.edit.text() == "42"
    qtbot.keyClick(row.edit, Qt.Key.Key_Return)
    assert draft.settings.seed == 42
    draft.set(seed=7)
    assert row.edit.text() == "7"


def test_the_dice_change_and_keep_the_seed(panel: GenerationPanel, draft: Draft) -> None:
    seen = set()
    for _ in range(5):
        panel.seed.dice.click()
        seen.add(draft.settings.seed)
        assert panel.seed.edit.text() == str(draft.settings.seed)
    assert len(seen) == 5
    assert draft.settings.seed_locked


def test_an_emptied_seed_comes_back(qtbot: QtBot, panel: GenerationPanel, draft: Draft) -> None:
    draft.set(seed=7)
    panel.seed.edit.setFocus()
    panel.seed.edit.clear()
    panel.model.combo.setFocus()
    assert draft.settings.seed == 7
    assert panel.seed.edit.text() == "7"


def test_every_step_of_the_slider_is_legal(panel: GenerationPanel, draft: Draft) -> None:
    for model in ("pocket", "4.5B-base"):
        draft.set(model=model)
        slider = panel.quality.slider
        for position in range(slider.minimum(), slider.maximum() + 1):
            slider.setValue(position)
            validate(draft.request(), draft.config)
    assert panel.quality.value.text() == "Fine · 128 step(s)"


def test_steps_that_are_the_models_own_count_as_unchanged(
    panel: GenerationPanel, draft: Draft
) -> None:
    slider = panel.quality.slider
    usual = slider.value()
    slider.setValue(usual + 1)
    assert draft.settings.num_steps is not None
    assert panel.quality.reset_button.isVisible()
    slider.setValue(usual)
    assert draft.settings.num_steps is None


def test_steps_move_with_the_window_and_say_so(panel: GenerationPanel, draft: Draft) -> None:
    slider = window_row(panel).slider
    sentences = set()
    for window in range(1, 9):
        slider.setValue(window)
        assert effective(draft, "window_size") == window
        assert effective(draft, "num_steps") in legal_steps(draft)
        validate(draft.request(), draft.config)
        sentences.add(window_row(panel).note.text())
    assert len(sentences) == 8
    slider.setValue(3)
    assert draft.settings.num_steps == 24
    assert panel.quality.note.text().startswith("Moved from 16 to 24 step(s)")
    window_row(panel).reset_button.click()
    assert draft.settings.window_size is None
    assert draft.settings.num_steps is None, "the steps that were wanted are back"
    assert not panel.quality.note.isVisible()


def test_a_size_that_the_pocket_model_has_not_learned_is_warned_of_once(
    qtbot: QtBot, panel: GenerationPanel, draft: Draft, planner: Planner
) -> None:
    for width, times in ((256, 1), (128, 0)):
        draft.set(width=width)
        said = "only learned 128 x 128"
        qtbot.waitUntil(lambda said=said, times=times: panel.checks.text.count(said) == times)
    draft.set(model="4.5B-distill", width=512)
    qtbot.waitUntil(lambda: isinstance(draft.plan, JobPlan))
    assert "learned" not in panel.checks.text


@pytest.mark.parametrize(
    ("model", "steps"),
    [("pocket", (4, 8, 12, 16, 32, 64)), ("pocket-base", tuple(range(4, 65, 4)))],
)
def test_a_distilled_model_offers_the_steps_it_has_learned(
    panel: GenerationPanel, draft: Draft, model: str, steps: tuple[int, ...]
) -> None:
    """With 24 the pocket model paints noise."""
    draft.set(model=model)
    assert legal_steps(draft) == steps
    assert panel.quality.slider.maximum() == len(steps) - 1


def test_warnings_and_errors_show_under_the_list(
    qtbot: QtBot, panel: GenerationPanel, draft: Draft, planner: Planner
) -> None:
    assert not panel.checks.isVisible()
    draft.set(model="4.5B-distill-fp8", num_steps=8)
    qtbot.waitUntil(panel.checks.isVisible)
    assert "8 steps are noisy" in panel.checks.text
    draft.set(num_steps=17)
    qtbot.waitUntil(lambda: "17 steps do not divide" in panel.checks.text)
    assert "Choose 16 or 20 steps" in panel.checks.text
    draft.reset("num_steps")
    qtbot.waitUntil(lambda: not panel.checks.isVisible())


def test_a_reference_that_is_still_missing_is_not_the_settings_fault(
    qtbot: QtBot, panel: GenerationPanel, draft: Draft, planner: Planner
) -> None:
    draft.set_mode(Mode.I2V)
    qtbot.waitUntil(lambda: isinstance(draft.plan, JobPlan))
    assert not panel.checks.isVisible()
    draft.set(num_steps=17)
    qtbot.waitUntil(panel.checks.isVisible)


def test_the_wheel_changes_only_what_has_the_focus(panel: GenerationPanel, draft: Draft) -> None:
    def roll(widget: QWidget) -> None:
        event = QWheelEvent(
            QPointF(5, 5),
            widget.mapToGlobal(QPointF(5, 5)),
            QPoint(0, 0),
            QPoint(0, 120),
            Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(widget, event)

    panel.model.combo.setFocus()
    roll(panel.size_row.width_box)
    assert draft.settings.width == 128
    panel.size_row.width_box.setFocus()
    roll(panel.size_row.width_box)
    assert draft.settings.width == 144


def test_tab_reaches_everything_from_top_to_bottom(
    qtbot: QtBot, panel: GenerationPanel, draft: Draft
) -> None:
    panel.activateWindow()
    panel.advanced.set_open(True)
    panel.advanced_rows.expert.set_open(True)
    panel.model.combo.setFocus()
    seen: list[QWidget | None] = []
    for _ in range(60):
        seen.append(panel.focusWidget())
        panel.focusNextChild()
        if panel.focusWidget() is panel.model.combo:
            break
    stops = [
        panel.model.combo,
        panel.size_row.aspect_buttons[0],
        panel.size_row.width_box,
        panel.length.box,
        panel.quality.slider,
        panel.seed.edit,
        panel.advanced.button,
        panel.presets.save_button,
        panel.advanced_rows.expert.button,
        window_row(panel).slider,
    ]
    places = [seen.index(stop) for stop in stops]
    assert places == sorted(places)


def test_reset_by_keyboard_moves_into_no_number(
    qtbot: QtBot, panel: GenerationPanel, draft: Draft
) -> None:
    draft.set(width=256)
    row = panel.size_row
    row.reset_button.setFocus()
    qtbot.keyClick(row.reset_button, Qt.Key.Key_Space)
    assert draft.is_default("width")
    assert row.aspect_buttons[0].hasFocus()


def test_the_seed_of_a_queued_video_is_not_called_fresh(
    panel: GenerationPanel, draft: Draft
) -> None:
    assert "fresh" in panel.seed.note.text()
    seed = draft.settings.seed
    draft.set_editing(True)
    assert panel.seed.note.text() == "The queued video keeps this seed."
    assert draft.take_seed() == seed
    draft.set_editing(False)
    assert "fresh" in panel.seed.note.text()


def test_a_click_on_reset_leaves_the_focus_where_it_is(
    qtbot: QtBot, panel: GenerationPanel, draft: Draft
) -> None:
    draft.set(width=256)
    panel.seed.edit.setFocus()
    button = panel.size_row.reset_button
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert draft.is_default("width")
    assert panel.seed.edit.hasFocus()
