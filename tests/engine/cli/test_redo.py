"""``magi redo``, ``extend``, ``resume`` and ``takes``, with a tiny random model."""

from __future__ import annotations

from pathlib import Path

import pytest

from magi_engine.cli.exit_codes import BAD_INPUT, DONE
from magi_engine.cli.main import main
from magi_engine.config.places import default_takes_dir
from magi_engine.media.info import probe
from magi_engine.runtime.request.metadata import read_request
from magi_engine.takes.store import About, TakeStore


@pytest.fixture
def video(tiny_model_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    board = tmp_path / "shots.txt"
    board.write_text("0:00 a red ball\n0:01 cut: a blue cube\n", encoding="utf-8")
    options = ["--config", str(tiny_model_config), "--storyboard", str(board), "--size", "48x32"]
    options += ["--seconds", "2", "--device", "cpu", "--quiet", "-o", "one.mp4"]
    assert main(["generate", *options]) == DONE
    return tmp_path / "one.mp4"


def test_from_the_storyboard_to_a_video_redone_and_extended(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [c.text for c in read_request(video).prompts] == ["a red ball", "a blue cube"]
    capsys.readouterr()
    assert main(["settings-of", str(video), "--storyboard", "txt"]) == DONE
    assert capsys.readouterr().out == "0:00 a red ball\n0:01 cut: a blue cube\n"
    redo = ["redo", str(video), "--from-chunk", "2", "--prompt", "a green star", "--seed", "7"]
    assert main([*redo, "--quiet", "-o", "two.mp4"]) == DONE
    two = read_request(video.with_name("two.mp4"))
    assert [(c.chunk, c.text) for c in two.prompts] == [(0, "a red ball"), (1, "a green star")]
    assert main(["extend", "two.mp4", "--seconds", "1", "--quiet", "-o", "three.mp4"]) == DONE
    assert probe("three.mp4").frame_count == 72
    assert main(["resume", two.take or "", "--quiet", "-o", "four.mp4"]) == BAD_INPUT
    assert "That video was made to its end. Go on behind it" in capsys.readouterr().err


def test_an_audition_and_the_rest_of_one(
    tiny_model_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--config", str(tiny_model_config), "--prompt", "a red ball", "--size", "48x32"]
    options += ["--seconds", "2", "--device", "cpu", "--quiet", "--seed", "5", "-o", "balls"]
    assert main(["audition", "--count", "3", *options]) == DONE
    videos = sorted((tmp_path / "balls").iterdir())
    assert [video.name for video in videos] == [f"a-red-ball-{seed}.mp4" for seed in (5, 6, 7)]
    assert [probe(video).frame_count for video in videos] == [24] * 3
    assert main(["resume", str(videos[1]), "--quiet", "-o", "whole.mp4"]) == DONE
    assert probe("whole.mp4").frame_count == 48
    assert read_request("whole.mp4").seed == 6
    assert main(["audition", "--count", "0", *options]) == BAD_INPUT
    assert main(["audition", "--count", "1", *options]) == BAD_INPUT, "the name is taken"


def test_takes_are_listed_shown_pinned_limited_and_removed(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = read_request(video).take or ""
    assert main(["takes", "list"]) == DONE
    (line,) = (said for said in capsys.readouterr().out.splitlines() if name in said)
    assert line.startswith(f"{name}  2 s")
    assert line.endswith("  a red ball | a blue cube"), "a redone one begins as another"
    assert main(["takes", "pin", str(video)]) == main(["takes", "limit", "0"]) == DONE
    assert TakeStore(default_takes_dir()).find(name).pinned, "the limit leaves it alone"
    assert main(["takes", "show", name]) == DONE
    shown = capsys.readouterr().out
    assert main(["takes", "show", str(video)]) == DONE
    assert capsys.readouterr().out == shown
    assert "a blue cube" in shown
    assert "pinned     yes" in shown
    other = TakeStore(default_takes_dir()).begin(About("{}", 24.0, 6, False, 24, 24, None))
    assert main(["takes", "list"]) == DONE
    listed = capsys.readouterr().out
    assert name in listed
    assert other.name in listed, "one that cannot be read hides no other"
    assert main(["takes", "unpin", str(video)]) == main(["takes", "remove", str(video)]) == DONE
    assert main(["takes", "show", name]) == BAD_INPUT
    assert video.exists()


def test_a_video_that_is_partly_kept_is_said_to_be(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = read_request(video).take or ""
    folder = TakeStore(default_takes_dir()).find(name).folder
    (folder / "000001.safetensors").unlink()
    assert main(["takes", "list"]) == DONE
    (line,) = (said for said in capsys.readouterr().out.splitlines() if name in said)
    assert line.startswith(f"{name}  1 s, ")
    assert ", partly kept  " in line
    for command, says in {
        "extend one.mp4 --seconds 1": "Only the first 1 s of one.mp4 are kept for redoing.",
        "resume one.mp4": "That video was made to its end.",
    }.items():
        assert main([*command.split(), "--quiet", "-o", "never.mp4"]) == BAD_INPUT
        assert says in capsys.readouterr().err
    assert not Path("never.mp4").exists()


def test_a_damaged_take_is_listed_and_removed(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = read_request(video).take or ""
    (TakeStore(default_takes_dir()).folder / name / "take.json").write_bytes(b"{")
    assert main(["takes", "list"]) == DONE
    (line,) = (said for said in capsys.readouterr().out.splitlines() if name in said)
    assert "B  What was kept for redoing this video is damaged" in line
    assert main(["takes", "remove", name]) == DONE
    assert capsys.readouterr().out == f"Removed {name}.\n"
    assert main(["takes", "remove", name]) == BAD_INPUT
    assert "no longer kept" in capsys.readouterr().err


def test_what_cannot_be_done_is_one_sentence(
    video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Asked about one video, which is left as it is."""
    before = video.read_bytes()
    for line, says in {
        "redo one.mp4 --from-chunk 0": "counted from 1",
        "redo one.mp4 --from-chunk 9": "Chunk 9 cannot be made anew: that video has 2 chunks.",
        "redo gone.mp4 --from-chunk 1": "no file",
        "extend 20200101-000000-abcdef --seconds 1": "no longer kept",
        "extend one.mp4 --seconds 0": "cannot be 0 seconds",
        "redo gone --from-chunk 1": "no file",
        "takes limit -1": "limit",
        "takes limit much": "'much' is not a number",
        "takes show gone": "There is no file gone.",
        "takes pin 20200101-000000-abcdef": "no longer kept",
        "takes remove gone.mp4": "There is no file gone.mp4.",
    }.items():
        extra = [] if line.startswith("takes") else ["--quiet", "-o", "never.mp4"]
        assert main([*line.split(), *extra]) == BAD_INPUT, line
        assert says in capsys.readouterr().err, line
        assert not Path("never.mp4").exists()
    assert main(["redo", "one.mp4", "--from-chunk", "1", "-o", ""]) == BAD_INPUT
    assert "The output has no name." in capsys.readouterr().err
    assert video.read_bytes() == before
