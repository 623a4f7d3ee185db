"""Reading files that are to be references: good ones, odd ones and bad ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QColor

from magi_desktop.references import load_reference, read_still
from magi_engine.errors import MediaReadError
from magi_engine.media.info import MediaKind
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from tests.desktop.media_files import foreign_video, image_file, picture, video_file


def test_an_image(tmp_path: Path) -> None:
    loaded = load_reference(image_file(tmp_path / "a.png", 1440, 720))
    assert loaded.reference.info.kind is MediaKind.IMAGE
    assert loaded.reference.mode is Mode.I2V
    assert (loaded.thumbnail.width(), loaded.thumbnail.height()) == (720, 360)
    assert loaded.file_bytes == (tmp_path / "a.png").stat().st_size
    assert loaded.duration_s is None
    assert loaded.own_request is None


def test_a_rotated_photo_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees clockwise
    loaded = load_reference(image_file(tmp_path / "a.jpg", 200, 100, exif=exif, quality=95))
    assert (loaded.reference.info.width, loaded.reference.info.height) == (100, 200)
    assert (loaded.thumbnail.width(), loaded.thumbnail.height()) == (100, 200)
    # Red grows to the right in the file, so downwards on the screen.
    top, bottom = (QColor(loaded.thumbnail.pixel(50, y)).red() for y in (10, 190))
    assert bottom - top > 150


def test_transparency_is_white(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 40, 4), np.uint8)).save(tmp_path / "a.png")
    assert load_reference(tmp_path / "a.png").thumbnail.pixelColor(20, 20) == QColor("white")


def test_a_picture_wider_than_any_screen(tmp_path: Path) -> None:
    loaded = load_reference(image_file(tmp_path / "wide.png", 20000, 40))
    assert loaded.reference.info.width == 20000
    assert (loaded.thumbnail.width(), loaded.thumbnail.height()) == (720, 1)


def test_a_video(tmp_path: Path) -> None:
    loaded = load_reference(video_file(tmp_path / "a.mp4", seconds=2))
    assert loaded.reference.mode is Mode.V2V
    assert loaded.reference.info.fps == pytest.approx(24)
    assert loaded.duration_s == pytest.approx(2, abs=0.05)
    assert loaded.thumbnail.width() == 96
    still = read_still(tmp_path / "a.mp4", loaded.reference.info, 1.99)
    assert still.pixelColor(92, 30).lightness() > 200  # the bar has arrived at the right


def test_a_video_of_odd_size_and_varying_rate(tmp_path: Path) -> None:
    path = foreign_video(tmp_path / "a.mp4", [0, 40, 200, 240, 900, 1000], 98, 54)
    loaded = load_reference(path)
    assert (loaded.reference.info.width, loaded.reference.info.height) == (98, 54)
    assert loaded.duration_s is not None
    assert 1.0 <= loaded.duration_s < 1.3


def test_the_settings_of_our_own_videos(tmp_path: Path) -> None:
    request = GenerationRequest(
        Mode.T2V, "pocket", 96, 64, 24, prompts=(PromptChange(0, "a red circle"),)
    )
    path = video_file(tmp_path / "a.mp4", seconds=1, metadata=request.to_json())
    assert load_reference(path).own_request == request


def test_what_a_cut_off_video_promises_is_not_believed(tmp_path: Path) -> None:
    whole = video_file(tmp_path / "whole.mp4", seconds=4).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 6 // 10])
    loaded = load_reference(tmp_path / "cut.mp4")
    assert loaded.reference.info.duration_s == 4
    assert loaded.duration_s is not None
    assert 1 < loaded.duration_s < 3


def test_a_video_whose_index_was_cut_off(tmp_path: Path) -> None:
    whole = foreign_video(tmp_path / "whole.mp4", [40 * i for i in range(50)]).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 7 // 10])
    with pytest.raises(MediaReadError, match="cut"):
        load_reference(tmp_path / "cut.mp4")


def test_bad_files_end_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture at all")
    (tmp_path / "empty.mp4").write_bytes(b"")
    image_file(tmp_path / "dot.png", 1, 1)
    Image.new("L", (20000, 5000)).save(tmp_path / "huge.png")
    foreign_video(tmp_path / "short.mp4", [0, 40])
    for name, part in (
        ("text.png", "text.png"),
        ("empty.mp4", "empty"),
        ("dot.png", "1x1"),
        ("huge.png", "million pixels"),
        ("short.mp4", "frames"),
        ("gone.png", "no file"),
    ):
        with pytest.raises(MediaReadError, match=part) as caught:
            load_reference(tmp_path / name)
        assert str(caught.value.hint), name


def test_pixels_survive(tmp_path: Path) -> None:
    thumbnail = load_reference(image_file(tmp_path / "a.png", 33, 17)).thumbnail
    expected = picture(33, 17)
    assert thumbnail.pixelColor(32, 16) == QColor(*map(int, expected[16, 32]))
    assert thumbnail.pixelColor(5, 9) == QColor(*map(int, expected[9, 5]))
