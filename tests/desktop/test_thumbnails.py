"""Thumbnails: made once, kept in bounds, not made for what nobody looks at."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from magi_desktop import background
from magi_desktop import thumbnails as module
from magi_desktop.thumbnails import FRAMES, HEIGHT, WIDTH, Thumbnails
from tests.desktop.state.videos import make_video


@pytest.fixture
def thumbnails(tmp_path: Path, qtbot: QtBot) -> Iterator[Thumbnails]:
    made = Thumbnails(tmp_path / "cache")
    yield made
    made.close()


def grey(image) -> int:
    return image.pixelColor(image.width() // 2, image.height() // 2).red()


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "frames"])
def test_a_thumbnail_is_the_first_frame_in_the_videos_shape(
    thumbnails: Thumbnails, tmp_path: Path, qtbot: QtBot, name: str
) -> None:
    path = tmp_path / name
    make_video(path, width=96, height=64)
    assert thumbnails.picture(path) is None
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.want([path])
    picture = thumbnails.picture(path)
    assert picture is not None
    assert (picture.width(), picture.height()) == (HEIGHT * 96 // 64, HEIGHT)
    assert picture.width() <= WIDTH
    assert grey(picture) == pytest.approx(40, abs=8)


def test_it_is_read_from_the_cache_the_next_time_and_made_anew_when_the_file_changed(
    thumbnails: Thumbnails, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "a.mp4"
    make_video(path)
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.want([path])
    (kept,) = (tmp_path / "cache").glob("*.jpg")
    written = kept.stat().st_mtime_ns
    thumbnails.forget(path)
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.want([path])
    assert kept.stat().st_mtime_ns == written
    path.unlink()
    make_video(path, frames=30)
    thumbnails.forget(path)
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.want([path])
    assert len(list((tmp_path / "cache").glob("*.jpg"))) == 2


def test_a_file_that_is_replaced_while_it_is_looked_at_gets_the_picture_of_the_new_one(
    thumbnails: Thumbnails, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "a.mp4"
    make_video(path, width=96, height=64)
    thumbnails.want([path])
    thumbnails._pool.waitForDone()  # it has been made, and nobody was told yet
    make_video(tmp_path / "b.mp4", width=64, height=64)
    (tmp_path / "b.mp4").replace(path)
    thumbnails.forget(path)
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.want([])
    picture = thumbnails.picture(path)
    assert picture is not None
    assert (picture.width(), picture.height()) == (HEIGHT, HEIGHT)


def test_an_animation_is_spread_over_the_video(
    thumbnails: Thumbnails, tmp_path: Path, qtbot: QtBot
) -> None:
    path = tmp_path / "a.mp4"
    make_video(path, frames=96)
    with qtbot.waitSignal(thumbnails.animation_ready):
        thumbnails.want_animation(path)
    frames = thumbnails.animation(path)
    assert frames is not None
    assert len(frames) == FRAMES
    levels = [grey(frame) for frame in frames]
    assert levels == sorted(levels)
    assert levels[0] < 50
    assert levels[-1] > 180


def test_only_what_is_still_wanted_is_made(
    thumbnails: Thumbnails, tmp_path: Path, qtbot: QtBot
) -> None:
    paths = [tmp_path / f"{n}.mp4" for n in range(8)]
    for path in paths:
        make_video(path)
    made: list[object] = []
    thumbnails.ready.connect(made.append)
    thumbnails.want(paths)
    thumbnails.want(paths[-1:])
    qtbot.waitUntil(lambda: paths[-1] in made)
    assert len(made) <= 2


def test_memory_is_bounded(
    thumbnails: Thumbnails, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_KEPT_ANIMATIONS", 2)
    paths = [tmp_path / f"{n}.mp4" for n in range(3)]
    for path in paths:
        make_video(path)
        with qtbot.waitSignal(thumbnails.animation_ready):
            thumbnails.want_animation(path)
    assert [thumbnails.animation(path) is None for path in paths] == [True, False, False]


def test_a_damaged_video_fails_once_and_the_next_one_is_made(
    thumbnails: Thumbnails, tmp_path: Path, qtbot: QtBot
) -> None:
    bad, good = tmp_path / "bad.mp4", tmp_path / "good.mp4"
    bad.write_bytes(b"no video at all")
    make_video(good)
    failures: list[object] = []
    thumbnails.failed.connect(failures.append)
    for _ in range(2):
        thumbnails.want([bad, good])
        qtbot.waitUntil(lambda: thumbnails.picture(good) is not None)
        thumbnails.forget(good)
    assert failures == [bad]


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path, qtbot: QtBot) -> None:
    (tmp_path / "file").write_text("no folder")
    make_video(tmp_path / "a.mp4")
    thumbnails = Thumbnails(tmp_path / "file" / "cache")
    with qtbot.waitSignal(thumbnails.ready):
        thumbnails.want([tmp_path / "a.mp4"])
    thumbnails.close()


def test_closed_at_once_it_leaves_nothing_under_way(
    thumbnails: Thumbnails, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = threading.Event()
    monkeypatch.setattr(thumbnails._pool, "waitForDone", lambda _ms: given_up.set())
    thumbnails._pool.run(given_up.wait)
    thumbnails._pool.run(int)
    thumbnails.close()
    qtbot.waitUntil(lambda: not background.under_way(thumbnails))
