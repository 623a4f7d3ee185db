"""Which encoder writes a video, and what becomes of it where one gives up."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import pytest

from magi_engine.media.encoders import NVENC, X264, Encoder
from magi_engine.media.growing import MP4, Mp4Writer
from magi_engine.media.metadata import read_metadata
from magi_engine.media.output import open_writer
from magi_engine.media.writer import VideoFormat, WriteOptions
from tests.engine.media.written import METADATA, SIZE, decode, moving, playable_frames


class _Stops(Encoder):
    """A real encoder with parameters of its own that cannot be opened any more after a while."""

    left = 2

    def opened(self, *arguments: Any, **keywords: Any) -> av.VideoCodecContext:
        _Stops.left -= 1
        if _Stops.left < 0:
            raise av.error.ExternalError(1, "no room on the device")
        return super().opened(*arguments, **keywords)


class _FromSixtyFour(Encoder):
    """A real encoder for which a video can be too small, as for those of graphics cards."""

    def opened(
        self, video: VideoFormat, options: WriteOptions, in_band: bool = False
    ) -> av.VideoCodecContext:
        if video.width < 64:
            raise av.error.ExternalError(1, "too small")
        return super().opened(video, options, in_band)


def _using(monkeypatch: pytest.MonkeyPatch, *encoders: Encoder) -> None:
    monkeypatch.setattr(Mp4Writer, "kind", dataclasses.replace(MP4, encoders=encoders))


def test_a_card_does_not_encode_what_is_asked_of_x264(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own efforts are others: what was chosen would have no effect."""
    monkeypatch.setattr("magi_engine.media.encoders._has_nvidia_driver", lambda: True)
    assert NVENC.settings(WriteOptions()) is not None
    assert NVENC.settings(WriteOptions(preset="slow")) is None
    assert NVENC.settings(WriteOptions(crf=0)) is None


def test_an_encoder_that_does_not_open_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="magi_engine")
    absent = Encoder("no_such_encoder", lambda options: {})
    # A real one that this size is too small for, on any device.
    small = Encoder("h264_nvenc", lambda options: {})
    cannot = Encoder("libx264", lambda options: None)
    _using(monkeypatch, absent, small, cannot, X264)
    with open_writer(tmp_path / "a.mp4", 32, 32, 24) as writer:
        writer.write(moving(24, 32))
        assert isinstance(writer, Mp4Writer)
        assert writer.encoder == "libx264"
    assert len(decode(tmp_path / "a.mp4")) == 24
    told = [record.getMessage() for record in caplog.records]
    assert any("no_such_encoder" in line for line in told)
    assert "a.mp4 is encoded by libx264" in told
    # It would refuse again, but not for ever.
    for size, after_s, asked in ((32, 1e9, False), (48, 1e9, False), (32, 0.0, True)):
        monkeypatch.setattr("magi_engine.media.encoders._ASKED_AGAIN_S", after_s)
        caplog.clear()
        with open_writer(tmp_path / f"{size}-{after_s}.mp4", size, size, 24) as writer:
            writer.write(moving(24, size))
        assert ("no_such_encoder" in caplog.text) is asked


def test_an_encoder_that_small_videos_do_not_fit_is_used_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = _FromSixtyFour("mpeg4", lambda options: {})
    _using(monkeypatch, large, X264)
    for index, (size, used) in enumerate([(32, False), (64, True), (32, False)]):
        with open_writer(tmp_path / f"{index}.mp4", size, size, 24) as writer:
            writer.write(moving(24, size))
            assert isinstance(writer, Mp4Writer)
            assert (writer.encoder == large.name) is used


@pytest.mark.parametrize("suffix", [".mp4", ".gif"])
def test_an_encoder_that_gives_up_is_replaced_in_the_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(_Stops, "left", 2)  # to see whether it works, and for the first chunk
    other = _Stops("libx264", lambda options: {"profile": "baseline", "crf": "8", "bf": "0"})
    _using(monkeypatch, other, X264)
    frames = moving(72)
    target = tmp_path / f"a{suffix}"
    with open_writer(target, SIZE, SIZE, 24, METADATA) as writer:
        for chunk in range(3):
            writer.write(frames[24 * chunk : 24 * chunk + 24])
            assert playable_frames(writer.part) == 24 * chunk + 24
    decoded = np.stack(decode(target)).astype(int)
    assert np.abs(decoded - frames).mean(axis=(1, 2, 3)).max() < 6
    assert read_metadata(target) == METADATA


def test_no_encoder_of_a_card_is_tried_where_there_is_no_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr("magi_engine.media.encoders._has_nvidia_driver", lambda: False)
    with open_writer(tmp_path / "a.mp4", 64, 48, 24) as writer:
        writer.write(np.zeros((24, 48, 64, 3), np.uint8))
    assert "nvenc" not in caplog.text
