"""Colours can be read, icons can be drawn, and both follow the theme."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import (
    QApplication,
    QLabel,
    QLineEdit,
    QMainWindow,
    QMessageBox,
    QPlainTextEdit,
    QPushButton,
)
from pytestqt.qtbot import QtBot

from magi_desktop.theme.icons import bind_icon, icon
from magi_desktop.theme.style import Appearance, style_sheet, theme
from magi_desktop.theme.tokens import DARK, LIGHT, Tokens
from magi_engine.resources import resource_path

_TEXT, _GRAPHIC = 4.5, 3.0
"""What WCAG 2.2 AA asks of small text, and of what has to be seen to use a control."""

_THINNEST = 0.75
"""The least opacity anything over a picture is drawn with."""

_SEEN = 1.3
"""A ground that has to stand off another one."""


def contrast(first: str, second: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("k", [LIGHT, DARK], ids=["light", "dark"])
def test_every_pair_of_text_and_ground_can_be_read(k: Tokens) -> None:
    plain = (k.window, k.surface, k.surface_raised, k.surface_sunken, k.surface_hover)
    grounds = (*plain, k.accent_soft)
    for text in (k.text, k.text_muted, k.accent_text, k.error, k.warning, k.success):
        for ground in grounds:
            assert contrast(text, ground) >= _TEXT, (text, ground)
    for ground in (k.accent, k.accent_hover, k.accent_pressed):
        assert contrast(k.text_on_accent, ground) >= _TEXT, ground
    for ground in (k.window, k.surface):
        assert contrast(k.border_strong, ground) >= _GRAPHIC, ground
        assert contrast(k.accent, ground) >= _GRAPHIC, ground


@pytest.mark.parametrize("k", [LIGHT, DARK], ids=["light", "dark"])
def test_what_is_over_a_picture_can_be_read_and_stands_off_the_canvas(k: Tokens) -> None:
    for picture in ("#000000", "#ffffff"):
        assert contrast(DARK.text, _mixed(k.overlay, picture, _THINNEST)) >= _TEXT, picture
    assert contrast(_mixed(k.overlay, k.canvas, _THINNEST), k.canvas) >= _SEEN


def _mixed(over: str, ground: str, opacity: float) -> str:
    parts = [
        round(int(over[i : i + 2], 16) * opacity + int(ground[i : i + 2], 16) * (1 - opacity))
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


def test_a_placeholder_can_be_read(qtbot: QtBot) -> None:
    for appearance in (Appearance.LIGHT, Appearance.DARK):
        theme().apply(appearance)
        for field in (QLineEdit(), QPlainTextEdit()):
            qtbot.addWidget(field)
            field.ensurePolished()
            hint = field.palette().placeholderText().color()
            assert hint.alpha() == 255
            assert contrast(hint.name(), theme().tokens.surface) >= _TEXT
    theme().apply(Appearance.SYSTEM)


def test_the_style_sheet_names_only_pictures_that_exist(qtbot: QtBot) -> None:
    for tokens in (LIGHT, DARK):
        for path in re.findall(r'url\("([^"]+)"\)', style_sheet(tokens)):
            assert Path(path).is_file()


def test_every_icon_is_drawn_in_the_colour_asked_for(qtbot: QtBot) -> None:
    tinted = [
        path
        for path in resource_path("icons").glob("*.svg")
        if "currentColor" in path.read_text(encoding="utf-8")
    ]
    assert len(tinted) > 40
    for path in tinted:
        image = icon(path.stem, "#ff0000").pixmap(48, 48).toImage()
        assert _share_of_red(image) > 0.005, path.name


def _share_of_red(image: QImage) -> float:
    pixels = [image.pixelColor(x, y) for x in range(48) for y in range(48)]
    return sum(p.alpha() > 128 and p.red() > 200 and p.green() < 60 for p in pixels) / len(pixels)


def test_a_question_keeps_its_focus_when_the_theme_changes(qtbot: QtBot) -> None:
    theme().apply(Appearance.LIGHT)
    window = QMainWindow()
    qtbot.addWidget(window)
    window.show()
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Icon.Question)
    box.setText("Stop before the video is complete?")
    box.addButton("Stop", QMessageBox.ButtonRole.AcceptRole)
    keep = box.addButton("Keep", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.open()
    qtbot.waitUntil(keep.hasFocus)
    for appearance in (Appearance.DARK, Appearance.LIGHT):
        theme().apply(appearance)
        QApplication.processEvents()
        assert box.focusWidget() is keep


def test_widgets_follow_a_change_of_the_theme(qtbot: QtBot) -> None:
    button, label = QPushButton(), QLabel("text")
    qtbot.addWidget(button)
    qtbot.addWidget(label)
    theme().apply(Appearance.LIGHT)
    bind_icon(button, "play")
    light = button.icon().pixmap(24, 24).toImage()
    with qtbot.waitSignal(theme().changed):
        theme().apply(Appearance.DARK)
    assert button.icon().pixmap(24, 24).toImage() != light
    assert label.palette().windowText().color() == QColor(DARK.text)
    theme().apply(Appearance.SYSTEM)
    assert theme().tokens in (LIGHT, DARK)


def test_a_look_that_nobody_knows_is_the_systems() -> None:
    """Settings that were edited by hand do not keep the program from starting."""
    assert Appearance("purple") is Appearance.SYSTEM
