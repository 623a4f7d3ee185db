"""The buffer: bounded memory, and what left it comes back from the file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.player.frames import FrameBuffer
from magi_desktop.player.video_file import BlockReader, VideoFile, read_facts
from magi_desktop.state.videos import describe
from magi_engine.errors import MediaReadError
from magi_engine.media.output import open_writer
from magi_engine.runtime.request.request import SamplingOverrides
from tests.desktop.player.clips import CHUNK, grey_frames, is_frame, write_greys
from tests.desktop.state.helpers import request
from tests.patience import settle

SMALL = 64 * 48 * 3 * CHUNK * 4
"""Memory for four chunks: three of those just made, and the share for what is read."""


def fetch(qtbot: QtBot, buffer: FrameBuffer, index: int) -> np.ndarray:
    """Ask for a frame and wait for it."""
    buffer.want(index, playing=False)
    qtbot.waitUntil(lambda: buffer.has(index))
    frame = buffer.frame(index)
    assert frame is not None
    return frame


def test_appended_frames_are_kept_as_they_are(qtbot: QtBot) -> None:
    buffer = FrameBuffer()
    chunk = grey_frames(0, CHUNK)
    buffer.append(0, chunk)
    frame = buffer.frame(7)
    assert frame is not None
    assert np.shares_memory(frame, chunk)
    assert not buffer.has(CHUNK)
    assert (buffer.start, buffer.end) == (0, CHUNK)


def test_chunks_of_other_lengths_are_found(qtbot: QtBot) -> None:
    buffer = FrameBuffer()
    buffer.append(0, grey_frames(0, 20))
    buffer.append(20, grey_frames(20, 24))
    for index in (0, 19, 20, 43):
        frame = buffer.frame(index)
        assert frame is not None
        assert is_frame(frame, index, 0)


def test_without_a_file_the_oldest_frames_are_gone(qtbot: QtBot) -> None:
    buffer = FrameBuffer(SMALL)
    for first in range(0, 10 * CHUNK, CHUNK):
        buffer.append(first, grey_frames(first, CHUNK))
    assert buffer.memory_used <= SMALL
    assert (buffer.start, buffer.end) == (7 * CHUNK, 10 * CHUNK)
    assert buffer.frame(0) is None


def test_frames_that_left_memory_come_back_from_the_growing_file(
    qtbot: QtBot, tmp_path: Path
) -> None:
    buffer = FrameBuffer(SMALL)
    target = tmp_path / "video.mp4"
    buffer.read_from(VideoFile(target, 24, growing=True), 0)
    with open_writer(target, 64, 48, 24) as writer:
        for first in range(0, 10 * CHUNK, CHUNK):
            chunk = grey_frames(first, CHUNK)
            writer.write(chunk)
            buffer.append(first, chunk)
        assert (buffer.start, buffer.end) == (0, 10 * CHUNK)
        for index in (0, 130, 50, 131):
            assert is_frame(fetch(qtbot, buffer, index), index)
    buffer.read_from(VideoFile(target, 24), 10 * CHUNK)
    for index in (90, 3):
        assert is_frame(fetch(qtbot, buffer, index), index)
    assert buffer.memory_used <= SMALL * 2  # small blocks: the read-ahead has a least size


def test_a_source_clip_in_front_is_skipped(qtbot: QtBot, tmp_path: Path) -> None:
    path = write_greys(tmp_path / "video.mp4", 72)
    buffer = FrameBuffer()
    buffer.read_from(VideoFile(path, 24, skip=30), 42)
    assert is_frame(fetch(qtbot, buffer, 0), 30)
    assert is_frame(fetch(qtbot, buffer, 41), 71)


def test_memory_stays_bounded_when_all_of_a_file_is_visited(qtbot: QtBot, tmp_path: Path) -> None:
    path = write_greys(tmp_path / "video.mp4", 480)
    buffer = FrameBuffer(SMALL)
    buffer.read_from(VideoFile(path, 24), 480)
    for index in range(0, 480, 8):
        assert is_frame(fetch(qtbot, buffer, index), index)
    one_block = 64 * 48 * 3 * 8
    assert buffer.memory_used <= 9 * one_block


def test_reads_ahead_while_playing_and_on_to_the_start(qtbot: QtBot, tmp_path: Path) -> None:
    path = write_greys(tmp_path / "video.mp4", 120)
    buffer = FrameBuffer()
    buffer.read_from(VideoFile(path, 24), 120)
    buffer.want(100, playing=True)
    qtbot.waitUntil(lambda: all(buffer.has(i % 120) for i in range(100, 140)))


@pytest.mark.parametrize("name", ["video.mp4", "video.webm", "video.gif", "video.webp", "frames"])
def test_every_format_has_its_frames_at_their_places(tmp_path: Path, name: str) -> None:
    path = write_greys(tmp_path / name, 60)
    facts = read_facts(path)
    assert facts.num_frames == 60
    assert facts.fps == pytest.approx(24, abs=0.01)
    frames = BlockReader(VideoFile(path, facts.fps)).read(0, 100)
    assert frames is not None
    assert len(frames) == 60
    tolerance = 20 if name == "video.gif" else 4  # a palette of few greys; neighbours differ by 53
    assert all(is_frame(frame, index, tolerance) for index, frame in enumerate(frames))
    later = BlockReader(VideoFile(path, facts.fps)).read(41, 3)
    assert later is not None
    assert is_frame(later[0], 41, tolerance)


def test_a_folder_of_frames_is_as_fast_in_the_player_as_in_the_library(tmp_path: Path) -> None:
    made = dataclasses.replace(request("a red ball"), sampling=SamplingOverrides(fps=12))
    with open_writer(tmp_path / "frames", 64, 48, 12, made.to_json()) as writer:
        writer.write(grey_frames(0, 6))
    assert read_facts(tmp_path / "frames").fps == 12
    assert describe(tmp_path / "frames", None, None).fps == 12


def test_a_file_that_holds_less_than_it_says_ends_earlier(qtbot: QtBot, tmp_path: Path) -> None:
    path = write_greys(tmp_path / "video.mp4", 30)
    buffer = FrameBuffer()
    buffer.read_from(VideoFile(path, 24), 50)
    with qtbot.waitSignal(buffer.shortened):
        buffer.want(28, playing=True)
    assert buffer.end == 30


def test_a_file_that_went_away_is_told_once(qtbot: QtBot, tmp_path: Path) -> None:
    path = write_greys(tmp_path / "video.mp4", 48)
    buffer = FrameBuffer()
    path.unlink()
    told: list[str] = []
    buffer.failed.connect(told.append)
    with qtbot.waitSignal(buffer.failed):
        buffer.read_from(VideoFile(path, 24), 48)
    buffer.want(5, playing=True)
    settle(qtbot)
    assert len(told) == 1
    assert "video.mp4" in told[0]


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"not a video at all" * 100)
    with pytest.raises(MediaReadError):
        read_facts(path)


@pytest.mark.parametrize("colour", [(180, 30, 60), (20, 200, 90), (128, 128, 128), (10, 40, 240)])
@pytest.mark.parametrize("height", [48, 720])
def test_a_flat_colour_comes_back_from_the_file(
    tmp_path: Path, colour: tuple[int, int, int], height: int
) -> None:
    path = tmp_path / "flat.mp4"
    frames = np.full((8, height, 64, 3), colour, np.uint8)
    with open_writer(path, 64, height, 24) as writer:
        writer.write(frames)
    back = BlockReader(VideoFile(path, 24)).read(0, 8)
    assert back is not None
    assert np.abs(back.astype(int) - frames).max() <= 2
