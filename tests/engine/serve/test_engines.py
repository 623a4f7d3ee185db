"""A server with several engines makes as many videos at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from magi_engine.runtime.job.events import Cancelled, ChunkReady, Finished
from magi_engine.runtime.process.control import Cancel
from magi_engine.runtime.process.environment import see_one_card
from tests.engine.serve.servers import Server, small_request


def test_a_short_video_does_not_wait_for_an_endless_one(tmp_path: Path) -> None:
    server = Server(tmp_path / "server", "--engines", "2")
    server.start()
    engine, other = server.engine(tmp_path / "a"), server.engine(tmp_path / "b")
    endless = engine.generate(small_request(tmp_path / "endless.mp4", num_frames=None))
    next(event for event in endless if isinstance(event, ChunkReady))
    for seed in (2, 3):  # the second one with the engine that the first one had
        *_, last = other.generate(small_request(tmp_path / f"{seed}.mp4", seed=seed))
        assert isinstance(last, Finished)
    engine.control(Cancel())
    *_, last = endless
    assert isinstance(last, Cancelled)
    engine.close()
    other.close()
    server.stop()


def test_two_servers_do_not_make_the_same_jobs(server: Server) -> None:
    """Such as one that starts with the system, and one that is started by hand."""
    second = Server(server.home)
    with pytest.raises(AssertionError, match=r"Another program is changing .*serve already"):
        second.start()
    second.stop()


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("4,6", "6"), ("4", ""), ("", "")])
def test_an_engine_sees_its_card_and_no_other(
    monkeypatch: pytest.MonkeyPatch, before: str | None, after: str
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if before is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
    see_one_card(1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == after
