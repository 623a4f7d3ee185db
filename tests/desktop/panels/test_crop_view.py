"""The crop frame under mouse and keyboard."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QImage
from pytestqt.qtbot import QtBot

from magi_desktop.panels.crop import CropView
from magi_engine.media.fit import CropBox, FitPolicy

SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def view(qtbot: QtBot) -> CropView:
    view = CropView()
    qtbot.addWidget(view)
    image = QImage(320, 180, QImage.Format.Format_RGB32)
    image.fill(QColor("red"))
    view.set_picture(image, 1280, 720)
    view.set_target(128, 128)
    view.resize(330, view.heightForWidth(330))
    view.show()
    return view


def _drag(qtbot: QtBot, view: CropView, start: QPointF, by: QPoint) -> None:
    begin = start.toPoint()
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=begin)
    qtbot.mouseMove(view, begin + by / 2)
    qtbot.mouseMove(view, begin + by)
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=begin + by)


def test_the_usual_frame_is_no_crop(view: CropView) -> None:
    assert view.frame == CropBox(280, 0, 720, 720)


def test_dragging_the_frame(qtbot: QtBot, view: CropView) -> None:
    crops: list[CropBox | None] = []
    view.crop_changed.connect(crops.append)
    _drag(qtbot, view, view._to_widget(view.frame).center(), QPoint(-20, 30))
    assert crops[-1] == view.frame
    assert view.frame.left == pytest.approx(200, abs=6)
    assert (view.frame.top, view.frame.width) == (0, 720)


def test_dragging_a_corner(qtbot: QtBot, view: CropView) -> None:
    _drag(qtbot, view, view._to_widget(view.frame).topLeft(), QPoint(40, 40))
    frame = view.frame
    assert frame.width == pytest.approx(720 - 160, abs=6)
    assert frame.height == frame.width
    assert (frame.left + frame.width, frame.top + frame.height) == (1000, 720)


def test_the_keyboard(qtbot: QtBot, view: CropView) -> None:
    crops: list[CropBox | None] = []
    view.crop_changed.connect(crops.append)
    qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.frame.left == pytest.approx(292.8, abs=0.1)
    qtbot.keyClick(view, Qt.Key.Key_Left, SHIFT)
    assert view.frame.left == pytest.approx(164.8, abs=0.1)
    qtbot.keyClick(view, Qt.Key.Key_Minus)
    assert view.frame.width < 720
    qtbot.keyClick(view, Qt.Key.Key_Home)
    assert crops[-1] is None


def test_a_double_click_brings_the_usual_frame_back(qtbot: QtBot, view: CropView) -> None:
    view.set_crop(CropBox(0, 0, 300, 300))
    qtbot.mouseDClick(view, Qt.MouseButton.LeftButton, pos=view.rect().center())
    assert view.frame == CropBox(280, 0, 720, 720)


def test_without_cropping_there_is_nothing_to_drag(qtbot: QtBot, view: CropView) -> None:
    view.set_fit(FitPolicy.PAD)
    with qtbot.assertNotEmitted(view.crop_changed):
        _drag(qtbot, view, QPointF(view.rect().center()), QPoint(20, 20))
        qtbot.keyClick(view, Qt.Key.Key_Right)
    assert view.focusPolicy() is Qt.FocusPolicy.NoFocus


@pytest.mark.parametrize("fit", list(FitPolicy))
def test_what_is_painted(view: CropView, fit: FitPolicy) -> None:
    view.set_fit(fit)
    view.resize(330, view.heightForWidth(330))
    shown = view.grab().toImage()
    middle = shown.pixelColor(shown.width() // 2, shown.height() // 2)
    assert middle.red() > 250  # the picture
    top = shown.pixelColor(shown.width() // 2, 12)
    assert (top == QColor("black")) == (fit is FitPolicy.PAD)  # bars above a wide picture
    left = shown.pixelColor(40, shown.height() // 2)
    if fit is FitPolicy.CROP:
        assert 50 < left.red() < 200  # cut off: shaded


def test_very_long_pictures_keep_a_usable_height(view: CropView) -> None:
    image = QImage(720, 1, QImage.Format.Format_RGB32)
    view.set_picture(image, 20000, 40)
    assert 60 <= view.heightForWidth(330) <= 220
    view.set_picture(image.scaled(1, 720), 40, 20000)
    assert 60 <= view.heightForWidth(330) <= 220
    view.grab()
