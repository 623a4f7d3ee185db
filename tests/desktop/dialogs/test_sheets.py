"""Help sheet and about."""

from __future__ import annotations

import re

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence, QPixmap
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from magi_desktop.dialogs.about import AboutDialog, third_party_notice
from magi_desktop.dialogs.guide import GuideDialog
from magi_desktop.dialogs.help import HelpSheet
from magi_desktop.translation import LANGUAGES
from magi_engine import __version__
from tests.desktop.accessibility import faults


def action(text: str, *shortcuts: str) -> QAction:
    made = QAction(text, QApplication.instance())
    made.setShortcuts([QKeySequence(shortcut) for shortcut in shortcuts])
    return made


@pytest.fixture
def sheet(qtbot: QtBot) -> HelpSheet:
    separator = QAction(QApplication.instance())
    separator.setSeparator(True)
    sheet = HelpSheet(
        {
            "Video": [action("&Generate", "Ctrl+Return"), separator, action("&Export…")],
            "Play": [action("Play or pause", "Space"), action("Loop", "L")],
            "Nothing": [action("Without keys")],
            "Help": [action("&Shortcuts…", "F1", "?")],
        }
    )
    qtbot.addWidget(sheet)
    sheet.show()
    qtbot.waitUntil(lambda: [len(group.lines) for group in sheet.groups] == [1, 2, 1])
    qtbot.waitUntil(sheet.groups[-1].isVisible)
    return sheet


def lines(sheet: HelpSheet) -> dict[str, str]:
    return {
        line.name.text(): line.keys.accessibleName()
        for group in sheet.groups
        for line in group.lines
        if line.name.isVisible()
    }


def test_it_lists_what_has_a_shortcut(sheet: HelpSheet) -> None:
    assert lines(sheet) == {
        "Generate": "Ctrl+Return",
        "Play or pause": "Space",
        "Loop": "L",
        "Shortcuts": "F1, ?",
    }
    assert faults(sheet) == []


def test_the_columns_stand_side_by_side(sheet: HelpSheet) -> None:
    first, last = sheet.groups[0], sheet.groups[-1]
    assert (
        last.mapTo(sheet, last.rect().topLeft()).x()
        > first.mapTo(sheet, first.rect().topRight()).x()
    )


@pytest.mark.parametrize(
    ("text", "names"), [("LOOP", {"Loop"}), ("ctrl", {"Generate"}), ("f1", {"Shortcuts"})]
)
def test_searching_by_name_and_by_key(
    qtbot: QtBot, sheet: HelpSheet, text: str, names: set[str]
) -> None:
    qtbot.keyClicks(sheet.search, text)
    assert lines(sheet).keys() == names


def test_a_search_without_a_result_says_so(qtbot: QtBot, sheet: HelpSheet) -> None:
    qtbot.keyClicks(sheet.search, "zebra")
    assert sheet.nothing.isVisible()
    sheet.search.clear()
    assert not sheet.nothing.isVisible()
    assert len(lines(sheet)) == 4


def test_an_empty_sheet_is_no_accident(qtbot: QtBot) -> None:
    empty = HelpSheet({})
    qtbot.addWidget(empty)
    assert empty.groups == []


def test_about_says_version_licences_and_copies_diagnostics(qtbot: QtBot) -> None:
    dialog = AboutDialog(lambda: "the log")
    qtbot.addWidget(dialog)
    dialog.show()
    assert __version__ in dialog.version.text()
    assert faults(dialog) == []
    qtbot.waitUntil(lambda: dialog.notice.toPlainText() == third_party_notice())
    dialog.copy_button.click()
    qtbot.waitUntil(lambda: dialog.copy_button.text() == "Copied")
    assert QGuiApplication.clipboard().text() == "the log"


def test_the_notice_names_what_is_installed() -> None:
    notice = third_party_notice()
    assert "PySide6" in notice
    assert "LGPL" in notice
    assert "pytest" not in notice, "what only developers need is not shipped"


@pytest.mark.parametrize("language", [*LANGUAGES, "fr_FR"])
def test_the_guide_has_its_pictures_in_every_language(qtbot: QtBot, language: str) -> None:
    dialog = GuideDialog(language)
    qtbot.addWidget(dialog)
    dialog.show()
    assert dialog.language == (language if language in LANGUAGES else "en")
    pictures = re.findall(r'<img src="([^"]+)"', dialog.view.toHtml())
    assert len(pictures) == 5
    for name in pictures:
        picture = dialog.view.loadResource(2, QUrl(name))  # 2: an image
        assert isinstance(picture, QPixmap)
        assert not picture.isNull()
        assert picture.deviceIndependentSize().width() < dialog.view.width()
    assert faults(dialog) == []


def test_the_guides_pictures_are_as_large_on_a_fine_screen(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialog = GuideDialog("en")
    qtbot.addWidget(dialog)
    (name, *_) = re.findall(r'<img src="([^"]+)"', dialog.view.toHtml())

    def width() -> float:
        picture = dialog.view.loadResource(2, QUrl(name))  # 2: an image
        assert isinstance(picture, QPixmap)
        return picture.deviceIndependentSize().width()

    usual = width()
    monkeypatch.setattr(dialog.view, "devicePixelRatioF", lambda: 2.0)
    assert width() == usual
