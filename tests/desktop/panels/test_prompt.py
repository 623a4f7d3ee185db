"""The prompt panel: text, counts, hints, examples, history."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, Qt, QUrl
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from magi_desktop.panels.prompt import PromptPanel
from magi_desktop.panels.prompt_history import HistoryPopup
from magi_desktop.settings import SettingsFile
from magi_desktop.state.draft import Draft
from magi_desktop.state.prompt_history import MAX_PROMPTS, PromptHistory
from magi_engine.runtime.request.request import Mode, PromptChange

ALT, CTRL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def history(tmp_path: Path, qapp: object) -> PromptHistory:
    return PromptHistory(SettingsFile(tmp_path / "settings.json"))


@pytest.fixture
def panel(qtbot: QtBot, history: PromptHistory, tmp_path: Path) -> PromptPanel:
    panel = PromptPanel(Draft(), history, models_dir=tmp_path / "models")
    qtbot.addWidget(panel)
    panel.resize(340, 400)
    panel.show()
    qtbot.waitUntil(lambda: panel.count.text() == "0 / 800")
    panel.field.setFocus()
    return panel


def _draft(panel: PromptPanel) -> Draft:
    return panel._draft


def test_typing_reaches_the_draft_and_is_counted(qtbot: QtBot, panel: PromptPanel) -> None:
    qtbot.keyClicks(panel.field, "a red circle")
    assert _draft(panel).prompt == "a red circle"
    qtbot.waitUntil(lambda: panel.count.text() not in ("", "0 / 800"))
    assert panel.count.text().endswith(" / 800")
    assert panel.hint.text() == ""


def test_without_the_models_files_the_count_says_about(qtbot: QtBot, panel: PromptPanel) -> None:
    _draft(panel).set(model="24B-distill")
    qtbot.waitUntil(lambda: panel.count.text() == "about 0 / 800")


def test_a_prompt_that_is_too_long_says_what_is_cut(qtbot: QtBot, panel: PromptPanel) -> None:
    _draft(panel).set_prompt("a red circle moves left " * 200 + "THE END")
    qtbot.waitUntil(lambda: "Too long" in panel.hint.text())
    assert panel.count.property("role") == "warning"
    quoted = panel.hint.text().split("“")[1].rstrip("”…")
    assert quoted in _draft(panel).prompt
    _draft(panel).set_prompt("short")
    qtbot.waitUntil(lambda: panel.hint.text() == "")
    assert panel.count.property("role") == "caption"


def test_another_language_gets_a_hint(qtbot: QtBot, panel: PromptPanel) -> None:
    _draft(panel).set_prompt("красный круг движется влево")
    qtbot.waitUntil(lambda: "English" in panel.hint.text())


def test_what_is_taken_from_a_prompt_is_said(qtbot: QtBot, panel: PromptPanel) -> None:
    _draft(panel).set_prompt("a red ball, see https://example.org/balls")
    qtbot.waitUntil(lambda: "only in part: “https://example.org/balls”" in panel.hint.text())
    _draft(panel).set_prompt("一个红色的圆向左移动")
    qtbot.waitUntil(lambda: "reads nothing of: “一个红色的圆向左移动”" in panel.hint.text())
    _draft(panel).set_prompt("a red ball")
    qtbot.waitUntil(lambda: panel.hint.text() == "")


def test_tags_are_shown_as_they_were_typed(qtbot: QtBot, panel: PromptPanel) -> None:
    """Nothing of a prompt, or of a file's name, is a label's own markup."""
    _draft(panel).set_prompt("a red ball <b>rolls</b>")
    qtbot.waitUntil(lambda: panel.hint.text().endswith("“<b>rolls</b>”"))
    assert panel.hint.textFormat() is Qt.TextFormat.PlainText


def test_the_text_stays_in_every_mode_and_can_be_undone(qtbot: QtBot, panel: PromptPanel) -> None:
    qtbot.keyClicks(panel.field, "one")
    before = panel.field.placeholderText()
    _draft(panel).set_mode(Mode.I2V)
    assert panel.field.toPlainText() == "one"
    assert panel.field.placeholderText() != before
    panel.field.undo()
    assert _draft(panel).prompt == ""


def test_what_the_program_puts_in_can_be_undone(qtbot: QtBot, panel: PromptPanel) -> None:
    qtbot.keyClicks(panel.field, "mine")
    _draft(panel).set_prompt("from a preset")
    assert panel.field.toPlainText() == "from a preset"
    panel.field.undo()
    assert _draft(panel).prompt == "mine"


def test_the_field_grows_up_to_a_limit(panel: PromptPanel) -> None:
    heights = []
    for lines in (1, 6, 10, 40):
        panel.field.replace_text("\n".join(["x"] * lines))
        heights.append(panel.field.height())
    assert heights[0] < heights[1] < heights[2] == heights[3]


def test_ctrl_enter_generates_and_enter_does_not(qtbot: QtBot, panel: PromptPanel) -> None:
    with qtbot.waitSignal(panel.field.generate_requested):
        qtbot.keyClick(panel.field, Qt.Key.Key_Return, CTRL)
    panel.field.generate_requested.connect(lambda: pytest.fail("Enter alone ends a line"))
    qtbot.keyClick(panel.field, Qt.Key.Key_Return)
    assert _draft(panel).prompt == "\n"


def test_files_and_pictures_are_left_to_the_window(qtbot: QtBot, panel: PromptPanel) -> None:
    files, words, image = QMimeData(), QMimeData(), QMimeData()
    files.setUrls([QUrl.fromLocalFile("/tmp/a.png")])
    words.setText("words")
    image.setImageData(QImage(4, 4, QImage.Format.Format_RGB32))
    takes = [panel.field.canInsertFromMimeData(m) for m in (files, words, image)]
    assert takes == [False, True, False]


def test_of_words_and_their_picture_a_text_field_takes_the_words(
    qtbot: QtBot, panel: PromptPanel, qapp
) -> None:
    both = QMimeData()  # as a word processor copies
    both.setText("a red ball")
    both.setHtml("<p>a red ball</p>")
    both.setImageData(QImage(4, 4, QImage.Format.Format_RGB32))
    qapp.clipboard().setMimeData(both)
    qtbot.keyClick(panel.field, Qt.Key.Key_V, CTRL)
    assert _draft(panel).prompt == "a red ball"


def test_pasting_a_picture_asks_the_window(qtbot: QtBot, panel: PromptPanel, qapp) -> None:
    qapp.clipboard().setImage(QImage(4, 4, QImage.Format.Format_RGB32))
    with qtbot.waitSignal(panel.field.paste_requested):
        qtbot.keyClick(panel.field, Qt.Key.Key_V, CTRL)
    qapp.clipboard().setText("words")
    qtbot.keyClick(panel.field, Qt.Key.Key_V, CTRL)
    assert _draft(panel).prompt == "words"


def test_a_dropped_text_goes_to_the_cursor(panel: PromptPanel) -> None:
    panel.insert("a circle")
    panel.field.moveCursor(panel.field.textCursor().MoveOperation.Start)
    panel.insert("see: ")
    assert _draft(panel).prompt == "see: a circle"


def test_browsing_used_prompts_with_the_keyboard(
    qtbot: QtBot, panel: PromptPanel, history: PromptHistory
) -> None:
    history.add("older")
    history.add("newer")
    qtbot.keyClicks(panel.field, "mine")
    seen = []
    for key in (Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_Down):
        qtbot.keyClick(panel.field, key, ALT)
        seen.append(_draft(panel).prompt)
    assert seen == ["newer", "older", "older", "newer", "mine"]


def test_what_is_typed_while_browsing_is_the_new_own_text(
    qtbot: QtBot, panel: PromptPanel, history: PromptHistory
) -> None:
    history.add("used")
    qtbot.keyClick(panel.field, Qt.Key.Key_Up, ALT)
    qtbot.keyClicks(panel.field, "!")
    qtbot.keyClick(panel.field, Qt.Key.Key_Up, ALT)
    qtbot.keyClick(panel.field, Qt.Key.Key_Down, ALT)
    assert _draft(panel).prompt == "used!"


def test_used_prompts_can_be_searched(
    qtbot: QtBot, panel: PromptPanel, history: PromptHistory
) -> None:
    for text in ("a blue square", "a red star", "a red circle"):
        history.add(text)
    panel.history_button.click()
    popup = panel.findChild(HistoryPopup)
    assert popup is not None
    qtbot.keyClicks(popup.search, "STAR red")
    shown = [popup.list.item(k) for k in range(3) if not popup.list.item(k).isHidden()]
    assert [item.text() for item in shown] == ["a red star"]
    qtbot.keyClick(popup.search, Qt.Key.Key_Return)
    assert _draft(panel).prompt == "a red star"
    assert not popup.isVisible()


def test_the_arrow_keys_choose_while_searching(
    qtbot: QtBot, panel: PromptPanel, history: PromptHistory
) -> None:
    history.add("older")
    history.add("newer")
    panel.history_button.click()
    popup = panel.findChild(HistoryPopup)
    assert popup is not None
    qtbot.keyClick(popup.search, Qt.Key.Key_Down)
    qtbot.keyClick(popup.search, Qt.Key.Key_Return)
    assert _draft(panel).prompt == "older"


def test_an_empty_history_says_so(qtbot: QtBot, panel: PromptPanel) -> None:
    panel.history_button.click()
    popup = panel.findChild(HistoryPopup)
    assert popup is not None
    assert popup.list.isHidden()
    popup.close()


def test_used_prompts_are_kept(panel: PromptPanel, history: PromptHistory) -> None:
    _draft(panel).set_prompt("first")
    _draft(panel).set_later_prompts((PromptChange(2, "then"),))
    panel.remember()
    panel.remember()
    assert history.load() == ["first", "then"]


def test_only_the_newest_hundred_are_kept_each_once(history: PromptHistory) -> None:
    for number in range(MAX_PROMPTS + 5):
        history.add(f"prompt {number}")
    history.add("  prompt 50 ")
    history.add("  ")
    kept = history.load()
    assert len(kept) == len(set(kept)) == MAX_PROMPTS
    assert kept[:2] == ["prompt 50", f"prompt {MAX_PROMPTS + 4}"]


def test_nonsense_in_the_file_is_no_history(tmp_path: Path, qapp: object) -> None:
    file = SettingsFile(tmp_path / "settings.json")
    file.set_section("prompt_history", {"prompts": ["a", 3, None]})
    assert PromptHistory(file).load() == ["a"]
    file.set_section("prompt_history", {"prompts": "a"})
    assert PromptHistory(file).load() == []


def test_an_example_gives_way_to_what_is_typed(qtbot: QtBot, panel: PromptPanel) -> None:
    qtbot.waitUntil(lambda: bool(panel._examples))
    field = panel.field
    for clicked in (True, False):
        panel.take_example()
        assert field.toPlainText()
        if clicked:
            qtbot.mouseClick(field.viewport(), Qt.MouseButton.LeftButton)
        qtbot.keyClicks(field, "a blue star")
        assert field.toPlainText() == "a blue star"
    qtbot.mouseClick(field.viewport(), Qt.MouseButton.LeftButton)
    assert not field.textCursor().hasSelection(), "what was typed is not in the way"


def test_examples_suit_mode_and_model(qtbot: QtBot, panel: PromptPanel) -> None:
    def offered() -> list[str]:
        panel.examples_menu.aboutToShow.emit()
        return [action.data() for action in panel.examples_menu.actions()]

    qtbot.waitUntil(lambda: bool(offered()))
    words = offered()
    _draft(panel).set_mode(Mode.I2V)
    assert not set(words) & set(offered())
    _draft(panel).set(model="24B-base")
    rich = offered()
    panel.examples_menu.actions()[1].trigger()
    assert _draft(panel).prompt == rich[1]
    panel.field.undo()
    assert _draft(panel).prompt == ""


@pytest.mark.parametrize(
    ("before", "place", "after"),
    [
        ("", 0, "new"),
        ("a star", 6, "a star new"),
        ("a star ", 7, "a star new"),
        ("a star", 2, "a new star"),
        ("a star", 0, "new a star"),
        ("🌟", 2, "🌟 new"),
        ("one\ntwo", 4, "one\nnew two"),
    ],
)
def test_words_that_come_in_stay_apart(
    panel: PromptPanel, before: str, place: int, after: str
) -> None:
    panel.field.setPlainText(before)
    cursor = panel.field.textCursor()
    cursor.setPosition(place)
    panel.field.setTextCursor(cursor)
    panel.insert("new")
    assert panel.field.toPlainText() == after


def test_tab_goes_from_the_prompt_to_its_buttons_and_then_to_what_is_below(
    panel: PromptPanel,
) -> None:
    widget, order = panel.field.nextInFocusChain(), []
    while widget is not panel.field:
        assert widget is not None
        order.append(widget)
        widget = widget.nextInFocusChain()
    below = next(n for n, w in enumerate(order) if panel.later.isAncestorOf(w))
    assert order.index(panel.examples_button) < order.index(panel.history_button) < below
