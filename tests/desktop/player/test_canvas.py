"""What the canvas puts on the screen."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from magi_desktop.player.canvas import Canvas, Message, image_of
from magi_desktop.player.overlay import Waiting
from magi_desktop.player.view import MOST_ZOOM, View
from tests.desktop.player.clips import grey_frames

PICTURE, PANE = QSize(100, 50), QRectF(0, 0, 400, 300)


@pytest.fixture
def canvas(qtbot: QtBot) -> Canvas:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(400, 300)
    canvas.show()
    qtbot.waitExposed(canvas)
    return canvas


def screen(canvas: Canvas) -> np.ndarray:
    """The widget's pixels, (H, W, 3)."""
    image = canvas.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).copy()


def checkers() -> np.ndarray:
    """(50, 100, 3): every pixel differs from its neighbours."""
    rows, columns = np.mgrid[0:50, 0:100]
    return np.repeat(((rows + columns) % 2 * 200 + 20).astype(np.uint8)[..., None], 3, -1)


def test_the_image_shares_the_frames_memory() -> None:
    frame = grey_frames(0, 3, 33, 17)[1]  # rows that are no multiple of four bytes
    image = image_of(frame)
    frame[16, 32] = (1, 2, 3)
    colour = image.pixelColor(32, 16)
    assert (colour.red(), colour.green(), colour.blue()) == (1, 2, 3)


@pytest.mark.parametrize("colour", [(180, 30, 60), (20, 200, 90), (255, 0, 1), (127, 128, 129)])
def test_colours_reach_the_screen_untouched(canvas: Canvas, colour: tuple[int, int, int]) -> None:
    canvas.show_frame(np.full((90, 120, 3), colour, np.uint8))
    assert (screen(canvas)[20:-20, 20:-20] == colour).all()


def test_at_100_percent_every_pixel_is_one_of_the_screen(canvas: Canvas) -> None:
    canvas.show_frame(checkers())
    canvas.set_zoom(1.0)
    assert (screen(canvas)[125:175, 150:250] == checkers()).all()


@pytest.mark.parametrize("zoom", [2, 4])
def test_whole_enlargements_are_not_blurred(canvas: Canvas, zoom: int) -> None:
    canvas.show_frame(checkers())
    canvas.set_zoom(float(zoom))
    shown = screen(canvas)
    values = set(np.unique(shown[150 - 20 : 150 + 20, 200 - 20 : 200 + 20]))
    assert values == {20, 220}
    middle = shown[150 : 150 + 8 * zoom, 200 : 200 + 8 * zoom, 0]
    expected = np.kron(checkers()[25:33, 50:58, 0], np.ones((zoom, zoom), np.uint8))
    assert (middle == expected).all()


def test_fitted_enlargements_are_smooth(canvas: Canvas) -> None:
    canvas.show_frame(checkers())
    assert len(np.unique(screen(canvas)[100:200, 50:350])) > 10


def test_shrinking_averages(canvas: Canvas) -> None:
    fine = np.repeat((np.mgrid[0:1200, 0:1600].sum(0) % 2 * 200 + 20)[..., None], 3, -1)
    canvas.show_frame(fine.astype(np.uint8))
    assert abs(screen(canvas)[50:250, 50:350].astype(int) - 120).max() <= 12


def test_a_frame_is_told_as_painted_once(canvas: Canvas, qtbot: QtBot) -> None:
    painted: list[bool] = []
    canvas.painted.connect(lambda: painted.append(True))
    canvas.show_frame(checkers())
    canvas.grab()
    canvas.grab()
    assert len(painted) == 1


def test_the_wheel_zooms_at_the_cursor_and_dragging_pans(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.show_frame(checkers())
    canvas.set_zoom(8.0)
    before = canvas.shown_scale
    position = QPointF(100, 80)
    event = QWheelEvent(
        position,
        canvas.mapToGlobal(position),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(canvas, event)
    assert canvas.shown_scale == pytest.approx(before * 1.25)
    canvas.set_zoom(8.0)
    still = screen(canvas)
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(200, 150))
    qtbot.mouseMove(canvas, QPoint(184, 142))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(184, 142))
    assert (screen(canvas)[:-8, :-16] == still[8:, 16:]).all()


def test_the_point_under_the_cursor_stays() -> None:
    view = View()
    view.zoom = 6.0
    point = QPointF(250, 120)

    def under() -> tuple[float, float]:
        target = view.target(PICTURE, PANE)
        across = (point.x() - target.x()) / target.width()
        return across, (point.y() - target.y()) / target.height()

    before = under()
    view.zoom_at(point, 9.0, PICTURE, PANE)
    assert under() == pytest.approx(before, abs=0.005)


def test_no_empty_border_while_the_picture_is_larger() -> None:
    view = View()
    view.zoom = 8.0
    view.pan(QPointF(5000, -5000), PICTURE, PANE)
    target = view.target(PICTURE, PANE)
    assert target.left() == 0
    assert target.bottom() + 1 == 300


def test_zoom_ends_at_the_fitted_size_and_at_the_most() -> None:
    view = View()
    large = QSize(4000, 3000)
    view.zoom_at(PANE.center(), 0.001, large, PANE)
    assert view.zoom == pytest.approx(0.1)
    view.zoom_at(PANE.center(), 99.0, large, PANE)
    assert view.zoom == MOST_ZOOM


def test_the_reference_stands_on_the_left(canvas: Canvas) -> None:
    canvas.show_frame(np.full((60, 60, 3), (200, 0, 0), np.uint8))
    canvas.set_reference(image_of(np.full((60, 60, 3), (0, 0, 200), np.uint8)))
    assert not canvas.comparing
    canvas.set_comparing(True)
    shown = screen(canvas)
    assert tuple(shown[150, 100]) == (0, 0, 200)
    assert tuple(shown[150, 300]) == (200, 0, 0)
    canvas.set_reference(None)
    assert not canvas.comparing


def test_a_line_divides_the_two_and_is_drawn_with_the_mouse(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.show_frame(np.full((60, 60, 3), (200, 0, 0), np.uint8))
    canvas.set_reference(image_of(np.full((60, 60, 3), (0, 0, 200), np.uint8)))
    canvas.set_comparing(True, wiping=True)
    assert canvas.line_x == 200
    shown = screen(canvas)
    assert tuple(shown[50, 150]) == (0, 0, 200)
    assert tuple(shown[50, 250]) == (200, 0, 0)
    clicks: list[None] = []
    canvas.clicked.connect(lambda: clicks.append(None))
    qtbot.mousePress(canvas, Qt.MouseButton.LeftButton, pos=QPoint(204, 80))
    qtbot.mouseMove(canvas, QPoint(300, 80))
    qtbot.mouseRelease(canvas, Qt.MouseButton.LeftButton, pos=QPoint(300, 80))
    assert not clicks, "to draw the line does not pause the video"
    assert canvas.line_x == 300
    assert tuple(screen(canvas)[50, 250]) == (0, 0, 200)
    canvas.move_line(-9)
    assert canvas.line_x == 0
    assert tuple(screen(canvas)[50, 70]) == (200, 0, 0)
    canvas.set_comparing(True)
    assert tuple(screen(canvas)[150, 100]) == (0, 0, 200)


def test_a_preview_is_as_large_as_the_frames_around_it(canvas: Canvas) -> None:
    canvas.show_frame(np.full((80, 160, 3), 200, np.uint8))
    canvas.set_zoom(1.0)
    canvas.show_frame(np.full((10, 20, 3), (0, 150, 0), np.uint8), preview=True)
    shown = screen(canvas)
    green = (shown == (0, 150, 0)).all(-1)
    assert green.sum() == 160 * 80


def test_words_over_the_picture_are_drawn_and_spoken(canvas: Canvas) -> None:
    canvas.show_frame(np.full((300, 400, 3), 200, np.uint8))
    plain = screen(canvas)
    canvas.set_waiting(Waiting("Denoising chunk 4, step 9 of 16", 9 / 16))
    waiting = screen(canvas)
    changed = np.nonzero((plain != waiting).any(-1))
    assert changed[0].min() > 200  # in the lower part
    assert canvas.accessibleDescription() == "Denoising chunk 4, step 9 of 16"
    canvas.set_message(Message("It broke.", "Try again.", is_error=True))
    assert (screen(canvas) != waiting).any()
    assert canvas.accessibleDescription() == "It broke. Try again."


def test_a_click_takes_the_message_off_the_picture(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.show_frame(checkers())
    canvas.set_message(Message("It broke.", is_error=True))
    qtbot.mouseClick(canvas, Qt.MouseButton.LeftButton)
    assert canvas.message is None
