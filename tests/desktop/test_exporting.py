"""Exports: every format, several at once, stopped, and where they cannot be written."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from magi_desktop.exporting import FORMATS, ExportJob, ExportStopped, export_all, gif_bytes
from magi_desktop.panels.export_bar import ExportBar
from magi_engine.errors import MagiError, OutputError
from magi_engine.media.export import export_video
from magi_engine.media.output import open_writer
from magi_engine.runtime.request.metadata import read_request
from tests.desktop.state.videos import make_video


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.mp4"
    make_video(path)
    return path


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_with_its_settings(source: Path, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"target{suffix}"
    done: list[float] = []
    assert export_all([ExportJob(source, target)], done.append) == [target]
    assert read_request(target) == read_request(source)
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1.0)
    assert only(tmp_path) == ["source.mp4", target.name]


def test_several_keep_what_was_there(source: Path, tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_text("mine")
    jobs = [ExportJob(source, tmp_path / "a.gif"), ExportJob(source, tmp_path / "b.gif")]
    assert export_all(jobs, print) == [tmp_path / "a-2.gif", tmp_path / "b.gif"]
    assert (tmp_path / "a.gif").read_text(encoding="utf-8") == "mine"


def test_what_the_user_agreed_to_replace_is_replaced(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "a.webm"
    target.write_text("old")
    export_all([ExportJob(source, target, overwrite=True)], print)
    assert read_request(target) == read_request(source)


def test_a_video_never_replaces_itself(source: Path) -> None:
    before = source.read_bytes()
    with pytest.raises(OutputError, match="replace itself"):
        export_all([ExportJob(source, source, overwrite=True)], print)
    other = source.with_name("other.mp4")
    make_video(other)
    parts = [(other, range(8)), (source, range(8, 24))]
    with pytest.raises(OutputError, match="replace itself"):
        export_all([ExportJob(other, source, overwrite=True, parts=parts)], print)
    assert source.read_bytes() == before


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_stopped_export_leaves_nothing(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / "long.mp4"
    make_video(source, frames=240)

    def stop(done: float) -> None:
        if done > 0:
            raise ExportStopped

    with pytest.raises(ExportStopped):
        export_all([ExportJob(source, tmp_path / f"target{suffix}")], stop)
    assert only(tmp_path) == ["long.mp4"]


def test_one_that_is_stopped_lets_the_next_go_on(
    source: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    make_video(tmp_path / "long.mp4", frames=240)  # not done before it is stopped
    bar = ExportBar()
    qtbot.addWidget(bar)
    bar.start([ExportJob(tmp_path / "long.mp4", tmp_path / "a.gif")])
    bar.start([ExportJob(source, tmp_path / "b.gif")])
    bar.failed.connect(pytest.fail)
    with qtbot.waitSignal(bar.finished) as finished:
        bar.cancel()
    assert finished.args == [[tmp_path / "b.gif"]]
    assert only(tmp_path) == ["b.gif", "long.mp4", "source.mp4"]
    assert not bar.busy
    assert bar.isHidden()


def test_all_are_stopped_and_none_begins_any_more(
    source: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    make_video(tmp_path / "long.mp4", frames=240)
    bar = ExportBar()
    qtbot.addWidget(bar)
    bar.start([ExportJob(tmp_path / "long.mp4", tmp_path / "a.gif")])
    bar.start([ExportJob(source, tmp_path / "b.gif")])
    bar.finished.connect(pytest.fail)
    with qtbot.waitSignal(bar.idle):
        bar.cancel_all()
        assert not bar.busy, "nobody wants it any more"
    assert only(tmp_path) == ["long.mp4", "source.mp4"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_folder_that_is_none_gives_a_sentence(source: Path, tmp_path: Path, suffix: str) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError) as raised:
        export_all([ExportJob(source, tmp_path / "file" / f"target{suffix}")], print)
    assert raised.value.message
    assert raised.value.hint


def test_a_source_that_is_gone_gives_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(MagiError, match=r"gone\.mp4"):
        export_all([ExportJob(tmp_path / "gone.mp4", tmp_path / "target.gif")], print)
    assert only(tmp_path) == []


_FULL = """
import os, resource, signal, sys
from pathlib import Path
from magi_desktop.exporting import ExportJob, export_all
from magi_engine.errors import MagiError
from magi_engine.media import export  # while all may be read
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
if sys.argv[3] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))
if sys.argv[3] == "read-only" and os.geteuid() == 0:
    os.seteuid(65534)
try:
    print("made", export_all([ExportJob(Path(sys.argv[1]), Path(sys.argv[2]))], lambda _: None))
except MagiError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE and file modes are POSIX")
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_full_disk_gives_a_sentence_and_leaves_nothing(
    source: Path, tmp_path: Path, suffix: str
) -> None:
    answer = _child(source, tmp_path / f"target{suffix}", "full")
    assert answer.startswith("DiskFullError")
    assert only(tmp_path) == ["source.mp4"]


@pytest.fixture
def open_to_all() -> Path:
    """A folder that every user can look into: root does not mind file modes, so another tries."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE and file modes are POSIX")
def test_a_read_only_folder_gives_a_sentence(open_to_all: Path) -> None:
    source = open_to_all / "source.mp4"
    make_video(source)
    open_to_all.chmod(0o555)
    try:
        answer = _child(source, open_to_all / "target.gif", "read-only")
        assert answer.startswith("OutputError")
        assert "Check that you may write there, or choose another folder." in answer
        assert only(open_to_all) == ["source.mp4"]
    finally:
        open_to_all.chmod(0o755)
        source.unlink()
        open_to_all.rmdir()


def _child(source: Path, target: Path, how: str) -> str:
    command = [sys.executable, "-c", _FULL, str(source), str(target), how]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, cwd=root, stdout=subprocess.PIPE, text=True, timeout=300, check=True
    )
    return done.stdout


def test_the_size_of_a_gif_is_told_before_it_is_made(tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    noise = np.random.default_rng(0).integers(0, 256, (72, 32, 48, 3), np.uint8)
    with open_writer(source, 48, 32, 24) as writer:
        writer.write(noise)
    made = export_video(source, tmp_path / "a.gif").stat().st_size
    assert gif_bytes(source, 24, 72, 48, 32) == pytest.approx(made, rel=0.15)
    assert {p.name for p in tmp_path.iterdir()} == {"a.mp4", "a.gif"}, "nothing else is left"
